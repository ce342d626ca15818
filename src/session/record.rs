//! All sessions with one device of a peer.

use crate::crypto::agreement::AgreementKey;
use crate::error::{Error, Fault, Result};
use crate::handshake::{
    FirstMessage, HandshakePolicy, HandshakeProfile, HandshakeStrength, LocalDevice, PrekeyBundle, Prekeys, accept,
    initiate,
};
use crate::profile::{IdentityKeyPair, Suite};
use crate::ratchet::StepBudget;
use crate::rule::{self, Rule};
use crate::session::candidates::{Position, read};
use crate::session::one_session::Session;
use crate::wire::Address;
use core::fmt;
use rand_core::TryCryptoRng;

/// How many archived sessions are kept: enough for simultaneous initiation and restored peers.
pub const MAX_ARCHIVED_SESSIONS: usize = 40;

/// What this device keeps about one device of a peer: a current session, and archived ones that still receive.
///
/// Every method that fails leaves the record exactly as it was (SE-4, B32): whoever forges a message cannot break a session with it. The page of
/// [the module](crate::session) shows one from its first message on.
pub struct SessionRecord<P: HandshakeProfile> {
    pub(super) identity: P::IdentityKey,
    pub(super) local: Address,
    pub(super) remote: Address,
    pub(super) current: Option<Session<P>>,
    /// Newest first.
    pub(super) archived: Vec<Session<P>>,
}

/// Which identity keys of the peer to accept.
///
/// ```
/// use undertone::{ErrorKind, TrustedIdentity};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
#[doc = include_str!("../../docs/examples/first_message.txt")]
///
/// with_bob.encrypt(&alice, b"hi", &TrustedIdentity::Pinned(bobs_key.public()), now, &mut rng)?;
/// let another = UndertoneIdentityKeyPair::generate(&mut rng)?;
/// let refused = with_bob.encrypt(&alice, b"hi", &TrustedIdentity::Pinned(another.public()), now, &mut rng);
/// assert_eq!(refused.unwrap_err().kind(), ErrorKind::UntrustedIdentity);
/// # Ok::<(), undertone::Error>(())
/// ```
pub enum TrustedIdentity<'a, P: HandshakeProfile> {
    /// Any: nothing is known of the peer yet, and the caller pins the key that the operation reports.
    FirstUse,
    /// This one alone.
    Pinned(&'a P::IdentityKey),
}

impl<P: HandshakeProfile> TrustedIdentity<'_, P> {
    /// SE-8: a key other than the pinned one has its own error; to take it for the peer's is for a user to decide, never for the engine.
    fn check(&self, identity: &P::IdentityKey) -> Result<()> {
        match self {
            Self::Pinned(pinned) if *pinned != identity => Err(Fault::UntrustedIdentity.into()),
            Self::Pinned(_) | Self::FirstUse => Ok(()),
        }
    }
}

/// How an [`Envelope`] is to be read at the other end.
///
/// ```
/// use undertone::EnvelopeKind;
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
#[doc = include_str!("../../docs/examples/first_message.txt")]
/// # let mut with_alice = SessionRecord::new(&bob, alices.clone())?;
/// # let trusted = TrustedIdentity::FirstUse;
///
/// let read = match envelope.kind {
///     EnvelopeKind::First => {
///         let first = FirstMessage::open(&bob, &envelope.bytes, &prekeys)?;
///         with_alice.accept(&bob, &first, &mut prekeys, &trusted, policy, now)?
///     }
///     EnvelopeKind::Message => with_alice.decrypt(&bob, &envelope.bytes, &trusted, now)?,
/// };
/// assert_eq!(read.plaintext, b"hello");
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvelopeKind {
    /// Begins a session: read with [`SessionRecord::accept`].
    First,
    /// Belongs to a session: read with [`SessionRecord::decrypt`].
    Message,
}

