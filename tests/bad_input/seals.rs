//! Sealed messages of both versions, their contents, their certificates. Opening one keeps no state: what can change is the session that its
//! content goes to, and nothing goes there.

use crate::protobuf::Fields;
use crate::session_world::{ALICE, BOB, CAROL};
use crate::{FIELD, LENGTH, TRUNCATED, TYPE, VERSION, keys, told};
use rand::SeedableRng;
use rand::rngs::StdRng;
use undertone::crypto::Secret;
use undertone::crypto::agreement::AgreementSecret;
use undertone::profile::IdentityKeyPair;
use undertone::sealed::{
    ContentHint, ContentKind, Receiver, SenderCertificate, SenderClaims, ServerCertificate, ServiceId, TrustRoots,
    UnidentifiedContent, open, v1, v2,
};
use undertone::wire::signal::SentMessage;
use undertone::{Address, ErrorKind, SignalIdentityKeyPair};

const EXPIRES: u64 = 1_600_000_000_000;
const MESSAGE_TYPE: (ErrorKind, &str) = (ErrorKind::InvalidMessage, "message.type");
const AUTHENTICATION: (ErrorKind, &str) = (ErrorKind::InvalidMessage, "seal.authentication");
const SENDER: (ErrorKind, &str) = (ErrorKind::InvalidMessage, "seal.sender");
const CERTIFICATE_FIELD: (ErrorKind, &str) = (ErrorKind::InvalidMessage, "certificate.field");
const CERTIFICATE_SIGNATURE: (ErrorKind, &str) = (ErrorKind::InvalidSignature, "certificate.signature");

/// Alice, who seals to Bob; a root and a server that vouch for her.
pub struct Sealer {
    alice: SignalIdentityKeyPair,
    bob: SignalIdentityKeyPair,
    bobs: Address,
    root: SignalIdentityKeyPair,
    server_key: SignalIdentityKeyPair,
    server: ServerCertificate,
    trust: TrustRoots,
}

impl Sealer {
    pub fn new() -> Self {
        let (root, server_key) = (pair(10), pair(11));
        let server = ServerCertificate::issue(1, server_key.public(), &root, &mut rng()).unwrap();
        let trust = TrustRoots::new(vec![root.public().clone()]);
        Self { alice: pair(1), bob: pair(2), bobs: Address::new(BOB, 1).unwrap(), root, server_key, server, trust }
    }

    pub fn claims(&self, e164: Option<String>) -> SenderClaims {
        let identity_key = self.alice.public().clone();
        SenderClaims { address: Address::new(ALICE, 3).unwrap(), e164, identity_key, expires: EXPIRES }
    }

    pub fn server_certificate(&self) -> Vec<u8> {
        self.server.to_bytes()
    }

    pub fn certificate(&self) -> SenderCertificate {
        self.issued(&self.server, &self.server_key)
    }

    fn issued(&self, server: &ServerCertificate, key: &SignalIdentityKeyPair) -> SenderCertificate {
        SenderCertificate::issue(self.claims(None), server, key, &mut rng()).unwrap()
    }

    pub fn content(&self, certificate: SenderCertificate) -> UnidentifiedContent {
        UnidentifiedContent {
            kind: ContentKind::Message,
            certificate,
            content: b"encrypted by a session".to_vec(),
            hint: ContentHint::Resendable,
            group_id: Some(vec![5; 32]),
        }
    }

