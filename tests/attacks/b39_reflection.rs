//! B39: a message comes back to its sender, or goes to another device of the receiver, and is taken for the peer's.

use crate::session_world::{ALICE, BOB, Person, acquainted, code, round, strangers};
use rand::SeedableRng;
use rand::rngs::StdRng;
use undertone::crypto::Secret;
use undertone::crypto::agreement::AgreementSecret;
use undertone::handshake::HandshakeProfile;
use undertone::profile::{
    self, BraidPayload, Header, HeaderKey, MessageKeys, PostQuantumHeader, Profile, Role, UndertoneIdentityKeyPair,
};
use undertone::rule::{Rule, without};
use undertone::wire::Reader;
use undertone::{Address, EnvelopeKind, Fault, IdentityKeyPair, SessionRecord, Signal, Suite, Undertone};

/// Two ends of a native session, to make its binding as either of them.
pub struct Parties {
    initiator: UndertoneIdentityKeyPair,
    responder: UndertoneIdentityKeyPair,
    addresses: [Address; 2],
}

impl Parties {
    pub fn new() -> Self {
        let rng = &mut StdRng::seed_from_u64(39);
        Self {
            initiator: UndertoneIdentityKeyPair::generate(rng).unwrap(),
            responder: UndertoneIdentityKeyPair::generate(rng).unwrap(),
            addresses: [Address::new(ALICE, 1).unwrap(), Address::new(BOB, 1).unwrap()],
        }
    }

    pub fn binding(&self, role: Role) -> <Undertone as Profile>::Binding {
        let [initiator, responder] = &self.addresses;
        let mut ends = [(self.initiator.public(), initiator), (self.responder.public(), responder)];
        if role == Role::Responder {
            ends.reverse();
        }
        let [(local_identity, local), (remote_identity, remote)] = ends;
        Undertone::binding(Suite::Pqxdh, &profile::Parties { role, local_identity, remote_identity, local, remote })
    }

    pub fn header(&self) -> Header {
        Header {
            ratchet_key: AgreementSecret::from_bytes(Secret::new([39; 32])).public(),
            n: 0,
            pn: 0,
            post_quantum: PostQuantumHeader { epoch: 1, index: 1, payload: BraidPayload::None },
            guard: [0; 12],
        }
    }

    pub fn rng(&self) -> StdRng {
        StdRng::seed_from_u64(40)
    }
}

/// B39: even under one and the same header key, what one side sealed does not open as what the other side sends: the direction is in the associated data.
#[test]
fn the_direction_is_authenticated() {
    type HeaderKeyOf = <Undertone as Profile>::HeaderKey;
    let reflected = || {
        let parties = Parties::new();
        let own = parties.binding(Role::Responder);
        let header_key = HeaderKeyOf::decode(&mut Reader::new(&[3; 32], Fault::RecordCorrupt)).unwrap();
        let (seed, post_quantum) = (Secret::new([1; 32]), Secret::new([2; 32]));
        let keys = MessageKeys { seed: &seed, post_quantum: &post_quantum, header: &header_key };
        let sealed = Undertone::seal(keys, parties.header(), &own, false, b"text", &mut parties.rng()).unwrap();
        Undertone::open_header(&Undertone::parse(&sealed).unwrap(), &header_key, &own).map(|header| header.is_some())
    };
    assert_eq!(code(reflected()), "message.authentication");
    assert_eq!(without(Rule::B39, reflected), Ok(true));
}

/// B39, B11: whatever was sent, first messages and later ones, is refused when it comes back, and changes nothing.
#[test]
fn nothing_is_read_by_its_own_sender() {
    fn check<P: HandshakeProfile>() {
        let (mut alice, mut bob) = strangers::<P>(41);
        alice.begin(&bob).unwrap();
        for step in 0..4 {
            let (from, to) = if step % 2 == 0 { (&mut alice, &mut bob) } else { (&mut bob, &mut alice) };
            let sent = from.write(b"text").unwrap();
            let before = from.state();
            for kind in [EnvelopeKind::First, EnvelopeKind::Message] {
                assert!(from.read_as(kind, &sent.bytes).is_err(), "message {step}");
            }
            assert_eq!(from.state(), before);
            to.read(&sent).unwrap();
        }
    }
    check::<Undertone>();
    check::<Signal>();
}

/// B39: a message to one device of Bob is nothing to the other one, even if both hold sessions with Alice; nor is it if that other device has the
/// same identity key.
#[test]
fn nothing_is_read_by_another_device() {
    fn check<P: HandshakeProfile>() {
        let (mut alice, mut bob) = acquainted::<P>(42);
        let mut tablet = Person::<P>::new(BOB, 2, &alice.address, 50);
        let mut alice_to_tablet = Person::<P>::new(ALICE, 1, &tablet.address, 51);
        alice_to_tablet.begin(&tablet).unwrap();
        round(&mut alice_to_tablet, &mut tablet);
        let sent = alice.write(b"to the phone").unwrap();
        let before = tablet.state();
        assert!(tablet.read(&sent).is_err());
        assert_eq!(tablet.state(), before);
        assert_eq!(bob.read(&sent).unwrap().plaintext, b"to the phone");

        let twin = Person::<P>::new(BOB, 3, &alice.address, 43);
        assert!(twin.identity.public() == bob.identity.public(), "the same seed, another device");
        let stolen = SessionRecord::<P>::from_bytes(&bob.record.to_bytes()).unwrap();
        let mut twin = Person { record: stolen, ..twin };
        let sent = alice.write(b"to the phone again").unwrap();
        assert_eq!(code(twin.read(&sent)), "key.mismatch");
    }
    check::<Undertone>();
    check::<Signal>();
}
