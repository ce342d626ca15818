//! Sender-key messages and distribution messages. On a refusal the reader's record is what it was.

use crate::protobuf::Fields;
use crate::session_world::{ALICE, BOB, NOW};
use crate::{FIELD, LOW_ORDER, NOT_CANONICAL, TRUNCATED, TYPE, VERSION, keys, told};
use rand::SeedableRng;
use rand::rngs::StdRng;
use undertone::crypto::Secret;
use undertone::crypto::cbc;
use undertone::crypto::xeddsa::XeddsaSecret;
use undertone::group::GroupProfile;
use undertone::profile::IdentityKeyPair;
use undertone::wire::signal::{SenderKeyDistributionMessage, SenderKeyMessageFields};
use undertone::{Address, ErrorKind, GroupContext, GroupId, ReceivedSenderKeys, SenderKey, Signal, Undertone};

const NO_SENDER_KEY: (ErrorKind, &str) = (ErrorKind::NoSenderKey, "group.no_sender_key");
const SIGNATURE: (ErrorKind, &str) = (ErrorKind::InvalidSignature, "signature.invalid");
const DUPLICATE: (ErrorKind, &str) = (ErrorKind::Duplicate, "message.duplicate");
const TOO_FAR_AHEAD: (ErrorKind, &str) = (ErrorKind::TooFarAhead, "message.too_far_ahead");
const MESSAGE_TYPE: (ErrorKind, &str) = (ErrorKind::InvalidMessage, "message.type");

/// Alice, who writes to a group, and what Bob holds of her.
pub struct Group<P: GroupProfile> {
    alice: Address,
    identity: P::IdentityKey,
    sender: SenderKey<P>,
    reader: ReceivedSenderKeys<P>,
    rng: StdRng,
}

