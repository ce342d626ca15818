//! B49: a message of one channel is delivered in another, where it means something else.

use crate::group_world::{NOW, code};
use rand::SeedableRng;
use rand::rngs::StdRng;
use undertone::group::GroupProfile;
use undertone::handshake::{FirstMessage, HandshakePolicy, HandshakeProfile, LocalDevice};
use undertone::identity::FingerprintProfile;
use undertone::profile::Profile;
use undertone::rule::{Rule, without};
use undertone::{
    Address, Fingerprint, FingerprintParty, FingerprintVersion, GroupContext, GroupId, IdentityKeyPair, PrekeyBundle,
    Prekeys, ReceivedSenderKeys, Result, SenderKey, SessionRecord, Signal, TrustedIdentity, Undertone,
};

trait EveryProfile: HandshakeProfile + GroupProfile + FingerprintProfile {}
impl<P: HandshakeProfile + GroupProfile + FingerprintProfile> EveryProfile for P {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Session,
    First,
    Group,
    Distribution,
    Bundle,
    Scan,
    SessionRecord,
    PrekeyRecord,
    SenderKeyRecord,
    ReceivedRecord,
}

/// Bob, who has a session with Alice, and one of Alice's sender keys.
struct Bob<P: EveryProfile> {
    address: Address,
    alice: Address,
    identity: P::IdentityKeyPair,
    alices_key: P::IdentityKey,
    prekeys: Prekeys<P>,
    session: SessionRecord<P>,
    received: ReceivedSenderKeys<P>,
    fingerprint: Fingerprint<P>,
}

impl<P: EveryProfile> Bob<P> {
    fn read(&mut self, kind: Kind, bytes: &[u8]) -> Result<()> {
        let device = LocalDevice { identity: &self.identity, address: &self.address, registration_id: 2 };
        match kind {
            Kind::Session => self.session.decrypt(&device, bytes, &TrustedIdentity::FirstUse, NOW).map(drop),
            Kind::First => FirstMessage::open(&device, bytes, &self.prekeys).map(drop),
            Kind::Group => self.received.decrypt(bytes, NOW).map(drop),
            Kind::Distribution => self.received.process_distribution(&self.alice, &self.alices_key, bytes).map(drop),
            Kind::Bundle => PrekeyBundle::<P>::from_bytes(bytes).map(drop),
            Kind::Scan => self.fingerprint.matches_scan(bytes).map(drop),
            Kind::SessionRecord => SessionRecord::<P>::from_bytes(bytes).map(drop),
            Kind::PrekeyRecord => Prekeys::<P>::from_bytes(bytes).map(drop),
            Kind::SenderKeyRecord => SenderKey::<P>::from_bytes(bytes).map(drop),
            Kind::ReceivedRecord => ReceivedSenderKeys::<P>::from_bytes(bytes).map(drop),
        }
    }

    fn state(&self) -> [Vec<u8>; 3] {
        [self.session.to_bytes(), self.prekeys.to_bytes(), self.received.to_bytes()]
    }
}

