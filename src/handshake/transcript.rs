//! Everything that two sides of a handshake must agree on, in bytes (docs/protocol.md, section 4.1).

use crate::profile::{Suite, prefix, suite_label};
use crate::wire::Writer;

/// What the key schedule is bound to (PQ-16, X3-11, PQ-25, B3, B7, B8, B12, B16): two sides that saw different handshakes share no key.
pub struct Transcript<'a> {
    /// Which handshake it is.
    pub suite: Suite,
    /// A.
    pub initiator: TranscriptParty<'a>,
    /// B.
    pub responder: TranscriptParty<'a>,
    /// The signed prekey's id and published form.
    pub signed_prekey: (u32, &'a [u8]),
    /// The one-time prekey's, if one is used.
    pub one_time_prekey: Option<(u32, &'a [u8])>,
    /// The base key of A.
    pub base_key: &'a [u8; 32],
    /// The KEM prekey and the ciphertext to it; `None` in X3DH.
    pub kem: Option<KemUse<'a>>,
}

/// One side of the handshake.
#[derive(Clone, Copy)]
pub struct TranscriptParty<'a> {
    /// Its identity key as it stands on the wire.
    pub identity: &'a [u8],
    /// Its encoded address.
    pub address: &'a [u8],
    /// Its registration id.
    pub registration_id: u32,
}

/// A KEM prekey and what was encapsulated to it.
#[derive(Clone, Copy)]
pub struct KemUse<'a> {
    /// The prekey's id.
    pub id: u32,
    /// Its published form.
    pub public: &'a [u8],
    /// The ciphertext.
    pub ciphertext: &'a [u8],
}

impl Transcript<'_> {
    /// The transcript in bytes; every field behind its length.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(8 << 10);
        prefix(&mut out, suite_label(self.suite));
        for party in [&self.initiator, &self.responder] {
            prefix(&mut out, party.identity);
            prefix(&mut out, party.address);
            prefix(&mut out, &party.registration_id.to_be_bytes());
        }
        prefix_prekey(&mut out, Some(self.signed_prekey));
        prefix_prekey(&mut out, self.one_time_prekey);
        if let Some(kem) = self.kem {
            prefix_prekey(&mut out, Some((kem.id, kem.public)));
        }
        prefix(&mut out, self.base_key);
        if let Some(kem) = self.kem {
            prefix(&mut out, kem.ciphertext);
        }
        out.into_vec()
    }
}

fn prefix_prekey(out: &mut Writer, prekey: Option<(u32, &[u8])>) {
    match prekey {
        Some((id, public)) => prefix(out, &[&id.to_be_bytes(), public].concat()),
        None => prefix(out, &[]),
    }
}
