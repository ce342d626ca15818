//! ChaCha20-Poly1305 (RFC 8439) and XChaCha20-Poly1305.
//!
//! Two implementations serve: one has the smaller fixed cost, the other the smaller cost of each byte. The length
//! decides; what they compute is the same, and a test holds them to it, since faults sit in the code around verified cores (B26).

use crate::crypto::key_uses;
use crate::crypto::secret::{Secret, wipe};
use crate::crypto::work;
use crate::error::{Fault, Result};
use chacha20::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};
use chacha20::{ChaCha20, R20, hchacha};
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{AeadInOut, KeyInit};

/// Bytes of an authentication tag.
pub const TAG: usize = 16;

/// Encrypts with ChaCha20-Poly1305 and appends ciphertext and tag to `out`.
///
/// P-10: a key and a nonce never serve twice. B6: a key has 256 bits by its type; the search of a quantum computer leaves it the
/// strength of half as many.
pub fn seal(key: &Secret<32>, nonce: &[u8; 12], ad: &[u8], plaintext: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + plaintext.len(), 0);
    let tag = seal_detached(key, nonce, ad, plaintext, out.get_mut(start..).unwrap_or_default());
    out.extend_from_slice(&tag);
}

/// Decrypts what [`seal`] appended.
///
/// # Errors
/// P-10: `message.authentication`; no plaintext exists before the tag was verified, in constant time.
pub fn open(key: &Secret<32>, nonce: &[u8; 12], ad: &[u8], ciphertext_and_tag: &[u8]) -> Result<Vec<u8>> {
    let (ciphertext, tag) = ciphertext_and_tag.split_last_chunk().ok_or(Fault::MessageAuthentication)?;
    let mut plaintext = vec![0; ciphertext.len()];
    open_detached(key, nonce, ad, ciphertext, tag, &mut plaintext)?;
    Ok(plaintext)
}

/// Encrypts with XChaCha20-Poly1305 into `ciphertext`, which is as long as `plaintext`; returns the tag.
#[must_use]
pub fn xseal_detached(
    key: &Secret<32>,
    nonce: &[u8; 24],
    ad: &[u8],
    plaintext: &[u8],
    ciphertext: &mut [u8],
) -> [u8; TAG] {
    let (subkey, subnonce) = derive(key, nonce);
    seal_detached(&subkey, &subnonce, ad, plaintext, ciphertext)
}

/// Decrypts with XChaCha20-Poly1305 into `plaintext`, which is as long as `ciphertext`.
///
/// # Errors
/// `message.authentication`; `plaintext` is left as it was.
pub fn xopen_detached(
    key: &Secret<32>,
    nonce: &[u8; 24],
    ad: &[u8],
    ciphertext: &[u8],
    tag: &[u8; TAG],
    plaintext: &mut [u8],
) -> Result<()> {
    work::header_opening();
    let (subkey, subnonce) = derive(key, nonce);
    open_detached(&subkey, &subnonce, ad, ciphertext, tag, plaintext)
}

/// The ciphertext of [`xseal_detached`] alone: the XChaCha20 stream from its second block on, without a tag.
///
/// `ciphertext` is as long as `plaintext`.
pub fn xstream(key: &Secret<32>, nonce: &[u8; 24], plaintext: &[u8], ciphertext: &mut [u8]) {
    assert_same_length(plaintext, ciphertext);
    let (subkey, subnonce) = derive(key, nonce);
    let mut stream = ChaCha20::new(subkey.expose().into(), &subnonce.into());
    ciphertext.copy_from_slice(plaintext);
    stream.seek(BLOCK);
    stream.apply_keystream(ciphertext);
}

/// Up to this cost libcrux is the faster one: it encrypts a byte at about four times what it takes to authenticate one, and has the smaller
/// fixed cost (measured on x86-64 with AVX2).
const SHORT: usize = 3600;

const fn is_short(ad: &[u8], text: &[u8]) -> bool {
    4 * text.len() + ad.len() < SHORT
}

/// RFC 8439 takes the Poly1305 key from block 0; the message begins at block 1.
const BLOCK: u32 = 64;

