//! B37: messages are told apart or linked by what their headers show, or a receiver is exhausted by trying keys.

use crate::session_world::{acquainted, round};
use std::collections::HashSet;
use undertone::crypto::Secret;
use undertone::crypto::work::during;
use undertone::profile::{HeaderKey, Profile};
use undertone::rule::{Rule, without};
use undertone::wire::Writer;
use undertone::{EnvelopeKind, Suite, Undertone};

/// Where the session tag stands.
const TAG: core::ops::Range<usize> = 1..17;

/// HE-1, HE-7, SS-3, SS-4, B37: over the messages of many chains every byte but the first takes many values, and none of them depends on the text: all messages of
/// one text length are of one length, whatever counters and braid payloads they carry. The tag changes with every chain.
#[test]
fn nothing_in_a_message_is_fixed_but_its_version() {
    let (mut alice, mut bob) = acquainted::<Undertone>(100);
    let (mut messages, mut tags) = (Vec::new(), HashSet::new());
    for chain in 0..120 {
        for _ in 0..2 {
            let sent = alice.write(b"always the same text").unwrap();
            bob.read(&sent).unwrap();
            tags.insert(sent.bytes[TAG].to_vec());
            messages.push(sent.bytes);
        }
        assert_eq!(tags.len(), chain + 1, "one tag for each chain, and no other");
        round(&mut bob, &mut alice);
    }
    let length = messages[0].len();
    assert_eq!(length, 172 + b"always the same text".len(), "an established session needs no seal");
    assert!(messages.iter().all(|message| message.len() == length && message[0] == 0x12));
    for at in 1..length {
        let values: HashSet<u8> = messages.iter().map(|message| message[at]).collect();
        // Of 256 values 240 draws meet 156 in the mean, 120 draws (the tag) 96.
        assert!(values.len() > 60, "byte {at} takes {} values", values.len());
        let ones: u32 = messages.iter().map(|message| message[at].count_ones()).sum();
        let mean = messages.len() as u32 * 4;
        assert!(ones.abs_diff(mean) < mean / 5, "byte {at} has {ones} bits set of about {mean}");
    }
}

/// HE-2, HE-6, P-11, B37: however many sessions and chains there are, at most one header key is tried; without the tag the number grows with them.
#[test]
fn at_most_one_header_key_is_tried() {
    let (mut alice, mut bob) = acquainted::<Undertone>(101);
    for _ in 0..10 {
        alice.begin(&bob).unwrap();
        round(&mut alice, &mut bob);
        // Chains with a message missing stay open.
        alice.write(b"lost").unwrap();
        round(&mut alice, &mut bob);
    }
    let sent = alice.write(b"text").unwrap();
    let stranger = [&[0x12_u8][..], &[0xAA; 200]].concat();
    let tries = |bob: &mut crate::session_world::Person, bytes: &[u8]| {
        let (_, work) = during(|| bob.read_as(EnvelopeKind::Message, bytes).is_ok());
        work.header_openings
    };
    assert_eq!(tries(&mut bob, &stranger), 0);
    assert!(without(Rule::He6, || tries(&mut bob, &stranger)) > 20);
    assert_eq!(tries(&mut bob, &sent.bytes), 1);
}

/// HE-3, HE-4: the two first header keys of a handshake, and that of each root step, are keys of their own: no two have a tag, or anything else, in common.
#[test]
fn every_header_key_is_another() {
    let secrets: [&[u8]; 4] = [&[1; 32], &[2; 32], &[3; 32], &[4; 32]];
    let made = Undertone::handshake_secrets(Suite::Pqxdh, &secrets, b"transcript");
    let (root, chain, next_header) = Undertone::root_step(&made.root, &Secret::new([5; 32]));
    let (_, _, another) = Undertone::root_step(&root, &Secret::new([5; 32]));
    let headers = [&made.initiator_header, &made.responder_header, &next_header, &another];
    let keys = headers.map(|header| {
        let mut out = Writer::default();
        header.encode(&mut out);
        out.into_vec()
    });
    let others = [&made.root, &made.post_quantum, &root, &chain].map(|secret| secret.expose().to_vec());
    let distinct: HashSet<Vec<u8>> = keys.into_iter().chain(others).collect();
    assert_eq!(distinct.len(), 8);
    assert_eq!(headers.map(HeaderKey::tag).into_iter().collect::<HashSet<_>>().len(), 4);
}
