//! What authenticates the braid: a small ratchet of its own, fed with every epoch's secret (BR-3, BR-4).

use crate::crypto::Secret;
use crate::crypto::kdf::{hkdf, hmac};
use crate::crypto::split_kem::{CT1, CT2, HEADER};
use crate::error::{Fault, Result};
use crate::profile::PostQuantumProfile;
use crate::rule::{self, Rule};
use crate::wire::{Reader, Writer};

/// Bytes of a MAC.
pub const MAC: usize = 32;

/// The keys that authenticate the epoch being negotiated.
#[derive(Debug)]
pub struct Authenticator {
    root: Secret<32>,
    mac: Secret<32>,
}

impl Authenticator {
    /// The authenticator of the first epoch, from the handshake's secret.
    pub fn new<P: PostQuantumProfile>(secret: &Secret<32>) -> Self {
        Self::update_from::<P>(&Secret::new([0; 32]), 1, secret)
    }

    /// The authenticator once the secret of `epoch` is known.
    pub fn updated<P: PostQuantumProfile>(&self, epoch: u64, secret: &Secret<32>) -> Self {
        Self::update_from::<P>(&self.root, epoch, secret)
    }

    /// The MAC over the header of the public key of `epoch`.
    pub fn header_mac<P: PostQuantumProfile>(&self, epoch: u64, header: &[u8; HEADER]) -> [u8; MAC] {
        hmac(self.mac.expose(), &[P::EK_HEADER, &epoch.to_be_bytes(), header])
    }

    /// The MAC over the ciphertext of `epoch`; the authenticator has been updated with its secret.
    pub fn ciphertext_mac<P: PostQuantumProfile>(&self, epoch: u64, ct1: &[u8; CT1], ct2: &[u8; CT2]) -> [u8; MAC] {
        hmac(self.mac.expose(), &[P::CIPHERTEXT, &epoch.to_be_bytes(), ct1, ct2])
    }

    /// An authenticator as an official client's record holds it.
    #[cfg(feature = "signal")]
    pub const fn imported(root: Secret<32>, mac: Secret<32>) -> Self {
        Self { root, mac }
    }

    /// Writes the keys for a record.
    pub fn encode(&self, out: &mut Writer) {
        out.bytes(self.root.expose()).bytes(self.mac.expose());
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// The reader's fault.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self> {
        Ok(Self { root: input.secret()?, mac: input.secret()? })
    }

    fn update_from<P: PostQuantumProfile>(root: &Secret<32>, epoch: u64, secret: &Secret<32>) -> Self {
        let info = [P::AUTHENTICATOR_UPDATE, &epoch.to_be_bytes()];
        let [root, mac] = hkdf::<64>(&[], &[root.expose(), secret.expose()], &info).pieces();
        Self { root, mac }
    }
}

/// The secret that an epoch yields, from the KEM's.
pub fn epoch_secret<P: PostQuantumProfile>(epoch: u64, shared: &Secret<32>) -> Secret<32> {
    hkdf(&[], &[shared.expose()], &[P::EPOCH_SECRET, &epoch.to_be_bytes()])
}

/// Compares a MAC that came with what it must be, in constant time.
///
/// # Errors
/// BR-5, B30: `braid.authentication`. Under a header that was authenticated this is an attack or a fault of the peer, never noise: the message is refused, and
/// if what is wrong is a chunk held already, so is every other that would complete its part. The state stays as it was, as after everything that fails; a
/// state that ended here would let anyone end a session of the Signal profile, whose messages are authenticated only after this.
pub fn check_mac(expected: [u8; MAC], received: [u8; MAC]) -> Result<()> {
    if rule::on(Rule::Br3) && Secret::new(expected) != Secret::new(received) {
        return Err(Fault::BraidAuthentication.into());
    }
    Ok(())
}

#[cfg(all(test, feature = "signal"))]
mod tests {
    use super::*;
    use crate::profile::Signal;

    /// BR-3, BR-4: the values of an independent implementation.
    #[test]
    fn known_answers() {
        let authenticator = Authenticator::new::<Signal>(&Secret::new([0x2A; 32]));
        assert_eq!(
            hex::encode(authenticator.root.expose()),
            "7023c8902b246ef746fe7919e81358d3521ab6c3d230a4cfe835a94d33ed34b6"
        );
        assert_eq!(
            hex::encode(authenticator.mac.expose()),
            "ba0a9d05de50e05e41a6575065f7a4117b44011cb25b1714a3c5df4e658b06dc"
        );
        assert_eq!(
            hex::encode(authenticator.header_mac::<Signal>(1, &[0; 64])),
            "ad78371031c13cdda0a5a8d8a371d6f6ac0c68c315979d6771be3ffa70539b1c"
        );
        assert_eq!(
            hex::encode(authenticator.ciphertext_mac::<Signal>(1, &[0; 960], &[0; 128])),
            "56f0bfeb9c5eda8123969b8da6fa15eb19f8eaa67dd75962dbc9b19074a99146"
        );
        assert_eq!(
            hex::encode(epoch_secret::<Signal>(1, &Secret::new([9; 32])).expose()),
            "e448a5367f8f875beab49ed8c4ed679652fb29daafc9b85dde2e81b5e1ab192b"
        );
    }

    /// BR-5: a MAC that differs in one bit is an error.
    #[test]
    fn a_wrong_mac_is_refused() {
        let mut wrong = [7; MAC];
        check_mac([7; MAC], wrong).unwrap();
        wrong[31] ^= 0x80;
        assert_eq!(check_mac([7; MAC], wrong), Err(Fault::BraidAuthentication.into()));
    }
}
