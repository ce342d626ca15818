//! The double ratchet: the root chain, the sending chain and the receiving chains, with or without encrypted headers.
//!
//! Double Ratchet, revision 4, sections 3 and 4; docs/protocol.md, sections 6.2 to 6.6. Two things are done later than the specification's pseudocode
//! does them: the sending half of a step is made at the first send (DR-12), and the tail of an old chain is walked only when one of its messages comes.

use crate::crypto::Secret;
use crate::crypto::agreement::{AgreementKey, AgreementSecret};
use crate::error::{Fault, Result};
use crate::profile::{HandshakeSecrets, Header, HeaderKey, Profile};
use crate::ratchet::chain::{ChainChange, ReceivingChain};
use crate::ratchet::limits::{MAX_RECEIVING_CHAINS, MAX_SKIPPED_KEYS, StepBudget};
use crate::rule::{self, Rule};
use crate::wire::{Reader, Writer};
use rand_core::TryCryptoRng;

/// The classical half of a session's state.
pub struct DoubleRatchet<P: Profile> {
    root: Secret<32>,
    sending: Sending<P>,
    /// Under which key the header of the peer's next chain will be encrypted.
    next_receiving: P::HeaderKey,
    /// Newest last.
    receiving: Vec<ReceivingChain<P>>,
    /// The number of messages sent in the sending chain before this one.
    previously_sent: u32,
    /// Whether the peer is a device of the same account that may jump without bound.
    own_device: bool,
}

/// Whether and how this side can send. An absent chain is a state, never an input of a KDF (B11, DR-4).
pub enum Sending<P: Profile> {
    /// A responder that has not read its first message.
    Never {
        /// The header key its first sending chain will have.
        header: P::HeaderKey,
    },
    /// A receiving step was made; the sending step is made at the next encryption, with a fresh key pair (X3-8, DR-12).
    Due {
        /// The peer's ratchet key.
        theirs: AgreementKey,
        /// The header key of the chain to come.
        header: P::HeaderKey,
    },
    /// A chain is under way.
    Active(SendingChain<P>),
}

/// A sending chain under way.
pub struct SendingChain<P: Profile> {
    /// The ratchet key pair; it serves the two halves of a step and nothing else (DR-11).
    pub pair: AgreementSecret,
    /// The chain key at `next`.
    pub key: Secret<32>,
    /// The number of the next message.
    pub next: u32,
    /// The key its headers are encrypted under.
    pub header: P::HeaderKey,
    /// The header key of the chain after this one.
    pub next_header: P::HeaderKey,
}

/// One message about to be sent: what its header says, its key, and what sending it changes.
pub struct SendStage<P: Profile> {
    /// The sender's ratchet key.
    pub ratchet_key: AgreementKey,
    /// The message's number.
    pub n: u32,
    /// The count of the previous chain, as the profile writes it.
    pub pn: u32,
    /// The message's seed.
    pub seed: Secret<32>,
    /// The header key of the chain.
    pub header: P::HeaderKey,
    change: SendChange<P>,
}

/// What sending one message changes.
pub struct SendChange<P: Profile> {
    key: Secret<32>,
    turn: Option<(Secret<32>, AgreementSecret, P::HeaderKey)>,
}

/// Where a message belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The receiving chain of this index.
    Chain(usize),
    /// A chain that begins with it.
    NextChain,
}

/// What reading one message changes.
pub enum ReceiveChange<P: Profile> {
    /// Its chain moves on.
    Chain(usize, ChainChange),
    /// The peer has made a ratchet step.
    Turn(Box<Turn<P>>),
}

/// A receiving step of the root chain.
pub struct Turn<P: Profile> {
    root: Secret<32>,
    chain: ReceivingChain<P>,
    change: ChainChange,
    next_receiving: P::HeaderKey,
    previous_end: u32,
}

