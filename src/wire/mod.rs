//! Floor 1: how bytes become fields and fields become bytes.

mod address;
mod cursor;
#[cfg(feature = "signal")]
pub mod signal;

pub use address::Address;
pub use cursor::{Reader, Writer};