impl<P: GroupProfile> Group<P> {
    /// Bob holds nothing yet.
    pub fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let identity = P::IdentityKeyPair::generate(&mut rng).unwrap().public().clone();
        let alice = Address::new(ALICE, 1).unwrap();
        let context = GroupContext::distribution([7; 16]);
        let sender = SenderKey::create(context, &alice, &identity, NOW, &mut rng).unwrap();
        let reader = ReceivedSenderKeys::new(&alice, &identity);
        Self { alice, identity, sender, reader, rng }
    }

    /// Bob holds the beginning of Alice's chain.
    pub fn joined(seed: u64) -> Self {
        let mut group = Self::new(seed);
        group.take(&group.sender.distribution());
        group
    }

    pub fn write(&mut self, text: &[u8]) -> Vec<u8> {
        self.sender.encrypt(text, &mut self.rng).unwrap()
    }

    pub fn distribution(&self) -> Vec<u8> {
        self.sender.distribution()
    }

    fn take(&mut self, distribution: &[u8]) {
        self.reader.process_distribution(&self.alice, &self.identity, distribution).unwrap();
    }

    fn reads(&mut self, message: &[u8], text: &[u8]) {
        assert_eq!(self.reader.decrypt(message, NOW).unwrap().plaintext, text);
    }

    /// Bob refuses a message by this name.
    pub fn refuses(&mut self, message: &[u8], name: (ErrorKind, &'static str)) {
        let before = self.reader.to_bytes();
        assert_eq!(told(self.reader.decrypt(message, NOW)), name);
        assert_eq!(self.reader.to_bytes(), before);
    }

    /// Bob refuses a distribution message by this name.
    pub fn refuses_distribution(&mut self, bytes: &[u8], name: (ErrorKind, &'static str)) {
        let (alice, identity) = (self.alice.clone(), self.identity.clone());
        self.refuses_distribution_of(&alice, &identity, bytes, name);
    }

    fn refuses_distribution_of(
        &mut self,
        sender: &Address,
        identity: &P::IdentityKey,
        bytes: &[u8],
        name: (ErrorKind, &'static str),
    ) {
        let before = self.reader.to_bytes();
        assert_eq!(told(self.reader.process_distribution(sender, identity, bytes)), name);
        assert_eq!(self.reader.to_bytes(), before);
    }
}

/// Sender-key messages: of no chain that is held, with a wrong signature, sent twice, from before the chain was handed out, too far ahead; and a chain that has no number left.
#[test]
fn sender_key_messages() {
    fn check<P: GroupProfile>(seed: u64) {
        let mut group = Group::<P>::new(seed);
        let early = group.write(b"early");
        group.refuses(&early, NO_SENDER_KEY);
        group.take(&group.sender.distribution());
        group.refuses(&early, DUPLICATE);
        let mut stranger = Group::<P>::new(seed + 1);
        group.refuses(&stranger.write(b"of another chain"), NO_SENDER_KEY);

        let message = group.write(b"text");
        let signature = message.len() - 64;
        for at in [signature - 1, signature, signature + 31, signature + 32, message.len() - 1] {
            let mut forged = message.clone();
            forged[at] ^= 1;
            group.refuses(&forged, SIGNATURE);
        }
        group.reads(&message, b"text");
        group.refuses(&message, DUPLICATE);

        group.sender.walk_to(2 + 25_001);
        let far = group.write(b"far");
        group.refuses(&far, TOO_FAR_AHEAD);
        let mut group = Group::<P>::joined(seed + 2);
        group.sender.walk_to(25_000);
        let far = group.write(b"just near enough");
        group.reads(&far, b"just near enough");

        group.sender.jump_to(u32::MAX);
        let before = group.sender.to_bytes();
        let exhausted = (ErrorKind::Exhausted, "group.exhausted");
        assert_eq!(told(group.sender.encrypt(b"one more", &mut group.rng)), exhausted);
        assert_eq!(group.sender.to_bytes(), before);
    }
    check::<Undertone>(300);
    check::<Signal>(310);
}

/// Native sender-key messages: cut at every length, of another version, of another type.
#[test]
fn malformed_native_sender_key_messages() {
    let mut group = Group::<Undertone>::joined(320);
    let message = group.write(b"text");
    for length in 0..message.len() {
        // Where a body may end is not said: behind the shortest message there is, the signature speaks.
        let shortest = 1 + 16 + 24 + 16 + 16 + 16 + 64;
        group.refuses(&message[..length], if length < shortest { TRUNCATED } else { SIGNATURE });
    }
    group.refuses(&[&message[..], &[0]].concat(), SIGNATURE);
    for first in [0x03, 0x23, 0xF3] {
        group.refuses(&[&[first][..], &message[1..]].concat(), VERSION);
    }
    for first in [0x10, 0x11, 0x12, 0x14] {
        group.refuses(&[&[first][..], &message[1..]].concat(), MESSAGE_TYPE);
    }
    let mut of_another_tag = message.clone();
    of_another_tag[1] ^= 1;
    group.refuses(&of_another_tag, NO_SENDER_KEY);
    group.reads(&message, b"text");
}

/// Sender-key messages of the Signal profile: cut at every length, of another version, without a field, with an id of a wrong length.
#[test]
fn malformed_signal_sender_key_messages() {
    let mut group = Group::<Signal>::joined(330);
    let message = group.write(b"text");
    for length in 0..message.len() {
        group.refuses(&message[..length], if length <= 64 { TRUNCATED } else { FIELD });
    }
    for first in [0x03, 0x23, 0x44] {
        group.refuses(&[&[first][..], &message[1..]].concat(), VERSION);
    }
    let (fields, signature) = (Fields::read(&message[1..message.len() - 64]), &message[message.len() - 64..]);
    let wrapped = |fields: Vec<u8>| [&[0x33][..], &fields, signature].concat();
    for tag in [1, 2, 3, 4] {
        group.refuses(&wrapped(fields.without(tag)), FIELD);
    }
    for length in [0, 15, 17] {
        group.refuses(&wrapped(fields.with(1, &vec![7; length])), FIELD);
    }
    group.refuses(&wrapped(fields.with(1, &[8; 16])), NO_SENDER_KEY);
    group.refuses(&wrapped(fields.with_number(2, 9)), NO_SENDER_KEY);
    group.refuses(&wrapped(fields.with_number(3, 9)), SIGNATURE);
    group.refuses(&wrapped(fields.with(4, &[0; 16])), SIGNATURE);
    group.refuses(&[&[0x33, 0xFF, 0xFF][..], signature].concat(), FIELD);
    group.reads(&message, b"text");
}

/// Sender-key messages that their owner has signed, and that are wrong all the same: in body, padding or number.
#[test]
fn signed_signal_sender_key_messages() {
    let mut group = Group::<Signal>::new(340);
    let signer = XeddsaSecret::generate(&mut group.rng).unwrap();
    let distribution = SenderKeyDistributionMessage {
        distribution_id: [7; 16],
        chain_id: 5,
        iteration: 0,
        chain_key: Secret::new([3; 32]),
        signing_key: signer.verifying_key().agreement_key(),
    };
    group.take(&distribution.encode());
    let mut rng = StdRng::seed_from_u64(341);
    let mut signed = |iteration, ciphertext| {
        let fields = SenderKeyMessageFields { distribution_id: [7; 16], chain_id: 5, iteration, ciphertext };
        fields.encode(|message| signer.sign(&[message], &mut rng)).unwrap()
    };
    let padding = (ErrorKind::InvalidMessage, "message.padding");
    for ciphertext in
        [vec![], vec![0; 15], vec![0; 17], vec![0; 16], cbc::encrypt(&Secret::new([9; 32]), &[0; 16], b"")]
    {
        group.refuses(&signed(3, ciphertext), padding);
    }
    group.refuses(&signed(25_001, vec![0; 16]), TOO_FAR_AHEAD);
    // The last number is nobody's, even where the chain was handed out just before it.
    group.take(&SenderKeyDistributionMessage { chain_id: 6, iteration: u32::MAX - 1, ..distribution }.encode());
    let fields =
        SenderKeyMessageFields { distribution_id: [7; 16], chain_id: 6, iteration: u32::MAX, ciphertext: vec![0; 16] };
    let last = fields.encode(|message| signer.sign(&[message], &mut StdRng::seed_from_u64(342))).unwrap();
    group.refuses(&last, TOO_FAR_AHEAD);
}

/// Distribution messages: another's, under another identity key, of another version.
#[test]
fn distribution_messages_of_others() {
    fn check<P: GroupProfile>(seed: u64) {
        let mut group = Group::<P>::new(seed);
        let distribution = group.distribution();
        let (alice, identity) = (group.alice.clone(), group.identity.clone());
        let other = P::IdentityKeyPair::generate(&mut group.rng).unwrap().public().clone();
        let forwarded = (ErrorKind::InvalidMessage, "group.forwarded");
        for (name, device) in [(BOB, 1), (ALICE, 2)] {
            group.refuses_distribution_of(&Address::new(name, device).unwrap(), &identity, &distribution, forwarded);
        }
        let untrusted = (ErrorKind::UntrustedIdentity, "session.untrusted_identity");
        group.refuses_distribution_of(&alice, &other, &distribution, untrusted);
        let low_nibble = distribution[0] & 0x0F;
        for version in [0x00, 0x20, 0x40] {
            group.refuses_distribution(&[&[version | low_nibble][..], &distribution[1..]].concat(), VERSION);
        }
        group.take(&distribution);
    }
    check::<Undertone>(350);
    check::<Signal>(360);
}

/// Native distribution messages: cut at every length, longer, of another type, with a field out of its range, with a bad signing key, in contradiction to what is held.
#[test]
fn malformed_native_distribution_messages() {
    let mut group = Group::<Undertone>::new(370);
    let distribution = group.distribution();
    for length in 0..distribution.len() {
        group.refuses_distribution(&distribution[..length], TRUNCATED);
    }
    let trailing = (ErrorKind::InvalidMessage, "message.trailing");
    group.refuses_distribution(&[&distribution[..], &[0]].concat(), trailing);
    for first in [0x12, 0x13, 0x15] {
        group.refuses_distribution(&[&[first][..], &distribution[1..]].concat(), MESSAGE_TYPE);
    }
    // A group id of no byte and one of 65; an owner without a name, with a name that is no text, with a device that is none.
    let (owner, named) = (1 + 17 + 8 + 32, ALICE.len());
    let rest = &distribution[1 + 17..];
    group.refuses_distribution(&[&[0x14, 0][..], rest].concat(), FIELD);
    group.refuses_distribution(&[&[0x14, 65][..], &[7; 65], rest].concat(), FIELD);
    let after_name = &distribution[owner + 2 + named..];
    group.refuses_distribution(&[&distribution[..owner], &[0, 0], after_name].concat(), FIELD);
    group.refuses_distribution(&[&distribution[..owner], &[0, 1, 0xFF], after_name].concat(), FIELD);
    for device in [0, 128, 255] {
        let mut changed = distribution.clone();
        changed[owner + 2 + named] = device;
        group.refuses_distribution(&changed, FIELD);
    }
    let mut of_another = distribution.clone();
    of_another[owner + 2 + named] = 2;
    group.refuses_distribution(&of_another, (ErrorKind::InvalidMessage, "group.forwarded"));
    // y = 1, y = p + 1, and no point at all.
    let before_key = &distribution[..distribution.len() - 32];
    for (key, name) in [
        (keys::point(1, 0, 0), LOW_ORDER),
        (keys::point(0xEE, 0xFF, 0x7F), NOT_CANONICAL),
        (keys::point(2, 0, 0), NOT_CANONICAL),
    ] {
        group.refuses_distribution(&[before_key, &key].concat(), name);
    }
    group.take(&distribution);
    // The same chain of another group, epoch, membership, header key.
    for at in [2, 1 + 17 + 7, 1 + 17 + 8, distribution.len() - 33] {
        let mut contradiction = distribution.clone();
        contradiction[at] ^= 1;
        group.refuses_distribution(&contradiction, (ErrorKind::InvalidMessage, "group.conflict"));
    }
}

/// A group's name: empty, or over 64 bytes; and a context that the Signal profile cannot bind.
#[test]
fn bad_group_contexts() {
    let argument = (ErrorKind::InvalidRequest, "request.argument");
    for length in [0, 65, 1000] {
        assert_eq!(told(GroupId::new(vec![7; length])), argument);
    }
    let mut group = Group::<Signal>::new(380);
    let id = |length| GroupId::new(vec![7; length]).unwrap();
    for context in [
        GroupContext::new(id(15), 0, [0; 32]),
        GroupContext::new(id(16), 1, [0; 32]),
        GroupContext::new(id(16), 0, [1; 32]),
    ] {
        let made = SenderKey::<Signal>::create(context, &group.alice, &group.identity, NOW, &mut group.rng);
        assert_eq!(told(made), argument);
    }
}

/// Distribution messages of the Signal profile: cut at every length, without a field, with a field of a wrong length, with a bad signing key.
#[test]
fn malformed_signal_distribution_messages() {
    let mut group = Group::<Signal>::new(390);
    let distribution = group.distribution();
    for length in 0..distribution.len() {
        group.refuses_distribution(&distribution[..length], if length < 65 { TRUNCATED } else { FIELD });
    }
    let fields = Fields::read(&distribution[1..]);
    let wrapped = |fields: Vec<u8>| [&[0x33][..], &fields].concat();
    // Less than official clients accept is truncated, whatever is in it.
    let named = |bytes: &[u8]| if bytes.len() < 65 { TRUNCATED } else { FIELD };
    let without = [1, 2, 3, 4, 5].map(|tag| fields.without(tag));
    let of_length = [0, 15, 17, 31, 33].map(|length| vec![7; length]);
    let resized = of_length.iter().flat_map(|content| [fields.with(1, content), fields.with(4, content)]);
    let malformed: Vec<_> = without.into_iter().chain(resized).map(wrapped).collect();
    for bytes in &malformed {
        group.refuses_distribution(bytes, named(bytes));
    }
    let codes = malformed.iter().map(|bytes| named(bytes));
    assert_eq!(codes.filter(|name| *name == TRUNCATED).count(), 3, "no chain key, no signing key, an empty chain key");
    let key = fields.bytes(5);
    for (key, name) in [
        (vec![5; 32], (ErrorKind::InvalidKey, "key.length")),
        (vec![5; 34], (ErrorKind::InvalidKey, "key.length")),
        ([&[6][..], &key[1..]].concat(), TYPE),
    ] {
        group.refuses_distribution(&wrapped(fields.with(5, &key)), name);
    }
    for (point, name) in keys::BAD_POINTS {
        group.refuses_distribution(&wrapped(fields.with(5, &[&[5][..], &point].concat())), name);
    }
    group.take(&distribution);
}
