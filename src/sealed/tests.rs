//! Sealing and opening in both versions, and every way in which an opened message is not believed.

use super::v2::{Recipient, delivered_for, seal_to_many, seal_to_one};
use super::*;
use crate::crypto::Secret;
use crate::crypto::agreement::AgreementSecret;
use crate::error::Result;
use crate::profile::{IdentityKeyPair, SignalIdentityKeyPair};
use crate::wire::Address;
use crate::wire::signal::{ContentHint, ContentKind, SentMessage, ServiceId, ServiceKind};
use rand::{SeedableRng, rngs::StdRng};

const ALICE: &str = "9d0652a3-dcc3-4d11-975f-74d61598733f";
const BOB: &str = "796abedb-ca4e-4f18-8803-1fde5b921f9f";
const EXPIRES: u64 = 1_600_000_000_000;

fn pair(byte: u8) -> SignalIdentityKeyPair {
    AgreementSecret::from_bytes(Secret::new([byte; 32])).into()
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(7)
}

/// Alice, who sends; Bob, who receives; a root and a server that vouch for Alice.
struct World {
    alice: SignalIdentityKeyPair,
    bob: SignalIdentityKeyPair,
    bob_address: Address,
    server_key: SignalIdentityKeyPair,
    server: ServerCertificate,
    trust: TrustRoots,
}

impl World {
    fn new() -> Self {
        let (root, server_key) = (pair(10), pair(11));
        let server = ServerCertificate::issue(1, server_key.public(), &root, &mut rng()).unwrap();
        Self {
            alice: pair(1),
            bob: pair(2),
            bob_address: Address::new(BOB, 1).unwrap(),
            server_key,
            server,
            trust: TrustRoots::new(vec![pair(9).public().clone(), root.public().clone()]),
        }
    }

    fn claims(&self) -> SenderClaims {
        SenderClaims {
            address: Address::new(ALICE, 3).unwrap(),
            e164: Some("+14152222222".to_owned()),
            identity_key: self.alice.public().clone(),
            expires: EXPIRES,
        }
    }

    fn content(&self) -> UnidentifiedContent {
        self.content_by(SenderCertificate::issue(self.claims(), &self.server, &self.server_key, &mut rng()).unwrap())
    }

    fn content_by(&self, certificate: SenderCertificate) -> UnidentifiedContent {
        UnidentifiedContent {
            kind: ContentKind::Message,
            certificate,
            content: b"encrypted by a session".to_vec(),
            hint: ContentHint::Resendable,
            group_id: Some(vec![5; 32]),
        }
    }

    fn receiver(&self) -> Receiver<'_> {
        Receiver { identity: &self.bob, address: &self.bob_address, e164: None, trust: &self.trust, now_ms: EXPIRES }
    }

    /// The content sealed to Bob in both versions.
    fn both(&self, content: &UnidentifiedContent) -> [Vec<u8>; 2] {
        [
            v1::seal(&self.alice, self.bob.public(), content, &mut rng()).unwrap(),
            seal_to_one(&self.alice, self.bob.public(), content, &mut rng()).unwrap(),
        ]
    }

    /// What Bob says to the content sealed to him, the same in both versions.
    fn verdict(&self, content: &UnidentifiedContent, receiver: &Receiver<'_>) -> &'static str {
        let [first, second] = self.both(content).map(|sealed| name(open(&sealed, receiver)));
        assert_eq!(first, second);
        first
    }
}

fn name(result: Result<OpenedSeal>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "opened")
}

fn service_id(byte: u8) -> ServiceId {
    ServiceId::new(ServiceKind::Aci, [byte; 16])
}

/// SS-2: what was sealed comes out, with the sender that the certificate names.
#[test]
fn a_sealed_message_opens_with_its_sender() {
    let world = World::new();
    for sealed in world.both(&world.content()) {
        let opened = open(&sealed, &world.receiver()).unwrap();
        assert_eq!((opened.sender.name(), opened.sender.device()), (ALICE, 3));
        assert_eq!(opened.e164.as_deref(), Some("+14152222222"));
        assert_eq!(opened.identity_key, *world.alice.public());
        assert_eq!((opened.kind, opened.hint), (ContentKind::Message, ContentHint::Resendable));
        assert_eq!((&opened.content[..], opened.group_id), (&b"encrypted by a session"[..], Some(vec![5; 32])));
    }
    let [first, second] = world.both(&world.content());
    assert_eq!((first[0], second[0]), (0x11, 0x22));
    let overhead = world.content().to_bytes().len();
    assert_eq!(second.len(), 1 + 32 + 16 + 32 + overhead + 16);
}

