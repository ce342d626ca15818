//! The native profile: `docs/protocol.md`, sections 1, 4 and 6.
//!
//! P-9, B5: every label of this profile is in the table of section 1 and stands in one place of the source, where it is used. None begins another, so no
//! input of one derivation or signature can be read as that of another one.

mod header_key;
mod identity;

pub use header_key::EncryptedHeader;
pub use identity::{UndertoneIdentityKey, UndertoneIdentityKeyPair};

use crate::crypto::aead::{self, TAG};
use crate::crypto::agreement::AgreementKey;
use crate::crypto::chain;
use crate::crypto::kdf::hkdf;
use crate::crypto::kem::MlKem1024;
use crate::crypto::{Secret, hash, random};
use crate::error::{Error, Fault, Result};
use crate::profile::{
    BraidPayload, Chunk, HandshakeSecrets, Header, IdentityKey, MessageKeys, Parties, PostQuantumHeader, Profile, Role,
    Suite,
};
use crate::rule::{self, Rule};
use crate::wire::{Reader, Writer};
use rand_core::TryCryptoRng;

/// The native wire profile: encrypted headers, one Ed25519 identity key, ML-KEM-1024, the whole transcript in the key schedule.
///
/// ```
/// use undertone::{SessionRecord, Undertone};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
///
/// // What the two ends speak is part of the type of all that they keep.
/// let with_bob: SessionRecord<Undertone> = SessionRecord::new(&alice, bobs)?;
/// assert_eq!(with_bob.status(), None);
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undertone;

/// The first byte of a session message: version 1, type 2.
pub const SESSION_MESSAGE: u8 = 0x12;
/// The largest plaintext of one message; larger content belongs in an attachment.
pub const MAX_PLAINTEXT: usize = 16 << 20;

const HEADER: usize = 99;
const BODY_START: usize = 1 + 16 + 24 + HEADER + TAG;
/// X3-1: application, curve, hash and KEM are part of the name; none of them is negotiated.
const PQXDH: &[u8] = b"Undertone_1_pqxdh_X25519_SHA-256_ML-KEM-1024";
const X3DH: &[u8] = b"Undertone_1_x3dh_X25519_SHA-256";

const CHAIN: chain::Label = *b"U1_chain";

/// The label of a suite: the first field of its transcript and the beginning of its KDF info (PQ-1, PQ-6).
pub const fn suite_label(suite: Suite) -> &'static [u8] {
    match suite {
        Suite::Pqxdh => PQXDH,
        Suite::X3dh => X3DH,
    }
}

/// What a native message is bound to: the hash of section 6.1, and which way it goes.
pub struct SessionBinding {
    hash: [u8; 32],
    role: Role,
}

impl SessionBinding {
    /// `AD(direction)` of a message that this device sends.
    fn sending(&self) -> [u8; 33] {
        self.associated_data(self.role == Role::Responder)
    }

    /// `AD(direction)` of a message that this device receives (B39: never the same as one that it sends).
    fn receiving(&self) -> [u8; 33] {
        self.associated_data(self.role == Role::Initiator)
    }

    fn associated_data(&self, from_responder: bool) -> [u8; 33] {
        let mut data = [0; 33];
        let (direction, hash) = data.split_at_mut(1);
        direction.fill(u8::from(from_responder && rule::on(Rule::B39)));
        hash.copy_from_slice(&self.hash);
        data
    }
}

/// A session message cut into its parts.
pub struct SessionMessage<'a> {
    tag: &'a [u8; 16],
    nonce: &'a [u8; 24],
    header: &'a [u8; HEADER],
    header_tag: &'a [u8; TAG],
    body: &'a [u8],
}