/// Bytes to send to the peer's device.
///
/// ```
/// use undertone::{Envelope, EnvelopeKind};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
#[doc = include_str!("../../docs/examples/first_message.txt")]
///
/// let Envelope { kind, bytes } = with_bob.encrypt(&alice, b"hello", &TrustedIdentity::FirstUse, now, &mut rng)?;
/// assert_eq!(kind, EnvelopeKind::First);
/// assert!(bytes.len() > b"hello".len());
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    /// How they are to be read.
    pub kind: EnvelopeKind,
    /// What to send, as it is.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope({:?}, {} bytes)", self.kind, self.bytes.len())
    }
}

/// Which session read a message.
///
/// ```
/// use undertone::DecryptedBy;
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
#[doc = include_str!("../../docs/examples/first_message.txt")]
#[doc = include_str!("../../docs/examples/session.txt")]
///
/// with_bob.archive_current(now);
/// let refused = with_bob.encrypt(&alice, b"hello?", &TrustedIdentity::FirstUse, now, &mut rng);
/// assert_eq!(refused.unwrap_err().code(), "session.none");
///
/// let read = with_bob.decrypt(&alice, &envelope.bytes, &TrustedIdentity::FirstUse, now)?;
/// assert_eq!(read.by, DecryptedBy::Archived);
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecryptedBy {
    /// The current one.
    Current,
    /// An archived one, which is now the current one again. Expected after both sides began a session at once or a peer was restored; at any other time a
    /// sign that an old state of the peer is in use (B34).
    Archived,
    /// A new one, which the message began.
    New(HandshakeStrength),
}

/// A message that was read.
///
/// ```
/// use undertone::{Decrypted, DecryptedBy};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
#[doc = include_str!("../../docs/examples/first_message.txt")]
#[doc = include_str!("../../docs/examples/session.txt")]
///
/// let Decrypted { plaintext, sender, address, by } =
///     with_bob.decrypt(&alice, &envelope.bytes, &TrustedIdentity::FirstUse, now)?;
/// assert_eq!((plaintext.as_slice(), address), (b"hi".as_slice(), bobs));
/// assert_eq!((sender, by), (bobs_key.public().clone(), DecryptedBy::Current));
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct Decrypted<P: HandshakeProfile> {
    /// What the peer encrypted.
    pub plaintext: Vec<u8>,
    /// The identity key that authenticated it: to be pinned on first use. The plaintext never travels without it (B38).
    pub sender: P::IdentityKey,
    /// The address that the session is bound to.
    pub address: Address,
    /// Which session read it.
    pub by: DecryptedBy,
}

impl<P: HandshakeProfile> fmt::Debug for Decrypted<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decrypted").field("by", &self.by).finish_non_exhaustive()
    }
}

/// What the current session is.
///
/// ```
/// use undertone::Suite;
/// use undertone::handshake::HandshakeStrength;
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
#[doc = include_str!("../../docs/examples/first_message.txt")]
#[doc = include_str!("../../docs/examples/session.txt")]
///
/// assert!(with_bob.status().is_some_and(|status| !status.acknowledged));
/// with_bob.decrypt(&alice, &envelope.bytes, &TrustedIdentity::FirstUse, now)?;
/// let status = with_bob.status().expect("a session was begun");
/// assert_eq!((status.suite, status.strength), (Suite::Pqxdh, HandshakeStrength::OneTime));
/// assert!(status.acknowledged);
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionStatus {
    /// How it began.
    pub suite: Suite,
    /// How strong its handshake was.
    pub strength: HandshakeStrength,
    /// Whether the peer has answered.
    pub acknowledged: bool,
    /// How many post-quantum epochs it has completed; traffic in one direction completes none (SP-13).
    pub post_quantum_epoch: u64,
    /// When the newest of them was completed, in seconds: against a quantum computer, what leaked before that has healed. `None` if none was since the
    /// session began or was imported.
    pub post_quantum_epoch_since: Option<u64>,
    /// Keys held for messages that were passed over, classical and post-quantum.
    pub skipped: usize,
    /// Sessions in the archive.
    pub archived: usize,
}

