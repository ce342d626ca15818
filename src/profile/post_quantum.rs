//! What differs between the profiles in the post-quantum ratchet: labels and the steps of its chains.

use crate::crypto::Secret;
use crate::crypto::chain;
use crate::crypto::kdf::hkdf;
#[cfg(feature = "signal")]
use crate::crypto::kdf::{hkdf_zero_salt_64, hkdf_zero_salt_first32};
#[cfg(feature = "signal")]
use crate::profile::Signal;
use crate::profile::Undertone;

/// The labels and the chain steps of a profile's post-quantum ratchet.
pub trait PostQuantumProfile {
    /// Label of the authenticator's update; the epoch follows it (BR-3).
    const AUTHENTICATOR_UPDATE: &[u8];
    /// Label of the MAC over a public key's header; the epoch follows it.
    const EK_HEADER: &[u8];
    /// Label of the MAC over a ciphertext; the epoch follows it.
    const CIPHERTEXT: &[u8];
    /// Label of an epoch's secret; the epoch follows it (BR-4).
    const EPOCH_SECRET: &[u8];

    /// The root, the initiator's and the responder's first chain key, from the handshake's secret (SP-2).
    fn chain_start(secret: &Secret<32>) -> [Secret<32>; 3];

    /// The next root, and the initiator's and the responder's chain key of an epoch, from the epoch's secret. The root makes
    /// it the session's own (BR-9).
    fn chain_add_epoch(root: &Secret<32>, epoch_secret: &Secret<32>) -> [Secret<32>; 3];

    /// The next chain key, and the key of message `index`, counted from 1 (SP-2, SP-3: from the chain key and the counter).
    fn chain_step(chain: &Secret<32>, index: u32) -> (Secret<32>, Secret<32>);

    /// The next chain key alone.
    fn chain_walk(chain: &Secret<32>, index: u32) -> Secret<32>;
}

impl PostQuantumProfile for Undertone {
    const AUTHENTICATOR_UPDATE: &[u8] = b"Undertone_1_braid_authenticator";
    const EK_HEADER: &[u8] = b"Undertone_1_braid_header";
    const CIPHERTEXT: &[u8] = b"Undertone_1_braid_ciphertext";
    const EPOCH_SECRET: &[u8] = b"Undertone_1_braid_epoch";

    fn chain_start(secret: &Secret<32>) -> [Secret<32>; 3] {
        hkdf::<96>(&[], &[secret.expose()], &[b"Undertone_1_pq_chain_start"]).pieces()
    }

    fn chain_add_epoch(root: &Secret<32>, epoch_secret: &Secret<32>) -> [Secret<32>; 3] {
        hkdf::<96>(root.expose(), &[epoch_secret.expose()], &[b"Undertone_1_pq_chain_epoch"]).pieces()
    }

    fn chain_step(chain: &Secret<32>, index: u32) -> (Secret<32>, Secret<32>) {
        chain::step(chain, CHAIN, index)
    }

    fn chain_walk(chain: &Secret<32>, index: u32) -> Secret<32> {
        Self::chain_step(chain, index).0
    }
}

#[cfg(feature = "signal")]
impl PostQuantumProfile for Signal {
    const AUTHENTICATOR_UPDATE: &[u8] = b"Signal_PQCKA_V1_MLKEM768:Authenticator Update";
    const EK_HEADER: &[u8] = b"Signal_PQCKA_V1_MLKEM768:ekheader";
    const CIPHERTEXT: &[u8] = b"Signal_PQCKA_V1_MLKEM768:ciphertext";
    const EPOCH_SECRET: &[u8] = b"Signal_PQCKA_V1_MLKEM768:SCKA Key";

    fn chain_start(secret: &Secret<32>) -> [Secret<32>; 3] {
        hkdf::<96>(&[], &[secret.expose()], &[b"Signal PQ Ratchet V1 Chain  Start"]).pieces()
    }

    fn chain_add_epoch(root: &Secret<32>, epoch_secret: &Secret<32>) -> [Secret<32>; 3] {
        hkdf::<96>(root.expose(), &[epoch_secret.expose()], &[b"Signal PQ Ratchet V1 Chain Add Epoch"]).pieces()
    }

    fn chain_step(chain: &Secret<32>, index: u32) -> (Secret<32>, Secret<32>) {
        hkdf_zero_salt_64(chain, &[&index.to_be_bytes(), SIGNAL_NEXT])
    }

    fn chain_walk(chain: &Secret<32>, index: u32) -> Secret<32> {
        hkdf_zero_salt_first32(chain, &[&index.to_be_bytes(), SIGNAL_NEXT])
    }
}

const CHAIN: chain::Label = *b"U1_pqchn";
#[cfg(feature = "signal")]
const SIGNAL_NEXT: &[u8] = b"Signal PQ Ratchet V1 Chain Next";

#[cfg(test)]
mod tests {
    use super::*;

    /// SP-2, SP-3, SP-4: walking is stepping without the key, and the counter changes both outputs.
    #[test]
    fn walking_agrees_with_stepping() {
        fn check<P: PostQuantumProfile>() {
            let chain = Secret::new([3; 32]);
            assert_eq!(P::chain_walk(&chain, 5), P::chain_step(&chain, 5).0);
            assert_ne!(P::chain_step(&chain, 5).0, P::chain_step(&chain, 6).0);
            assert_ne!(P::chain_step(&chain, 5).1, P::chain_step(&chain, 6).1);
            assert_ne!(P::chain_step(&chain, 5).0, P::chain_step(&chain, 5).1);
        }
        check::<Undertone>();
        #[cfg(feature = "signal")]
        check::<Signal>();
    }

    /// SP-2, SP-3, SP-4: the chains of the Signal profile against the values of an independent implementation.
    #[cfg(feature = "signal")]
    #[test]
    fn signal_chain_vectors() {
        let hex = |secret: &Secret<32>| hex::encode(secret.expose());
        let [root, a2b, b2a] = Signal::chain_start(&Secret::new([0x2A; 32]));
        let (a2b, first) = Signal::chain_step(&a2b, 1);
        assert_eq!(hex(&first), "8ba5d0297e070141d5814d9401ea870636a8bdd029f4b32bb79fba7394d84728");
        let (_, second) = Signal::chain_step(&a2b, 2);
        assert_eq!(hex(&second), "bd47438831875f7ea9a107e82ea51dfd4d4ea3035aaea5cfa366f65cef9655a7");
        let (_, first) = Signal::chain_step(&b2a, 1);
        assert_eq!(hex(&first), "6f4eff7392a6f48c6cd324379a0d363db0c678ffd95166192394842e1ec61e03");
        let [root, a2b, _] = Signal::chain_add_epoch(&root, &Secret::new([7; 32]));
        let (_, first) = Signal::chain_step(&a2b, 1);
        assert_eq!(hex(&first), "0d4f547217a7d00930778e0fc8b3ba27b7ee5b16cdffb67ed41afc013ee85f3a");
        assert_eq!(hex(&root), "77c716f54a79a10b83911204f6db99c4763f534f29031f7c9ddf844ba72c7687");
    }
}
