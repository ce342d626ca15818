//! Floor 1: how bytes become fields and fields become bytes.

mod cursor;

pub use cursor::{Reader, Writer};
