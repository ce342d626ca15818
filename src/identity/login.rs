//! How a device proves to a server which one it is (docs/protocol.md, section 15).

use crate::error::Result;
use crate::profile::{IdentityKey, IdentityKeyPair, Statement, UndertoneIdentityKey, UndertoneIdentityKeyPair};
use crate::wire::Address;
use rand_core::TryCryptoRng;

const LABEL: &[u8] = b"Undertone_1_login";

/// Signs a server's challenge, 32 bytes that the server drew for this connection.
///
/// XE-7: what is signed begins with a label of its own and holds the address, so that a server cannot have the device sign anything else.
///
/// # Errors
/// `random.failed`.
///
/// ```
/// use undertone::identity::{sign_login, verify_login};
/// use undertone::{Address, IdentityKeyPair, UndertoneIdentityKeyPair};
///
/// let (pair, address) = (UndertoneIdentityKeyPair::generate(&mut getrandom::SysRng)?, Address::new("alice", 1)?);
/// let signature = sign_login(&pair, &address, &[7; 32], &mut getrandom::SysRng)?;
/// verify_login(pair.public(), &address, &[7; 32], &signature)?;
/// assert!(verify_login(pair.public(), &address, &[8; 32], &signature).is_err());
/// # Ok::<(), undertone::Error>(())
/// ```
pub fn sign_login(
    identity: &UndertoneIdentityKeyPair,
    address: &Address,
    challenge: &[u8; 32],
    rng: &mut impl TryCryptoRng,
) -> Result<[u8; 64]> {
    let address = address.to_bytes();
    identity.sign(Statement::Login, &[LABEL, &length(&address), &address, challenge], rng)
}

/// Verifies what [`sign_login`] made: the server's part.
///
/// # Errors
/// `signature.invalid`.
pub fn verify_login(
    identity: &UndertoneIdentityKey,
    address: &Address,
    challenge: &[u8; 32],
    signature: &[u8; 64],
) -> Result<()> {
    let address = address.to_bytes();
    identity.verify(&[LABEL, &length(&address), &address, challenge], signature)
}

/// An address is at most 258 bytes long.
fn length(address: &[u8]) -> [u8; 4] {
    u32::try_from(address.len()).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::StdRng};

    /// XE-7: a login is for one device and one challenge, and is no signature of another kind.
    #[test]
    fn a_login_is_for_one_device_and_one_challenge() {
        let mut rng = StdRng::seed_from_u64(1);
        let pair = UndertoneIdentityKeyPair::generate(&mut rng).unwrap();
        let other = UndertoneIdentityKeyPair::generate(&mut rng).unwrap();
        let (first, second) = (Address::new("alice", 1).unwrap(), Address::new("alice", 2).unwrap());
        let signature = sign_login(&pair, &first, &[7; 32], &mut rng).unwrap();
        assert_eq!(verify_login(pair.public(), &first, &[7; 32], &signature), Ok(()));
        for refused in [
            verify_login(pair.public(), &second, &[7; 32], &signature),
            verify_login(pair.public(), &first, &[8; 32], &signature),
            verify_login(other.public(), &first, &[7; 32], &signature),
            pair.public().verify(&[&first.to_bytes(), &[7; 32]], &signature),
        ] {
            assert_eq!(refused.unwrap_err().code(), "signature.invalid");
        }
    }
}
