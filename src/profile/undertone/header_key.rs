//! The key that encrypts the headers of one chain (docs/protocol.md, section 6.5).

use crate::crypto::Secret;
use crate::crypto::kdf::hkdf;
use crate::error::Result;
use crate::profile::HeaderKey;
use crate::wire::{Reader, Writer};

/// A header key with what is derived from it: the cipher's key, and the session tag that messages under it carry. The two come out of
/// one derivation, so that a message's tag commits to its key (P-11, HE-1).
pub struct EncryptedHeader {
    key: Secret<32>,
    cipher: Secret<32>,
    tag: Secret<16>,
}

impl EncryptedHeader {
    /// Derives cipher key and tag.
    pub fn new(key: Secret<32>) -> Self {
        let okm: Secret<48> = hkdf(&[], &[key.expose()], &[b"Undertone_1_header"]);
        let (cipher, tag) = okm.split();
        Self { key, cipher, tag }
    }

    /// The key of the header's cipher.
    pub const fn cipher(&self) -> &Secret<32> {
        &self.cipher
    }

    /// The tag in clear on every message under this key.
    pub fn session_tag(&self) -> &[u8; 16] {
        self.tag.expose()
    }

    /// Whether `tag` is this key's.
    pub fn is_tag(&self, tag: &[u8; 16]) -> bool {
        self.tag == Secret::new(*tag)
    }
}

impl HeaderKey for EncryptedHeader {
    fn duplicate(&self) -> Self {
        Self {
            key: Secret::new(*self.key.expose()),
            cipher: Secret::new(*self.cipher.expose()),
            tag: Secret::new(*self.tag.expose()),
        }
    }

    fn encode(&self, out: &mut Writer) {
        out.bytes(self.key.expose());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self> {
        input.secret().map(Self::new)
    }

    fn tag(&self) -> Option<[u8; 16]> {
        Some(*self.tag.expose())
    }
}
