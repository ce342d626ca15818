//! A device's own prekeys, all of them, in memory.

use crate::crypto::agreement::AgreementKey;
use crate::crypto::key_uses;
use crate::error::{Error, Fault, Result};
use crate::handshake::prekey::CLOCK_SKEW;
use crate::handshake::replay_guard::{REPLAY_GUARD, ReplayGuard};
use crate::handshake::{
    AcceptingPrekeys, FirstMessage, HandshakeProfile, KemPrekeyPair, LocalDevice, OneTimePrekeyPair, PrekeyBundle,
    PublishedPrekey, SignedPrekeyPair,
};
use crate::profile::{IdentityKey, IdentityKeyPair};
use crate::rule::{self, Rule};
use crate::wire::Address;
use core::fmt;
use rand_core::TryCryptoRng;
use std::collections::BTreeMap;

/// After how many seconds signed and last-resort prekeys are due to be replaced.
pub const PREKEY_ROTATION: u64 = 7 * 86_400;
/// I10: For how many seconds after its replacement the private half of a prekey is kept, for messages that are under way.
pub const PREKEY_GRACE: u64 = 30 * 86_400;

/// All prekeys of one device: signed and last-resort ones, current and retired, and one-time ones.
///
/// It is a value without a clock or a store: hand in the time, and store [`to_bytes`](Self::to_bytes) after every call that changed it. Upload
/// [`bundle`](Self::bundle) where peers fetch whole bundles, or the `published` forms one by one where a server makes bundles of them.
///
/// A device generates one-time prekeys in batches of one size, at a time that tells nothing of when they ran out (B14): how often and how many is
/// for the application to fix.
///
/// ```
/// use undertone::{Prekeys, Undertone};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
///
/// let mut prekeys = Prekeys::<Undertone>::generate(&bob, now, &mut rng)?;
/// prekeys.add_one_time(&bob, 3, now, &mut rng)?;
/// assert_eq!((prekeys.one_time_prekeys().count(), prekeys.one_time_kem_prekeys().count()), (3, 3));
///
/// // A week later the signed and the last-resort prekey are replaced, and uploaded.
/// let next_week = now + 7 * 86_400;
/// assert!(prekeys.is_rotation_due(next_week));
/// prekeys.rotate(&bob, next_week, &mut rng)?;
/// assert_eq!(prekeys.signed_prekey().map(|published| published.id), Some(2));
///
/// // The replaced ones open what is under way, for 30 days.
/// assert!(prekeys.signed_prekey_of(1).is_some());
/// prekeys.erase_expired(next_week + 31 * 86_400);
/// assert!(prekeys.signed_prekey_of(1).is_none());
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct Prekeys<P: HandshakeProfile> {
    pub(super) owner: Owner<P>,
    /// Oldest first; all but the last are retired.
    pub(super) signed: Vec<Rotated<SignedPrekeyPair<P>>>,
    /// Oldest first; all but the last are retired.
    pub(super) last_resort: Vec<Rotated<KemPrekeyPair<P>>>,
    pub(super) one_time: BTreeMap<u32, OneTimePrekeyPair<P>>,
    pub(super) one_time_kem: BTreeMap<u32, KemPrekeyPair<P>>,
    pub(super) next: NextIds,
}

/// The device whose identity key signed the prekeys.
pub(super) struct Owner<P: HandshakeProfile> {
    pub identity: P::IdentityKey,
    pub address: Address,
    pub registration_id: u32,
}

/// A prekey that serves many handshakes until it is replaced.
pub(super) struct Rotated<T> {
    pub pair: T,
    /// When it was replaced, in seconds.
    pub retired: Option<u64>,
    /// The first messages that it has served without a one-time KEM prekey.
    pub guard: ReplayGuard,
}

/// B15, PQ-9: ids come from counters that are stored with the prekeys and only ever grow.
#[derive(Clone, Copy)]
pub(super) struct NextIds {
    pub signed: u64,
    pub one_time: u64,
    pub kem: u64,
}

impl<P: HandshakeProfile> Prekeys<P> {
    /// The prekeys of a new device: a signed one and a last-resort one. `now` is in seconds.
    ///
    /// # Errors
    /// `random.failed`.
    pub fn generate(device: &LocalDevice<'_, P>, now: u64, rng: &mut impl TryCryptoRng) -> Result<Self> {
        let mut prekeys = Self {
            owner: Owner {
                identity: device.identity.public().clone(),
                address: device.address.clone(),
                registration_id: device.registration_id,
            },
            signed: Vec::new(),
            last_resort: Vec::new(),
            one_time: BTreeMap::new(),
            one_time_kem: BTreeMap::new(),
            next: NextIds { signed: 1, one_time: 1, kem: 1 },
        };
        prekeys.rotate(device, now, rng)?;
        Ok(prekeys)
    }

