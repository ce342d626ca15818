//! AES-256-GCM-SIV (RFC 8452), for sealed sender version 2.

use crate::crypto::secret::Secret;
use crate::error::{Fault, Result};
use aes_gcm_siv::Aes256GcmSiv;
use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use zeroize::Zeroize;

/// Bytes of an authentication tag.
pub const TAG: usize = 16;

/// Encrypts and appends ciphertext and tag to `out`.
pub fn seal(key: &Secret<32>, nonce: &[u8; 12], ad: &[u8], plaintext: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(plaintext);
    let buffer = out.get_mut(start..).unwrap_or_default();
    let sealed = Aes256GcmSiv::new(key.expose().into()).encrypt_inout_detached(nonce.into(), ad, buffer.into());
    let Ok(tag) = sealed else { unreachable!("the cipher refuses plaintexts beyond 64 GiB only") };
    out.extend_from_slice(&tag);
}

/// Decrypts what [`seal`] appended.
///
/// # Errors
/// `message.authentication`.
pub fn open(key: &Secret<32>, nonce: &[u8; 12], ad: &[u8], ciphertext_and_tag: &[u8]) -> Result<Vec<u8>> {
    let (ciphertext, tag) = ciphertext_and_tag.split_last_chunk::<TAG>().ok_or(Fault::MessageAuthentication)?;
    let mut buffer = ciphertext.to_vec();
    let opened = Aes256GcmSiv::new(key.expose().into()).decrypt_inout_detached(
        nonce.into(),
        ad,
        buffer.as_mut_slice().into(),
        tag.into(),
    );
    if opened.is_err() {
        // The tag of this mode covers the plaintext, which therefore exists already.
        buffer.zeroize();
        return Err(Fault::MessageAuthentication.into());
    }
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8452, appendix C.2: an empty plaintext, then one of 8 bytes.
    #[test]
    fn rfc_8452() {
        let mut key = [0; 32];
        key[0] = 1;
        let mut nonce = [0; 12];
        nonce[0] = 3;
        let (key, mut out) = (Secret::new(key), Vec::new());
        seal(&key, &nonce, &[], &[], &mut out);
        assert_eq!(hex::encode(&out), "07f5f4169bbf55a8400cd47ea6fd400f");
        out.clear();
        seal(&key, &nonce, &[], &[1, 0, 0, 0, 0, 0, 0, 0], &mut out);
        assert_eq!(hex::encode(&out), "c2ef328e5c71c83b843122130f7364b761e0b97427e3df28");
        assert_eq!(open(&key, &nonce, &[], &out).unwrap(), [1, 0, 0, 0, 0, 0, 0, 0]);
        out[0] ^= 1;
        assert_eq!(open(&key, &nonce, &[], &out), Err(Fault::MessageAuthentication.into()));
        assert_eq!(open(&key, &nonce, &[], &out[..15]), Err(Fault::MessageAuthentication.into()));
    }
}