impl<P: HandshakeProfile> SessionRecord<P> {
    /// A record without a session yet, for `device` and the peer's device at `remote`.
    ///
    /// # Errors
    /// `session.self` if both are the same device.
    pub fn new(device: &LocalDevice<'_, P>, remote: Address) -> Result<Self> {
        let local = device.address;
        if local.device() == remote.device() && P::same_account(local.name(), remote.name()) {
            return Err(Fault::SelfAddress.into());
        }
        Ok(Self {
            identity: device.identity.public().clone(),
            local: device.address.clone(),
            remote,
            current: None,
            archived: Vec::new(),
        })
    }

    /// Begins a session from the peer's prekey bundle. A session there was is archived.
    ///
    /// # Errors
    /// `session.untrusted_identity`, and what [`initiate`] reports.
    pub fn initiate(
        &mut self,
        device: &LocalDevice<'_, P>,
        bundle: &PrekeyBundle<P>,
        trusted: &TrustedIdentity<'_, P>,
        policy: HandshakePolicy,
        now: u64,
        rng: &mut impl TryCryptoRng,
    ) -> Result<HandshakeStrength> {
        self.check_device(device)?;
        trusted.check(&bundle.identity)?;
        let initiation = initiate(device, &self.remote, bundle, policy, now, rng)?;
        let strength = initiation.strength;
        let identity = bundle.identity.clone();
        let session = Session::initiated(device, &self.remote, identity, bundle.registration_id, initiation, rng)?;
        self.make_current(session, now);
        Ok(strength)
    }