impl SessionMessage<'_> {
    /// What the header's tag covers besides the header: everything, the body included (B41: what no tag covers, anyone could change).
    fn header_data(&self, direction: &[u8; 33]) -> Vec<u8> {
        [direction, &[SESSION_MESSAGE][..], self.tag, self.body].concat()
    }

    /// What the body's tag covers besides the body.
    fn body_data(&self, direction: &[u8; 33]) -> Vec<u8> {
        [direction, &[SESSION_MESSAGE][..], self.tag, self.nonce, self.header].concat()
    }
}

impl Profile for Undertone {
    const RECORD_TAG: u8 = 1;
    const AUTHENTICATES_HEADER_FIRST: bool = true;
    const CLOSES_CHAINS: bool = true;
    const TRUSTS_OWN_DEVICES: bool = false;
    const SKIPPED_KEY_AGE: Option<u64> = Some(7 * 86_400);
    const ARCHIVED_AGE: Option<u64> = Some(30 * 86_400);

    type IdentityKey = UndertoneIdentityKey;
    type IdentityKeyPair = UndertoneIdentityKeyPair;
    type Kem = MlKem1024;
    type HeaderKey = EncryptedHeader;
    type Binding = SessionBinding;
    type Message<'a> = SessionMessage<'a>;

    fn same_account(one: &str, other: &str) -> bool {
        one == other
    }

    fn handshake_secrets(suite: Suite, secrets: &[&[u8]], transcript: &[u8]) -> HandshakeSecrets<Self> {
        // PQ-16, B3, B7, B8: the transcript is in the info, so two sides that saw different handshakes share no key.
        let hash = if rule::on(Rule::Pq16) { hash::sha256(&[transcript]) } else { [0; 32] };
        // X3-2, PQ-6, B5: the leading block keeps this input apart from every input of a signature hash. B29: the secrets are hashed one behind the other;
        // if they were added, a change to one could undo that to another.
        let mut ikm: Vec<&[u8]> = vec![&[0xff; 32]];
        ikm.extend_from_slice(secrets);
        // HE-3: four outputs that tell nothing of each other.
        let okm: Secret<128> = hkdf(&[], &ikm, &[suite_label(suite), &hash]);
        let [root, initiator, responder, post_quantum] = okm.pieces();
        HandshakeSecrets {
            root,
            initiator_header: EncryptedHeader::new(initiator),
            responder_header: EncryptedHeader::new(responder),
            post_quantum,
        }
    }

    /// X3-6, X3-11, PQ-25: both identities and both addresses are, by their hash, in the associated data of every message. Whoever passes another's keys off
    /// as his own has his peer make messages that their true owner does not open.
    fn binding(suite: Suite, parties: &Parties<'_, Self>) -> SessionBinding {
        let local = (parties.local_identity, parties.local);
        let remote = (parties.remote_identity, parties.remote);
        let ((initiator, initiator_address), (responder, responder_address)) = match parties.role {
            Role::Initiator => (local, remote),
            Role::Responder => (remote, local),
        };
        let mut fields = Writer::with_capacity(256);
        prefix(&mut fields, b"Undertone_1_binding");
        fields.u8(suite.number());
        prefix(&mut fields, &initiator.to_bytes());
        prefix(&mut fields, &initiator_address.to_bytes());
        prefix(&mut fields, &responder.to_bytes());
        prefix(&mut fields, &responder_address.to_bytes());
        SessionBinding { hash: hash::sha256(&[fields.as_slice()]), role: parties.role }
    }

    /// DR-1: the root keys the step and the agreement is its input, so that whoever knows one of the two learns nothing of what comes out.
    /// HE-4: the next header key comes out of the step that makes the chain.
    fn root_step(root: &Secret<32>, agreement: &Secret<32>) -> (Secret<32>, Secret<32>, EncryptedHeader) {
        let okm: Secret<96> = hkdf(root.expose(), &[agreement.expose()], &[b"Undertone_1_root"]);
        let [root, chain, next_header] = okm.pieces();
        (root, chain, EncryptedHeader::new(next_header))
    }

    fn classical_step(chain: &Secret<32>, n: u32) -> (Secret<32>, Secret<32>) {
        chain::step(chain, CHAIN, n)
    }

