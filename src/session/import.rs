//! Taking over the sessions of an official client's store (signal-wire: PqRatchetState, RecordStructure, SessionStructure).

use crate::crypto::Secret;
use crate::crypto::agreement::{AgreementKey, AgreementSecret};
use crate::crypto::kem::KemCiphertext;
use crate::error::{Error, Fault, Result};
use crate::handshake::{HandshakeStrength, LocalDevice, Offer};
use crate::profile::{ClearHeader, IdentityKey, IdentityKeyPair, Role, Signal, SignalIdentityKey, Suite};
use crate::ratchet::double::{DoubleRatchet, Sending, SendingChain};
use crate::ratchet::{MAX_RECEIVING_CHAINS, MAX_SKIPPED_KEYS, PostQuantumRatchet, Ratchet, ReceivingChain, SkippedKey};
use crate::session::one_session::{Ends, Session, bind, is_own_device};
use crate::session::record::{MAX_ARCHIVED_SESSIONS, SessionRecord};
use crate::wire::Address;
use crate::wire::signal::{
    Chain, OfficialRecord, RecordStructure, SessionStructure, admit_agreement_key, admit_ephemeral_key,
    admit_kem_ciphertext,
};

/// The one session version there is since PQXDH.
const SESSION_VERSION: u32 = 4;

impl SessionRecord<Signal> {
    /// The sessions of an official client's serialized session record, to be continued by this device.
    ///
    /// `device` must have the identity key that the record names as its own. An archived session that does not decode is passed over, as official clients do; a
    /// current one that does not is an error.
    ///
    /// # Errors
    /// `record.corrupt`, `record.version` for sessions older than PQXDH, `key.mismatch` for another device's record, `session.self`.
    ///
    /// # Example
    /// ```
    /// use undertone::SessionRecord;
    #[doc = include_str!("../../docs/examples/two_signal_devices.txt")]
    ///
    /// // A row of the official store's sessions. This one holds a single archived session, older than PQXDH, which is passed over.
    /// let row = [0x12, 2, 0x08, 3];
    /// let with_bob = SessionRecord::import_official(&alice, bobs.clone(), &row)?;
    /// assert_eq!(with_bob.status(), None);
    ///
    /// let lost = SessionRecord::import_official(&alice, bobs, &[]);
    /// assert_eq!(lost.err().map(|error| error.code()), Some("record.corrupt"));
    /// # Ok::<(), undertone::Error>(())
    /// ```
    pub fn import_official(device: &LocalDevice<'_, Signal>, remote: Address, bytes: &[u8]) -> Result<Self> {
        // To protobuf nothing at all is a record without sessions; to a store it is a row that was lost.
        if bytes.is_empty() {
            return Err(Fault::RecordCorrupt.into());
        }
        let stored = RecordStructure::parse(bytes)?;
        let mut record = Self::new(device, remote)?;
        let ends = Ends { identity: device.identity.public(), local: device.address, remote: &record.remote };
        let current = stored.current_session.as_ref().map(|session| import(session, &ends)).transpose()?;
        let archived = stored.previous_sessions.iter().take(MAX_ARCHIVED_SESSIONS);
        let archived = archived
            .filter_map(|bytes| SessionStructure::parse(bytes).ok())
            .filter_map(|session| import(&session, &ends).ok())
            .map(|mut session| {
                session.archive(0);
                session
            })
            .collect();
        record.current = current;
        record.archived = archived;
        Ok(record)
    }
}

