//! The Signal profile: PQXDH, the double ratchet and the message encryption of official clients, in their version 4.
//!
//! Headers are in clear, so a message is authenticated by its body alone, under the key that its chains give.

mod binding;
mod identity;

pub use binding::SignalBinding;
pub use identity::{SignalIdentityKey, SignalIdentityKeyPair};

use crate::crypto::Secret;
use crate::crypto::agreement::AgreementKey;
use crate::crypto::cbc;
use crate::crypto::kdf::{hkdf, hmac, hmac_pair};
use crate::crypto::kem::Kyber1024;
use crate::error::{Fault, Result};
use crate::profile::{HandshakeSecrets, Header, HeaderKey, MessageKeys, Parties, Profile, Suite};
use crate::rule::{self, Rule};
use crate::wire::signal::{ServiceId, SignalMessage, SignalMessageFields, encode_agreement_key, post_quantum};
use crate::wire::{Reader, Writer};
use rand_core::TryCryptoRng;

const HANDSHAKE: &[u8] = b"WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024";
const ROOT: &[u8] = b"WhisperRatchet";
const MESSAGE_KEYS: &[u8] = b"WhisperMessageKeys";
/// What the handshake's secrets begin with: no point of the curve is encoded so.
const DISCONTINUITY: [u8; 32] = [0xFF; 32];
/// The largest plaintext of one message, that of the native profile.
const MAX_PLAINTEXT: usize = 16 << 20;

/// The marker of the Signal profile.
///
/// ```
/// use undertone::{SessionRecord, Signal, Undertone};
#[doc = include_str!("../../docs/examples/two_signal_devices.txt")]
///
/// let with_bob: SessionRecord<Signal> = SessionRecord::new(&alice, bobs)?;
/// // A record of one profile is never read as the other's.
/// let misread = SessionRecord::<Undertone>::from_bytes(&with_bob.to_bytes());
/// assert_eq!(misread.err().map(|error| error.code()), Some("record.version"));
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal;

/// The header key of a profile whose headers are in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClearHeader;

/// A parsed message and the header in it.
#[derive(Debug)]
pub struct ClearMessage<'a> {
    message: SignalMessage<'a>,
    header: Header,
}

impl Profile for Signal {
    const RECORD_TAG: u8 = 2;
    const AUTHENTICATES_HEADER_FIRST: bool = false;
    const CLOSES_CHAINS: bool = false;
    const TRUSTS_OWN_DEVICES: bool = true;
    const SKIPPED_KEY_AGE: Option<u64> = None;
    const ARCHIVED_AGE: Option<u64> = None;

    type IdentityKey = SignalIdentityKey;
    type IdentityKeyPair = SignalIdentityKeyPair;
    type Kem = Kyber1024;
    type HeaderKey = ClearHeader;
    type Binding = SignalBinding;
    type Message<'a> = ClearMessage<'a>;

    /// Names that are service ids are compared as such: each can be spelled in upper and in lower case.
    fn same_account(one: &str, other: &str) -> bool {
        match (one.parse::<ServiceId>(), other.parse::<ServiceId>()) {
            (Ok(one), Ok(other)) => one == other,
            _ => one == other,
        }
    }

    /// The middle third of the output is the chain key of the signed prekey's own chain. In this engine a responder
    /// never sends in that chain, since it always reads a message, and so makes a ratchet step, first.
    ///
    /// There is no X3DH in this profile: a first message without a KEM ciphertext does not parse, and a bundle without
    /// a KEM prekey cannot be made.
    fn handshake_secrets(_suite: Suite, secrets: &[&[u8]], _transcript: &[u8]) -> HandshakeSecrets<Self> {
        let mut material: Vec<&[u8]> = Vec::with_capacity(1 + secrets.len());
        material.push(&DISCONTINUITY);
        material.extend_from_slice(secrets);
        let [root, _, post_quantum] = hkdf::<96>(&[], &material, &[HANDSHAKE]).pieces::<3>();
        HandshakeSecrets { root, initiator_header: ClearHeader, responder_header: ClearHeader, post_quantum }
    }

    fn binding(_suite: Suite, parties: &Parties<'_, Self>) -> SignalBinding {
        SignalBinding::new(parties)
    }

    /// DR-1: the root keys the step and the agreement is its input.
    fn root_step(root: &Secret<32>, agreement: &Secret<32>) -> (Secret<32>, Secret<32>, ClearHeader) {
        let [root, chain] = hkdf::<64>(root.expose(), &[agreement.expose()], &[ROOT]).pieces::<2>();
        (root, chain, ClearHeader)
    }

    /// DR-1: two constants keep what stays in the chain apart from what leaves it.
    fn classical_step(chain: &Secret<32>, _n: u32) -> (Secret<32>, Secret<32>) {
        hmac_pair(chain, &[&[2]], &[&[1]])
    }

