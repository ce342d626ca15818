//! The forgery that costs the most to refuse.

use crate::undertone_side::Device;
use undertone::handshake::HandshakeProfile;
use undertone::{PrekeyBundle, SessionRecord};

/// How far ahead of the last message one may be.
const LARGEST_JUMP: usize = 24_999;
/// How many sessions there are besides the current one.
const ARCHIVED: usize = 10;

/// Whose message was forged.
#[derive(Clone, Copy)]
pub enum Stage {
    /// The current session's.
    Current,
    /// The oldest archived session's.
    Oldest,
}

/// A message that is genuine but for one bit of its body, as far ahead as one may be, and a record that holds its session among others.
pub struct Forgery<P: HandshakeProfile> {
    pub bob: Device<P>,
    pub record: SessionRecord<P>,
    pub message: Vec<u8>,
}

impl<P: HandshakeProfile> Forgery<P> {
    pub fn new(alices_name: &str, bobs_name: &str, stage: Stage) -> Self {
        let (mut alice, mut bob) = (Device::<P>::new(alices_name, 0), Device::<P>::new(bobs_name, ARCHIVED + 1));
        let mut with_bob = alice.initiate(&bob.bundle());
        let first = alice.encrypt(&mut with_bob, b"hello");
        let (mut record, _) = bob.accept(&alice.address, None, &first);
        let mut oldest = answered(&mut alice, &mut with_bob, &mut bob, &mut record);
        for _ in 0..ARCHIVED {
            let bundle = PrekeyBundle::from_bytes(&bob.bundle()).unwrap();
            alice.initiate_again(&mut with_bob, &bundle);
            let first = alice.encrypt(&mut with_bob, b"hello again");
            (record, _) = bob.accept(&alice.address, Some(record), &first);
        }
        let mut current = answered(&mut alice, &mut with_bob, &mut bob, &mut record);
        assert_eq!(record.status().unwrap().archived, ARCHIVED);
        let session = match stage {
            Stage::Current => &mut current,
            Stage::Oldest => &mut oldest,
        };
        let next = alice.encrypt(session, b"the chain of the jump");
        bob.decrypt(&mut SessionRecord::from_bytes(&record.to_bytes()).unwrap(), &next);
        if let Stage::Current = stage {
            bob.decrypt(&mut record, &next);
        }
        (0..LARGEST_JUMP).for_each(|_| drop(alice.encrypt(session, b"lost")));
        let mut message = alice.encrypt(session, &[7; 1024]).bytes;
        // The last byte of a Signal message is its MAC's; the body stands before it.
        let body = message.len() - 100;
        message[body] ^= 1;
        Self { bob, record, message }
    }
}

/// The initiator's record once the peer has answered in it.
fn answered<P: HandshakeProfile>(
    alice: &mut Device<P>,
    with_bob: &mut SessionRecord<P>,
    bob: &mut Device<P>,
    record: &mut SessionRecord<P>,
) -> SessionRecord<P> {
    let answer = bob.encrypt(record, b"hello");
    alice.decrypt(with_bob, &answer);
    SessionRecord::from_bytes(&with_bob.to_bytes()).unwrap()
}
