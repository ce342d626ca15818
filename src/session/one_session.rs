//! One session: a ratchet, whom it is with, and the offer that is repeated until the peer answers.

use crate::crypto::agreement::{AgreementKey, AgreementSecret};
use crate::error::{Fault, Result};
use crate::handshake::{Acceptance, FirstMessage, HandshakeProfile, HandshakeStrength, Initiation, LocalDevice, Offer};
use crate::profile::{IdentityKeyPair, Parties, Role, Suite};
use crate::ratchet::{Ratchet, Received, Sent, StepBudget};
use crate::wire::Address;
use rand_core::TryCryptoRng;

/// How long a session that was never answered may send, in seconds: by then the peer has erased the prekeys it names.
pub const MAX_UNANSWERED: u64 = 30 * 86_400;

/// One session with one device of a peer.
pub struct Session<P: HandshakeProfile> {
    pub(super) role: Role,
    pub(super) suite: Suite,
    pub(super) strength: HandshakeStrength,
    pub(super) remote_identity: P::IdentityKey,
    pub(super) remote_registration_id: u32,
    /// The initiator's base key: what tells one session from another.
    pub(super) base_key: AgreementKey,
    /// What the first message says, while the peer has not answered.
    pub(super) offer: Option<Offer<P>>,
    /// When the session was archived, in seconds.
    pub(super) archived_at: Option<u64>,
    pub(super) ratchet: Ratchet<P>,
    pub(super) binding: P::Binding,
}

/// The two addresses of a record's sessions, and the identity key of this side.
pub struct Ends<'a, P: HandshakeProfile> {
    /// This device's identity key.
    pub identity: &'a P::IdentityKey,
    /// This device's address.
    pub local: &'a Address,
    /// The peer device's address.
    pub remote: &'a Address,
}

impl<P: HandshakeProfile> Session<P> {
    /// The initiator's session, from a processed bundle.
    ///
    /// # Errors
    /// `random.failed`, `key.agreement_zero`.
    pub fn initiated(
        device: &LocalDevice<'_, P>,
        remote: &Address,
        remote_identity: P::IdentityKey,
        remote_registration_id: u32,
        initiation: Initiation<P>,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Self> {
        let ends: Ends<'_, P> = Ends { identity: device.identity.public(), local: device.address, remote };
        let binding = bind(Role::Initiator, initiation.suite, &ends, &remote_identity);
        let own_device = is_own_device(&ends, &remote_identity);
        let base_key = initiation.offer.base_key;
        Ok(Self {
            role: Role::Initiator,
            suite: initiation.suite,
            strength: initiation.strength,
            remote_identity,
            remote_registration_id,
            base_key,
            offer: Some(initiation.offer),
            archived_at: None,
            ratchet: Ratchet::initiator(initiation.secrets, &initiation.their_ratchet_key, own_device, rng)?,
            binding,
        })
    }

    /// The responder's session, from an accepted first message that it has yet to decrypt.
    pub fn accepted(
        device: &LocalDevice<'_, P>,
        remote: &Address,
        first: &FirstMessage<P>,
        acceptance: Acceptance<P>,
    ) -> Self {
        let ends: Ends<'_, P> = Ends { identity: device.identity.public(), local: device.address, remote };
        let binding = bind(Role::Responder, acceptance.suite, &ends, &first.identity);
        let own_device = is_own_device(&ends, &first.identity);
        Self {
            role: Role::Responder,
            suite: acceptance.suite,
            strength: acceptance.strength,
            remote_identity: first.identity.clone(),
            remote_registration_id: first.registration_id,
            base_key: first.base_key,
            offer: None,
            archived_at: None,
            ratchet: Ratchet::responder(acceptance.secrets, own_device),
            binding,
        }
    }

    /// Whether the session may send at `now`.
    ///
    /// # Errors
    /// `session.unacknowledged_too_long`, `session.no_sending_chain`.
    pub fn check_sending(&self, now: u64) -> Result<()> {
        if self.offer.as_ref().is_some_and(|offer| now.saturating_sub(offer.created) > MAX_UNANSWERED) {
            return Err(Fault::SessionStale.into());
        }
        if !self.ratchet.classical().can_send() {
            return Err(Fault::SessionCannotSend.into());
        }
        Ok(())
    }

    /// Stages a message.
    ///
    /// # Errors
    /// As [`Ratchet::encrypt`].
    pub fn encrypt(&self, plaintext: &[u8], rng: &mut impl TryCryptoRng) -> Result<(Vec<u8>, Sent<P>)> {
        self.ratchet.encrypt(&self.binding, self.offer.is_some(), plaintext, rng)
    }

    /// Stages the reading of a message; `None` if it is not of this session.
    ///
    /// # Errors
    /// As [`Ratchet::decrypt`].
    pub fn decrypt(
        &self,
        message: &P::Message<'_>,
        signed_prekey: Option<&AgreementSecret>,
        now: u64,
        budget: &mut StepBudget,
    ) -> Result<Option<(Vec<u8>, Received<P>)>> {
        self.ratchet.decrypt(message, &self.binding, signed_prekey, now, budget)
    }

    /// Makes a reading final. The peer has answered: the offer is no longer repeated.
    pub fn apply_received(&mut self, received: Received<P>, now: u64) {
        self.ratchet.apply_received(received, now);
        self.offer = None;
    }

    /// Retires the session: it receives and no longer sends.
    pub fn archive(&mut self, now: u64) {
        self.offer = None;
        self.archived_at = Some(now);
    }

    /// Whether an archived session is too old to receive.
    pub fn is_expired(&self, now: u64) -> bool {
        match (P::ARCHIVED_AGE, self.archived_at) {
            (Some(age), Some(since)) => now.saturating_sub(since) > age,
            _ => false,
        }
    }

    /// Whether `first` began this session.
    pub fn began_with(&self, first: &FirstMessage<P>) -> bool {
        self.role == Role::Responder
            && self.base_key == first.base_key
            && self.suite == first.suite
            && self.remote_identity == first.identity
    }
}

/// The binding of a session between `ends` and a peer with `remote_identity`.
pub fn bind<P: HandshakeProfile>(
    role: Role,
    suite: Suite,
    ends: &Ends<'_, P>,
    remote_identity: &P::IdentityKey,
) -> P::Binding {
    P::binding(
        suite,
        &Parties { role, local_identity: ends.identity, remote_identity, local: ends.local, remote: ends.remote },
    )
}

/// Whether the peer is another device of the same account, in a profile that treats it as such.
pub fn is_own_device<P: HandshakeProfile>(ends: &Ends<'_, P>, remote_identity: &P::IdentityKey) -> bool {
    P::TRUSTS_OWN_DEVICES && ends.identity == remote_identity && P::same_account(ends.local.name(), ends.remote.name())
}
