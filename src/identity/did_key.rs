//! The name of a native identity key: a `did:key` (docs/protocol.md, section 11.2).

use super::base58;
use crate::error::{Error, Fault, Result};
use crate::profile::{IdentityKey, UndertoneIdentityKey};
use core::fmt;
use core::str::FromStr;

/// A `did:key` that holds an Ed25519 identity key: `did:key:z6Mk…`.
///
/// It names the key and nothing else: it cannot be rotated or revoked, and does not say whose it is (DI-9).
///
/// ```
/// use undertone::DidKey;
///
/// let text = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";
/// let did: DidKey = text.parse()?;
/// assert_eq!(did.to_string(), text);
/// assert_eq!(did.identity_key().as_bytes()[..4], [0x3b, 0x6a, 0x27, 0xbc]);
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DidKey {
    key: UndertoneIdentityKey,
}

/// The method, and the multibase letter of base58btc.
const PREFIX: &str = "did:key:z";
/// The multicodec of an Ed25519 public key, 0xed, as a varint.
const ED25519: [u8; 2] = [0xed, 0x01];
const LENGTH: usize = ED25519.len() + 32;

impl DidKey {
    /// The name of `key`.
    #[must_use]
    pub const fn new(key: UndertoneIdentityKey) -> Self {
        Self { key }
    }

    /// The key that is named.
    #[must_use]
    pub const fn identity_key(&self) -> &UndertoneIdentityKey {
        &self.key
    }
}

impl From<UndertoneIdentityKey> for DidKey {
    fn from(key: UndertoneIdentityKey) -> Self {
        Self::new(key)
    }
}

impl FromStr for DidKey {
    type Err = Error;

    /// DI-7, DI-8: no other method, multibase, codec or length, one text for one key, and an admitted key.
    ///
    /// # Errors
    /// `did.encoding`; a `key.*` code when the bytes are no Ed25519 key that may be used.
    fn from_str(text: &str) -> Result<Self> {
        let digits = text.strip_prefix(PREFIX).ok_or(Fault::DidEncoding)?;
        let bytes = base58::decode::<LENGTH>(digits).ok_or(Fault::DidEncoding)?;
        let key = bytes.strip_prefix(&ED25519).ok_or(Fault::DidEncoding)?;
        UndertoneIdentityKey::admit(key).map(Self::new)
    }
}

impl fmt::Display for DidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [ED25519.as_slice(), self.key.as_bytes()].concat();
        write!(f, "{PREFIX}{}", base58::encode(&bytes))
    }
}

impl fmt::Debug for DidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DidKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Secret;
    use crate::crypto::ed25519::SigningSecret;
    use proptest::prelude::*;

    /// Seeds and names from the test vectors of the did:key method specification (W3C CCG).
    const PUBLISHED: [(u8, &str); 3] = [
        (0, "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"),
        (1, "did:key:z6MkjchhfUsD6mmvni8mCdXHw216Xrm9bQe2mBH1P5RDjVJG"),
        (2, "did:key:z6MknGc3ocHs3zdPiJbnaaqDi58NGb4pk1Sp9WxWufuXSdxf"),
    ];

    fn name_of(seed: [u8; 32]) -> DidKey {
        let secret = SigningSecret::from_seed(Secret::new(seed));
        DidKey::new(UndertoneIdentityKey::admit(secret.verifying_key().as_bytes()).unwrap())
    }

    /// DI-7: the published examples.
    #[test]
    fn published_names() {
        for (last, text) in PUBLISHED {
            let mut seed = [0; 32];
            seed[31] = last;
            assert_eq!(name_of(seed).to_string(), text);
            assert_eq!(text.parse::<DidKey>().unwrap(), name_of(seed));
        }
    }

    /// DI-7: nothing but an Ed25519 key in base58btc is a name.
    #[test]
    fn other_texts_are_refused() {
        let ed25519 = PUBLISHED[0].1;
        let digits = &ed25519["did:key:z".len()..];
        let long = format!("{ed25519}1");
        let short = &ed25519[..ed25519.len() - 1];
        let with_fragment = format!("{ed25519}#{}", &ed25519[8..]);
        let leading_zero = format!("did:key:z1{digits}");
        let other_base = format!("did:key:u{digits}");
        let versioned = format!("did:key:1.1:z{digits}");
        let upper = ed25519.to_uppercase();
        let spaced = format!(" {ed25519}");
        for text in [
            "",
            "did:key:",
            "did:key:z",
            digits,
            &long,
            short,
            &with_fragment,
            &leading_zero,
            &other_base,
            &versioned,
            &upper,
            &spaced,
            // An X25519 key, a secp256k1 key and a P-256 key of the same specification.
            "did:key:z6LSeu9HkTHSfLLeUs2nnzUSNedgDUevfNQgQjQC23ZCit6F",
            "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",
            "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169",
        ] {
            assert_eq!(text.parse::<DidKey>().unwrap_err().code(), "did.encoding", "{text}");
        }
    }

    /// DI-8: a name of a key that may not be used is refused as the key is.
    #[test]
    fn a_key_of_low_order_has_no_name() {
        let mut bytes = [0; LENGTH];
        bytes[..2].copy_from_slice(&ED25519);
        bytes[2] = 1;
        let text = format!("{PREFIX}{}", base58::encode(&bytes));
        assert_eq!(text.parse::<DidKey>().unwrap_err().code(), "key.low_order");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn parsing_undoes_display(seed in any::<[u8; 32]>()) {
            let name = name_of(seed);
            prop_assert_eq!(name.to_string().parse::<DidKey>().unwrap(), name);
        }
    }
}