fn seal_detached(key: &Secret<32>, nonce: &[u8; 12], ad: &[u8], plaintext: &[u8], ciphertext: &mut [u8]) -> [u8; TAG] {
    assert_same_length(plaintext, ciphertext);
    let tag = if is_short(ad, plaintext) {
        seal_short(key, nonce, ad, plaintext, ciphertext)
    } else {
        seal_long(key, nonce, ad, plaintext, ciphertext)
    };
    key_uses::note(key, nonce, ad, plaintext, ciphertext);
    tag
}

fn open_detached(
    key: &Secret<32>,
    nonce: &[u8; 12],
    ad: &[u8],
    ciphertext: &[u8],
    tag: &[u8; TAG],
    plaintext: &mut [u8],
) -> Result<()> {
    assert_same_length(ciphertext, plaintext);
    if is_short(ad, ciphertext) {
        open_short(key, nonce, ad, ciphertext, tag, plaintext)
    } else {
        open_long(key, nonce, ad, ciphertext, tag, plaintext)
    }
}

fn seal_short(key: &Secret<32>, nonce: &[u8; 12], ad: &[u8], plaintext: &[u8], ciphertext: &mut [u8]) -> [u8; TAG] {
    let mut tag = [0; TAG];
    let sealed =
        libcrux_chacha20poly1305::encrypt_detached(key.expose(), plaintext, ciphertext, &mut tag, ad, nonce).is_ok();
    assert!(sealed, "libcrux refuses lengths beyond 32 bits only");
    tag
}

fn open_short(
    key: &Secret<32>,
    nonce: &[u8; 12],
    ad: &[u8],
    ciphertext: &[u8],
    tag: &[u8; TAG],
    plaintext: &mut [u8],
) -> Result<()> {
    libcrux_chacha20poly1305::decrypt_detached(key.expose(), plaintext, ciphertext, tag, ad, nonce)
        .map(|_| ())
        .map_err(|_| Fault::MessageAuthentication.into())
}

fn seal_long(key: &Secret<32>, nonce: &[u8; 12], ad: &[u8], plaintext: &[u8], ciphertext: &mut [u8]) -> [u8; TAG] {
    ciphertext.copy_from_slice(plaintext);
    let sealed = ChaCha20Poly1305::new(key.expose().into()).encrypt_inout_detached(nonce.into(), ad, ciphertext.into());
    let Ok(tag) = sealed else { unreachable!("the cipher refuses plaintexts beyond 256 GiB only") };
    tag.into()
}

fn open_long(
    key: &Secret<32>,
    nonce: &[u8; 12],
    ad: &[u8],
    ciphertext: &[u8],
    tag: &[u8; TAG],
    plaintext: &mut [u8],
) -> Result<()> {
    let buffer = chacha20poly1305::aead::inout::InOutBuf::new(ciphertext, plaintext)
        .map_err(|_| Fault::MessageAuthentication)?;
    ChaCha20Poly1305::new(key.expose().into())
        .decrypt_inout_detached(nonce.into(), ad, buffer, tag.into())
        .map_err(|_| Fault::MessageAuthentication.into())
}

/// draft-irtf-cfrg-xchacha-03, section 2.3: HChaCha20 over the first 16 bytes of the nonce gives the key, the last 8
/// with four zeros before them the nonce.
fn derive(key: &Secret<32>, nonce: &[u8; 24]) -> (Secret<32>, [u8; 12]) {
    let mut head = [0; 16];
    let mut subnonce = [0; 12];
    head.iter_mut().chain(subnonce.iter_mut().skip(4)).zip(nonce).for_each(|(slot, byte)| *slot = *byte);
    let mut subkey: [u8; 32] = hchacha::<R20>(key.expose().into(), &head.into()).into();
    let secret = Secret::new(subkey);
    wipe(&mut subkey);
    (secret, subnonce)
}

