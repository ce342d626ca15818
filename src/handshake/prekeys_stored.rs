//! The stored form of a device's prekeys: versioned, strict, and the same bytes for the same state.
//!
//! Layout, version 1: `u8 version ‖ u8 profile ‖ identity key ‖ address ‖ u32 registration id ‖ three u64 next ids (signed, one-time, KEM) ‖ signed prekeys ‖
//! last-resort prekeys ‖ one-time prekeys ‖ one-time KEM prekeys`, each list behind its u32 length and in rising order of ids. A signed or last-resort
//! prekey is followed by `u8 is retired ‖ u64 when` and its replay guard.

use crate::error::{Error, Fault, Result};
use crate::handshake::prekeys::{NextIds, Owner, Rotated};
use crate::handshake::replay_guard::ReplayGuard;
use crate::handshake::{HandshakeProfile, KemPrekeyPair, OneTimePrekeyPair, Prekeys, SignedPrekeyPair};
use crate::profile::IdentityKey;
use crate::rule::{self, Rule};
use crate::wire::{Address, Reader, Writer};
use std::collections::BTreeMap;

const VERSION: u8 = 1;

impl<P: HandshakeProfile> Prekeys<P> {
    /// The prekeys as bytes, for a store that seals them: they hold secret keys.
    ///
    /// ```
    #[doc = include_str!("../../docs/examples/two_devices.txt")]
    #[doc = include_str!("../../docs/examples/published_prekeys.txt")]
    /// let stored = prekeys.to_bytes();
    /// assert_eq!(Prekeys::<Undertone>::from_bytes(&stored)?.to_bytes(), stored);
    /// # Ok::<(), undertone::Error>(())
    /// ```
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(64 << 10);
        out.u8(VERSION).u8(P::RECORD_TAG).bytes(&self.owner.identity.to_bytes());
        self.owner.address.encode(&mut out);
        out.u32(self.owner.registration_id);
        out.u64(self.next.signed).u64(self.next.one_time).u64(self.next.kem);
        write_length(self.signed.len(), &mut out);
        for rotated in &self.signed {
            rotated.pair.encode(&mut out);
            write_rotation(rotated, &mut out);
        }
        write_length(self.last_resort.len(), &mut out);
        for rotated in &self.last_resort {
            rotated.pair.encode(&mut out);
            write_rotation(rotated, &mut out);
        }
        write_length(self.one_time.len(), &mut out);
        for pair in self.one_time.values() {
            pair.encode(&mut out);
        }
        write_length(self.one_time_kem.len(), &mut out);
        for pair in self.one_time_kem.values() {
            pair.encode(&mut out);
        }
        out.into_vec()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote, in this or an earlier version.
    ///
    /// # Errors
    /// `record.version` for a newer version or another profile; `record.corrupt` for anything that does not decode or contradicts itself, such as an id
    /// that has not been given out yet (B15).
    ///
    /// # Example
    /// ```
    /// let refused = undertone::Prekeys::<undertone::Undertone>::from_bytes(b"a newer record").unwrap_err();
    /// assert_eq!(refused.code(), "record.version");
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader::new(bytes, Fault::RecordCorrupt);
        if input.u8()? != VERSION || input.u8()? != P::RECORD_TAG {
            return Err(Fault::RecordVersion.into());
        }
        let identity = input.bytes(P::IDENTITY_KEY)?;
        let identity = P::IdentityKey::admit(identity).map_err(|_| Error::from(Fault::RecordCorrupt))?;
        let owner = Owner { identity, address: Address::decode(&mut input)?, registration_id: input.u32()? };
        let next = NextIds { signed: input.u64()?, one_time: input.u64()?, kem: input.u64()? };
        let signed = read_rotated(&mut input, next.signed, SignedPrekeyPair::decode, SignedPrekeyPair::id)?;
        let last_resort = read_rotated(&mut input, next.kem, KemPrekeyPair::decode, KemPrekeyPair::id)?;
        let one_time = read_one_time(&mut input, next.one_time, OneTimePrekeyPair::decode, OneTimePrekeyPair::id)?;
        let one_time_kem = read_one_time(&mut input, next.kem, KemPrekeyPair::decode, KemPrekeyPair::id)?;
        input.finish()?;
        let kinds_are_right = last_resort.iter().all(|rotated: &Rotated<KemPrekeyPair<P>>| {
            rotated.pair.is_last_resort() && !one_time_kem.contains_key(&rotated.pair.id())
        }) && one_time_kem.values().all(|pair| !pair.is_last_resort());
        if !kinds_are_right {
            return Err(Fault::RecordCorrupt.into());
        }
        Ok(Self { owner, signed, last_resort, one_time, one_time_kem, next })
    }
}

fn write_length(length: usize, out: &mut Writer) {
    out.u32(u32::try_from(length).unwrap_or(u32::MAX));
}

fn write_rotation<T>(rotated: &Rotated<T>, out: &mut Writer) {
    out.flag(rotated.retired.is_some()).u64(rotated.retired.unwrap_or(0));
    rotated.guard.encode(out);
}

/// All but the last are retired; ids rise and are below the next one.
fn read_rotated<T>(
    input: &mut Reader<'_>,
    next: u64,
    decode: impl Fn(&mut Reader<'_>) -> Result<T>,
    id: impl Fn(&T) -> u32,
) -> Result<Vec<Rotated<T>>> {
    let fault = input.fault();
    let count = input.u32()?;
    let mut all: Vec<Rotated<T>> = Vec::new();
    for position in 1..=count {
        let pair = decode(input)?;
        let is_retired = input.flag()?;
        let when = input.u64()?;
        let guard = ReplayGuard::decode(input)?;
        let rises = all.last().is_none_or(|last| id(&last.pair) < id(&pair));
        if !rises || u64::from(id(&pair)) >= next || is_retired == (position == count) || (!is_retired && when != 0) {
            return Err(Error::from(fault));
        }
        all.push(Rotated { pair, retired: is_retired.then_some(when), guard });
    }
    Ok(all)
}

fn read_one_time<T>(
    input: &mut Reader<'_>,
    next: u64,
    decode: impl Fn(&mut Reader<'_>) -> Result<T>,
    id: impl Fn(&T) -> u32,
) -> Result<BTreeMap<u32, T>> {
    let fault = input.fault();
    let mut all = BTreeMap::new();
    for _ in 0..input.u32()? {
        let pair = decode(input)?;
        let id = id(&pair);
        let rises = all.last_key_value().is_none_or(|(last, _)| *last < id);
        if !rises || (rule::on(Rule::B15) && u64::from(id) >= next) {
            return Err(Error::from(fault));
        }
        all.insert(id, pair);
    }
    Ok(all)
}
