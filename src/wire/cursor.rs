//! Reading and writing the fixed fields of native messages and of stored records: big-endian, no padding, no
//! self-description. A reader never reads past its end and never allocates by a length it was told: a stranger chose both (B75).

use crate::crypto::{Secret, Zeroizing};
use crate::error::{Fault, Result};

/// Reads fields from the front of a byte string.
///
/// It is made with the fault that a missing or malformed field means in its place: a truncated message is not a
/// corrupt record.
pub struct Reader<'a> {
    bytes: &'a [u8],
    fault: Fault,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`; whatever is malformed is reported as `fault`.
    pub const fn new(bytes: &'a [u8], fault: Fault) -> Self {
        Self { bytes, fault }
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<&'a [u8; N]> {
        let (head, tail) = self.bytes.split_first_chunk::<N>().ok_or(self.fault)?;
        self.bytes = tail;
        Ok(head)
    }

    /// The next `length` bytes.
    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8]> {
        let (head, tail) = self.bytes.split_at_checked(length).ok_or(self.fault)?;
        self.bytes = tail;
        Ok(head)
    }

    /// The next 32 bytes as a secret.
    pub fn secret<const N: usize>(&mut self) -> Result<Secret<N>> {
        self.array().map(|bytes| Secret::new(*bytes))
    }

    /// The next byte.
    pub fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| *byte)
    }

    /// The next two bytes, big-endian.
    pub fn u16(&mut self) -> Result<u16> {
        self.array().map(|bytes| u16::from_be_bytes(*bytes))
    }

    /// The next four bytes, big-endian.
    pub fn u32(&mut self) -> Result<u32> {
        self.array().map(|bytes| u32::from_be_bytes(*bytes))
    }

    /// The next eight bytes, big-endian.
    pub fn u64(&mut self) -> Result<u64> {
        self.array().map(|bytes| u64::from_be_bytes(*bytes))
    }

    /// A byte that is 0 or 1.
    pub fn flag(&mut self) -> Result<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.malformed().into()),
        }
    }

    /// A byte string behind its 16-bit length.
    pub fn prefixed(&mut self) -> Result<&'a [u8]> {
        let length = self.u16()?;
        self.bytes(usize::from(length))
    }

    /// A byte string behind its 32-bit length.
    pub fn prefixed_long(&mut self) -> Result<&'a [u8]> {
        let length = self.u32()?;
        self.bytes(usize::try_from(length).map_err(|_| self.fault)?)
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.bytes)
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The fault this reader reports.
    pub const fn fault(&self) -> Fault {
        self.fault
    }

    /// The fault of a field that is there and out of its range: a message is then malformed rather than truncated.
    pub const fn malformed(&self) -> Fault {
        match self.fault {
            Fault::MessageTruncated => Fault::MessageField,
            fault => fault,
        }
    }

    /// Refuses bytes behind the last field.
    pub fn finish(self) -> Result<()> {
        if self.bytes.is_empty() { Ok(()) } else { Err(self.fault.into()) }
    }
}

/// Appends fields to a byte string that is wiped when dropped, since most of what it is used for is secret.
#[derive(Default)]
pub struct Writer {
    bytes: Zeroizing<Vec<u8>>,
}

impl Writer {
    /// A writer with room for `capacity` bytes, so that growing leaves no copy of a secret behind.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(capacity)) }
    }

    /// Appends `bytes` as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        if self.bytes.capacity() - self.bytes.len() < bytes.len() {
            let mut larger = Zeroizing::new(Vec::with_capacity((self.bytes.len() + bytes.len()).max(256) * 2));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes(&[value])
    }

    /// Appends two bytes, big-endian.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Appends four bytes, big-endian.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Appends eight bytes, big-endian.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Appends 0 or 1.
    pub fn flag(&mut self, value: bool) -> &mut Self {
        self.u8(u8::from(value))
    }

    /// Appends a byte string behind its 16-bit length.
    ///
    /// # Errors
    /// [`Fault::Argument`] when it is longer than 65 535 bytes.
    pub fn prefixed(&mut self, bytes: &[u8]) -> Result<&mut Self> {
        let length = u16::try_from(bytes.len()).map_err(|_| Fault::Argument)?;
        Ok(self.u16(length).bytes(bytes))
    }

    /// Appends a byte string behind its 32-bit length.
    ///
    /// # Errors
    /// [`Fault::Argument`] when it is longer than 4 GiB.
    pub fn prefixed_long(&mut self, bytes: &[u8]) -> Result<&mut Self> {
        let length = u32::try_from(bytes.len()).map_err(|_| Fault::Argument)?;
        Ok(self.u32(length).bytes(bytes))
    }

    /// What was written so far.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// What was written, no longer wiped on drop: for bytes that leave as a message or go to a sealed store.
    pub fn into_vec(mut self) -> Vec<u8> {
        core::mem::take(&mut *self.bytes)
    }
}
