//! What every parser of this module asks of its fields.

use super::{MAX_FIELD, MAX_MESSAGE};
use crate::error::{Error, Fault, Result};
use prost::Message;

/// Splits the version byte off and checks its high nibble; the low nibble is the sender's affair, and authenticated
/// wherever the rest is.
pub fn versioned(bytes: &[u8], version: u8) -> Result<&[u8]> {
    let (first, rest) = bytes.split_first().ok_or(Fault::MessageTruncated)?;
    if bytes.len() > MAX_MESSAGE {
        return Err(Fault::MessageTooLarge.into());
    }
    if first >> 4 != version {
        return Err(Fault::MessageVersion.into());
    }
    Ok(rest)
}

/// Splits the `N` bytes of a MAC or a signature off the end.
pub fn trailer<const N: usize>(bytes: &[u8]) -> Result<(&[u8], &[u8; N])> {
    bytes.split_last_chunk::<N>().ok_or_else(|| Fault::MessageTruncated.into())
}

/// Decodes a protobuf.
pub fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M> {
    M::decode(bytes).map_err(|_| Fault::MessageField.into())
}

/// A field that must be there.
pub fn required<T>(field: Option<T>) -> Result<T> {
    field.ok_or_else(|| Fault::MessageField.into())
}

/// A field of exactly `N` bytes that must be there.
pub fn exactly<const N: usize>(field: Option<&[u8]>) -> Result<[u8; N]> {
    required(field)?.try_into().map_err(|_| Error::from(Fault::MessageField))
}

/// A field that is no body and must be small.
pub fn small<T: AsRef<[u8]>>(field: T) -> Result<T> {
    if field.as_ref().len() > MAX_FIELD { Err(Fault::MessageTooLarge.into()) } else { Ok(field) }
}
