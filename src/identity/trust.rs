//! What is believed of a contact's account key, and when a message may be sent.

use crate::error::{Error, Fault, Result};
use crate::identity::AccountKey;
use crate::rule::{self, Rule};
use crate::wire::{Reader, Writer};

/// What becomes of sending when a contact's account key changed and the user has not said anything to it yet.
///
/// For a contact that was verified it says nothing: SE-8: sending always waits then.
///
/// ```
/// use undertone::identity::TrustPolicy;
///
/// assert_eq!(TrustPolicy::default(), TrustPolicy::Block);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustPolicy {
    /// Sending waits until the change is accepted.
    #[default]
    Block,
    /// The change is accepted by itself, and the user is told.
    Warn,
    /// The change is accepted by itself.
    Allow,
}

/// How sure the user is of a contact's account key.
///
/// ```
/// use undertone::identity::Verification;
///
/// let mark = |state| match state {
///     Verification::Unverified => "",
///     Verification::Verified => "verified",
///     Verification::Violated => "NO LONGER VERIFIED",
/// };
/// assert_eq!(mark(Verification::Verified), "verified");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// The key was never compared: it is the one that was seen first, or that was accepted.
    Unverified,
    /// The user compared it.
    Verified,
    /// The user had compared a key, and another one was seen since. It stays so until the user acts.
    Violated,
}

/// What [`PinnedAccount::see`] found.
///
/// ```
/// use undertone::identity::Seen;
///
/// let is_news = |seen| matches!(seen, Seen::FirstUse | Seen::Changed);
/// assert!(!is_news(Seen::Same));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing was known of the contact: the key is pinned now.
    FirstUse,
    /// It is the pinned key.
    Same,
    /// It is another key than any that is known: it waits to be accepted.
    Changed,
    /// It is the key that already waits to be accepted.
    Pending,
}

/// The account key of one contact, pinned at first use, and what the user said of it.
///
/// ```
/// use undertone::identity::{AccountKeyPair, PinnedAccount, Seen, TrustPolicy};
///
/// let mut rng = getrandom::SysRng;
/// let (first, second) = (AccountKeyPair::generate(&mut rng)?, AccountKeyPair::generate(&mut rng)?);
/// let mut bob = PinnedAccount::default();
/// assert_eq!(bob.see(first.public()), Seen::FirstUse);
/// assert!(bob.may_send(TrustPolicy::Block));
///
/// assert_eq!(bob.see(second.public()), Seen::Changed);
/// assert!(!bob.may_send(TrustPolicy::Block));
/// bob.accept_change();
/// assert_eq!(bob.key(), Some(second.public()));
/// assert!(bob.may_send(TrustPolicy::Block));
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PinnedAccount {
    pinned: Option<Pin>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pin {
    key: AccountKey,
    verification: Verification,
    pending: Option<AccountKey>,
}

const RECORD_VERSION: u8 = 1;

impl PinnedAccount {
    /// Takes note of the key that the contact's device list is signed with.
    ///
    /// B52: a contact that was verified and shows another key is a violation, and remains one even if the old key comes back, until the user acts.
    pub fn see(&mut self, key: &AccountKey) -> Seen {
        let Some(pin) = &mut self.pinned else {
            self.pinned = Some(Pin { key: key.clone(), verification: Verification::Unverified, pending: None });
            return Seen::FirstUse;
        };
        if pin.key == *key {
            pin.pending = None;
            return Seen::Same;
        }
        if pin.pending.as_ref() == Some(key) {
            return Seen::Pending;
        }
        pin.pending = Some(key.clone());
        if pin.verification == Verification::Verified && rule::on(Rule::Se8) {
            pin.verification = Verification::Violated;
        }
        Seen::Changed
    }

    /// The user, or a policy, takes the key as it is now: the one that waits is pinned, and is unverified. Tells whether there was something to accept.
    pub fn accept_change(&mut self) -> bool {
        let Some(pin) = &mut self.pinned else { return false };
        let is_violated = pin.verification == Verification::Violated;
        let Some(key) = pin.pending.take().or_else(|| is_violated.then(|| pin.key.clone())) else { return false };
        *pin = Pin { key, verification: Verification::Unverified, pending: None };
        true
    }

    /// The user compared `key`: a safety number that holds it, or a scan.
    ///
    /// # Errors
    /// `contact.identity_changed` if the contact shows another key than `key` now: what was compared is not what would be used. `contact.unknown` if no key was seen yet.
    pub fn mark_verified(&mut self, key: &AccountKey) -> Result<()> {
        let pin = self.pinned.as_mut().ok_or(Fault::ContactUnknown)?;
        if pin.pending.as_ref().unwrap_or(&pin.key) != key {
            return Err(Fault::ContactChanged.into());
        }
        *pin = Pin { key: key.clone(), verification: Verification::Verified, pending: None };
        Ok(())
    }

    /// Takes a verified mark back. Nothing else changes.
    pub fn mark_unverified(&mut self) {
        if let Some(pin) = self.pinned.as_mut().filter(|pin| pin.verification == Verification::Verified) {
            pin.verification = Verification::Unverified;
        }
    }

    /// Whether a message may be sent. Where a change is pending and this is true, the policy is the one that accepts it: the caller calls
    /// [`accept_change`](Self::accept_change).
    ///
    /// SE-8: never to a contact that was verified and whose key changed, whatever the policy is.
    #[must_use]
    pub fn may_send(&self, policy: TrustPolicy) -> bool {
        self.pinned.as_ref().is_some_and(|pin| {
            let is_settled = pin.pending.is_none() || matches!(policy, TrustPolicy::Warn | TrustPolicy::Allow);
            is_settled && pin.verification != Verification::Violated
        })
    }

    /// The pinned key; `None` before the first one was seen.
    #[must_use]
    pub fn key(&self) -> Option<&AccountKey> {
        self.pinned.as_ref().map(|pin| &pin.key)
    }

    /// The other key that was seen since and waits to be accepted.
    #[must_use]
    pub fn pending(&self) -> Option<&AccountKey> {
        self.pinned.as_ref().and_then(|pin| pin.pending.as_ref())
    }

    /// What the user said of the pinned key.
    #[must_use]
    pub fn verification(&self) -> Verification {
        self.pinned.as_ref().map_or(Verification::Unverified, |pin| pin.verification)
    }

    /// The state as a record for a store that authenticates what it holds.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(68);
        out.u8(RECORD_VERSION);
        if let Some(pin) = &self.pinned {
            out.bytes(pin.key.as_bytes()).u8(number(pin.verification)).flag(pin.pending.is_some());
            if let Some(key) = &pin.pending {
                out.bytes(key.as_bytes());
            }
        }
        out.into_vec()
    }

    /// Reads a record that [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// `record.corrupt`, `record.version`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader::new(bytes, Fault::RecordCorrupt);
        if input.u8()? != RECORD_VERSION {
            return Err(Fault::RecordVersion.into());
        }
        if input.is_empty() {
            return Ok(Self::default());
        }
        let admit = |bytes: &[u8; 32]| AccountKey::admit(bytes).map_err(|_| Error::from(Fault::RecordCorrupt));
        let key = admit(input.array()?)?;
        let verification = match input.u8()? {
            0 => Verification::Unverified,
            1 => Verification::Verified,
            2 => Verification::Violated,
            _ => return Err(Fault::RecordCorrupt.into()),
        };
        let pending = if input.flag()? { Some(admit(input.array()?)?) } else { None };
        input.finish()?;
        let makes_sense =
            pending.as_ref().is_none_or(|pending| *pending != key && verification != Verification::Verified);
        if !makes_sense {
            return Err(Fault::RecordCorrupt.into());
        }
        Ok(Self { pinned: Some(Pin { key, verification, pending }) })
    }
}

