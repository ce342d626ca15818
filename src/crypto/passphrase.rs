//! Argon2id (RFC 9106): a key from a passphrase, at a cost that makes guessing slow.

use crate::crypto::secret::{Secret, wipe};
use crate::error::{Fault, Result};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

/// Bytes of a salt.
pub const SALT: usize = 16;

/// What one guess costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes, which may be computed side by side.
    pub lanes: u32,
}

impl Cost {
    /// 64 MiB, three passes, one lane: RFC 9106, section 4, second recommendation, in one lane, since a browser has but one thread.
    pub const DEFAULT: Self = Self { memory: 64 * 1024, passes: 3, lanes: 1 };

    /// Whether a device can afford it. A stored cost comes from whoever wrote the storage, and must not stop the device for hours.
    #[must_use]
    pub const fn is_bearable(self) -> bool {
        self.lanes >= 1
            && self.lanes <= 16
            && self.passes >= 1
            && self.passes <= 16
            && self.memory >= 8 * self.lanes
            && self.memory <= 512 * 1024
    }
}

/// The key that belongs to `passphrase` and `salt` at `cost`.
///
/// # Errors
/// `request.argument` if the cost is not [bearable](Cost::is_bearable), the memory is not there, or the passphrase is longer than 4 GiB.
pub fn stretch(passphrase: &[u8], salt: &[u8; SALT], cost: Cost) -> Result<Secret<32>> {
    if !cost.is_bearable() {
        return Err(Fault::Argument.into());
    }
    let parameters = Params::new(cost.memory, cost.passes, cost.lanes, Some(32)).map_err(|_| Fault::Argument)?;
    let blocks = parameters.block_count();
    // B74: the last block is the key before its last hash, and the crate's own memory is not wiped.
    let mut memory = Zeroizing::new(Vec::<Block>::new());
    memory.try_reserve_exact(blocks).map_err(|_| Fault::Argument)?;
    memory.resize(blocks, Block::new());
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
        .hash_password_into_with_memory(passphrase, salt, &mut key, &mut *memory)
        .map_err(|_| Fault::Argument)?;
    let secret = Secret::new(key);
    wipe(&mut key);
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answer of the reference implementation's `test.c`: version 0x13, 2^8 KiB, two passes, one lane; and one for two lanes.
    #[test]
    fn reference_implementation() {
        let cost = Cost { memory: 256, passes: 2, lanes: 1 };
        let key = argon2_reference(b"password", b"somesalt", cost);
        assert_eq!(hex::encode(key), "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe");
        let key = argon2_reference(b"password", b"somesalt", Cost { lanes: 2, ..cost });
        assert_eq!(hex::encode(key), "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037");
    }

    /// The crate with the 8-byte salt of the reference's tests, which [`stretch`] does not take.
    fn argon2_reference(passphrase: &[u8], salt: &[u8], cost: Cost) -> [u8; 32] {
        let mut key = [0; 32];
        let parameters = Params::new(cost.memory, cost.passes, cost.lanes, Some(32)).unwrap();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
            .hash_password_into(passphrase, salt, &mut key)
            .unwrap();
        key
    }

    #[test]
    fn passphrase_salt_and_cost_all_count() {
        let cost = Cost { memory: 64, passes: 1, lanes: 1 };
        let key = stretch(b"correct horse", &[1; SALT], cost).unwrap();
        assert_eq!(key.expose(), &argon2_reference(b"correct horse", &[1; SALT], cost));
        assert_eq!(key, stretch(b"correct horse", &[1; SALT], cost).unwrap());
        assert_ne!(key, stretch(b"correct hors", &[1; SALT], cost).unwrap());
        assert_ne!(key, stretch(b"correct horse", &[2; SALT], cost).unwrap());
        assert_ne!(key, stretch(b"correct horse", &[1; SALT], Cost { passes: 2, ..cost }).unwrap());
    }

    #[test]
    fn an_unbearable_cost_is_refused() {
        for cost in [
            Cost { memory: u32::MAX, ..Cost::DEFAULT },
            Cost { memory: 7, ..Cost::DEFAULT },
            Cost { memory: 64, lanes: 16, ..Cost::DEFAULT },
            Cost { passes: 0, ..Cost::DEFAULT },
            Cost { passes: u32::MAX, ..Cost::DEFAULT },
            Cost { lanes: 0, ..Cost::DEFAULT },
            Cost { lanes: 17, ..Cost::DEFAULT },
        ] {
            assert_eq!(stretch(b"", &[0; SALT], cost), Err(Fault::Argument.into()), "{cost:?}");
        }
        assert!(Cost::DEFAULT.is_bearable());
    }
}