    /// Encrypts `plaintext` in the current session. Until the peer has answered, the envelope is a first message.
    ///
    /// # Errors
    /// `session.none`, `session.untrusted_identity`, `session.unacknowledged_too_long`, `session.exhausted`, `request.too_large`, `random.failed`.
    pub fn encrypt(
        &mut self,
        device: &LocalDevice<'_, P>,
        plaintext: &[u8],
        trusted: &TrustedIdentity<'_, P>,
        now: u64,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Envelope> {
        self.check_device(device)?;
        let session = self.current.as_mut().ok_or(Fault::NoSession)?;
        session.check_sending(now)?;
        trusted.check(&session.remote_identity)?;
        let (message, sent) = session.encrypt(plaintext, rng)?;
        // SE-7: whichever message arrives first has to bring the handshake along.
        let envelope = match &session.offer {
            None => Envelope { kind: EnvelopeKind::Message, bytes: message },
            Some(offer) => {
                let bytes = P::wrap_first(device, &self.remote, &session.remote_identity, offer, message, rng)?;
                Envelope { kind: EnvelopeKind::First, bytes }
            }
        };
        session.ratchet.apply_sent(sent, now);
        Ok(envelope)
    }

    /// Decrypts a message of any of the record's sessions. The session that reads it becomes the current one.
    ///
    /// # Errors
    /// `session.none`; `message.duplicate` for what was read before; `message.too_far_ahead`; `message.authentication` and other `message.*` and `braid.*`
    /// codes; `session.untrusted_identity`.
    pub fn decrypt(
        &mut self,
        device: &LocalDevice<'_, P>,
        bytes: &[u8],
        trusted: &TrustedIdentity<'_, P>,
        now: u64,
    ) -> Result<Decrypted<P>> {
        self.check_device(device)?;
        let message = P::parse(bytes)?;
        let mut budget = StepBudget::full();
        let (position, plaintext, received) = read(self.current.as_ref(), &self.archived, &message, now, &mut budget)?;
        let session = self.session_at(position).ok_or(Fault::NoSession)?;
        trusted.check(&session.remote_identity)?;
        let sender = session.remote_identity.clone();
        session.apply_received(received, now);
        let by = self.promote(position, now);
        Ok(Decrypted { plaintext, sender, address: self.remote.clone(), by })
    }

    /// Decrypts a first message, and begins the session that it offers unless that was done before.
    ///
    /// Only if it decrypts are the one-time prekeys it used erased from `prekeys` (PQ-18, PQ-19): store both records in one commit.
    ///
    /// # Errors
    /// `prekey.unknown_*`, `handshake.*`, `session.untrusted_identity`, `message.address`, and the codes of [`decrypt`](Self::decrypt).
    #[allow(clippy::too_many_arguments, reason = "a sans-IO operation names all that it reads")]
    pub fn accept(
        &mut self,
        device: &LocalDevice<'_, P>,
        first: &FirstMessage<P>,
        prekeys: &mut Prekeys<P>,
        trusted: &TrustedIdentity<'_, P>,
        policy: HandshakePolicy,
        now: u64,
    ) -> Result<Decrypted<P>> {
        self.check_device(device)?;
        // B8, B38: the message names its sender inside what it authenticates; the caller's idea of it must agree.
        if first.address.as_ref().is_some_and(|address| *address != self.remote) {
            return Err(Fault::MessageAddress.into());
        }
        trusted.check(&first.identity)?;
        let message = P::parse(&first.message)?;
        let mut budget = StepBudget::full();
        // SE-12, B40: the session that this handshake began reads the message and is promoted. No other one is tried: it could not read it, and an older
        // session that stayed current would keep the two sides apart.
        if let Some(position) = self.session_of(first) {
            let session = self.session_at(position).ok_or(Fault::NoSession)?;
            let (plaintext, received) =
                session.decrypt(&message, None, now, &mut budget)?.ok_or(Fault::MessageAuthentication)?;
            session.apply_received(received, now);
            let by = self.promote(position, now);
            return Ok(Decrypted { plaintext, sender: first.identity.clone(), address: self.remote.clone(), by });
        }
        let accepting = prekeys.lookup(first)?;
        prekeys.check_replay(first)?;
        let acceptance = accept(device, first, &accepting, policy)?;
        let strength = acceptance.strength;
        let mut session = Session::accepted(device, &self.remote, first, acceptance);
        // DR-16: the signed prekey is lent for this one step and never becomes part of the session.
        let signed_prekey = accepting.signed.agreement_secret();
        // K-7, B28: a wrong KEM ciphertext has given other keys without an error; under them the message does not open, as a wrong message does not.
        let (plaintext, received) =
            session.decrypt(&message, Some(signed_prekey), now, &mut budget)?.ok_or(Fault::MessageAuthentication)?;
        prekeys.consume(first)?;
        session.apply_received(received, now);
        self.make_current(session, now);
        let by = DecryptedBy::New(strength);
        Ok(Decrypted { plaintext, sender: first.identity.clone(), address: self.remote.clone(), by })
    }

    /// Retires the current session: the next message needs a new one. For a peer that was restored, or a session that cannot heal.
    pub fn archive_current(&mut self, now: u64) {
        if let Some(mut session) = self.current.take() {
            session.archive(now);
            self.archived.insert(0, session);
            self.archived.truncate(MAX_ARCHIVED_SESSIONS);
        }
    }
}

impl<P: HandshakeProfile> SessionRecord<P> {
    /// What the current session is; `None` without one.
    #[must_use]
    pub fn status(&self) -> Option<SessionStatus> {
        let session = self.current.as_ref()?;
        Some(SessionStatus {
            suite: session.suite,
            strength: session.strength,
            acknowledged: session.offer.is_none(),
            post_quantum_epoch: session.ratchet.post_quantum().epochs_completed(),
            post_quantum_epoch_since: session.ratchet.post_quantum().epoch_since(),
            skipped: session.ratchet.classical().skipped().max(session.ratchet.post_quantum().skipped()),
            archived: self.archived.len(),
        })
    }