    fn classical_walk(chain: &Secret<32>, _n: u32) -> Secret<32> {
        Secret::new(hmac(chain.expose(), &[&[2]]))
    }

    /// One less than the specification's, as official clients write it; nobody reads it.
    fn previous_count(sent: u32) -> u32 {
        sent.saturating_sub(1)
    }

    fn seal(
        keys: MessageKeys<'_, Self>,
        header: Header,
        binding: &SignalBinding,
        first: bool,
        plaintext: &[u8],
        _rng: &mut impl TryCryptoRng,
    ) -> Result<Vec<u8>> {
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(Fault::PlaintextTooLarge.into());
        }
        let expanded = ExpandedKeys::new(&keys);
        let message = SignalMessageFields {
            ratchet_key: header.ratchet_key,
            counter: header.n,
            previous_counter: header.pn,
            ciphertext: cbc::encrypt(&expanded.cipher, expanded.iv.expose(), plaintext),
            pq_ratchet: post_quantum::encode(&header.post_quantum),
            // Official clients attach the addresses to first messages only, and check them wherever they stand.
            addresses: binding.sending().addresses.filter(|_| first).map(|addresses| addresses.to_vec()),
        };
        message.encode(|authenticated| *expanded.mac(&binding.sending().identities, authenticated).expose())
    }

    fn parse(bytes: &[u8]) -> Result<ClearMessage<'_>> {
        let message = SignalMessage::parse(bytes)?;
        if message.fields.pq_ratchet.is_empty() {
            return Err(Fault::MessageNoPostQuantum.into());
        }
        let header = Header {
            ratchet_key: message.fields.ratchet_key,
            n: message.fields.counter,
            pn: message.fields.previous_counter,
            post_quantum: post_quantum::decode(&message.fields.pq_ratchet)?,
            guard: [0; 12],
        };
        Ok(ClearMessage { message, header })
    }

    fn open_header(message: &ClearMessage<'_>, _: &ClearHeader, _: &SignalBinding) -> Result<Option<Header>> {
        Ok(Some(message.header.clone()))
    }

    fn open(
        keys: MessageKeys<'_, Self>,
        _header: &Header,
        message: &ClearMessage<'_>,
        binding: &SignalBinding,
    ) -> Result<Vec<u8>> {
        let SignalMessage { fields, authenticated, mac } = &message.message;
        let expanded = ExpandedKeys::new(&keys);
        let direction = binding.receiving();
        // DR-5, DR-13, B41: identities, header and body are under one tag of one length.
        if rule::on(Rule::Dr5) && expanded.mac(&direction.identities, authenticated) != Secret::new(**mac) {
            return Err(Fault::MessageAuthentication.into());
        }
        // B38: a message whose addresses are not those of this session was made for another one.
        if let Some(addresses) = &fields.addresses
            && rule::on(Rule::B38)
            && direction.addresses.as_ref().is_none_or(|expected| expected[..] != addresses[..])
        {
            return Err(Fault::MessageAddress.into());
        }
        cbc::decrypt(&expanded.cipher, expanded.iv.expose(), &fields.ciphertext)
    }

    fn encode_agreement_key(key: &AgreementKey) -> Vec<u8> {
        encode_agreement_key(key).to_vec()
    }
}

impl HeaderKey for ClearHeader {
    fn duplicate(&self) -> Self {
        Self
    }

    fn encode(&self, _out: &mut Writer) {}

    fn decode(_input: &mut Reader<'_>) -> Result<Self> {
        Ok(Self)
    }

    fn tag(&self) -> Option<[u8; 16]> {
        None
    }
}

/// The three keys of one message. The post-quantum key is the salt of their expansion (SP-7).
struct ExpandedKeys {
    cipher: Secret<32>,
    authentication: Secret<32>,
    iv: Secret<16>,
}

impl ExpandedKeys {
    fn new(keys: &MessageKeys<'_, Signal>) -> Self {
        let salt: &[u8] = if rule::on(Rule::Sp7) { keys.post_quantum.expose() } else { &[] };
        Self::expand(salt, keys.seed)
    }

    fn expand(salt: &[u8], seed: &Secret<32>) -> Self {
        let (pair, iv) = hkdf::<80>(salt, &[seed.expose()], &[MESSAGE_KEYS]).split::<64, 16>();
        let [cipher, authentication] = pair.pieces::<2>();
        Self { cipher, authentication, iv }
    }

    /// The first eight bytes of the HMAC over the sender's and the receiver's identity keys and the message; a
    /// [`Secret`] for its comparison in constant time.
    fn mac(&self, identities: &[u8], authenticated: &[u8]) -> Secret<8> {
        let full = Secret::new(hmac(self.authentication.expose(), &[identities, authenticated]));
        full.split::<8, 24>().0
    }
}

#[cfg(test)]
mod tests;
