//! Prekeys: published in two phases, refilled, rotated (section C6 of the requirements: I9, M12).
//!
//! First the private halves and the exact upload are committed, then it is uploaded, as often as need be, then the upload is forgotten. No public key leaves whose
//! private half might be lost.

use super::handle::{Inner, Settings, age};
use super::own_device::{OwnDevice, random};
use super::record_names;
use super::removed::ForgetRemoved;
use super::transaction::{Operation, Transaction};
use crate::error::{Error, Fault, Result};
use crate::handshake::{Prekeys, PublishedPrekey};
use crate::profile::{IdentityKeyPair, Undertone};
use crate::runtime::async_trait;
use crate::transport::{PrekeyStock, PrekeyUpload, Publication};
use crate::wire::{Address, Reader, Writer};
use getrandom::SysRng;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

const VERSION: u8 = 1;
/// How many one-time prekeys of each kind are made at once: always as many, so that the number tells nothing (B14).
pub(super) const BATCH: usize = 50;
/// Fewer than this on the server, and new ones are made.
pub(super) const LOW_WATER: u32 = 20;
/// More than this here, and no new ones are made: someone is taking them without using them.
const MOST: usize = 400;
/// How many seconds lie between two looks at the stock.
pub(super) const UPKEEP_INTERVAL: u64 = 6 * 3600;

impl Inner {
    /// Publishes what waits, asks for the stock, and publishes more if it is low or old.
    ///
    /// # Errors
    /// `transport.*`, `store.*`.
    pub(super) async fn upkeep(&self) -> Result<()> {
        let _one_at_a_time = self.keeping_up.lock().await;
        let stock = match self.publish_pending().await? {
            Some(stock) => stock,
            None => self.transport.publish(&self.empty_publication().await?).await?,
        };
        super::observe::stock(stock);
        let is_low = stock.one_time < LOW_WATER || stock.one_time_kem < LOW_WATER;
        if self.transact(Prepare { is_low }).await?.into_inner()
            && let Some(stock) = self.publish_pending().await?
        {
            super::observe::stock(stock);
        }
        self.transact(ForgetRemoved).await?;
        self.upkeep_due.store(false, Ordering::Relaxed);
        self.kept_up.store(self.clock.now().as_secs(), Ordering::Relaxed);
        Ok(())
    }

    async fn publish_pending(&self) -> Result<Option<PrekeyStock>> {
        let mut transaction = self.transaction();
        let pending = transaction.get(&record_names::publication()).await?;
        drop(transaction);
        let Some(pending) = pending else { return Ok(None) };
        let publication = decode(&pending)?;
        let stock = self.transport.publish(&publication).await?;
        self.transact(Published { id: publication.id }).await?;
        Ok(Some(stock))
    }

    async fn empty_publication(&self) -> Result<Publication> {
        let mut transaction = self.transaction();
        let own = transaction.own_device().await?;
        Ok(Publication { id: random()?, device: own.address, statements: Vec::new(), prekeys: None })
    }
}