/// Bob, and one genuine message or record of each kind.
fn world<P: EveryProfile>() -> (Bob<P>, Vec<(Kind, Vec<u8>)>) {
    let mut rng = StdRng::seed_from_u64(49);
    let [alices, bobs] = ["9d0652a3-dcc3-4d11-975f-74d61598733f", "796abedb-ca4e-4f18-8803-1fde5b921f9f"]
        .map(|name| Address::new(name, 1).unwrap());
    let [alices_pair, bobs_pair] = [(); 2].map(|()| P::IdentityKeyPair::generate(&mut rng).unwrap());
    let alice = LocalDevice { identity: &alices_pair, address: &alices, registration_id: 1 };
    let bob = LocalDevice { identity: &bobs_pair, address: &bobs, registration_id: 2 };
    let (any, policy) = (TrustedIdentity::FirstUse, HandshakePolicy::default());

    let mut prekeys = Prekeys::<P>::generate(&bob, NOW, &mut rng).unwrap();
    let bundle = prekeys.bundle(&bob, false).unwrap();
    let mut with_bob = SessionRecord::new(&alice, bobs.clone()).unwrap();
    with_bob.initiate(&alice, &bundle, &any, policy, NOW, &mut rng).unwrap();
    let first = with_bob.encrypt(&alice, b"first", &any, NOW, &mut rng).unwrap().bytes;
    let mut with_alice = SessionRecord::new(&bob, alices.clone()).unwrap();
    let opened = FirstMessage::open(&bob, &first, &prekeys).unwrap();
    with_alice.accept(&bob, &opened, &mut prekeys, &any, policy, NOW).unwrap();
    let answer = with_alice.encrypt(&bob, b"answer", &any, NOW, &mut rng).unwrap();
    with_bob.decrypt(&alice, &answer.bytes, &any, NOW).unwrap();
    let message = with_bob.encrypt(&alice, b"message", &any, NOW, &mut rng).unwrap().bytes;

    let group = GroupContext::new(GroupId::new([4; 16]).unwrap(), 0, [0; 32]);
    let mut sender = SenderKey::<P>::create(group, &alices, alices_pair.public(), NOW, &mut rng).unwrap();
    let mut received = ReceivedSenderKeys::new(&alices, alices_pair.public());
    let distribution = sender.distribution();
    received.process_distribution(&alices, alices_pair.public(), &distribution).unwrap();
    let group_message = sender.encrypt(b"to all members of the group alike", &mut rng).unwrap();

    let party = |id, key| FingerprintParty { account_id: id, identity_key: key };
    let fingerprint = Fingerprint::new(
        FingerprintVersion::Two,
        &party(b"bob", bobs_pair.public()),
        &party(b"alice", alices_pair.public()),
    );
    let samples = vec![
        (Kind::Session, message),
        (Kind::First, first),
        (Kind::Group, group_message),
        (Kind::Distribution, distribution),
        (Kind::Bundle, bundle.to_bytes()),
        (Kind::Scan, fingerprint.to_scan()),
        (Kind::SessionRecord, with_bob.to_bytes()),
        (Kind::PrekeyRecord, prekeys.to_bytes()),
        (Kind::SenderKeyRecord, sender.to_bytes()),
        (Kind::ReceivedRecord, received.to_bytes()),
    ];
    let alices_key = alices_pair.public().clone();
    let bob = Bob {
        address: bobs,
        alice: alices,
        identity: bobs_pair,
        alices_key,
        prekeys,
        session: with_alice,
        received,
        fingerprint,
    };
    (bob, samples)
}

fn nothing_is_read_as_something_else<P: EveryProfile>() {
    let (mut bob, samples) = world::<P>();
    let before = bob.state();
    for (kind, bytes) in &samples {
        for (other, _) in samples.iter().filter(|(other, _)| other != kind) {
            assert!(bob.read(*other, bytes).is_err(), "{kind:?} was read as {other:?}");
        }
    }
    assert_eq!(bob.state(), before);
    for (kind, bytes) in &samples {
        assert_eq!(code(bob.read(*kind, bytes)), "no error", "{kind:?}");
    }
}

/// B49, B61: every kind of message and record of the native profile in every decoder but its own.
#[test]
fn native_messages() {
    nothing_is_read_as_something_else::<Undertone>();
}

/// B49, B61: the same in the Signal profile.
#[test]
fn signal_messages() {
    nothing_is_read_as_something_else::<Signal>();
}

/// B49: nor is anything of one profile read in the other.
#[test]
fn nothing_crosses_the_profiles() {
    let ((mut native, native_samples), (mut signal, signal_samples)) = (world::<Undertone>(), world::<Signal>());
    for (kind, bytes) in &native_samples {
        for (other, _) in &native_samples {
            assert!(signal.read(*other, bytes).is_err(), "native {kind:?} was read as Signal {other:?}");
        }
    }
    for (kind, bytes) in &signal_samples {
        for (other, _) in &signal_samples {
            assert!(native.read(*other, bytes).is_err(), "Signal {kind:?} was read as native {other:?}");
        }
    }
}

/// B49: what tells native messages apart first is their type byte.
#[test]
fn the_type_byte_is_looked_at() {
    let (_, samples) = world::<Undertone>();
    for (kind, bytes) in samples.iter().filter(|(kind, _)| matches!(kind, Kind::First | Kind::Group)) {
        assert_eq!(code(Undertone::parse(bytes)), "message.type", "{kind:?}");
        assert!(without(Rule::B49, || Undertone::parse(bytes).is_ok()), "{kind:?}");
    }
}