#[test]
fn version_2_known_answers() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/vectors/signal-wire.json")).unwrap();
    let case = &vectors["sealed_v2"];
    let secret = hex::decode(case["secret"].as_str().unwrap()).unwrap();
    let (ephemeral, key) = v2::derived(Secret::from_slice(&secret).unwrap());
    assert_eq!(hex::encode(ephemeral.as_bytes()), case["ephemeral"].as_str().unwrap());
    assert_eq!(hex::encode(key.expose()), case["key"].as_str().unwrap());
}

/// SS-2: no bit can be changed, and nobody but the recipient can open.
#[test]
fn a_changed_or_misdirected_message_does_not_open() {
    let world = World::new();
    let receiver = world.receiver();
    for sealed in world.both(&world.content()) {
        for at in (0..sealed.len()).step_by(3) {
            let mut changed = sealed.clone();
            changed[at] ^= 0x40;
            assert!(open(&changed, &receiver).is_err(), "byte {at}");
        }
        for length in 0..sealed.len() {
            assert!(open(&sealed[..length], &receiver).is_err(), "length {length}");
        }
        let carol = pair(3);
        assert_eq!(name(open(&sealed, &Receiver { identity: &carol, ..receiver })), "seal.authentication");
    }
    let [first, second] = world.both(&world.content());
    let end = |mut sealed: Vec<u8>| {
        *sealed.last_mut().unwrap() ^= 1;
        name(open(&sealed, &receiver))
    };
    assert_eq!((end(first), end(second.clone())), ("seal.authentication", "seal.authentication"));
    // The low nibble of the version says nothing.
    for byte in [0x23, 0x2F] {
        assert_eq!(name(open(&[&[byte], &second[1..]].concat(), &receiver)), "opened");
    }
    assert_eq!(name(open(&[&[0x33], &second[1..]].concat(), &receiver)), "message.version");
    let low_order = [&second[..49], &[0; 32], &second[81..]].concat();
    assert_eq!(name(open(&low_order, &receiver)), "key.low_order");
}

/// SS-1: the server's signature by a root, the certificate's by the server, its age, in this order.
#[test]
fn a_certificate_is_judged_in_order() {
    let world = World::new();
    let content = world.content();
    let late = Receiver { now_ms: EXPIRES + 1, ..world.receiver() };
    assert_eq!(world.verdict(&content, &world.receiver()), "opened");
    assert_eq!(world.verdict(&content, &late), "certificate.expired");

    let strangers = TrustRoots::new(vec![pair(9).public().clone()]);
    assert_eq!(world.verdict(&content, &Receiver { trust: &strangers, ..late }), "certificate.signature");
    let nobody = TrustRoots::new(Vec::new());
    assert_eq!(world.verdict(&content, &Receiver { trust: &nobody, ..late }), "certificate.signature");

    // Signed by another than the server that the certificate embeds.
    let forged = SenderCertificate::issue(world.claims(), &world.server, &pair(12), &mut rng()).unwrap();
    assert_eq!(world.verdict(&world.content_by(forged), &late), "certificate.signature");
    // The root signs server certificates, not sender certificates.
    let by_root = ServerCertificate::issue(1, pair(10).public(), &pair(9), &mut rng()).unwrap();
    let by_root = SenderCertificate::issue(world.claims(), &by_root, &pair(11), &mut rng()).unwrap();
    assert_eq!(world.verdict(&world.content_by(by_root), &late), "certificate.signature");
}

/// SS-1: a revoked server certificate is worth nothing, however well signed.
#[test]
fn a_revoked_server_is_not_believed() {
    let world = World::new();
    let root = pair(10);
    let revoked = ServerCertificate::issue(0xDEAD_C357, world.server_key.public(), &root, &mut rng()).unwrap();
    let certificate = SenderCertificate::issue(world.claims(), &revoked, &world.server_key, &mut rng()).unwrap();
    assert_eq!(world.verdict(&world.content_by(certificate), &world.receiver()), "certificate.revoked");
    let trust = world.trust.clone().revoking(1);
    assert_eq!(world.verdict(&world.content(), &Receiver { trust: &trust, ..world.receiver() }), "certificate.revoked");
}

#[test]
fn a_server_may_be_named_by_a_number_that_the_recipient_knows() {
    let world = World::new();
    let issue = |id| SenderCertificate::issue_by_known(world.claims(), id, &world.server_key, &mut rng()).unwrap();
    let content = world.content_by(issue(1));
    assert_eq!(world.verdict(&content, &world.receiver()), "certificate.signature");
    let trust = world.trust.clone().knowing(world.server.clone());
    let receiver = Receiver { trust: &trust, ..world.receiver() };
    assert_eq!(world.verdict(&content, &receiver), "opened");
    assert_eq!(world.verdict(&world.content_by(issue(2)), &receiver), "certificate.signature");
    // A known server is judged like an embedded one.
    let impostor = ServerCertificate::issue(3, world.server_key.public(), &pair(12), &mut rng()).unwrap();
    let trust = trust.knowing(impostor);
    let receiver = Receiver { trust: &trust, ..world.receiver() };
    assert_eq!(world.verdict(&world.content_by(issue(3)), &receiver), "certificate.signature");
}

