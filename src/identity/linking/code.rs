//! The code that a new device shows and the account's first device reads.

use crate::crypto::agreement::AgreementKey;
use crate::crypto::kdf::hkdf;
use crate::crypto::{Secret, Zeroizing};
use crate::error::{Error, Fault, Result};
use crate::identity::base58;
use crate::wire::{Reader, Writer};
use core::fmt;
use core::str::FromStr;

const PREFIX: &str = "undertone:link:1:";
const VERSION: u8 = 1;
const LENGTH: usize = 1 + 32 + 32 + 32 + 8;

/// A link code: `undertone:link:1:` and about 145 letters, as a picture or to be pasted.
///
/// It is a secret for as long as it is valid: whoever sees it can answer it.
///
/// ```
/// use undertone::identity::{LinkCode, LinkRequest};
///
/// let request = LinkRequest::new(1_800_000_000, &mut getrandom::SysRng)?;
/// let shown = request.code().to_string();
/// let scanned: LinkCode = shown.parse()?;
/// assert_eq!(scanned.place(), request.code().place());
/// assert_eq!("undertone:link:1:abc".parse::<LinkCode>().unwrap_err().code(), "link.code");
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct LinkCode {
    pub(super) ephemeral: AgreementKey,
    pub(super) commitment: [u8; 32],
    pub(super) secret: Secret<32>,
    pub(super) expires: u64,
}

impl LinkCode {
    /// Where the messages are left: both sides derive it from the code, and a server cannot tell the code from it.
    #[must_use]
    pub fn place(&self) -> [u8; 16] {
        let place: Secret<16> = hkdf(&[], &[self.secret.expose()], &[b"Undertone_1_link_place"]);
        *place.expose()
    }

    /// The first second in which the code is no longer valid.
    #[must_use]
    pub const fn expires(&self) -> u64 {
        self.expires
    }

    /// `u8 version ‖ ephemeral key ‖ commitment ‖ secret ‖ u64 expires`
    pub(super) fn to_bytes(&self) -> Writer {
        let mut out = Writer::with_capacity(LENGTH);
        out.u8(VERSION).bytes(self.ephemeral.as_bytes()).bytes(&self.commitment);
        out.bytes(self.secret.expose()).u64(self.expires);
        out
    }
}

/// Whether a code that expires at `expires` is still valid.
pub(super) fn check_time(expires: u64, now: u64) -> Result<()> {
    if now < expires { Ok(()) } else { Err(Fault::LinkExpired.into()) }
}

impl FromStr for LinkCode {
    type Err = Error;

    /// # Errors
    /// `link.code`.
    fn from_str(text: &str) -> Result<Self> {
        let digits = text.trim().strip_prefix(PREFIX).ok_or(Fault::LinkCode)?;
        let bytes = Zeroizing::new(base58::decode::<LENGTH>(digits).ok_or(Fault::LinkCode)?);
        let mut input = Reader::new(&*bytes, Fault::LinkCode);
        if input.u8()? != VERSION {
            return Err(Fault::LinkCode.into());
        }
        let ephemeral = AgreementKey::admit(input.array::<32>()?).map_err(|_| Error::from(Fault::LinkCode))?;
        Ok(Self { ephemeral, commitment: *input.array()?, secret: input.secret()?, expires: input.u64()? })
    }
}

impl fmt::Display for LinkCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", *Zeroizing::new(base58::encode(self.to_bytes().as_slice())))
    }
}

impl fmt::Debug for LinkCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkCode(.., expires {})", self.expires)
    }
}