    fn classical_walk(chain: &Secret<32>, n: u32) -> Secret<32> {
        Self::classical_step(chain, n).0
    }

    fn previous_count(sent: u32) -> u32 {
        sent
    }

    fn seal(
        keys: MessageKeys<'_, Self>,
        mut header: Header,
        binding: &SessionBinding,
        _first: bool,
        plaintext: &[u8],
        rng: &mut impl TryCryptoRng,
    ) -> Result<Vec<u8>> {
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(Fault::PlaintextTooLarge.into());
        }
        let randomness: [u8; 36] = random::array(rng)?;
        let mut randomness = Reader::new(&randomness, Fault::Rng);
        // HE-1: one header key serves many messages, so its nonce is long and random.
        let nonce: &[u8; 24] = randomness.array()?;
        let guard: &[u8; 12] = randomness.array()?;
        // M-2, B33: a state that was rolled back repeats the message key, and does not repeat the nonce.
        header.guard = if rule::on(Rule::M2) { *guard } else { [0; 12] };
        let tag = keys.header.session_tag();
        let direction = binding.sending();

        let plain_header = encode_header(&header);
        let mut sealed_header = [0; HEADER];
        aead::xstream(keys.header.cipher(), nonce, &plain_header, &mut sealed_header);

        let (key, body_nonce) = message_key(&keys, &header);
        let body_data = [&direction, &[SESSION_MESSAGE][..], tag, nonce, &sealed_header].concat();
        // HE-5: the body authenticates the encrypted header. DESIGN: the header's tag then covers the whole body, so that a
        // receiver knows a message for genuine before it walks a chain (B31).
        let mut header_data = Vec::with_capacity(50 + plaintext.len() + TAG);
        header_data.extend_from_slice(&direction);
        header_data.push(SESSION_MESSAGE);
        header_data.extend_from_slice(tag);
        let body_start = header_data.len();
        aead::seal(&key, &body_nonce, &body_data, plaintext, &mut header_data);
        let header_tag =
            aead::xseal_detached(keys.header.cipher(), nonce, &header_data, &plain_header, &mut sealed_header);

        let mut message = Vec::with_capacity(BODY_START + plaintext.len() + TAG);
        message.push(SESSION_MESSAGE);
        message.extend_from_slice(tag);
        message.extend_from_slice(nonce);
        message.extend_from_slice(&sealed_header);
        message.extend_from_slice(&header_tag);
        message.extend_from_slice(header_data.get(body_start..).unwrap_or_default());
        Ok(message)
    }

    fn parse(bytes: &[u8]) -> Result<SessionMessage<'_>> {
        let mut input = Reader::new(bytes, Fault::MessageTruncated);
        check_type(input.u8()?, SESSION_MESSAGE)?;
        let message = SessionMessage {
            tag: input.array()?,
            nonce: input.array()?,
            header: input.array()?,
            header_tag: input.array()?,
            body: input.rest(),
        };
        match message.body.len() {
            0..TAG => Err(Fault::MessageTruncated.into()),
            length if length > MAX_PLAINTEXT + TAG => Err(Fault::MessageTooLarge.into()),
            _ => Ok(message),
        }
    }

    fn open_header(
        message: &SessionMessage<'_>,
        key: &EncryptedHeader,
        binding: &SessionBinding,
    ) -> Result<Option<Header>> {
        // HE-6, B37: no trial decryption; the tag says which key it is.
        if rule::on(Rule::He6) && !key.is_tag(message.tag) {
            return Ok(None);
        }
        let data = message.header_data(&binding.receiving());
        let mut plain = [0; HEADER];
        match aead::xopen_detached(key.cipher(), message.nonce, &data, message.header, message.header_tag, &mut plain) {
            Err(_) if !rule::on(Rule::He6) => Ok(None),
            opened => opened.and_then(|()| decode_header(&plain)).map(Some),
        }
    }

    fn open(
        keys: MessageKeys<'_, Self>,
        header: &Header,
        message: &SessionMessage<'_>,
        binding: &SessionBinding,
    ) -> Result<Vec<u8>> {
        let (key, nonce) = message_key(&keys, header);
        aead::open(&key, &nonce, &message.body_data(&binding.receiving()), message.body)
    }

    fn encode_agreement_key(key: &AgreementKey) -> Vec<u8> {
        key.as_bytes().to_vec()
    }
}