/// SS-2, B38: Mallory holds a copy of Alice's certificate, and seals under a key of her own.
#[test]
fn a_certificate_serves_nobody_but_its_owner() {
    let world = World::new();
    let (content, mallory, receiver) = (world.content(), pair(4), world.receiver());
    let honest = v1::seal(&mallory, world.bob.public(), &content, &mut rng()).unwrap_err();
    assert_eq!(honest.code(), "seal.sender");
    let honest = seal_to_one(&mallory, world.bob.public(), &content, &mut rng()).unwrap_err();
    assert_eq!(honest.code(), "seal.sender");
    let honest = seal_to_many(&mallory, &content, &[], &[], &mut rng()).unwrap_err();
    assert_eq!(honest.code(), "seal.sender");

    let forged = [
        v1::seal_bytes(&mallory, world.bob.public(), &content.to_bytes(), &mut rng()).unwrap(),
        v2::seal_bytes(&mallory, world.bob.public(), &content.to_bytes(), &mut rng()).unwrap(),
    ];
    for sealed in &forged {
        assert_eq!(name(open(sealed, &receiver)), "seal.sender");
    }
    #[cfg(feature = "__internals")]
    for sealed in &forged {
        use crate::rule::{Rule, without};
        assert_eq!(without(Rule::Ss2, || name(open(sealed, &receiver))), "opened");
    }
}

/// SS-5: a device does not accept from outside what it sent itself.
#[test]
fn a_message_from_this_very_device_is_refused() {
    let world = World::new();
    let content = world.content();
    let verdict = |address: &str, device: u8, e164: Option<&str>| {
        let address = Address::new(address, device).unwrap();
        world.verdict(&content, &Receiver { address: &address, e164, ..world.receiver() })
    };
    assert_eq!(verdict(ALICE, 3, None), "seal.self_send");
    assert_eq!(verdict(&ALICE.to_uppercase(), 3, None), "seal.self_send");
    assert_eq!(verdict(BOB, 3, Some("+14152222222")), "seal.self_send");
    assert_eq!(verdict(ALICE, 2, Some("+14152222222")), "opened");
    assert_eq!(verdict(BOB, 3, Some("+14153333333")), "opened");
    assert_eq!(verdict(BOB, 3, None), "opened");
}

/// SS-1, SS-5: without the rules the attacks succeed, so the tests above would notice.
#[cfg(feature = "__internals")]
#[test]
fn without_its_rule_each_attack_succeeds() {
    use crate::rule::{Rule, without};
    let world = World::new();
    let address = Address::new(ALICE, 3).unwrap();
    let own = Receiver { address: &address, ..world.receiver() };
    let late = Receiver { now_ms: EXPIRES + 1, ..world.receiver() };
    assert_eq!(without(Rule::Ss5, || world.verdict(&world.content(), &own)), "opened");
    assert_eq!(without(Rule::Ss1, || world.verdict(&world.content(), &late)), "opened");
}

/// What no receiver would open is not sealed.
#[test]
fn a_group_id_has_a_limit() {
    let world = World::new();
    let of_group = |length| UnidentifiedContent { group_id: Some(vec![5; length]), ..world.content() };
    assert_eq!(world.verdict(&of_group(8 << 10), &world.receiver()), "opened");
    let long = of_group((8 << 10) + 1);
    let bob = Recipient { service_id: BOB.parse().unwrap(), identity: world.bob.public(), devices: &[(1, 7)] };
    for refused in [
        v1::seal(&world.alice, world.bob.public(), &long, &mut rng()),
        seal_to_one(&world.alice, world.bob.public(), &long, &mut rng()),
        seal_to_many(&world.alice, &long, &[bob], &[], &mut rng()),
    ] {
        assert_eq!(refused.unwrap_err().code(), "request.too_large");
    }
}

