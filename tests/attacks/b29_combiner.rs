//! B29: a combiner of secrets is undone because it adds where it should hash, or leaves one of them out.

use std::collections::BTreeSet;
use undertone::crypto::Secret;
use undertone::profile::{HeaderKey, MessageKeys, Profile, Role};
use undertone::rule::{Rule, without};
use undertone::wire::Reader;
use undertone::{Fault, Signal, Suite, Undertone};

/// The root, and the secret of the post-quantum ratchet, from five secrets and a transcript.
fn derive<P: Profile>(secrets: &[[u8; 32]; 5], transcript: &[u8]) -> ([u8; 32], [u8; 32]) {
    let secrets = secrets.each_ref().map(|secret| secret.as_slice());
    let derived = P::handshake_secrets(Suite::Pqxdh, &secrets, transcript);
    (*derived.root.expose(), *derived.post_quantum.expose())
}

/// K-8, PQ-14, PQ-27, B29: whichever secret changes in whichever bit, both outputs are others; equal changes to two secrets do not cancel; their order counts.
#[test]
fn every_secret_of_the_handshake_counts() {
    fn check<P: Profile>() {
        let secrets: [[u8; 32]; 5] = core::array::from_fn(|i| [i as u8 + 1; 32]);
        let mut seen = BTreeSet::from([derive::<P>(&secrets, b"t")]);
        let mut count = 1;
        let mut note = |secrets: &[[u8; 32]; 5]| {
            let (root, post_quantum) = derive::<P>(secrets, b"t");
            assert_ne!(root, post_quantum);
            seen.insert((root, post_quantum));
            count += 1;
            assert_eq!(seen.len(), count);
        };
        for one in 0..5 {
            for bit in [0, 7, 128, 255] {
                let mut changed = secrets;
                changed[one][bit / 8] ^= 1 << (bit % 8);
                note(&changed);
                for other in one + 1..5 {
                    let mut both = changed;
                    both[other][bit / 8] ^= 1 << (bit % 8);
                    note(&both);
                }
            }
            for other in one + 1..5 {
                let mut swapped = secrets;
                swapped.swap(one, other);
                note(&swapped);
            }
        }
    }
    check::<Undertone>();
    check::<Signal>();
}

/// PQ-16, K-8, B29: the native transcript, with every ciphertext and public key in it, counts as well.
#[test]
fn the_transcript_counts() {
    let secrets = [[5; 32]; 5];
    assert_ne!(derive::<Undertone>(&secrets, b"one"), derive::<Undertone>(&secrets, b"two"));
    without(Rule::Pq16, || {
        assert_eq!(derive::<Undertone>(&secrets, b"one"), derive::<Undertone>(&secrets, b"two"));
    });
}

/// SP-7, B29: whoever knows the key of one ratchet, but not that of the other, does not open the message.
#[test]
fn both_ratchets_have_their_part_in_a_message_key() {
    let (opened_with_wrong_seed, opened_with_wrong_key) = (opens([1; 32], [8; 32]), opens([9; 32], [2; 32]));
    assert!(opens([1; 32], [2; 32]) && !opened_with_wrong_seed && !opened_with_wrong_key);
    assert!(without(Rule::Sp7, || opens([1; 32], [8; 32])), "the post-quantum ratchet would count for nothing");
}

/// Whether a native message sealed under (1.., 2..) opens under these keys.
fn opens(seed: [u8; 32], post_quantum: [u8; 32]) -> bool {
    type HeaderKeyOf = <Undertone as Profile>::HeaderKey;
    let header_key = HeaderKeyOf::decode(&mut Reader::new(&[3; 32], Fault::RecordCorrupt)).unwrap();
    let parties = crate::b39_reflection::Parties::new();
    let (sending, receiving) = (parties.binding(Role::Initiator), parties.binding(Role::Responder));
    let (right_seed, right_key) = (Secret::new([1; 32]), Secret::new([2; 32]));
    let keys = MessageKeys { seed: &right_seed, post_quantum: &right_key, header: &header_key };
    let sealed = Undertone::seal(keys, parties.header(), &sending, false, b"text", &mut parties.rng()).unwrap();
    let message = Undertone::parse(&sealed).unwrap();
    let header = Undertone::open_header(&message, &header_key, &receiving).unwrap().unwrap();
    let (seed, post_quantum) = (Secret::new(seed), Secret::new(post_quantum));
    let keys = MessageKeys { seed: &seed, post_quantum: &post_quantum, header: &header_key };
    Undertone::open(keys, &header, &message, &receiving).is_ok()
}
