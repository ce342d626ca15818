//! What the client asks of the program around it: the time, a way to wait, and nothing else. No async runtime is named here.

use core::time::Duration;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
use std::time::{SystemTime, UNIX_EPOCH};

/// For implementing the async traits of this crate: `#[async_trait]` on the `impl`, `#[async_trait(?Send)]` in WebAssembly.
pub use async_trait::async_trait;

/// `Send + Sync` where there are threads; nothing in WebAssembly, where a host's objects stay on their thread.
#[cfg(not(target_family = "wasm"))]
pub trait Shareable: Send + Sync + 'static {}
#[cfg(not(target_family = "wasm"))]
impl<T: Send + Sync + 'static> Shareable for T {}

/// `Send + Sync` where there are threads; nothing in WebAssembly, where a host's objects stay on their thread.
#[cfg(target_family = "wasm")]
pub trait Shareable: 'static {}
#[cfg(target_family = "wasm")]
impl<T: 'static> Shareable for T {}

/// Tells the time and waits.
///
/// ```
/// use core::time::Duration;
/// use undertone::runtime::{Clock, async_trait};
///
/// /// The clock of a test: it stands still, and waiting takes no time.
/// struct Noon;
///
/// #[async_trait]
/// impl Clock for Noon {
///     fn now(&self) -> Duration {
///         Duration::from_secs(1_800_000_000)
///     }
///     async fn sleep(&self, _: Duration) {}
/// }
/// assert_eq!(Noon.now().as_secs(), 1_800_000_000);
/// ```
#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
pub trait Clock: Shareable {
    /// The time since 1970-01-01T00:00:00Z.
    fn now(&self) -> Duration;

    /// Returns after `duration`.
    async fn sleep(&self, duration: Duration);
}

/// The clock of the system. It waits on a timer of its own and needs no runtime.
///
/// ```
/// use undertone::runtime::{Clock, SystemClock};
///
/// assert!(SystemClock.now().as_secs() > 1_700_000_000);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Clock for SystemClock {
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    fn now(&self) -> Duration {
        Duration::from_secs_f64(js_sys::Date::now() / 1000.0)
    }

    async fn sleep(&self, duration: Duration) {
        futures_timer::Delay::new(duration).await;
    }
}