/// B59: one message to many accounts and devices; each opens its own share, and no other's.
#[test]
fn a_message_to_many_is_delivered_to_each() {
    let world = World::new();
    let people: Vec<_> = (20..25).map(pair).collect();
    let devices: [&[(u8, u16)]; 5] = [&[(1, 0)], &[(1, 0x3FFF), (2, 5), (127, 6)], &[(9, 1)], &[(1, 1)], &[(1, 2)]];
    let recipients: Vec<_> = people
        .iter()
        .zip(devices)
        .zip(1..)
        .map(|((person, devices), id)| Recipient { service_id: service_id(id), identity: person.public(), devices })
        .collect();
    let excluded = [service_id(90), service_id(91)];
    let content = world.content();
    let sent = seal_to_many(&world.alice, &content, &recipients, &excluded, &mut rng()).unwrap();

    let parsed = SentMessage::parse(&sent).unwrap();
    assert_eq!(parsed.recipients.len(), 7);
    assert_eq!(parsed.recipients[1].devices, devices[1]);
    for id in excluded {
        assert_eq!(delivered_for(&sent, &id).unwrap(), None);
    }
    assert_eq!(delivered_for(&sent, &service_id(80)).unwrap(), None);

    let delivered: Vec<_> =
        recipients.iter().map(|to| delivered_for(&sent, &to.service_id).unwrap().unwrap()).collect();
    for (at, sealed) in delivered.iter().enumerate() {
        for (other, person) in people.iter().enumerate() {
            let receiver = Receiver { identity: person, ..world.receiver() };
            let expected = if at == other { "opened" } else { "seal.authentication" };
            assert_eq!(name(open(sealed, &receiver)), expected);
        }
    }

    // The tag of one under the secret of another: it opens up to its sender.
    let swapped = [&delivered[0][..33], &delivered[1][33..49], &delivered[0][49..]].concat();
    let receiver = Receiver { identity: &people[0], ..world.receiver() };
    assert_eq!(name(open(&swapped, &receiver)), "seal.sender");
    #[cfg(feature = "__internals")]
    {
        use crate::rule::{Rule, without};
        assert_eq!(without(Rule::Ss2, || name(open(&swapped, &receiver))), "opened");
    }
}

#[test]
fn a_message_to_one_account_has_the_known_size() {
    let world = World::new();
    let bob = Recipient { service_id: BOB.parse().unwrap(), identity: world.bob.public(), devices: &[(1, 7)] };
    let sent = seal_to_many(&world.alice, &world.content(), &[bob], &[], &mut rng()).unwrap();
    let delivered = delivered_for(&sent, &bob.service_id).unwrap().unwrap();
    // What an official client's messages were observed to differ by.
    assert_eq!(sent.len() - delivered.len(), 455 - 434);
    assert_eq!(name(open(&delivered, &world.receiver())), "opened");
}

#[test]
fn recipients_that_cannot_be_written_are_refused() {
    let world = World::new();
    let (bob, carol) = (world.bob.public(), pair(3));
    let to = |identity, devices: &'static [(u8, u16)]| Recipient { service_id: service_id(1), identity, devices };
    let code = |recipients: &[Recipient<'_>], excluded: &[ServiceId]| {
        seal_to_many(&world.alice, &world.content(), recipients, excluded, &mut rng())
            .map_or_else(|error| error.code(), |_| "sealed")
    };
    assert_eq!(code(&[to(bob, &[(1, 0x4000)])], &[]), "address.registration_id");
    assert_eq!(code(&[to(bob, &[(0, 1)])], &[]), "address.device");
    assert_eq!(code(&[to(bob, &[(1, 1), (128, 1)])], &[]), "address.device");
    assert_eq!(code(&[to(bob, &[])], &[]), "request.argument");
    assert_eq!(code(&[to(bob, &[(1, 1)]), to(carol.public(), &[(2, 1)])], &[]), "request.argument");
    assert_eq!(code(&[to(bob, &[(1, 1)])], &[service_id(1)]), "request.argument");
    assert_eq!(code(&[to(bob, &[(1, 1)]), to(bob, &[(2, 1)])], &[]), "sealed");
    assert_eq!(code(&[], &[service_id(1), service_id(1)]), "sealed");
}

/// A message whose content is malformed is refused with the name of its malformation, and not before it has opened.
#[test]
fn malformed_contents_are_refused_by_name() {
    let world = World::new();
    for (content, expected) in [
        (&b""[..], "message.field"),
        (&[0x08, 3, 0x12, 0, 0x1A, 0], "message.type"),
        (&[0x08, 2, 0x12, 0, 0x1A, 0], "certificate.field"),
    ] {
        let sealed = [
            v1::seal_bytes(&world.alice, world.bob.public(), content, &mut rng()).unwrap(),
            v2::seal_bytes(&world.alice, world.bob.public(), content, &mut rng()).unwrap(),
        ];
        for sealed in sealed {
            assert_eq!(name(open(&sealed, &world.receiver())), expected);
        }
    }
}
