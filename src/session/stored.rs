//! The stored form of a session record: versioned, strict, and small.
//!
//! Layout, version 1: `u8 version ‖ u8 profile ‖ own identity ‖ own address ‖ remote address ‖ u8 has current ‖ u8 archived count ‖ sessions`, each session
//! as [`Session`] writes it. Bindings, header ciphers and tags, KEM keys and erasure-code polynomials are derived again when a record is read.

use crate::crypto::agreement::AgreementKey;
use crate::error::{Error, Fault, Result};
use crate::handshake::{HandshakeProfile, HandshakeStrength, Offer};
use crate::profile::{IdentityKey, Role, Suite};
use crate::ratchet::Ratchet;
use crate::session::one_session::{Ends, Session, bind};
use crate::session::record::{MAX_ARCHIVED_SESSIONS, SessionRecord};
use crate::wire::{Address, Reader, Writer};

const VERSION: u8 = 1;

impl<P: HandshakeProfile> SessionRecord<P> {
    /// The record as bytes, for a store that seals it: it holds secret keys.
    ///
    /// The same state always gives the same bytes.
    ///
    /// ```
    #[doc = include_str!("../../docs/examples/two_devices.txt")]
    #[doc = include_str!("../../docs/examples/published_prekeys.txt")]
    #[doc = include_str!("../../docs/examples/first_message.txt")]
    /// let stored = with_bob.to_bytes();
    /// let again = SessionRecord::<Undertone>::from_bytes(&stored)?;
    /// assert_eq!(again.to_bytes(), stored);
    /// # Ok::<(), undertone::Error>(())
    /// ```
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(4096);
        out.u8(VERSION).u8(P::RECORD_TAG);
        write_identity::<P>(&self.identity, &mut out);
        self.local.encode(&mut out);
        self.remote.encode(&mut out);
        out.flag(self.current.is_some()).u8(u8::try_from(self.archived.len()).unwrap_or(u8::MAX));
        for session in self.current.iter().chain(&self.archived) {
            session.encode(&mut out);
        }
        out.into_vec()
    }

    /// Reads a record that [`to_bytes`](Self::to_bytes) wrote, in this or an earlier version.
    ///
    /// # Errors
    /// `record.version` for a newer version or another profile, `record.corrupt` for anything that does not decode or contradicts itself.
    ///
    /// # Example
    /// ```
    /// let refused = undertone::SessionRecord::<undertone::Undertone>::from_bytes(b"a newer record");
    /// assert_eq!(refused.err().map(|error| error.code()), Some("record.version"));
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader::new(bytes, Fault::RecordCorrupt);
        if input.u8()? != VERSION || input.u8()? != P::RECORD_TAG {
            return Err(Fault::RecordVersion.into());
        }
        let identity = read_identity::<P>(&mut input)?;
        let local = Address::decode(&mut input)?;
        let remote = Address::decode(&mut input)?;
        if local == remote {
            return Err(Fault::RecordCorrupt.into());
        }
        let has_current = input.flag()?;
        let archived = usize::from(input.u8()?);
        if archived > MAX_ARCHIVED_SESSIONS {
            return Err(Fault::RecordCorrupt.into());
        }
        let ends = Ends { identity: &identity, local: &local, remote: &remote };
        let current = if has_current { Some(Session::decode(&mut input, &ends, None)?) } else { None };
        let mut older: Vec<Session<P>> = Vec::with_capacity(archived);
        for _ in 0..archived {
            let known = current.as_ref().or(older.last()).map(|session: &Session<P>| session.remote_identity.clone());
            older.push(Session::decode(&mut input, &ends, known)?);
        }
        input.finish()?;
        Ok(Self { identity, local, remote, current, archived: older })
    }
}

impl<P: HandshakeProfile> Session<P> {
    fn encode(&self, out: &mut Writer) {
        out.u8(match self.role {
            Role::Initiator => 0,
            Role::Responder => 1,
        });
        out.u8(self.suite.number()).u8(self.strength.number());
        write_identity::<P>(&self.remote_identity, out);
        out.u32(self.remote_registration_id).bytes(self.base_key.as_bytes());
        out.flag(self.archived_at.is_some()).u64(self.archived_at.unwrap_or(0));
        out.flag(self.offer.is_some());
        if let Some(offer) = &self.offer {
            offer.encode(out);
        }
        self.ratchet.encode(out);
    }

    /// `known` is an identity key that was read already: reading one costs more than all the rest.
    ///
    /// B7: an identity key serves a session as a name only, bound into every message, so a record restores it without checking its subgroup again;
    /// with a point that differs by torsion no message of the session opens.
    fn decode(input: &mut Reader<'_>, ends: &Ends<'_, P>, known: Option<P::IdentityKey>) -> Result<Self> {
        let fault = input.fault();
        let role = match input.u8()? {
            0 => Role::Initiator,
            1 => Role::Responder,
            _ => return Err(fault.into()),
        };
        let suite = Suite::from_number(input.u8()?).ok_or(fault)?;
        let strength = HandshakeStrength::from_number(input.u8()?).ok_or(fault)?;
        let bytes = identity_bytes(input)?;
        let remote_identity = match known {
            Some(known) if known.to_bytes() == bytes => known,
            _ => P::IdentityKey::restore(bytes).map_err(|_| Error::from(fault))?,
        };
        let remote_registration_id = input.u32()?;
        let base_key = AgreementKey::admit_ephemeral(input.array::<32>()?).map_err(|_| fault)?;
        let is_archived = input.flag()?;
        let archived_at = input.u64()?;
        let offer = if input.flag()? { Some(Offer::decode(input)?) } else { None };
        let ratchet = Ratchet::decode(input)?;
        let binding = bind(role, suite, ends, &remote_identity);
        Ok(Self {
            role,
            suite,
            strength,
            remote_identity,
            remote_registration_id,
            base_key,
            offer,
            archived_at: is_archived.then_some(archived_at),
            ratchet,
            binding,
        })
    }
}

fn write_identity<P: HandshakeProfile>(identity: &P::IdentityKey, out: &mut Writer) {
    let bytes = identity.to_bytes();
    out.u8(u8::try_from(bytes.len()).unwrap_or(u8::MAX)).bytes(&bytes);
}

fn read_identity<P: HandshakeProfile>(input: &mut Reader<'_>) -> Result<P::IdentityKey> {
    P::IdentityKey::restore(identity_bytes(input)?).map_err(|_| Fault::RecordCorrupt.into())
}

fn identity_bytes<'a>(input: &mut Reader<'a>) -> Result<&'a [u8]> {
    let length = input.u8()?;
    input.bytes(usize::from(length))
}