    /// Adds `count` one-time prekeys of each kind, X25519 and KEM.
    ///
    /// # Errors
    /// `random.failed`, `prekey.ids_exhausted`, `key.mismatch` if `device` is not the owner.
    pub fn add_one_time(
        &mut self,
        device: &LocalDevice<'_, P>,
        count: usize,
        now: u64,
        rng: &mut impl TryCryptoRng,
    ) -> Result<()> {
        self.check_owner(device)?;
        let mut next = self.next;
        let mut added = Vec::new();
        for _ in 0..count {
            let one_time = OneTimePrekeyPair::generate(device, take_id(&mut next.one_time)?, now, rng)?;
            let kem = KemPrekeyPair::generate(device, take_id(&mut next.kem)?, false, now, rng)?;
            added.push((one_time, kem));
        }
        let is_held = |(one_time, kem): &(OneTimePrekeyPair<P>, KemPrekeyPair<P>)| {
            self.one_time.contains_key(&one_time.id()) || self.holds_kem(kem.id())
        };
        if rule::on(Rule::B15) && added.iter().any(is_held) {
            return Err(Fault::PrekeyExists.into());
        }
        for (one_time, kem) in added {
            self.one_time.insert(one_time.id(), one_time);
            self.one_time_kem.insert(kem.id(), kem);
        }
        self.next = next;
        Ok(())
    }

    /// Replaces the signed and the last-resort prekey. The replaced ones go on opening what is under way for 30 days; those whose time is over are erased.
    ///
    /// # Errors
    /// `random.failed`, `prekey.ids_exhausted`, `key.mismatch` if `device` is not the owner.
    pub fn rotate(&mut self, device: &LocalDevice<'_, P>, now: u64, rng: &mut impl TryCryptoRng) -> Result<()> {
        self.check_owner(device)?;
        let mut next = self.next;
        let signed = SignedPrekeyPair::generate(device, take_id(&mut next.signed)?, now, rng)?;
        let last_resort = KemPrekeyPair::generate(device, take_id(&mut next.kem)?, true, now, rng)?;
        if self.signed_prekey_of(signed.id()).is_some() || self.holds_kem(last_resort.id()) {
            return Err(Fault::PrekeyExists.into());
        }
        retire_last(&mut self.signed, now);
        retire_last(&mut self.last_resort, now);
        self.signed.push(Rotated { pair: signed, retired: None, guard: ReplayGuard::default() });
        self.last_resort.push(Rotated { pair: last_resort, retired: None, guard: ReplayGuard::default() });
        self.next = next;
        self.erase_expired(now);
        Ok(())
    }

    /// Whether [`rotate`](Self::rotate) is due: the prekeys are old, or were made by a clock that was wrong, or so many first messages came that the replay guard is
    /// filling up.
    #[must_use]
    pub fn is_rotation_due(&self, now: u64) -> bool {
        let created = self.signed.last().map_or(0, |rotated| rotated.pair.validity().created);
        let guarded = self.last_resort.last().map_or(0, |rotated| rotated.guard.recorded());
        let is_old = now.saturating_sub(created) >= PREKEY_ROTATION;
        is_old || created > now.saturating_add(CLOCK_SKEW) || guarded >= REPLAY_GUARD / 2
    }

    /// Erases retired prekeys whose grace is over, with their replay guards, and one-time prekeys that no one can use any more (X3-3, PQ-11). A recorded
    /// handshake can be opened with this device's state for as long as they are there (B1).
    pub fn erase_expired(&mut self, now: u64) {
        if !rule::on(Rule::Pq11) {
            return;
        }
        let is_over = |since: u64| now.saturating_sub(since) > PREKEY_GRACE;
        self.signed.retain(|rotated| !rotated.retired.is_some_and(is_over));
        self.last_resort.retain(|rotated| !rotated.retired.is_some_and(is_over));
        self.one_time.retain(|_, pair| !is_over(pair.validity().expires));
        self.one_time_kem.retain(|_, pair| !is_over(pair.validity().expires));
    }

