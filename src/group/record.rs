//! The frame of the two stored records of this floor: what they are, and whether they are whole.
//!
//! Group messages of the Signal profile have a signature and no MAC: under a chain key that went bad on a disk, one message in 256 would read as
//! something else. So a record ends with a digest of itself. It guards against accidents; against an attacker the store seals the record.

use crate::crypto::hash::sha256;
use crate::error::{Fault, Result};
use crate::wire::{Reader, Writer};

/// Which record it is, of which profile, in which layout.
pub(super) struct RecordForm {
    /// The kind of record.
    pub kind: u8,
    /// The profile.
    pub profile: u8,
    /// The version of the layout.
    pub version: u8,
}

const FORM: usize = 3;
const DIGEST: usize = 8;

impl RecordForm {
    /// Begins a record.
    pub fn begin(&self, capacity: usize) -> Writer {
        let mut out = Writer::with_capacity(FORM + capacity + DIGEST);
        out.u8(self.kind).u8(self.profile).u8(self.version);
        out
    }

    /// The fields of a record, if it is of this form and whole.
    ///
    /// # Errors
    /// `record.version` for another profile or layout, `record.corrupt` for another kind or bytes that changed.
    pub fn fields<'a>(&self, record: &'a [u8]) -> Result<Reader<'a>> {
        let ([kind, profile, version], _) = record.split_first_chunk::<FORM>().ok_or(Fault::RecordCorrupt)?;
        if *kind != self.kind {
            return Err(Fault::RecordCorrupt.into());
        }
        if (*profile, *version) != (self.profile, self.version) {
            return Err(Fault::RecordVersion.into());
        }
        let (content, digest) = record.split_last_chunk::<DIGEST>().ok_or(Fault::RecordCorrupt)?;
        let fields = content.get(FORM..).ok_or(Fault::RecordCorrupt)?;
        if digest_of(content) != *digest {
            return Err(Fault::RecordCorrupt.into());
        }
        Ok(Reader::new(fields, Fault::RecordCorrupt))
    }
}

/// Ends a record.
pub(super) fn finish(mut out: Writer) -> Vec<u8> {
    let digest = digest_of(out.as_slice());
    out.bytes(&digest);
    out.into_vec()
}

fn digest_of(content: &[u8]) -> [u8; DIGEST] {
    let mut digest = [0; DIGEST];
    digest.iter_mut().zip(sha256(&[content])).for_each(|(out, byte)| *out = byte);
    digest
}
