//! A generator that gives out what the vectors say, and nothing else.

use rand_core::{TryCryptoRng, TryRng};
use std::convert::Infallible;

/// Gives out its bytes in order; a draw beyond them fails the test.
pub struct ScriptedRng {
    left: Vec<u8>,
}

impl ScriptedRng {
    /// Gives out these parts, one behind the other.
    pub fn new(parts: &[&[u8]]) -> Self {
        Self { left: parts.concat() }
    }

    /// Fails the test unless all was drawn.
    pub fn finish(self, name: &str) {
        assert!(self.left.is_empty(), "{name}: {} bytes were not drawn", self.left.len());
    }
}

impl TryRng for ScriptedRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("the engine draws bytes only")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("the engine draws bytes only")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        assert!(self.left.len() >= out.len(), "a draw of {} bytes, {} are left", out.len(), self.left.len());
        let rest = self.left.split_off(out.len());
        out.copy_from_slice(&self.left);
        self.left = rest;
        Ok(())
    }
}

impl TryCryptoRng for ScriptedRng {}