    /// The bundle to hand out to one peer. With `one_time` it has the newest one-time prekeys, as far as there are any: add some before each bundle, so
    /// that no two peers are given the same.
    ///
    /// # Errors
    /// `key.mismatch` if `device` is not the owner; `prekey.unknown_signed` if there is no signed prekey.
    ///
    /// # Example
    /// ```
    #[doc = include_str!("../../docs/examples/two_devices.txt")]
    /// # let mut prekeys = Prekeys::<Undertone>::generate(&bob, now, &mut rng)?;
    /// prekeys.add_one_time(&bob, 1, now, &mut rng)?;
    /// assert_eq!(prekeys.bundle(&bob, true)?.one_time_prekey().map(|published| published.id), Some(1));
    /// assert_eq!(prekeys.bundle(&bob, false)?.kem_prekey(), prekeys.last_resort_prekey());
    /// # Ok::<(), undertone::Error>(())
    /// ```
    pub fn bundle(&self, device: &LocalDevice<'_, P>, one_time: bool) -> Result<PrekeyBundle<P>> {
        self.check_owner(device)?;
        let signed = self.signed.last().ok_or(Fault::UnknownSignedPrekey)?;
        let last_resort = self.last_resort.last().map(|rotated| &rotated.pair);
        // PQ-24, B14: each kind may run out without the other, for whoever asks for bundles empties them; the device can still be reached.
        let newest = self.one_time_kem.last_key_value().map(|(_, pair)| pair);
        let kem = newest.filter(|_| one_time).or(last_resort);
        let one_time = self.one_time.last_key_value().map(|(_, pair)| pair).filter(|_| one_time);
        PrekeyBundle::from_parts(
            device.address.clone(),
            device.registration_id,
            &device.identity.public().to_bytes(),
            signed.pair.published().clone(),
            kem.map(|pair| pair.published().clone()),
            one_time.map(|pair| pair.published().clone()),
        )
    }

    /// The current signed prekey, to upload.
    #[must_use]
    pub fn signed_prekey(&self) -> Option<&PublishedPrekey> {
        self.signed.last().map(|rotated| rotated.pair.published())
    }

    /// The current last-resort KEM prekey, to upload.
    #[must_use]
    pub fn last_resort_prekey(&self) -> Option<&PublishedPrekey> {
        self.last_resort.last().map(|rotated| rotated.pair.published())
    }

    /// The one-time prekeys that were not used yet, to upload.
    pub fn one_time_prekeys(&self) -> impl Iterator<Item = &PublishedPrekey> {
        self.one_time.values().map(OneTimePrekeyPair::published)
    }

    /// The one-time KEM prekeys that were not used yet, to upload.
    pub fn one_time_kem_prekeys(&self) -> impl Iterator<Item = &PublishedPrekey> {
        self.one_time_kem.values().map(KemPrekeyPair::published)
    }
}