/// Refuses a message of another type, and tells another version from another type.
pub fn check_type(found: u8, expected: u8) -> Result<()> {
    match found {
        found if found == expected => Ok(()),
        // B49: a message of one channel is never read in another.
        _ if !rule::on(Rule::B49) => Ok(()),
        found if found >> 4 == expected >> 4 => Err(Fault::MessageType.into()),
        _ => Err(Fault::MessageVersion.into()),
    }
}

/// `LP(bytes)` of section 1.
pub fn prefix(out: &mut Writer, bytes: &[u8]) {
    out.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX)).bytes(bytes);
}

/// Section 6.4: both ratchets enter the key by a derivation (SP-7, B29), and the guard the nonce (M-2, B33).
fn message_key(keys: &MessageKeys<'_, Undertone>, header: &Header) -> (Secret<32>, [u8; 12]) {
    let salt: &[u8] = if rule::on(Rule::Sp7) { keys.post_quantum.expose() } else { &[] };
    let okm: Secret<44> = hkdf(salt, &[keys.seed.expose()], &[b"Undertone_1_message_key"]);
    let (key, base): (Secret<32>, Secret<12>) = okm.split();
    let mut nonce = *base.expose();
    for (to, guard) in nonce.iter_mut().zip(header.guard) {
        *to ^= guard;
    }
    (key, nonce)
}

/// Section 6.5: every field always present, so that every header is of one length (HE-7).
fn encode_header(header: &Header) -> [u8; HEADER] {
    let no_chunk = Chunk { index: 0, bytes: [0; 32] };
    let chunk = header.post_quantum.payload.chunk().unwrap_or(&no_chunk);
    let mut out = Writer::with_capacity(HEADER);
    out.bytes(header.ratchet_key.as_bytes())
        .u32(header.n)
        .u32(header.pn)
        .u64(header.post_quantum.epoch)
        .u32(header.post_quantum.index)
        .u8(header.post_quantum.payload.kind())
        .u16(chunk.index)
        .bytes(&chunk.bytes)
        .bytes(&header.guard);
    let mut encoded = [0; HEADER];
    encoded.copy_from_slice(out.as_slice());
    encoded
}

/// Reads what [`encode_header`] wrote, one way only (SP-8, BR-10).
fn decode_header(bytes: &[u8; HEADER]) -> Result<Header> {
    let mut input = Reader::new(bytes, Fault::MessageField);
    let ratchet_key = AgreementKey::admit_ephemeral(input.array::<32>()?)?;
    let (n, pn) = (input.u32()?, input.u32()?);
    let (epoch, index) = (input.u64()?, input.u32()?);
    let kind = input.u8()?;
    let chunk = Chunk { index: input.u16()?, bytes: *input.array()? };
    let payload = match BraidPayload::has_chunk(kind) {
        Some(true) => BraidPayload::from_parts(kind, Some(chunk)),
        Some(false) if chunk == (Chunk { index: 0, bytes: [0; 32] }) => BraidPayload::from_parts(kind, None),
        _ => None,
    };
    let payload = payload.ok_or_else(|| Error::from(Fault::BraidDecode))?;
    if n == u32::MAX || index == 0 || epoch == 0 {
        return Err(Fault::MessageField.into());
    }
    let guard = *input.array()?;
    input.finish()?;
    Ok(Header { ratchet_key, n, pn, post_quantum: PostQuantumHeader { epoch, index, payload }, guard })
}
