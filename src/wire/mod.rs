//! Floor 1: how bytes become fields and fields become bytes.

mod address;
mod cursor;
mod post_quantum_header;
#[cfg(feature = "signal")]
pub mod signal;

pub use address::Address;
pub use cursor::{Reader, Writer};
pub use post_quantum_header::{BraidPayload, Chunk, PostQuantumHeader};