    fn receiver(&self) -> Receiver<'_> {
        Receiver { identity: &self.bob, address: &self.bobs, e164: None, trust: &self.trust, now_ms: EXPIRES }
    }

    pub fn first_version(&self) -> Vec<u8> {
        v1::seal(&self.alice, self.bob.public(), &self.content(self.certificate()), &mut rng()).unwrap()
    }

    pub fn second_version(&self) -> Vec<u8> {
        v2::seal_to_one(&self.alice, self.bob.public(), &self.content(self.certificate()), &mut rng()).unwrap()
    }

    /// Bob refuses a sealed message by this name.
    pub fn refuses(&self, sealed: &[u8], name: (ErrorKind, &'static str)) {
        assert_eq!(told(open(sealed, &self.receiver())), name);
    }

    /// Bob, or whoever the receiver is, refuses what is sealed with this certificate in either version.
    fn refuses_certificate(
        &self,
        certificate: SenderCertificate,
        receiver: &Receiver<'_>,
        name: (ErrorKind, &'static str),
    ) {
        let content = self.content(certificate);
        let first = v1::seal(&self.alice, self.bob.public(), &content, &mut rng()).unwrap();
        let second = v2::seal_to_one(&self.alice, self.bob.public(), &content, &mut rng()).unwrap();
        for sealed in [first, second] {
            assert_eq!(told(open(&sealed, receiver)), name);
        }
    }
}

fn pair(byte: u8) -> SignalIdentityKeyPair {
    AgreementSecret::from_bytes(Secret::new([byte; 32])).into()
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(7)
}

/// Sealed messages of version 1: cut at every length, of another version, without a field, with a bad ephemeral key, with a layer that is shorter than its MAC or changed, for somebody else.
#[test]
fn malformed_seals_of_version_1() {
    let world = Sealer::new();
    let sealed = world.first_version();
    for length in 0..sealed.len() {
        world.refuses(&sealed[..length], if length == 0 { TRUNCATED } else { FIELD });
    }
    for first in [0x33, 0x44, 0xFF] {
        world.refuses(&[&[first][..], &sealed[1..]].concat(), VERSION);
    }
    let fields = Fields::read(&sealed[1..]);
    let wrapped = |fields: Vec<u8>| [&[0x11][..], &fields].concat();
    for tag in [1, 2, 3] {
        world.refuses(&wrapped(fields.without(tag)), FIELD);
    }
    let key = fields.bytes(1);
    world.refuses(&wrapped(fields.with(1, &key[..32])), LENGTH);
    world.refuses(&wrapped(fields.with(1, &[&[6][..], &key[1..]].concat())), TYPE);
    for (point, name) in keys::BAD_POINTS {
        world.refuses(&wrapped(fields.with(1, &[&[5][..], &point].concat())), name);
    }
    for tag in [2, 3] {
        world.refuses(&wrapped(fields.with(tag, &[0; 9])), TRUNCATED);
        let mut changed = fields.bytes(tag);
        for at in [0, changed.len() - 11, changed.len() - 10, changed.len() - 1] {
            changed[at] ^= 1;
            world.refuses(&wrapped(fields.with(tag, &changed)), AUTHENTICATION);
            changed[at] ^= 1;
        }
    }
    let carol = pair(3);
    assert_eq!(told(open(&sealed, &Receiver { identity: &carol, ..world.receiver() })), AUTHENTICATION);
    assert!(open(&sealed, &world.receiver()).is_ok());
}

/// Sealed messages of version 2: cut at every length, with a bad ephemeral key, changed in each of its parts, for somebody else.
#[test]
fn malformed_seals_of_version_2() {
    let world = Sealer::new();
    let sealed = world.second_version();
    let ciphertext = 1 + 32 + 16 + 32;
    for length in 0..sealed.len() {
        world.refuses(&sealed[..length], if length < ciphertext { TRUNCATED } else { AUTHENTICATION });
    }
    world.refuses(&[&sealed[..], &[0]].concat(), AUTHENTICATION);
    for (point, name) in keys::BAD_POINTS {
        let mut changed = sealed.clone();
        changed[49..81].copy_from_slice(&point);
        world.refuses(&changed, name);
    }
    for (at, name) in [
        (1, AUTHENTICATION),
        (32, AUTHENTICATION),
        (33, SENDER),
        (48, SENDER),
        (ciphertext, AUTHENTICATION),
        (sealed.len() - 1, AUTHENTICATION),
    ] {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        world.refuses(&changed, name);
    }
    let carol = pair(3);
    assert_eq!(told(open(&sealed, &Receiver { identity: &carol, ..world.receiver() })), AUTHENTICATION);
    assert!(open(&sealed, &world.receiver()).is_ok());
}

/// The form that goes to the server: cut, of another version, with a count, a service id or a device that is none, with a recipient in contradiction.
#[test]
fn malformed_seals_to_many() {
    let world = Sealer::new();
    let (bob, carol) = (BOB.parse::<ServiceId>().unwrap(), CAROL.parse().unwrap());
    let recipients = [(bob, &world.bob), (carol, &world.alice)].map(|(service_id, pair)| v2::Recipient {
        service_id,
        identity: pair.public(),
        devices: &[(1, 77)],
    });
    let content = world.content(world.certificate());
    let sent = v2::seal_to_many(&world.alice, &content, &recipients, &[], &mut rng()).unwrap();
    let refused = |bytes: &[u8], name| {
        assert_eq!(told(SentMessage::parse(bytes)), name);
        assert_eq!(told(v2::delivered_for(bytes, &bob)), name);
    };
    // Version, count, and for each recipient a service id, a device, a registration id and a share; the ephemeral key.
    let recipient = 17 + 1 + 2 + 32 + 16;
    for length in 0..2 + 2 * recipient + 32 {
        refused(&sent[..length], TRUNCATED);
    }
    for version in [0x22, 0x13, 0x33] {
        refused(&[&[version][..], &sent[1..]].concat(), VERSION);
    }
    refused(&[&[0x23, 0x80, 0x80, 0x80, 0x80, 1][..], &sent[2..]].concat(), FIELD);
    let changed = |at: usize, byte: u8| {
        let mut changed = sent.clone();
        changed[at] = byte;
        changed
    };
    refused(&changed(2, 2), FIELD);
    refused(&changed(2 + 17, 128), FIELD);
    let mut twice = sent.clone();
    twice.copy_within(2..2 + 17, 2 + recipient);
    refused(&twice, FIELD);
    assert!(v2::delivered_for(&sent, &bob).unwrap().is_some());
}

/// What a seal holds: cut, without a field, of a kind that is none.
#[test]
fn malformed_sealed_contents() {
    let world = Sealer::new();
    let bytes = world.content(world.certificate()).to_bytes();
    let fields = Fields::read(&bytes);
    let refused = |bytes: &[u8], name| assert_eq!(told(UnidentifiedContent::parse(bytes)), name);
    let ends = fields.ends();
    let whole_without = |tag: u32| ends.iter().find(|(other, _)| *other == tag).unwrap().1;
    for length in 0..bytes.len() {
        // The hint and the group id stand last and may both be absent.
        if length != whole_without(3) && length != whole_without(4) {
            refused(&bytes[..length], FIELD);
        }
    }
    for tag in [1, 2, 3] {
        refused(&fields.without(tag), FIELD);
    }
    for kind in [0, 3, 9] {
        refused(&fields.with_number(1, kind), MESSAGE_TYPE);
    }
    refused(&fields.with(2, b"no certificate"), CERTIFICATE_FIELD);
    assert!(UnidentifiedContent::parse(&bytes).is_ok());
}

/// Parses a certificate, which is refused by this name.
type Refused = dyn Fn(&[u8], (ErrorKind, &'static str));

/// Certificates: cut at every length, without a field, with a signature, a key, a device or a name that is none.
#[test]
fn malformed_certificates() {
    let world = Sealer::new();
    let (server, sender) = (world.server_certificate(), world.certificate().to_bytes());
    let of_server = |bytes: &[u8], name| assert_eq!(told(ServerCertificate::parse(bytes)), name);
    let of_sender = |bytes: &[u8], name| assert_eq!(told(SenderCertificate::parse(bytes)), name);
    let cases: [(&[u8], &Refused, &[u32], u32); 2] =
        [(&server, &of_server, &[1, 2], 2), (&sender, &of_sender, &[2, 3, 4, 5, 6], 4)];
    for (certificate, refused, required, key_tag) in cases {
        for length in 0..certificate.len() {
            refused(&certificate[..length], CERTIFICATE_FIELD);
        }
        let outer = Fields::read(certificate);
        for tag in [1, 2] {
            refused(&outer.without(tag), CERTIFICATE_FIELD);
        }
        for length in [0, 63, 65] {
            refused(&outer.with(2, &vec![1; length]), CERTIFICATE_FIELD);
        }
        refused(&outer.with(1, b"no certificate"), CERTIFICATE_FIELD);
        let inner = Fields::read(&outer.bytes(1));
        for tag in required {
            refused(&outer.with(1, &inner.without(*tag)), CERTIFICATE_FIELD);
        }
        let key = inner.bytes(key_tag);
        let with_key = |key: &[u8]| outer.with(1, &inner.with(key_tag, key));
        refused(&with_key(&key[..32]), LENGTH);
        refused(&with_key(&[&[6][..], &key[1..]].concat()), TYPE);
        for (point, name) in keys::BAD_POINTS {
            refused(&with_key(&[&[5][..], &point].concat()), name);
        }
    }
    let outer = Fields::read(&sender);
    let inner = Fields::read(&outer.bytes(1));
    for device in [0, 128, 256 + 3] {
        of_sender(&outer.with(1, &inner.with_number(2, device)), CERTIFICATE_FIELD);
    }
    of_sender(&outer.with(1, &inner.with(6, &[])), CERTIFICATE_FIELD);
    of_sender(&outer.with(1, &inner.with(6, &[0xFF; 36])), CERTIFICATE_FIELD);
    let nameless = Fields::read(&inner.without(6));
    for length in [0, 15, 17] {
        of_sender(&outer.with(1, &nameless.with(7, &vec![9; length])), CERTIFICATE_FIELD);
    }
    of_sender(&outer.with(1, &inner.with(5, b"no certificate")), CERTIFICATE_FIELD);
}

/// Certificates that are not believed: by a stranger's root, not signed by their server, of an unknown or a revoked server, expired; and a seal by another than its certificate names.
#[test]
fn certificates_not_believed() {
    let world = Sealer::new();
    let bob = world.receiver();
    let strangers = TrustRoots::new(vec![pair(9).public().clone()]);
    let of_strangers = Receiver { trust: &strangers, ..bob };
    world.refuses_certificate(world.certificate(), &of_strangers, CERTIFICATE_SIGNATURE);
    world.refuses_certificate(world.issued(&world.server, &pair(12)), &bob, CERTIFICATE_SIGNATURE);
    let own_server = ServerCertificate::issue(1, pair(12).public(), &pair(12), &mut rng()).unwrap();
    world.refuses_certificate(world.issued(&own_server, &pair(12)), &bob, CERTIFICATE_SIGNATURE);
    let unknown = SenderCertificate::issue_by_known(world.claims(None), 9, &world.server_key, &mut rng()).unwrap();
    world.refuses_certificate(unknown, &bob, CERTIFICATE_SIGNATURE);

    let revoked = (ErrorKind::InvalidSignature, "certificate.revoked");
    let since = world.trust.clone().revoking(1);
    world.refuses_certificate(world.certificate(), &Receiver { trust: &since, ..bob }, revoked);
    let everywhere = ServerCertificate::issue(0xDEAD_C357, world.server_key.public(), &world.root, &mut rng()).unwrap();
    world.refuses_certificate(world.issued(&everywhere, &world.server_key), &bob, revoked);

    let late = Receiver { now_ms: EXPIRES + 1, ..bob };
    world.refuses_certificate(world.certificate(), &late, (ErrorKind::Expired, "certificate.expired"));
    let own = Address::new(ALICE, 3).unwrap();
    let self_send = (ErrorKind::InvalidMessage, "seal.self_send");
    world.refuses_certificate(world.certificate(), &Receiver { address: &own, ..bob }, self_send);

    let content = world.content(world.certificate());
    assert_eq!(told(v1::seal(&world.bob, world.bob.public(), &content, &mut rng())), SENDER);
    assert_eq!(told(v2::seal_to_one(&world.bob, world.bob.public(), &content, &mut rng())), SENDER);
}

/// Names that are no service ids.
#[test]
fn bad_service_ids() {
    let service_id = (ErrorKind::InvalidRequest, "address.service_id");
    let (short, spaced) = (&ALICE[1..], ALICE.replace('-', " "));
    for name in ["", "alice", short, &spaced, &format!("PNI{ALICE}"), &ALICE.replace('9', "g")] {
        assert_eq!(told(name.parse::<ServiceId>()), service_id, "{name}");
    }
    for bytes in [&[][..], &[0; 16], &[0; 18], &[2; 17]] {
        assert_eq!(told(ServiceId::from_fixed_width(bytes)), service_id);
    }
}
