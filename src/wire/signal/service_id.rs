//! Service ids: the names that official clients give accounts.

use crate::error::{Error, Fault, Result};
use core::fmt;
use core::str::FromStr;

/// Which of an account's two names a service id is.
///
/// ```
/// use undertone::sealed::{ServiceId, ServiceKind};
///
/// let id: ServiceId = "PNI:9d0652a3-dcc3-4d11-975f-74d61598733f".parse()?;
/// assert_eq!(id.kind(), ServiceKind::Pni);
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServiceKind {
    /// The account itself.
    Aci,
    /// The account behind a phone number.
    Pni,
}

/// A UUID that names an account, or the account behind a phone number.
///
/// In text it is a hyphenated UUID, with `PNI:` before it for the second kind; case does not matter.
///
/// ```
/// use undertone::sealed::{ServiceId, ServiceKind};
///
/// let id: ServiceId = "9D0652A3-DCC3-4D11-975F-74D61598733F".parse()?;
/// assert_eq!(id.to_string(), "9d0652a3-dcc3-4d11-975f-74d61598733f");
/// assert_eq!(ServiceId::new(ServiceKind::Aci, *id.uuid()), id);
/// assert_eq!(ServiceId::from_fixed_width(&id.to_fixed_width())?, id);
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId {
    kind: ServiceKind,
    uuid: [u8; 16],
}

impl ServiceId {
    /// The length of the fixed-width form.
    pub const FIXED_WIDTH: usize = 17;
    const PNI_PREFIX: &'static str = "PNI:";
    /// Where the hyphens of a UUID stand.
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];

    /// The service id of a kind and a UUID.
    #[must_use]
    pub const fn new(kind: ServiceKind, uuid: [u8; 16]) -> Self {
        Self { kind, uuid }
    }

    /// Which name it is.
    #[must_use]
    pub const fn kind(&self) -> ServiceKind {
        self.kind
    }

    /// The UUID.
    #[must_use]
    pub const fn uuid(&self) -> &[u8; 16] {
        &self.uuid
    }

    /// The kind byte (0 or 1) and the UUID.
    #[must_use]
    pub fn to_fixed_width(&self) -> [u8; Self::FIXED_WIDTH] {
        let mut out = [match self.kind {
            ServiceKind::Aci => 0,
            ServiceKind::Pni => 1,
        }; Self::FIXED_WIDTH];
        if let Some(uuid) = out.last_chunk_mut::<16>() {
            *uuid = self.uuid;
        }
        out
    }

    /// Reads the fixed-width form.
    ///
    /// # Errors
    /// `address.service_id` for another length or kind.
    pub fn from_fixed_width(bytes: &[u8]) -> Result<Self> {
        let (kind, uuid) = bytes.split_first().ok_or(Fault::AddressService)?;
        let kind = match kind {
            0 => ServiceKind::Aci,
            1 => ServiceKind::Pni,
            _ => return Err(Fault::AddressService.into()),
        };
        Ok(Self { kind, uuid: uuid.try_into().map_err(|_| Error::from(Fault::AddressService))? })
    }
}

impl FromStr for ServiceId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (kind, text) = match text.split_at_checked(Self::PNI_PREFIX.len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case(Self::PNI_PREFIX) => (ServiceKind::Pni, rest),
            _ => (ServiceKind::Aci, text),
        };
        let mut uuid = [0; 16];
        let mut nibbles = 0;
        if text.len() != 36 {
            return Err(Fault::AddressService.into());
        }
        for (at, character) in text.bytes().enumerate() {
            if Self::HYPHENS.contains(&at) {
                if character != b'-' {
                    return Err(Fault::AddressService.into());
                }
                continue;
            }
            let digit = char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let byte = uuid.get_mut(nibbles / 2).ok_or(Fault::AddressService)?;
            *byte = (*byte << 4) | digit.ok_or(Fault::AddressService)?;
            nibbles += 1;
        }
        Ok(Self { kind, uuid })
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == ServiceKind::Pni {
            f.write_str(Self::PNI_PREFIX)?;
        }
        for (at, byte) in self.uuid.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// Shows the kind only: the UUID identifies a person and does not belong in a log.
impl fmt::Debug for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceId({:?}, …)", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "9d0652a3-dcc3-4d11-975f-74d61598733f";

    #[test]
    fn both_kinds_have_a_text_and_a_fixed_width_form() {
        let aci: ServiceId = TEXT.parse().unwrap();
        assert_eq!((aci.kind(), aci.to_string().as_str()), (ServiceKind::Aci, TEXT));
        assert_eq!(hex::encode(aci.to_fixed_width()), "009d0652a3dcc34d11975f74d61598733f");
        let pni: ServiceId = format!("pni:{}", TEXT.to_uppercase()).parse().unwrap();
        assert_eq!((pni.kind(), pni.to_string()), (ServiceKind::Pni, format!("PNI:{TEXT}")));
        assert_eq!(pni.to_fixed_width()[0], 1);
        for id in [aci, pni] {
            assert_eq!(ServiceId::from_fixed_width(&id.to_fixed_width()).unwrap(), id);
        }
        assert_ne!(aci, pni);
        assert!(!format!("{aci:?}").contains("9d06"));
    }

    #[test]
    fn anything_else_is_no_service_id() {
        let long = format!("{TEXT}0");
        let unhyphenated = TEXT.replace('-', "");
        let moved = "9d0652a-3dcc3-4d11-975f-74d61598733f";
        let sign = TEXT.replace("9d", "+d");
        let wide = TEXT.replace("9d", "é");
        for text in ["", "+14152222222", "PNI:", &long, &unhyphenated, moved, &sign, &wide, &format!("ACI:{TEXT}")] {
            assert_eq!(text.parse::<ServiceId>().unwrap_err().code(), "address.service_id", "{text}");
        }
        for bytes in [&[][..], &[0; 16], &[0; 18], &[2; 17]] {
            assert_eq!(ServiceId::from_fixed_width(bytes).unwrap_err().code(), "address.service_id");
        }
    }
}
