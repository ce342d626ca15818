//! B45: a sender key or its messages are moved to another group, epoch, membership, sender or chain.

use crate::group_world::{Alice, NOW, code};
use undertone::profile::Undertone;
use undertone::rule::{Rule, without};
use undertone::{Address, ReceivedSenderKeys};

/// Where the fields of a distribution for a group of five letters by `alice` begin.
const GROUP: usize = 2;
const EPOCH: usize = 7 + 7;
const MEMBERSHIP: usize = 15;
const OWNER: usize = 47 + 2;
const DEVICE: usize = 47 + 7;
const CHAIN_ID: usize = 47 + 8;

/// What a reader makes of one of Alice's messages when its chain was handed to it with one field changed: the message that was meant for one group is
/// then read in another.
fn read_elsewhere(field: usize) -> undertone::Result<Vec<u8>> {
    let mut alice = Alice::new();
    let mut sender = alice.sender_key();
    let mut distribution = sender.distribution();
    distribution[field] ^= 3;
    let owner = match field {
        OWNER => Address::new("blice", 1)?,
        DEVICE => Address::new("alice", 2)?,
        _ => alice.address.clone(),
    };
    let mut reader = ReceivedSenderKeys::<Undertone>::new(&owner, &alice.identity);
    reader.process_distribution(&owner, &alice.identity, &distribution)?;
    let message = sender.encrypt(b"for one group only", &mut alice.rng)?;
    reader.decrypt(&message, NOW).map(|read| read.plaintext)
}

/// D5, B45: group, epoch, membership, owner, device and chain id are all under the signature.
#[test]
fn no_field_of_the_context_can_be_exchanged() {
    for field in [GROUP, EPOCH, MEMBERSHIP, OWNER, DEVICE, CHAIN_ID] {
        assert_eq!(code(read_elsewhere(field)), "signature.invalid", "byte {field}");
        let read = without(Rule::B45, || read_elsewhere(field));
        assert_eq!(read.unwrap(), b"for one group only", "byte {field}");
    }
}

/// B45: a message names its chain; nobody else's record opens it, and each opens it once.
#[test]
fn a_message_belongs_to_one_chain() {
    let mut alice = Alice::new();
    let (mut sender, other) = (alice.sender_key(), alice.sender_key());
    let mut reader = alice.reader(&sender.distribution());
    let mut other_reader = alice.reader(&other.distribution());
    let message = sender.encrypt(b"text", &mut alice.rng).unwrap();
    assert_eq!(code(other_reader.decrypt(&message, NOW)), "group.no_sender_key");
    reader.decrypt(&message, NOW).unwrap();
    assert_eq!(code(reader.decrypt(&message, NOW)), "message.duplicate");
}