impl<P: Profile> DoubleRatchet<P> {
    /// The initiator's state: it makes its first sending step at once, with the peer's signed prekey (DR-3).
    ///
    /// # Errors
    /// `random.failed`, `key.agreement_zero`.
    pub fn initiator(
        secrets: (Secret<32>, P::HeaderKey, P::HeaderKey),
        signed_prekey: &AgreementKey,
        own_device: bool,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Self> {
        let (root, sending_header, next_receiving) = secrets;
        let pair = AgreementSecret::generate(rng)?;
        let (root, key, next_header) = P::root_step(&root, &pair.agree(signed_prekey)?);
        let sending = Sending::Active(SendingChain { pair, key, next: 0, header: sending_header, next_header });
        Ok(Self { root, sending, next_receiving, receiving: Vec::new(), previously_sent: 0, own_device })
    }

    /// The responder's state before it has read anything. It does not hold the signed prekey (DR-16, B10).
    pub const fn responder(
        root: Secret<32>,
        sending_header: P::HeaderKey,
        next_receiving: P::HeaderKey,
        own_device: bool,
    ) -> Self {
        let sending = Sending::Never { header: sending_header };
        Self { root, sending, next_receiving, receiving: Vec::new(), previously_sent: 0, own_device }
    }

    /// A state as an official client's record holds it.
    #[cfg(feature = "signal")]
    pub fn imported(
        root: Secret<32>,
        sending: Sending<P>,
        next_receiving: P::HeaderKey,
        receiving: Vec<ReceivingChain<P>>,
        previously_sent: u32,
        own_device: bool,
    ) -> Self {
        Self { root, sending, next_receiving, receiving, previously_sent, own_device }
    }

    /// Stages the next message to send; the sending step is made here if it is due.
    ///
    /// # Errors
    /// `session.no_sending_chain`, `session.exhausted`, `random.failed`, `key.agreement_zero`.
    pub fn stage_send(&self, rng: &mut impl TryCryptoRng) -> Result<SendStage<P>> {
        let pn = P::previous_count(self.previously_sent);
        match &self.sending {
            Sending::Never { .. } => Err(Fault::SessionCannotSend.into()),
            Sending::Active(chain) => {
                // DR-15: the counter has a ceiling and never wraps.
                if rule::on(Rule::Dr15) && chain.next == u32::MAX {
                    return Err(Fault::SessionExhausted.into());
                }
                let (key, seed) = P::classical_step(&chain.key, chain.next);
                Ok(SendStage {
                    ratchet_key: chain.pair.public(),
                    n: chain.next,
                    pn,
                    seed,
                    header: chain.header.duplicate(),
                    change: SendChange { key, turn: None },
                })
            }
            Sending::Due { theirs, header } => {
                // DR-10, B34: the new root takes an agreement of a pair that no earlier state holds: whoever has stolen one is out, and so is a clone.
                let pair = AgreementSecret::generate(rng)?;
                let (root, key, next_header) = P::root_step(&self.root, &pair.agree(theirs)?);
                let (key, seed) = P::classical_step(&key, 0);
                Ok(SendStage {
                    ratchet_key: pair.public(),
                    n: 0,
                    pn,
                    seed,
                    header: header.duplicate(),
                    change: SendChange { key, turn: Some((root, pair, next_header)) },
                })
            }
        }
    }

    /// Makes a staged message final.
    pub fn apply_send(&mut self, stage: SendStage<P>) {
        let SendStage { header, change: SendChange { key, turn }, .. } = stage;
        match (turn, &mut self.sending) {
            (Some((root, pair, next_header)), sending) => {
                self.root = root;
                *sending = Sending::Active(SendingChain { pair, key, next: 1, header, next_header });
            }
            (None, Sending::Active(chain)) => {
                chain.key = key;
                chain.next += 1;
            }
            (None, _) => {}
        }
    }

    /// Finds the chain that `message` belongs to, and its header. `None`: it is not of this session, as far as its header tells.
    ///
    /// HE-2: the chains are tried from the newest on, then the key of the chain to come: a header that opens under it is a ratchet step of the peer. That a
    /// header is of another key is no error, for every chain but one says so.
    ///
    /// # Errors
    /// `message.authentication` if it names a header key of this session and does not authenticate under it.
    pub fn locate(&self, message: &P::Message<'_>, binding: &P::Binding) -> Result<Option<(Header, Place)>> {
        for (index, chain) in self.receiving.iter().enumerate().rev() {
            let Some(header) = P::open_header(message, &chain.header, binding)? else { continue };
            if header.ratchet_key == chain.ratchet_key {
                return Ok(Some((header, Place::Chain(index))));
            }
            if P::AUTHENTICATES_HEADER_FIRST {
                return Err(Fault::MessageField.into());
            }
        }
        let Some(header) = P::open_header(message, &self.next_receiving, binding)? else { return Ok(None) };
        Ok(Some((header, Place::NextChain)))
    }

    /// Stages the reading of a message at `place`. `signed_prekey` is lent to a responder for its first step.
    ///
    /// # Errors
    /// `message.duplicate`, `message.too_far_ahead`, `message.field`, `key.*`; `message.authentication` for a ratchet step that this side cannot have caused.
    pub fn stage_receive(
        &self,
        header: &Header,
        place: Place,
        signed_prekey: Option<&AgreementSecret>,
        now: u64,
        budget: &mut StepBudget,
    ) -> Result<(Secret<32>, ReceiveChange<P>)> {
        match place {
            Place::Chain(index) => {
                let chain = self.receiving.get(index).ok_or(Fault::MessageAuthentication)?;
                let (seed, change) = chain.stage(header.n, self.own_device, now, budget)?;
                Ok((seed, ReceiveChange::Chain(index, change)))
            }
            Place::NextChain => self.stage_turn(header, signed_prekey, now, budget),
        }
    }

    /// Makes a staged reading final.
    pub fn apply_receive(&mut self, change: ReceiveChange<P>, now: u64) {
        match change {
            ReceiveChange::Chain(index, change) => {
                if let Some(chain) = self.receiving.get_mut(index) {
                    chain.apply(change, now);
                }
            }
            ReceiveChange::Turn(turn) => self.apply_turn(*turn, now),
        }
        self.forget_old_keys(now);
    }

    /// The ratchet key of the sending chain under way: what a peer that cannot decrypt names.
    pub fn sending_ratchet_key(&self) -> Option<AgreementKey> {
        match &self.sending {
            Sending::Active(chain) => Some(chain.pair.public()),
            Sending::Never { .. } | Sending::Due { .. } => None,
        }
    }

    /// Whether the session can send.
    pub const fn can_send(&self) -> bool {
        !matches!(self.sending, Sending::Never { .. })
    }

    /// How many keys of messages passed over are held.
    pub fn skipped(&self) -> usize {
        self.receiving.iter().map(|chain| chain.skipped().len()).sum()
    }

    /// The header key that a message at `place` was made under.
    pub fn header_key(&self, place: Place) -> &P::HeaderKey {
        match place {
            Place::Chain(index) => self.receiving.get(index).map_or(&self.next_receiving, |chain| &chain.header),
            Place::NextChain => &self.next_receiving,
        }
    }

    /// The session tags under which a message of this session may come.
    pub fn tags(&self) -> impl Iterator<Item = [u8; 16]> {
        self.receiving.iter().map(|chain| &chain.header).chain([&self.next_receiving]).filter_map(HeaderKey::tag)
    }

    fn stage_turn(
        &self,
        header: &Header,
        signed_prekey: Option<&AgreementSecret>,
        now: u64,
        budget: &mut StepBudget,
    ) -> Result<(Secret<32>, ReceiveChange<P>)> {
        let ours = match &self.sending {
            Sending::Active(chain) => &chain.pair,
            Sending::Never { .. } => signed_prekey.ok_or(Fault::MessageAuthentication)?,
            // The peer steps only on a ratchet key of ours that it has seen; it has seen none since its own last step.
            Sending::Due { .. } => return Err(Fault::MessageAuthentication.into()),
        };
        // B11, DR-11: a header that names a ratchet key already in use would step the root with a known agreement.
        let known = self.receiving.iter().any(|chain| chain.ratchet_key == header.ratchet_key);
        if rule::on(Rule::B11) && (known || header.ratchet_key == ours.public()) {
            return Err(Fault::MessageReflected.into());
        }
        let previous_end = header.pn;
        if let (true, Some(previous)) = (P::CLOSES_CHAINS, self.receiving.last()) {
            previous.check_end(previous_end)?;
        }
        let (root, key, next_receiving) = P::root_step(&self.root, &ours.agree(&header.ratchet_key)?);
        let chain = ReceivingChain::new(header.ratchet_key, self.next_receiving.duplicate(), key);
        let (seed, change) = chain.stage(header.n, self.own_device, now, budget)?;
        Ok((seed, ReceiveChange::Turn(Box::new(Turn { root, chain, change, next_receiving, previous_end }))))
    }

    fn apply_turn(&mut self, turn: Turn<P>, now: u64) {
        let Turn { root, mut chain, change, next_receiving, previous_end } = turn;
        if let (true, Some(previous)) = (P::CLOSES_CHAINS, self.receiving.last_mut()) {
            previous.close(previous_end);
        }
        chain.apply(change, now);
        self.root = root;
        self.next_receiving = next_receiving;
        let theirs = chain.ratchet_key;
        self.receiving.push(chain);
        let excess = self.receiving.len().saturating_sub(MAX_RECEIVING_CHAINS);
        self.receiving.drain(..excess);
        // The own ratchet secret has done its last agreement; replacing the state erases it (DR-9).
        let header = match &self.sending {
            Sending::Never { header } | Sending::Due { header, .. } => header.duplicate(),
            Sending::Active(sending) => {
                self.previously_sent = sending.next;
                sending.next_header.duplicate()
            }
        };
        self.sending = Sending::Due { theirs, header };
    }

    /// DR-7, DR-8: chains that are read to their end go, skipped keys beyond number and age go.
    fn forget_old_keys(&mut self, now: u64) {
        if let Some(age) = P::SKIPPED_KEY_AGE {
            let oldest = now.saturating_sub(age);
            self.receiving.iter_mut().for_each(|chain| chain.skipped_mut().drop_older_than(oldest));
        }
        if P::CLOSES_CHAINS {
            self.receiving.retain(|chain| !chain.is_finished());
            let mut excess = self.skipped().saturating_sub(MAX_SKIPPED_KEYS);
            for chain in &mut self.receiving {
                let dropped = excess.min(chain.skipped().len());
                chain.skipped_mut().drop_oldest(dropped);
                excess -= dropped;
            }
        }
    }

    /// Writes the state for a record.
    pub fn encode(&self, out: &mut Writer) {
        out.bytes(self.root.expose());
        self.next_receiving.encode(out);
        out.u32(self.previously_sent).flag(self.own_device);
        match &self.sending {
            Sending::Never { header } => {
                out.u8(0);
                header.encode(out);
            }
            Sending::Due { theirs, header } => {
                out.u8(1).bytes(theirs.as_bytes());
                header.encode(out);
            }
            Sending::Active(chain) => {
                out.u8(2).bytes(chain.pair.expose()).bytes(chain.pair.public().as_bytes());
                out.bytes(chain.key.expose()).u32(chain.next);
                chain.header.encode(out);
                chain.next_header.encode(out);
            }
        }
        out.u8(u8::try_from(self.receiving.len()).unwrap_or(u8::MAX));
        self.receiving.iter().for_each(|chain| chain.encode(out));
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self> {
        let fault = input.fault();
        let root = input.secret()?;
        let next_receiving = P::HeaderKey::decode(input)?;
        let previously_sent = input.u32()?;
        let own_device = input.flag()?;
        let sending = match input.u8()? {
            0 => Sending::Never { header: P::HeaderKey::decode(input)? },
            1 => {
                let theirs = AgreementKey::admit_ephemeral(input.array::<32>()?).map_err(|_| fault)?;
                Sending::Due { theirs, header: P::HeaderKey::decode(input)? }
            }
            2 => {
                let secret = input.secret()?;
                let public = AgreementKey::admit_ephemeral(input.array::<32>()?).map_err(|_| fault)?;
                Sending::Active(SendingChain {
                    pair: AgreementSecret::from_parts(secret, public),
                    key: input.secret()?,
                    next: input.u32()?,
                    header: P::HeaderKey::decode(input)?,
                    next_header: P::HeaderKey::decode(input)?,
                })
            }
            _ => return Err(fault.into()),
        };
        let count = usize::from(input.u8()?);
        if count > MAX_RECEIVING_CHAINS {
            return Err(fault.into());
        }
        let receiving = (0..count).map(|_| ReceivingChain::decode(input)).collect::<Result<Vec<_>>>()?;
        Ok(Self { root, sending, next_receiving, receiving, previously_sent, own_device })
    }
}

/// Splits the handshake's secrets as each role holds them: root, own sending header key, next header key to receive under.
pub fn headers_by_role<P: Profile>(
    secrets: HandshakeSecrets<P>,
    initiator: bool,
) -> ((Secret<32>, P::HeaderKey, P::HeaderKey), Secret<32>) {
    let HandshakeSecrets { root, initiator_header, responder_header, post_quantum } = secrets;
    if initiator {
        ((root, initiator_header, responder_header), post_quantum)
    } else {
        ((root, responder_header, initiator_header), post_quantum)
    }
}