/// A mistake of the caller, never of a peer.
fn assert_same_length(from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len(), "the two buffers of a cipher are of one length");
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Secret<32> = Secret::new([0x42; 32]);

    fn unhex(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    fn sunscreen() -> &'static [u8] {
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
    }

    /// RFC 8439, section 2.8.2.
    #[test]
    fn rfc_8439() {
        let key = Secret::from_slice(&(0x80..0xA0).collect::<Vec<u8>>()).unwrap();
        let nonce: [u8; 12] = unhex("070000004041424344454647").try_into().unwrap();
        let ad = unhex("50515253c0c1c2c3c4c5c6c7");
        let mut out = vec![0xAA];
        seal(&key, &nonce, &ad, sunscreen(), &mut out);
        assert_eq!(
            hex::encode(&out),
            "aad31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691"
        );
        assert_eq!(open(&key, &nonce, &ad, &out[1..]).unwrap(), sunscreen());
    }

    /// draft-irtf-cfrg-xchacha-03, appendix A.3.1; the stream alone gives the same ciphertext.
    #[test]
    fn xchacha() {
        let key = Secret::from_slice(&(0x80..0xA0).collect::<Vec<u8>>()).unwrap();
        let nonce: [u8; 24] = (0x40..0x58).collect::<Vec<u8>>().try_into().unwrap();
        let ad = unhex("50515253c0c1c2c3c4c5c6c7");
        let mut ciphertext = [0; 114];
        let tag = xseal_detached(&key, &nonce, &ad, sunscreen(), &mut ciphertext);
        assert_eq!(
            hex::encode(ciphertext),
            "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e"
        );
        assert_eq!(hex::encode(tag), "c0875924c1c7987947deafd8780acf49");
        let mut streamed = [0; 114];
        xstream(&key, &nonce, sunscreen(), &mut streamed);
        assert_eq!(streamed, ciphertext);
        let mut plaintext = [0; 114];
        xopen_detached(&key, &nonce, &ad, &ciphertext, &tag, &mut plaintext).unwrap();
        assert_eq!(plaintext, sunscreen());
    }

    /// The two implementations agree at every length, in both directions.
    #[test]
    fn both_implementations_agree() {
        let nonce = [7; 12];
        let bytes: Vec<u8> = (0..2048u32).map(|i| (i * 31 + 5) as u8).collect();
        for length in 0..=2048 {
            let (plaintext, ad) = (&bytes[..length], &bytes[..(length * 7) % 129]);
            let mut short = vec![0; length];
            let mut long = vec![0; length];
            let tag = seal_short(&KEY, &nonce, ad, plaintext, &mut short);
            assert_eq!(tag, seal_long(&KEY, &nonce, ad, plaintext, &mut long));
            assert_eq!(short, long);
            let mut opened = vec![0; length];
            open_long(&KEY, &nonce, ad, &short, &tag, &mut opened).unwrap();
            assert_eq!(opened, plaintext);
            opened.fill(0);
            open_short(&KEY, &nonce, ad, &short, &tag, &mut opened).unwrap();
            assert_eq!(opened, plaintext);
        }
    }

    /// P-10: a forgery gives an error and no plaintext, in either implementation.
    #[test]
    fn a_forgery_gives_nothing() {
        for length in [0, 40, 2000] {
            let mut sealed = Vec::new();
            seal(&KEY, &[1; 12], b"ad", &vec![0x11; length], &mut sealed);
            assert_eq!(open(&KEY, &[2; 12], b"ad", &sealed), Err(Fault::MessageAuthentication.into()));
            assert_eq!(open(&KEY, &[1; 12], b"da", &sealed), Err(Fault::MessageAuthentication.into()));
            assert_eq!(open(&KEY, &[1; 12], b"ad", &sealed[..15]), Err(Fault::MessageAuthentication.into()));
            for position in [0, length / 2, sealed.len() - 1] {
                let mut forged = sealed.clone();
                forged[position] ^= 1;
                assert_eq!(open(&KEY, &[1; 12], b"ad", &forged), Err(Fault::MessageAuthentication.into()));
            }
            let mut ciphertext = vec![0; length];
            let tag = xseal_detached(&KEY, &[3; 24], b"", &vec![0x22; length], &mut ciphertext);
            let mut plaintext = vec![0xCC; length];
            let opened = xopen_detached(&KEY, &[3; 24], b"x", &ciphertext, &tag, &mut plaintext);
            assert_eq!(opened, Err(Fault::MessageAuthentication.into()));
            assert_eq!(plaintext, vec![0xCC; length]);
        }
    }
}