/// Makes new prekeys if they are due, and the upload of them.
struct Prepare {
    is_low: bool,
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for Prepare {
    type Output = bool;

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<bool> {
        if transaction.get(&record_names::publication()).await?.is_some() {
            return Ok(true);
        }
        let own = transaction.own_device_in_use().await?;
        let mut prekeys = transaction.prekeys().await?;
        let now = transaction.now;
        let is_old = prekeys.is_rotation_due(now);
        let is_low = self.is_low && prekeys.one_time_prekeys().count() < MOST;
        if !is_old && !is_low {
            return Ok(false);
        }
        prekeys.erase_expired(now);
        if is_old {
            prekeys.rotate(&own.local(), now, &mut SysRng)?;
        }
        let before: BTreeSet<u32> = prekeys.one_time_prekeys().map(|prekey| prekey.id).collect();
        let before_kem: BTreeSet<u32> = prekeys.one_time_kem_prekeys().map(|prekey| prekey.id).collect();
        if is_low {
            prekeys.add_one_time(&own.local(), BATCH, now, &mut SysRng)?;
        }
        stage(transaction, &own, &prekeys, &before, &before_kem).await?;
        Ok(true)
    }
}

/// Forgets an upload that the server has.
struct Published {
    id: [u8; 16],
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for Published {
    type Output = ();

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        if let Some(pending) = transaction.get(&record_names::publication()).await?
            && decode(&pending)?.id == self.id
        {
            transaction.remove(record_names::publication());
        }
        Ok(())
    }
}

/// Stages all new prekeys for this device, and the upload of them.
pub(super) async fn new_prekeys(transaction: &mut Transaction<'_>, own: &OwnDevice) -> Result<()> {
    let mut prekeys = Prekeys::<Undertone>::generate(&own.local(), transaction.now, &mut SysRng)?;
    prekeys.add_one_time(&own.local(), BATCH, transaction.now, &mut SysRng)?;
    stage(transaction, own, &prekeys, &BTreeSet::new(), &BTreeSet::new()).await
}

/// Stages an upload of the own device list alone.
pub(super) async fn publish_list(transaction: &mut Transaction<'_>, own: &OwnDevice) -> Result<()> {
    let prekeys = transaction.prekeys().await?;
    let all: BTreeSet<u32> = prekeys.one_time_prekeys().map(|prekey| prekey.id).collect();
    let all_kem: BTreeSet<u32> = prekeys.one_time_kem_prekeys().map(|prekey| prekey.id).collect();
    match transaction.get(&record_names::publication()).await? {
        // One upload at a time: what waits takes the new statements along, under a new name.
        Some(pending) => {
            let waiting = decode(&pending)?;
            let statements = transaction.own_list().await?.statements_after(0);
            let publication = Publication { id: random()?, statements, ..waiting };
            transaction.put(record_names::publication(), encode(&publication)?);
            Ok(())
        }
        None => stage(transaction, own, &prekeys, &all, &all_kem).await,
    }
}

async fn stage(
    transaction: &mut Transaction<'_>,
    own: &OwnDevice,
    prekeys: &Prekeys<Undertone>,
    uploaded: &BTreeSet<u32>,
    uploaded_kem: &BTreeSet<u32>,
) -> Result<()> {
    let upload = PrekeyUpload {
        registration_id: own.registration_id,
        identity: *own.identity.public().as_bytes(),
        signed_prekey: prekeys.signed_prekey().ok_or(Fault::UnknownSignedPrekey)?.clone(),
        last_resort_prekey: prekeys.last_resort_prekey().ok_or(Fault::UnknownKemPrekey)?.clone(),
        one_time_prekeys: prekeys.one_time_prekeys().filter(|prekey| !uploaded.contains(&prekey.id)).cloned().collect(),
        one_time_kem_prekeys: prekeys
            .one_time_kem_prekeys()
            .filter(|prekey| !uploaded_kem.contains(&prekey.id))
            .cloned()
            .collect(),
    };
    let statements = transaction.own_list().await?.statements_after(0);
    let publication = Publication { id: random()?, device: own.address.clone(), statements, prekeys: Some(upload) };
    transaction.put(record_names::prekeys(), prekeys.to_bytes());
    transaction.put(record_names::publication(), encode(&publication)?);
    Ok(())
}

fn encode(publication: &Publication) -> Result<Vec<u8>> {
    let mut out = Writer::with_capacity(16 << 10);
    out.u8(VERSION).bytes(&publication.id);
    publication.device.encode(&mut out);
    out.u16(u16::try_from(publication.statements.len()).unwrap_or(u16::MAX));
    for statement in &publication.statements {
        out.prefixed_long(statement)?;
    }
    out.flag(publication.prekeys.is_some());
    if let Some(upload) = &publication.prekeys {
        out.u32(upload.registration_id).bytes(&upload.identity);
        for prekey in [&upload.signed_prekey, &upload.last_resort_prekey] {
            encode_prekey(prekey, &mut out)?;
        }
        for prekeys in [&upload.one_time_prekeys, &upload.one_time_kem_prekeys] {
            out.u16(u16::try_from(prekeys.len()).unwrap_or(u16::MAX));
            for prekey in prekeys {
                encode_prekey(prekey, &mut out)?;
            }
        }
    }
    Ok(out.into_vec())
}

fn encode_prekey(prekey: &PublishedPrekey, out: &mut Writer) -> Result<()> {
    out.u32(prekey.id).prefixed(&prekey.public)?.bytes(&prekey.signature.unwrap_or([0; 64]));
    Ok(())
}

pub(super) fn decode(bytes: &[u8]) -> Result<Publication> {
    let mut input = Reader::new(bytes, Fault::RecordCorrupt);
    if input.u8()? != VERSION {
        return Err(Fault::RecordVersion.into());
    }
    let id = *input.array()?;
    let device = Address::decode(&mut input)?;
    let mut statements = Vec::new();
    for _ in 0..input.u16()? {
        statements.push(input.prefixed_long()?.to_vec());
    }
    let prekeys = if input.flag()? { Some(decode_upload(&mut input)?) } else { None };
    input.finish()?;
    Ok(Publication { id, device, statements, prekeys })
}

fn decode_upload(input: &mut Reader<'_>) -> Result<PrekeyUpload> {
    fn prekey(input: &mut Reader<'_>) -> Result<PublishedPrekey> {
        let (id, public) = (input.u32()?, input.prefixed()?.to_vec());
        Ok(PublishedPrekey { id, public, signature: Some(*input.array()?) })
    }
    fn prekeys(input: &mut Reader<'_>) -> Result<Vec<PublishedPrekey>> {
        (0..input.u16()?).map(|_| prekey(input)).collect()
    }
    let registration_id = input.u32()?;
    let identity: [u8; 32] = *input.array::<32>().map_err(|_| Error::from(Fault::RecordCorrupt))?;
    Ok(PrekeyUpload {
        registration_id,
        identity,
        signed_prekey: prekey(input)?,
        last_resort_prekey: prekey(input)?,
        one_time_prekeys: prekeys(input)?,
        one_time_kem_prekeys: prekeys(input)?,
    })
}

impl Settings {
    /// Whether it is time to look at the stock again.
    pub(super) const fn is_upkeep_due(&self, kept_up: u64, now: u64) -> bool {
        age(now, kept_up) >= UPKEEP_INTERVAL
    }
}
