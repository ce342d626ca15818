//! Keys that no place takes.

use crate::session_world::{Person, strangers};
use crate::{FIELD, LENGTH, LOW_ORDER, NOT_CANONICAL, TORSION, TYPE, told};
use undertone::crypto::Secret;
use undertone::crypto::agreement::{AgreementKey, AgreementSecret};
use undertone::crypto::kem::{KemCiphertext, KemPublic, MlKem1024};
use undertone::handshake::FirstMessage;
use undertone::handshake::internals::parse_first;
use undertone::rule::{Rule, without};
use undertone::wire::signal::{admit_agreement_key, admit_kem_ciphertext, admit_kem_key, admit_verifying_key};
use undertone::{Address, DidKey, Error, ErrorKind, PrekeyBundle, Undertone};

/// u = 1, of order 4; u = p + 2, which is no canonical number; u = 2, on the twist.
pub const BAD_POINTS: [([u8; 32], (ErrorKind, &str)); 3] =
    [(point(1, 0, 0), LOW_ORDER), (point(0xEF, 0xFF, 0x7F), NOT_CANONICAL), (point(2, 0, 0), TORSION)];

pub const fn point(first: u8, fill: u8, last: u8) -> [u8; 32] {
    let mut bytes = [fill; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

/// Wrong lengths: a key and a ciphertext that are a byte too short or too long, of every type.
#[test]
fn wrong_lengths() {
    for length in [0, 31, 33, 64] {
        assert_eq!(told(AgreementKey::admit(&vec![9; length])), LENGTH);
        assert_eq!(told(undertone::crypto::ed25519::VerifyingKey::admit(&vec![9; length])), LENGTH);
        assert_eq!(told(undertone::crypto::xeddsa::XeddsaKey::admit(&vec![9; length])), LENGTH);
    }
    for length in [0, 1184, 1567, 1569] {
        assert_eq!(told(KemPublic::<MlKem1024>::admit(&vec![0; length])), LENGTH);
        assert_eq!(told(KemCiphertext::<MlKem1024>::from_slice(&vec![0; length])), FIELD);
    }
    let typed = |kind: u8, length: usize| [&[kind][..], &vec![9; length]].concat();
    for length in [0, 31, 33] {
        assert_eq!(told(admit_agreement_key(&typed(5, length))), LENGTH);
        assert_eq!(told(admit_verifying_key(&typed(5, length))), LENGTH);
    }
    assert_eq!(told(admit_agreement_key(&[])), LENGTH);
    assert_eq!(told(admit_kem_key(&typed(8, 1567))), LENGTH);
    assert_eq!(told(admit_kem_ciphertext(&typed(8, 1567))), FIELD);
}

/// Wrong types: a key of one type in the place of another.
#[test]
fn wrong_types_of_keys() {
    let (_, bob) = strangers::<Undertone>(212);
    // Where the types of the three keys of a signed prekey stand, and that of the KEM prekey.
    for (is_kem, at) in [(false, 17), (false, 17 + 33), (false, 17 + 66), (true, 17)] {
        for key_type in [0x00, 0x05, 0x21, 0x25] {
            assert_eq!(told(with_published(&bob, is_kem, |public| public[at] = key_type)), TYPE);
        }
    }
    for key_type in [0, 4, 6, 8] {
        assert_eq!(told(admit_agreement_key(&[&[key_type][..], &[9; 32]].concat())), TYPE);
    }
    assert_eq!(told(admit_kem_key(&[&[5_u8][..], &[0; 1568]].concat())), TYPE);
    assert_eq!(
        told("did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169".parse::<DidKey>()),
        (ErrorKind::InvalidKey, "did.encoding")
    );
}

/// Bob's bundle with a published prekey changed, as the parser sees it.
fn with_published(
    bob: &Person,
    is_kem: bool,
    change: impl FnOnce(&mut Vec<u8>),
) -> Result<PrekeyBundle<Undertone>, Error> {
    let bundle = bob.prekeys.bundle(&bob.local(), true).unwrap();
    let (mut signed, mut kem) = (bundle.signed_prekey().clone(), bundle.kem_prekey().unwrap().clone());
    change(if is_kem { &mut kem.public } else { &mut signed.public });
    let identity = bundle.identity_bytes();
    PrekeyBundle::from_parts(bundle.address.clone(), bundle.registration_id, &identity, signed, Some(kem), None)
}

/// P-3, PQ-4, PQ-5: non-canonical points, points of low order, points outside the subgroup: in every field of a bundle and of a first message that holds a key.
#[test]
fn bad_points() {
    let (mut alice, bob) = strangers::<Undertone>(214);
    alice.begin(&bob).unwrap();
    let sent = alice.write(b"text").unwrap();
    let first = FirstMessage::open(&bob.local(), &sent.bytes, &bob.prekeys).unwrap();
    let plain = plain_first(&first, &alice.address);
    parse_first(&plain).unwrap();
    let base_key = 1 + 32 + (2 + alice.address.name().len() + 1) + 4;
    for (bytes, name) in BAD_POINTS {
        assert_eq!(told(AgreementKey::admit(&bytes)), name);
        for at in [18, 18 + 33] {
            let bundle = with_published(&bob, false, |public| public[at..at + 32].copy_from_slice(&bytes));
            assert_eq!(told(bundle), name);
        }
        let mut changed = plain.clone();
        changed[base_key..base_key + 32].copy_from_slice(&bytes);
        assert_eq!(told(parse_first(&changed)), name);
        assert_eq!(told(admit_agreement_key(&[&[5][..], &bytes].concat())), name);
    }
    // An identity key: y = 1, y = p + 1, and no point at all.
    let bundle = bob.prekeys.bundle(&bob.local(), true).unwrap();
    let identities =
        [(point(1, 0, 0), LOW_ORDER), (point(0xEE, 0xFF, 0x7F), NOT_CANONICAL), (point(2, 0, 0), NOT_CANONICAL)];
    for (bytes, name) in identities {
        let signed = bundle.signed_prekey().clone();
        let changed = PrekeyBundle::<Undertone>::from_parts(bob.address.clone(), 77, &bytes, signed, None, None);
        assert_eq!(told(changed), name);
        let mut changed = plain.clone();
        changed[1..33].copy_from_slice(&bytes);
        assert_eq!(told(parse_first(&changed)), name);
    }
    // A KEM key with a coefficient outside of its modulus, in both places.
    let modulus = (ErrorKind::InvalidKey, "key.modulus");
    assert_eq!(told(with_published(&bob, true, |public| public[18..21].fill(0xFF))), modulus);
    assert_eq!(told(with_published(&bob, false, |public| public[84..87].fill(0xFF))), modulus);
}

/// `first` of docs/protocol.md, section 4.2.
fn plain_first(first: &FirstMessage<Undertone>, from: &Address) -> Vec<u8> {
    let (kem_id, ciphertext) = first.kem.as_ref().unwrap();
    let name = from.name().as_bytes();
    let identity = undertone::IdentityKey::to_bytes(&first.identity);
    [
        &[1][..],
        &identity,
        &(name.len() as u16).to_be_bytes(),
        name,
        &[from.device()],
        &first.registration_id.to_be_bytes(),
        first.base_key.as_bytes(),
        &first.signed_prekey_id.to_be_bytes(),
        &[1],
        &first.one_time_prekey_id.unwrap().to_be_bytes(),
        &kem_id.to_be_bytes(),
        ciphertext.as_bytes(),
        &first.message,
    ]
    .concat()
}

/// All-zero agreements: where a key of low order gets past admission, the agreement itself refuses.
#[test]
fn all_zero_agreements() {
    let own = AgreementSecret::from_bytes(Secret::new([3; 32]));
    for bytes in [point(0, 0, 0), point(1, 0, 0), point(0xEC, 0xFF, 0x7F)] {
        assert_eq!(told(AgreementKey::admit_ephemeral(&bytes)), LOW_ORDER);
        let admitted = without(Rule::Pq4, || AgreementKey::admit_ephemeral(&bytes)).unwrap();
        assert_eq!(told(own.agree(&admitted)), (ErrorKind::InvalidKey, "key.agreement_zero"));
    }
}
