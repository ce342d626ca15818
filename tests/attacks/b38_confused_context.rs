//! B38: content is injected because a receiver loses track of whose address, identity key or session a message came with.

use crate::session_world::{ALICE, BOB, CAROL, Person, acquainted, code, strangers};
use undertone::handshake::{FirstMessage, HandshakePolicy, HandshakeProfile, LocalDevice};
use undertone::rule::{Rule, without};
use undertone::{Address, EnvelopeKind, IdentityKeyPair, Result, Signal, TrustedIdentity, Undertone};

/// Alice writes to Bob, and the server tells Bob that it is from Carol, of whom he knows nothing. What Bob reads.
fn delivered_under_another_name<P: HandshakeProfile>() -> Result<Vec<u8>> {
    let (mut alice, bob) = strangers::<P>(110);
    alice.begin(&bob).unwrap();
    let sent = alice.write(b"from alice").unwrap();
    let carol = Address::new(CAROL, 1).unwrap();
    let with_carol = Person::<P>::new(BOB, 1, &carol, 111);
    let mut bob = Person { prekeys: bob.prekeys, identity: bob.identity, ..with_carol };
    bob.record = undertone::SessionRecord::new(&bob.local(), carol).unwrap();
    bob.read(&sent).map(|read| read.plaintext)
}

/// B38, B8: a first message says, inside what is authenticated, from which address to which it goes; another sender's name does not go with it. In the
/// Signal profile it is the addresses in the message that say so, and without their check Bob would file Alice's words under Carol.
#[test]
fn a_message_is_not_filed_under_another_name() {
    assert_eq!(code(delivered_under_another_name::<Undertone>()), "message.address");
    assert_eq!(code(delivered_under_another_name::<Signal>()), "message.address");
    let injected = without(Rule::B38, delivered_under_another_name::<Signal>);
    assert_eq!(injected.unwrap(), b"from alice");
}

/// B38, SE-8: where a key is pinned, the session of another key neither reads nor writes, whatever the address; nothing changes.
#[test]
fn the_pinned_key_is_the_session_s_key() {
    fn check<P: HandshakeProfile>() {
        let (mut alice, mut bob) = acquainted::<P>(112);
        let mallory = Person::<P>::new(CAROL, 1, &alice.address, 113);
        let pinned = TrustedIdentity::Pinned(mallory.identity.public());
        let sent = alice.write(b"text").unwrap();
        let before = bob.state();
        let device = LocalDevice { identity: &bob.identity, address: &bob.address, registration_id: 77 };
        assert_eq!(code(bob.record.decrypt(&device, &sent.bytes, &pinned, bob.now)), "session.untrusted_identity");
        let refused = bob.record.encrypt(&device, b"text", &pinned, bob.now, &mut bob.rng);
        assert_eq!(code(refused), "session.untrusted_identity");

        let (mut eve, _) = strangers::<P>(114);
        eve.begin(&bob).unwrap();
        let first = eve.write(b"i am alice").unwrap();
        let opened = FirstMessage::open(&bob.local(), &first.bytes, &bob.prekeys).unwrap();
        let alices = TrustedIdentity::Pinned(alice.identity.public());
        let device = LocalDevice { identity: &bob.identity, address: &bob.address, registration_id: 77 };
        let policy = HandshakePolicy::default();
        let refused = bob.record.accept(&device, &opened, &mut bob.prekeys, &alices, policy, bob.now);
        assert_eq!(code(refused), "session.untrusted_identity");
        assert_eq!(bob.state(), before);
        let read = bob.read_as(EnvelopeKind::Message, &sent.bytes).unwrap();
        assert!(read.sender == *alice.identity.public(), "the plaintext comes with the key that authenticated it");
        assert_eq!(read.address, Address::new(ALICE, 1).unwrap());
    }
    check::<Undertone>();
    check::<Signal>();
}