impl<P: HandshakeProfile> Prekeys<P> {
    /// The prekeys that `first` names.
    ///
    /// # Errors
    /// `prekey.unknown_signed`, `prekey.unknown_one_time`, `prekey.unknown_kem`.
    pub fn lookup(&self, first: &FirstMessage<P>) -> Result<AcceptingPrekeys<'_, P>> {
        let signed = self.signed_prekey_of(first.signed_prekey_id).ok_or(Fault::UnknownSignedPrekey)?;
        let one_time =
            first.one_time_prekey_id.map(|id| self.one_time.get(&id).ok_or(Fault::UnknownOneTimePrekey)).transpose()?;
        let kem = first.kem_prekey_id().map(|id| self.kem_prekey_of(id).ok_or(Fault::UnknownKemPrekey)).transpose()?;
        Ok(AcceptingPrekeys { signed, one_time, kem })
    }

    /// Refuses a first message that was accepted before with a prekey that can be used more than once (PQ-20, B9).
    ///
    /// # Errors
    /// `handshake.replayed`; `handshake.replay_guard_full`: rotate.
    pub fn check_replay(&self, first: &FirstMessage<P>) -> Result<()> {
        self.guard_of(first).map_or(Ok(()), |guard| guard.check(&guarded_value(first)))
    }

    /// Erases the one-time prekeys that `first` used and records the use of the others. For a first message that was decrypted, and only then: in one
    /// commit with the session that it began (PQ-18, PQ-19). From then on this device's state no longer opens a recording of `first` (B1).
    ///
    /// # Errors
    /// As [`lookup`](Self::lookup) and [`check_replay`](Self::check_replay); nothing is erased then.
    ///
    /// # Example
    /// ```
    #[doc = include_str!("../../docs/examples/two_devices.txt")]
    #[doc = include_str!("../../docs/examples/published_prekeys.txt")]
    #[doc = include_str!("../../docs/examples/first_message.txt")]
    /// // `SessionRecord::accept` does this; it is for an application that calls `handshake::accept` itself.
    /// prekeys.check_replay(&first)?;
    /// prekeys.consume(&first)?;
    /// assert_eq!(prekeys.one_time_prekeys().count(), 0);
    /// # Ok::<(), undertone::Error>(())
    /// ```
    pub fn consume(&mut self, first: &FirstMessage<P>) -> Result<()> {
        self.lookup(first)?;
        self.check_replay(first)?;
        if let Some(guard) = self.guard_of_mut(first) {
            guard.record(guarded_value(first));
        }
        if !rule::on(Rule::Pq19) {
            return Ok(());
        }
        if let Some(id) = first.one_time_prekey_id
            && self.one_time.remove(&id).is_some()
        {
            key_uses::spend(false, id);
        }
        if let Some(id) = first.kem_prekey_id()
            && self.one_time_kem.remove(&id).is_some()
        {
            key_uses::spend(true, id);
        }
        Ok(())
    }

    /// The signed prekey of an id, current or retired.
    #[must_use]
    pub fn signed_prekey_of(&self, id: u32) -> Option<&SignedPrekeyPair<P>> {
        self.signed.iter().map(|rotated| &rotated.pair).find(|pair| pair.id() == id)
    }

    fn kem_prekey_of(&self, id: u32) -> Option<&KemPrekeyPair<P>> {
        let last_resort = || self.last_resort.iter().map(|rotated| &rotated.pair).find(|pair| pair.id() == id);
        self.one_time_kem.get(&id).or_else(last_resort)
    }

    fn holds_kem(&self, id: u32) -> bool {
        self.kem_prekey_of(id).is_some()
    }

    /// Section 4.4: beside the last-resort prekey, in X3DH beside the signed one; a one-time KEM prekey guards itself.
    fn guard_of(&self, first: &FirstMessage<P>) -> Option<&ReplayGuard> {
        match first.kem_prekey_id() {
            Some(id) => self.last_resort.iter().find(|rotated| rotated.pair.id() == id).map(|rotated| &rotated.guard),
            None => {
                let id = first.signed_prekey_id;
                self.signed.iter().find(|rotated| rotated.pair.id() == id).map(|rotated| &rotated.guard)
            }
        }
    }

    fn guard_of_mut(&mut self, first: &FirstMessage<P>) -> Option<&mut ReplayGuard> {
        match first.kem_prekey_id() {
            Some(id) => {
                let mut held = self.last_resort.iter_mut();
                held.find(|rotated| rotated.pair.id() == id).map(|rotated| &mut rotated.guard)
            }
            None => {
                let id = first.signed_prekey_id;
                let mut held = self.signed.iter_mut();
                held.find(|rotated| rotated.pair.id() == id).map(|rotated| &mut rotated.guard)
            }
        }
    }

    /// The published forms are signed for one device: another one would hand out what no peer accepts.
    fn check_owner(&self, device: &LocalDevice<'_, P>) -> Result<()> {
        let is_owner = self.owner.identity == *device.identity.public()
            && self.owner.address == *device.address
            && self.owner.registration_id == device.registration_id;
        if is_owner { Ok(()) } else { Err(Error::from(Fault::KeyMismatch)) }
    }
}

impl<P: HandshakeProfile> fmt::Debug for Prekeys<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prekeys")
            .field("signed", &self.signed.len())
            .field("last_resort", &self.last_resort.len())
            .field("one_time", &self.one_time.len())
            .field("one_time_kem", &self.one_time_kem.len())
            .finish_non_exhaustive()
    }
}

fn take_id(next: &mut u64) -> Result<u32> {
    let id = u32::try_from(*next).map_err(|_| Error::from(Fault::PrekeyIdsExhausted))?;
    *next += 1;
    Ok(id)
}

fn retire_last<T>(held: &mut [Rotated<T>], now: u64) {
    if let Some(last) = held.last_mut() {
        last.retired = Some(now);
    }
}

fn guarded_value<P: HandshakeProfile>(first: &FirstMessage<P>) -> [u8; 32] {
    let base_key: &AgreementKey = &first.base_key;
    ReplayGuard::value(first.signed_prekey_id, first.kem_prekey_id().unwrap_or(0), base_key)
}
