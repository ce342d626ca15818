//! B3: with a KEM that does not bind its key, whoever broke one KEM prekey re-encapsulates to another, so that the two sides disagree on which was used
//! (PQXDH, finding 4 of Bhargavan et al., USENIX Security 2024).

use crate::handshake_world::agree;
use undertone::handshake::internals::{KemUse, Transcript, TranscriptParty};
use undertone::profile::{HandshakeSecrets, Profile, Suite, Undertone};
use undertone::rule::{Rule, without};

/// A KEM whose shared secret the sender chooses: the ciphertext is the secret under a key derived from the public key. ML-KEM is not like this; the
/// handshake must not depend on that.
struct ToyKem;

impl ToyKem {
    fn encapsulate(public: &[u8; 32], chosen: &[u8; 32]) -> [u8; 32] {
        core::array::from_fn(|i| public[i] ^ chosen[i])
    }

    fn decapsulate(private: &[u8; 32], ciphertext: &[u8; 32]) -> [u8; 32] {
        core::array::from_fn(|i| private[i] ^ ciphertext[i])
    }
}

/// The handshake's key schedule over the toy KEM; the agreements are what both sides have.
fn secrets(kem_id: u32, public: &[u8; 32], ciphertext: &[u8; 32], shared: &[u8; 32]) -> HandshakeSecrets<Undertone> {
    let party = |identity, address| TranscriptParty { identity, address, registration_id: 77 };
    let transcript = Transcript {
        suite: Suite::Pqxdh,
        initiator: party(&[1; 32], b"alice"),
        responder: party(&[2; 32], b"bob"),
        signed_prekey: (1, b"signed prekey"),
        one_time_prekey: None,
        base_key: &[3; 32],
        kem: Some(KemUse { id: kem_id, public, ciphertext }),
    };
    Undertone::handshake_secrets(Suite::Pqxdh, &[&[4; 32], &[5; 32], &[6; 32], shared], &transcript.encode())
}

/// Alice encapsulates to a broken prekey; the attacker hands Bob the same secret under a prekey that is not broken. Whether both then share keys.
fn attack() -> bool {
    let (broken, sound) = ([7; 32], [8; 32]);
    let chosen = [9; 32];
    let to_broken = ToyKem::encapsulate(&broken, &chosen);
    let alice = secrets(1, &broken, &to_broken, &chosen);

    let stolen = ToyKem::decapsulate(&broken, &to_broken);
    let to_sound = ToyKem::encapsulate(&sound, &stolen);
    let bob = secrets(2, &sound, &to_sound, &ToyKem::decapsulate(&sound, &to_sound));
    agree(&alice, &bob)
}

/// PQ-16, B3: KEM prekey, id and ciphertext are in the key schedule, so the two sides share nothing.
#[test]
fn a_re_encapsulated_secret_is_worth_nothing() {
    assert!(!attack());
    assert!(without(Rule::Pq16, attack));
}

/// PQ-16, B29: nothing of the transcript and none of the secrets can change without the keys changing.
#[test]
fn every_input_counts() {
    let base = secrets(1, &[7; 32], &[8; 32], &[9; 32]);
    assert!(agree(&base, &secrets(1, &[7; 32], &[8; 32], &[9; 32])));
    for other in [
        secrets(2, &[7; 32], &[8; 32], &[9; 32]),
        secrets(1, &[0; 32], &[8; 32], &[9; 32]),
        secrets(1, &[7; 32], &[0; 32], &[9; 32]),
        secrets(1, &[7; 32], &[8; 32], &[0; 32]),
    ] {
        assert!(base.root != other.root && base.post_quantum != other.post_quantum);
    }
}
