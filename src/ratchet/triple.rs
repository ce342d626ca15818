//! The triple ratchet: the double ratchet and the sparse post-quantum ratchet side by side, each message under a key from both
//! (Double Ratchet, revision 4, section 6; docs/protocol.md, sections 6 and 8).

use crate::crypto::agreement::{AgreementKey, AgreementSecret};
use crate::error::{ErrorKind, Fault, Result};
use crate::profile::{HandshakeSecrets, Header, MessageKeys, Profile};
use crate::ratchet::double::{DoubleRatchet, ReceiveChange, SendStage, headers_by_role};
use crate::ratchet::limits::StepBudget;
use crate::ratchet::post_quantum::{PostQuantumChange, PostQuantumRatchet};
use crate::rule::{self, Rule};
use crate::wire::{Reader, Writer};
use rand_core::TryCryptoRng;

/// The ratchet state of one session.
///
/// Encrypting and decrypting are staged: they leave the state alone and return what to [`apply`](Self::apply_sent), so that a failure anywhere, in either
/// half, changes nothing (DR-6, SP-10).
pub struct Ratchet<P: Profile> {
    classical: DoubleRatchet<P>,
    post_quantum: PostQuantumRatchet<P>,
}

/// What sending one message changes, in both halves.
pub struct Sent<P: Profile> {
    classical: SendStage<P>,
    post_quantum: PostQuantumChange,
}

/// What reading one message changes, in both halves.
pub struct Received<P: Profile> {
    classical: ReceiveChange<P>,
    post_quantum: PostQuantumChange,
}

impl<P: Profile> Ratchet<P> {
    /// The initiator's state.
    ///
    /// # Errors
    /// `random.failed`, `key.agreement_zero`.
    pub fn initiator(
        secrets: HandshakeSecrets<P>,
        signed_prekey: &AgreementKey,
        own_device: bool,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Self> {
        let (classical, post_quantum) = headers_by_role(secrets, true);
        let post_quantum = PostQuantumRatchet::initiator(&post_quantum, own_device);
        Ok(Self { classical: DoubleRatchet::initiator(classical, signed_prekey, own_device, rng)?, post_quantum })
    }

    /// The responder's state before it has read anything.
    pub fn responder(secrets: HandshakeSecrets<P>, own_device: bool) -> Self {
        let ((root, sending_header, next_receiving), post_quantum) = headers_by_role(secrets, false);
        Self {
            classical: DoubleRatchet::responder(root, sending_header, next_receiving, own_device),
            post_quantum: PostQuantumRatchet::responder(&post_quantum, own_device),
        }
    }

    /// A state put together from an official client's record.
    #[cfg(feature = "signal")]
    pub const fn imported(classical: DoubleRatchet<P>, post_quantum: PostQuantumRatchet<P>) -> Self {
        Self { classical, post_quantum }
    }

    /// Encrypts `plaintext` as the next message. `first` says that it will travel inside a first message.
    ///
    /// # Errors
    /// `session.no_sending_chain`, `session.exhausted`, `request.too_large`, `random.failed`.
    pub fn encrypt(
        &self,
        binding: &P::Binding,
        first: bool,
        plaintext: &[u8],
        rng: &mut impl TryCryptoRng,
    ) -> Result<(Vec<u8>, Sent<P>)> {
        let classical = self.classical.stage_send(rng)?;
        let post_quantum = self.post_quantum.send(rng)?;
        let header = Header {
            ratchet_key: classical.ratchet_key,
            n: classical.n,
            pn: classical.pn,
            post_quantum: post_quantum.header,
            guard: [0; 12],
        };
        let keys = MessageKeys { seed: &classical.seed, post_quantum: &post_quantum.key, header: &classical.header };
        let message = P::seal(keys, header, binding, first, plaintext, rng)?;
        Ok((message, Sent { classical, post_quantum: post_quantum.change }))
    }

    /// Makes the sending of a message final.
    pub fn apply_sent(&mut self, sent: Sent<P>, now: u64) {
        self.classical.apply_send(sent.classical);
        self.post_quantum.apply(sent.post_quantum, now);
    }

    /// Decrypts a message, if it is of this session. `None`: nothing in it names this session.
    ///
    /// `signed_prekey` is lent to a responder for the first message it reads (DR-16). `budget` bounds the work on one envelope over all sessions tried (B31, HE-6).
    ///
    /// # Errors
    /// `message.duplicate`; `message.too_far_ahead`; `message.authentication` and the other `message.*`, `braid.*` and `key.*` codes.
    pub fn decrypt(
        &self,
        message: &P::Message<'_>,
        binding: &P::Binding,
        signed_prekey: Option<&AgreementSecret>,
        now: u64,
        budget: &mut StepBudget,
    ) -> Result<Option<(Vec<u8>, Received<P>)>> {
        let Some((header, place)) = self.classical.locate(message, binding)? else { return Ok(None) };
        let (seed, classical) = self.classical.stage_receive(&header, place, signed_prekey, now, budget)?;
        let post_quantum = self.post_quantum.receive(&header.post_quantum, now, budget).map_err(|error| {
            // Only the classical chain tells a message that was read before. A post-quantum index that was used before is then another
            // session's, or a forger's.
            if error.kind() == ErrorKind::Duplicate { Fault::MessageAuthentication.into() } else { error }
        })?;
        let header_key = self.classical.header_key(place);
        let keys = MessageKeys { seed: &seed, post_quantum: &post_quantum.key, header: header_key };
        let plaintext = match P::open(keys, &header, message, binding) {
            Ok(plaintext) => plaintext,
            // DR-6, SP-10, B32: what is staged is adopted only after the body has authenticated.
            Err(error) if rule::on(Rule::Dr6) => return Err(error),
            Err(_) => Vec::new(),
        };
        Ok(Some((plaintext, Received { classical, post_quantum: post_quantum.change })))
    }

    /// Makes the reading of a message final.
    pub fn apply_received(&mut self, received: Received<P>, now: u64) {
        self.classical.apply_receive(received.classical, now);
        self.post_quantum.apply(received.post_quantum, now);
    }

    /// The classical half.
    pub const fn classical(&self) -> &DoubleRatchet<P> {
        &self.classical
    }

    /// The post-quantum half.
    pub const fn post_quantum(&self) -> &PostQuantumRatchet<P> {
        &self.post_quantum
    }

    /// Writes the state for a record.
    pub fn encode(&self, out: &mut Writer) {
        self.classical.encode(out);
        self.post_quantum.encode(out);
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// The reader's fault.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self> {
        Ok(Self { classical: DoubleRatchet::decode(input)?, post_quantum: PostQuantumRatchet::decode(input)? })
    }
}
