//! How much work one message costs, counted and not timed: only this repository's own tests look (B31, B37).

#[cfg(feature = "__internals")]
pub use counters::{Work, during};
#[cfg(feature = "__internals")]
pub(in crate::crypto) use counters::{derivation, header_opening};

/// One HMAC or one step of a native chain was computed.
#[cfg(not(feature = "__internals"))]
#[inline(always)]
pub(in crate::crypto) const fn derivation() {}

/// One encrypted header was tried.
#[cfg(not(feature = "__internals"))]
#[inline(always)]
pub(in crate::crypto) const fn header_opening() {}

#[cfg(feature = "__internals")]
mod counters {
    use std::cell::Cell;

    /// What was computed on this thread.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Work {
        /// Steps of native chains, and HMACs outside of a longer HKDF's expansion: up to three for a step of the Signal profile.
        pub derivations: u64,
        /// Encrypted headers that were tried.
        pub header_openings: u64,
    }

    thread_local!(static DONE: Cell<Work> = const { Cell::new(Work { derivations: 0, header_openings: 0 }) });

    pub fn derivation() {
        let done = DONE.get();
        DONE.set(Work { derivations: done.derivations + 1, ..done });
    }

    pub fn header_opening() {
        let done = DONE.get();
        DONE.set(Work { header_openings: done.header_openings + 1, ..done });
    }

    /// What `task` computes, and what it returns.
    pub fn during<T>(task: impl FnOnce() -> T) -> (T, Work) {
        let before = DONE.get();
        let result = task();
        let after = DONE.get();
        let work =
            Work { derivations: after.derivations - before.derivations, header_openings: after.header_openings - before.header_openings };
        (result, work)
    }
}