const fn number(verification: Verification) -> u8 {
    match verification {
        Verification::Unverified => 0,
        Verification::Verified => 1,
        Verification::Violated => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::AccountKeyPair;
    use proptest::prelude::*;

    fn key(seed: u8) -> AccountKey {
        AccountKeyPair::from_bytes(&[seed; 32]).unwrap().public().clone()
    }

    fn verified() -> PinnedAccount {
        let mut pinned = PinnedAccount::default();
        pinned.see(&key(1));
        pinned.mark_verified(&key(1)).unwrap();
        pinned
    }

    const POLICIES: [TrustPolicy; 3] = [TrustPolicy::Block, TrustPolicy::Warn, TrustPolicy::Allow];

    /// SE-8, B52: a verified contact whose key changes is not written to until the user acts, under no policy, even if the old key comes back.
    #[test]
    fn a_verified_contact_that_changed_waits_for_the_user() {
        let mut pinned = verified();
        assert_eq!(pinned.see(&key(2)), Seen::Changed);
        assert_eq!(pinned.see(&key(2)), Seen::Pending);
        assert_eq!(pinned.see(&key(1)), Seen::Same);
        assert_eq!(pinned.verification(), Verification::Violated);
        assert!(POLICIES.iter().all(|policy| !pinned.may_send(*policy)));
        // Control: once the user acted, all is well.
        assert!(pinned.accept_change());
        assert!(POLICIES.iter().all(|policy| pinned.may_send(*policy)));
        assert_eq!(pinned.verification(), Verification::Unverified);
    }

    /// SE-8, B52: without the rule a changed key of a verified contact would be written to.
    #[test]
    #[cfg(feature = "__internals")]
    fn the_violation_is_what_blocks() {
        let mut pinned = verified();
        rule::without(Rule::Se8, || pinned.see(&key(2)));
        assert!(pinned.may_send(TrustPolicy::Warn));
    }

    /// B52: what the user compared is what is marked: not a key that the contact no longer shows.
    #[test]
    fn only_the_key_that_is_shown_can_be_verified() {
        let mut pinned = PinnedAccount::default();
        assert_eq!(pinned.mark_verified(&key(1)).unwrap_err().code(), "contact.unknown");
        assert!(!pinned.accept_change() && !pinned.may_send(TrustPolicy::Allow));
        pinned.see(&key(1));
        pinned.see(&key(2));
        let before = pinned.clone();
        for other in [1, 3] {
            assert_eq!(pinned.mark_verified(&key(other)).unwrap_err().code(), "contact.identity_changed");
            assert_eq!(pinned, before);
        }
        // Control: the one that is shown can be.
        assert_eq!(pinned.mark_verified(&key(2)), Ok(()));
        assert_eq!((pinned.key(), pinned.verification()), (Some(&key(2)), Verification::Verified));
        pinned.mark_unverified();
        assert_eq!(pinned.verification(), Verification::Unverified);
    }

    #[test]
    fn records_that_make_no_sense_are_refused() {
        let mut changed = verified();
        changed.see(&key(2));
        let record = changed.to_bytes();
        assert_eq!(record.len(), 67);
        for cut in 2..record.len() {
            assert_eq!(PinnedAccount::from_bytes(&record[..cut]).unwrap_err().code(), "record.corrupt", "{cut}");
        }
        for (at, byte, code) in [(0, 2, "record.version"), (33, 1, "record.corrupt"), (33, 3, "record.corrupt")] {
            let mut bent = record.clone();
            bent[at] = byte;
            assert_eq!(PinnedAccount::from_bytes(&bent).unwrap_err().code(), code);
        }
        assert_eq!(PinnedAccount::from_bytes(&[&record[..], &[0]].concat()).unwrap_err().code(), "record.corrupt");
    }

    #[derive(Clone, Debug)]
    enum Step {
        See(u8),
        Accept,
        Verify(u8),
        Unverify,
        Restart,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (1_u8..4).prop_map(Step::See),
            1 => Just(Step::Accept),
            2 => (1_u8..4).prop_map(Step::Verify),
            1 => Just(Step::Unverify),
            1 => Just(Step::Restart),
        ];
        proptest::collection::vec(step, 0..40)
    }

    /// The history, told in other words than the state machine: what the user last vouched for, and what was seen since.
    #[derive(Default)]
    struct Model {
        agreed: Option<u8>,
        shown: Option<u8>,
        compared: bool,
        betrayed: bool,
    }

    impl Model {
        fn step(&mut self, step: &Step) {
            match step {
                Step::See(key) => {
                    self.agreed.get_or_insert(*key);
                    self.betrayed |= self.compared && self.agreed != Some(*key);
                    self.shown = Some(*key);
                }
                Step::Accept if self.betrayed || self.agreed != self.shown => {
                    *self = Self { agreed: self.shown, shown: self.shown, compared: false, betrayed: false };
                }
                Step::Verify(key) if self.shown == Some(*key) => {
                    *self = Self { agreed: self.shown, shown: self.shown, compared: true, betrayed: false };
                }
                Step::Unverify if !self.betrayed => self.compared = false,
                _ => {}
            }
        }
    }

    proptest! {
        /// SE-8, B52: over any history the state says what the model says, and never lets a message out to a contact that betrayed a comparison.
        #[test]
        fn any_history(steps in steps()) {
            let (mut pinned, mut model) = (PinnedAccount::default(), Model::default());
            for step in &steps {
                match step {
                    Step::See(seed) => { pinned.see(&key(*seed)); }
                    Step::Accept => { pinned.accept_change(); }
                    Step::Verify(seed) => { prop_assert_eq!(pinned.mark_verified(&key(*seed)).is_ok(), model.shown == Some(*seed)); }
                    Step::Unverify => pinned.mark_unverified(),
                    Step::Restart => pinned = PinnedAccount::from_bytes(&pinned.to_bytes()).unwrap(),
                }
                model.step(step);
                prop_assert_eq!(pinned.key().cloned(), model.agreed.map(key));
                prop_assert_eq!(pinned.pending().cloned(), model.shown.filter(|shown| Some(*shown) != model.agreed).map(key));
                prop_assert_eq!(pinned.verification() == Verification::Violated, model.betrayed);
                prop_assert_eq!(pinned.verification() == Verification::Verified, model.compared && !model.betrayed);
                for policy in POLICIES {
                    let is_settled = model.agreed == model.shown || policy != TrustPolicy::Block;
                    prop_assert_eq!(pinned.may_send(policy), model.agreed.is_some() && is_settled && !model.betrayed);
                }
            }
            // Control: the history would fail a state that forgets a betrayal, as soon as there is one.
            if model.betrayed {
                let forgetful = PinnedAccount { pinned: pinned.pinned.map(|pin| Pin { verification: Verification::Verified, pending: None, ..pin }) };
                prop_assert!(forgetful.may_send(TrustPolicy::Block));
            }
        }
    }
}
