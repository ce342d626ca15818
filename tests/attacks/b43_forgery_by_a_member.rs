//! B43: every member of a group holds every chain key. What keeps one from writing in another's name is the signature alone.

use crate::group_world::{Alice, NOW, code, context};
use undertone::crypto::Secret;
use undertone::crypto::ed25519::SigningSecret;
use undertone::crypto::{aead, chain, hash, kdf};
use undertone::profile::IdentityKey;
use undertone::rule::{Rule, without};

/// Seals a text with everything that a distribution hands out, and signs it with a key of the forger's own.
fn forge(alice: &Alice, distribution: &[u8], text: &[u8]) -> Vec<u8> {
    let secrets = &distribution[distribution.len() - 116..];
    let (chain_id, n, chain_key, header_key) = (&secrets[..16], &secrets[16..20], &secrets[20..52], &secrets[52..84]);
    let prefixed = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes(), bytes].concat();
    let binding = hash::sha256(&[
        &prefixed(b"Undertone_1_group_binding"),
        &prefixed(context(5).id().as_bytes()),
        &5u64.to_be_bytes(),
        context(5).membership(),
        &prefixed(&alice.identity.to_bytes()),
        &prefixed(&[&[0, 5], b"alice".as_slice(), &[1]].concat()),
        chain_id,
    ]);
    let (header_cipher, tag) = kdf::hkdf::<48>(&[], &[header_key], &[b"Undertone_1_group_header"]).split::<32, 16>();
    let position = u32::from_be_bytes(n.try_into().unwrap());
    let (_, seed) = chain::step(&Secret::from_slice(chain_key).unwrap(), *b"U1_group", position);
    let (key, nonce) =
        kdf::hkdf::<44>(&binding, &[seed.expose()], &[b"Undertone_1_group_message_key"]).split::<32, 12>();

    let header = [n, &[0; 12]].concat();
    let mut message = [&[0x13], tag.expose().as_slice(), &[9; 24], &[0; 16]].concat();
    let header_data = [&[0x13], tag.expose().as_slice(), &binding].concat();
    let header_tag = aead::xseal_detached(&header_cipher, &[9; 24], &header_data, &header, &mut message[41..]);
    message.extend_from_slice(&header_tag);
    let body_data = [binding.as_slice(), &message].concat();
    aead::seal(&key, nonce.expose(), &body_data, text, &mut message);
    let signature =
        SigningSecret::from_seed(Secret::new([0x66; 32])).sign(&[b"Undertone_1_group_signature", &binding, &message]);
    message.extend_from_slice(&signature);
    message
}

/// D5, B43: the forgery of a member who holds all keys but the signing key is refused, and changes nothing.
#[test]
fn a_member_cannot_write_in_the_owners_name() {
    let mut alice = Alice::new();
    let sender = alice.sender_key();
    let mut reader = alice.reader(&sender.distribution());
    let forged = forge(&alice, &sender.distribution(), b"alice never said this");
    let before = reader.to_bytes();
    assert_eq!(code(reader.decrypt(&forged, NOW)), "signature.invalid");
    assert_eq!(reader.to_bytes(), before);

    let read = without(Rule::D5, || reader.decrypt(&forged, NOW)).unwrap();
    assert_eq!(read.plaintext, b"alice never said this");
}