    /// Whether the current session sends under `ratchet_key`: what a peer names that cannot decrypt. If so, the session is at fault, and
    /// [`archive_current`](Self::archive_current) makes room for a new one.
    #[must_use]
    pub fn sends_under(&self, ratchet_key: &AgreementKey) -> bool {
        let current = self.current.as_ref();
        current
            .and_then(|session| session.ratchet.classical().sending_ratchet_key())
            .is_some_and(|key| key == *ratchet_key)
    }

    /// The address of the peer's device.
    #[must_use]
    pub const fn remote(&self) -> &Address {
        &self.remote
    }

    /// The identity key of the peer in the current session.
    #[must_use]
    pub fn remote_identity(&self) -> Option<&P::IdentityKey> {
        self.current.as_ref().map(|session| &session.remote_identity)
    }

    /// The registration id that the peer's device had when the current session began.
    #[must_use]
    pub fn remote_registration_id(&self) -> Option<u32> {
        self.current.as_ref().map(|session| session.remote_registration_id)
    }

    /// The session tags under which a message to this record may come (docs/protocol.md, section 6.6), current session first; empty in a profile without.
    ///
    /// ```
    #[doc = include_str!("../../docs/examples/two_devices.txt")]
    #[doc = include_str!("../../docs/examples/published_prekeys.txt")]
    #[doc = include_str!("../../docs/examples/first_message.txt")]
    #[doc = include_str!("../../docs/examples/session.txt")]
    /// // A native message shows its tag behind the type byte: by it a device finds the record of a message that says no more.
    /// assert!(with_bob.tags().any(|tag| tag == envelope.bytes[1..17]));
    /// # Ok::<(), undertone::Error>(())
    /// ```
    pub fn tags(&self) -> impl Iterator<Item = [u8; 16]> {
        self.current.iter().chain(&self.archived).flat_map(|session| session.ratchet.classical().tags())
    }

    pub(super) fn session_at(&mut self, position: Position) -> Option<&mut Session<P>> {
        match position {
            Position::Current => self.current.as_mut(),
            Position::Archived(index) => self.archived.get_mut(index),
        }
    }

    fn session_of(&self, first: &FirstMessage<P>) -> Option<Position>
    where
        P: HandshakeProfile,
    {
        if self.current.as_ref().is_some_and(|session| session.began_with(first)) {
            return Some(Position::Current);
        }
        self.archived.iter().position(|session| session.began_with(first)).map(Position::Archived)
    }

    /// SE-3, B40: the session that read a message becomes the current one: after simultaneous initiation both sides come to speak in the same.
    fn promote(&mut self, position: Position, now: u64) -> DecryptedBy {
        let Position::Archived(index) = position else { return DecryptedBy::Current };
        if rule::on(Rule::Se3) && index < self.archived.len() {
            let session = self.archived.remove(index);
            self.make_current(session, now);
        }
        // SE-10, B34: that an older session came back to life is never kept from the caller.
        if rule::on(Rule::Se10) { DecryptedBy::Archived } else { DecryptedBy::Current }
    }

    /// SE-1: the former session is archived and not dropped, for messages of it are under way.
    fn make_current(&mut self, mut session: Session<P>, now: u64) {
        session.archived_at = None;
        if let Some(mut former) = self.current.replace(session) {
            former.archive(now);
            self.archived.insert(0, former);
        }
        self.archived.retain(|session| !session.is_expired(now));
        self.archived.truncate(MAX_ARCHIVED_SESSIONS);
    }

    fn check_device(&self, device: &LocalDevice<'_, P>) -> Result<()> {
        // B79: a record that was put in the place of another device's is not used.
        let is_ours = *device.identity.public() == self.identity && *device.address == self.local;
        if is_ours || !rule::on(Rule::B79) { Ok(()) } else { Err(Error::from(Fault::KeyMismatch)) }
    }
}