fn import(stored: &SessionStructure, ends: &Ends<'_, Signal>) -> Result<Session<Signal>> {
    if stored.version != SESSION_VERSION {
        return Err(Fault::RecordVersion.into());
    }
    if stored.local_identity != ends.identity.to_bytes() {
        return Err(Fault::KeyMismatch.into());
    }
    let remote_identity = SignalIdentityKey::admit(&stored.remote_identity).map_err(corrupt)?;
    let base_key = admit_agreement_key(&stored.alice_base_key).map_err(corrupt)?;
    let own_device = is_own_device(ends, &remote_identity);
    let sending = import_sending(stored.sender_chain.as_ref().ok_or(Fault::RecordCorrupt)?)?;
    let receiving = stored.receiver_chains.iter().rev().take(MAX_RECEIVING_CHAINS).rev();
    let receiving = receiving.map(import_receiving).collect::<Result<Vec<_>>>()?;
    let previously_sent = if stored.previous_counter == 0 { 0 } else { stored.previous_counter.saturating_add(1) };
    let root = Secret::from_slice(&stored.root_key).map_err(corrupt)?;
    let classical = DoubleRatchet::imported(root, sending, ClearHeader, receiving, previously_sent, own_device);
    let post_quantum = PostQuantumRatchet::import_official(&stored.pq_ratchet_state, own_device)?;
    let offer = import_offer(stored, base_key)?;
    // An official record does not say which side began. It matters to us only for recognising a repeated first message, which a side with a
    // pending offer never receives.
    let role = if offer.is_some() { Role::Initiator } else { Role::Responder };
    Ok(Session {
        role,
        suite: Suite::Pqxdh,
        strength: HandshakeStrength::LastResort,
        binding: bind(role, Suite::Pqxdh, ends, &remote_identity),
        remote_identity,
        remote_registration_id: stored.remote_registration_id,
        base_key,
        offer,
        archived_at: None,
        ratchet: Ratchet::imported(classical, post_quantum),
    })
}

fn import_sending(chain: &Chain) -> Result<Sending<Signal>> {
    let public = admit_ephemeral_key(&chain.sender_ratchet_key).map_err(corrupt)?;
    let secret = Secret::from_slice(&chain.sender_ratchet_key_private).map_err(corrupt)?;
    let pair = AgreementSecret::from_bytes(secret);
    if pair.public() != public {
        return Err(Fault::KeyMismatch.into());
    }
    let (next, key) = chain_key(chain)?;
    Ok(Sending::Active(SendingChain { pair, key, next, header: ClearHeader, next_header: ClearHeader }))
}

fn import_receiving(chain: &Chain) -> Result<ReceivingChain<Signal>> {
    let ratchet_key = admit_ephemeral_key(&chain.sender_ratchet_key).map_err(corrupt)?;
    let (next, key) = chain_key(chain)?;
    let mut passed = Vec::with_capacity(chain.message_keys.len().min(MAX_SKIPPED_KEYS));
    let mut stored: Vec<_> = chain.message_keys.iter().collect();
    stored.sort_by_key(|message| message.index);
    stored.dedup_by_key(|message| message.index);
    for message in stored.iter().rev().take(MAX_SKIPPED_KEYS).rev() {
        // Keys stored in full date from before the post-quantum ratchet, and open no message that a session of today accepts.
        if message.seed.is_empty() {
            continue;
        }
        if message.index >= next {
            return Err(Fault::RecordCorrupt.into());
        }
        passed.push(SkippedKey::new(message.index, 0, Secret::from_slice(&message.seed).map_err(corrupt)?));
    }
    Ok(ReceivingChain::imported(ratchet_key, ClearHeader, key, next, passed))
}

fn chain_key(chain: &Chain) -> Result<(u32, Secret<32>)> {
    let key = chain.chain_key.as_ref().ok_or(Fault::RecordCorrupt)?;
    Ok((key.index, Secret::from_slice(&key.key).map_err(corrupt)?))
}

fn import_offer(stored: &SessionStructure, base_key: AgreementKey) -> Result<Option<Offer<Signal>>> {
    let Some(pending) = &stored.pending_pre_key else { return Ok(None) };
    let kem = stored.pending_kyber_pre_key.as_ref().ok_or(Fault::RecordCorrupt)?;
    let ciphertext: KemCiphertext<_> = admit_kem_ciphertext(&kem.ciphertext).map_err(corrupt)?;
    let signed_prekey_id = u32::try_from(pending.signed_pre_key_id).map_err(|_| Fault::RecordCorrupt)?;
    Ok(Some(Offer {
        suite: Suite::Pqxdh,
        base_key,
        signed_prekey_id,
        one_time_prekey_id: pending.pre_key_id,
        kem: Some((kem.pre_key_id, ciphertext)),
        created: pending.timestamp,
        sealing: (),
    }))
}

fn corrupt(_: Error) -> Error {
    Fault::RecordCorrupt.into()
}
