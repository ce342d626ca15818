//! The address of one device.

use crate::error::{Error, Fault, Result};
use crate::wire::{Reader, Writer};
use core::fmt;

/// One device of one account: the account's stable name, and the device's number from 1 to 127.
///
/// In the native profile the name is 1 to 255 bytes of UTF-8 of the application's choice; in the Signal profile it should be a
/// service id (a UUID, or `PNI:` and a UUID), without which messages carry no addresses.
///
/// ```
/// use undertone::Address;
///
/// let address = Address::new("alice", 1)?;
/// assert_eq!((address.name(), address.device()), ("alice", 1));
/// assert_eq!(Address::new("alice", 128).unwrap_err().code(), "address.device");
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    name: String,
    device: u8,
}

impl Address {
    /// The longest name, in bytes.
    pub const MAX_NAME: usize = 255;

    /// The address of device `device` of the account `name`.
    ///
    /// # Errors
    /// `address.name` for an empty name or one over 255 bytes, `address.device` for a device outside 1 to 127.
    pub fn new(name: impl Into<String>, device: u8) -> Result<Self> {
        let name = name.into();
        if name.is_empty() || name.len() > Self::MAX_NAME {
            return Err(Fault::AddressName.into());
        }
        if !(1..=127).contains(&device) {
            return Err(Fault::AddressDevice.into());
        }
        Ok(Self { name, device })
    }

    /// The account's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The device's number, 1 to 127.
    #[must_use]
    pub const fn device(&self) -> u8 {
        self.device
    }

    /// `u16 length ‖ name ‖ u8 device` (docs/protocol.md, section 2).
    pub(crate) fn encode(&self, out: &mut Writer) {
        let length = u16::try_from(self.name.len()).unwrap_or(u16::MAX);
        out.u16(length).bytes(self.name.as_bytes()).u8(self.device);
    }

    /// The encoding as bytes of its own.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(self.name.len() + 3);
        self.encode(&mut out);
        out.into_vec()
    }

    /// Reads what [`encode`](Self::encode) wrote; a name or a device out of range is malformed.
    pub(crate) fn decode(input: &mut Reader<'_>) -> Result<Self> {
        let malformed = input.malformed();
        let name = core::str::from_utf8(input.prefixed()?).map_err(|_| Error::from(malformed))?;
        let device = input.u8()?;
        Self::new(name, device).map_err(|_| malformed.into())
    }
}

/// Shows the device only: a name may identify a person and does not belong in a log.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address(…, {})", self.device)
    }
}
