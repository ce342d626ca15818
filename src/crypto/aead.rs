//! ChaCha20-Poly1305 (RFC 8439) and XChaCha20-Poly1305, put together from ChaCha20 and Poly1305.
//!
//! Two implementations of Poly1305 serve: one has the smaller fixed cost, the other the smaller cost of each byte. The length
//! decides; what they compute is the same, and a test holds them to it.

use crate::crypto::key_uses;
use crate::crypto::secret::{Secret, wipe};
use crate::crypto::work;
use crate::error::{Fault, Result};
use chacha20::cipher::{KeyIvInit, StreamCipher};
use chacha20::{ChaCha20, R20, hchacha};
use poly1305::Poly1305;
use poly1305::universal_hash::{KeyInit, UniversalHash};

/// Bytes of an authentication tag.
pub const TAG: usize = 16;

/// Encrypts with ChaCha20-Poly1305 and appends ciphertext and tag to `out`. The associated data is the concatenation of `ad`.
///
/// P-10: a key and a nonce never serve twice.
pub fn seal(key: &Secret<32>, nonce: &[u8; 12], ad: &[&[u8]], plaintext: &[u8], out: &mut Vec<u8>) {
    key_uses::note(key, nonce);
    let mut stream = Stream::new(key, nonce);
    let start = out.len();
    out.extend_from_slice(plaintext);
    let ciphertext = out.get_mut(start..).unwrap_or_default();
    stream.apply(ciphertext);
    let tag = stream.tag(ad, ciphertext);
    out.extend_from_slice(&tag);
}

/// Decrypts what [`seal`] appended.
///
/// # Errors
/// P-10: `message.authentication`; no plaintext exists before the tag was verified, in constant time.
pub fn open(key: &Secret<32>, nonce: &[u8; 12], ad: &[&[u8]], ciphertext_and_tag: &[u8]) -> Result<Vec<u8>> {
    let (ciphertext, tag) = ciphertext_and_tag.split_last_chunk().ok_or(Fault::MessageAuthentication)?;
    let mut stream = Stream::new(key, nonce);
    stream.check(ad, ciphertext, tag)?;
    let mut plaintext = ciphertext.to_vec();
    stream.apply(&mut plaintext);
    Ok(plaintext)
}

/// Encrypts `text` in place with XChaCha20-Poly1305. Its tag can cover what is made later: see [`Untagged::tag`].
#[must_use]
pub fn xseal(key: &Secret<32>, nonce: &[u8; 24], text: &mut [u8]) -> Untagged {
    let (subkey, subnonce) = derive(key, nonce);
    key_uses::note(&subkey, &subnonce);
    let mut stream = Stream::new(&subkey, &subnonce);
    stream.apply(text);
    Untagged(stream)
}

/// A message of XChaCha20-Poly1305 whose ciphertext is made and whose tag is not.
pub struct Untagged(Stream);

impl Untagged {
    /// The tag of the `ciphertext` that [`xseal`] made, under the concatenation of `ad`.
    ///
    /// P-10: it is made once, since two tags under one key would give the key away.
    #[must_use]
    pub fn tag(self, ad: &[&[u8]], ciphertext: &[u8]) -> [u8; TAG] {
        self.0.tag(ad, ciphertext)
    }
}

/// Decrypts `text` in place with XChaCha20-Poly1305.
///
/// # Errors
/// `message.authentication`; `text` is left as it was.
pub fn xopen(key: &Secret<32>, nonce: &[u8; 24], ad: &[&[u8]], text: &mut [u8], tag: &[u8; TAG]) -> Result<()> {
    work::header_opening();
    let (subkey, subnonce) = derive(key, nonce);
    let mut stream = Stream::new(&subkey, &subnonce);
    stream.check(ad, text, tag)?;
    stream.apply(text);
    Ok(())
}

/// RFC 8439 takes the Poly1305 key from the beginning of block 0; the message begins at block 1.
const BLOCK: usize = 64;
/// How much of the stream is made at once at its beginning: four blocks cost ChaCha20 less than three.
const HEAD: usize = 4 * BLOCK;
/// Below this many bytes libcrux's Poly1305 is the faster one (measured on x86-64 with AVX2).
const SHORT: usize = 3000;

/// The key stream of one message.
struct Stream {
    head: [u8; HEAD],
    tail: ChaCha20,
}

impl Stream {
    fn new(key: &Secret<32>, nonce: &[u8; 12]) -> Self {
        let mut stream = Self { head: [0; HEAD], tail: ChaCha20::new(key.expose().into(), nonce.into()) };
        stream.tail.apply_keystream(&mut stream.head);
        stream
    }

    /// Encrypts or decrypts the message, once.
    fn apply(&mut self, text: &mut [u8]) {
        let (near, far) = text.split_at_mut(text.len().min(HEAD - BLOCK));
        near.iter_mut().zip(self.head.iter().skip(BLOCK)).for_each(|(byte, key)| *byte ^= key);
        self.tail.apply_keystream(far);
    }

    fn tag(&self, ad: &[&[u8]], ciphertext: &[u8]) -> [u8; TAG] {
        let Some(key) = self.head.first_chunk() else { unreachable!("the head is longer than a key") };
        poly1305(key, &authenticated(ad, ciphertext))
    }

    fn check(&self, ad: &[&[u8]], ciphertext: &[u8], tag: &[u8; TAG]) -> Result<()> {
        let is_genuine = Secret::new(self.tag(ad, ciphertext)) == Secret::new(*tag);
        if is_genuine { Ok(()) } else { Err(Fault::MessageAuthentication.into()) }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        wipe(&mut self.head);
    }
}

/// RFC 8439, section 2.8: what the tag covers, in whole blocks of 16 bytes.
fn authenticated(ad: &[&[u8]], ciphertext: &[u8]) -> Vec<u8> {
    let ad_length: usize = ad.iter().map(|part| part.len()).sum();
    let ad_padded = ad_length.next_multiple_of(TAG);
    let mut data = Vec::with_capacity(ad_padded + ciphertext.len().next_multiple_of(TAG) + TAG);
    ad.iter().for_each(|part| data.extend_from_slice(part));
    data.resize(ad_padded, 0);
    data.extend_from_slice(ciphertext);
    data.resize(data.len().next_multiple_of(TAG), 0);
    for length in [ad_length, ciphertext.len()] {
        data.extend_from_slice(&u64::try_from(length).unwrap_or(u64::MAX).to_le_bytes());
    }
    data
}

fn poly1305(key: &[u8; 32], blocks: &[u8]) -> [u8; TAG] {
    if blocks.len() < SHORT { poly1305_short(key, blocks) } else { poly1305_long(key, blocks) }
}

fn poly1305_short(key: &[u8; 32], blocks: &[u8]) -> [u8; TAG] {
    let mut tag = [0; TAG];
    let made = libcrux_poly1305::mac(key, blocks, &mut tag).is_ok();
    assert!(made, "libcrux refuses lengths beyond 32 bits only");
    tag
}

fn poly1305_long(key: &[u8; 32], blocks: &[u8]) -> [u8; TAG] {
    let mut state = Poly1305::new(key.into());
    state.update_padded(blocks);
    state.finalize().into()
}

/// draft-irtf-cfrg-xchacha-03, section 2.3: HChaCha20 over the first 16 bytes of the nonce gives the key, the last 8
/// with four zeros before them the nonce.
fn derive(key: &Secret<32>, nonce: &[u8; 24]) -> (Secret<32>, [u8; 12]) {
    let mut head = [0; 16];
    let mut subnonce = [0; 12];
    head.iter_mut().chain(subnonce.iter_mut().skip(4)).zip(nonce).for_each(|(slot, byte)| *slot = *byte);
    let subkey = hchacha::<R20>(key.expose().into(), &head.into());
    (Secret::new(subkey.into()), subnonce)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20poly1305::ChaCha20Poly1305;
    use chacha20poly1305::aead::AeadInOut;

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
        seal(&key, &nonce, &[&ad[..5], &ad[5..]], sunscreen(), &mut out);
        assert_eq!(
            hex::encode(&out),
            "aad31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691"
        );
        assert_eq!(open(&key, &nonce, &[&ad], &out[1..]).unwrap(), sunscreen());
    }

    /// draft-irtf-cfrg-xchacha-03, appendix A.3.1.
    #[test]
    fn xchacha() {
        let key = Secret::from_slice(&(0x80..0xA0).collect::<Vec<u8>>()).unwrap();
        let nonce: [u8; 24] = (0x40..0x58).collect::<Vec<u8>>().try_into().unwrap();
        let ad = unhex("50515253c0c1c2c3c4c5c6c7");
        let mut text: [u8; 114] = sunscreen().try_into().unwrap();
        let untagged = xseal(&key, &nonce, &mut text);
        assert_eq!(
            hex::encode(text),
            "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e"
        );
        let tag = untagged.tag(&[&ad], &text);
        assert_eq!(hex::encode(tag), "c0875924c1c7987947deafd8780acf49");
        xopen(&key, &nonce, &[&ad], &mut text, &tag).unwrap();
        assert_eq!(text, sunscreen());
    }

    /// At every length: an independent composition gives the same, and so do both implementations of Poly1305.
    #[test]
    fn an_independent_composition_agrees() {
        let nonce = [7; 12];
        let bytes: Vec<u8> = (0..SHORT + 300).map(|i| (i * 31 + 5) as u8).collect();
        for length in (0..800).chain(SHORT - 200..bytes.len()) {
            let (plaintext, ad) = (&bytes[..length], &bytes[..(length * 7) % 129]);
            let mut expected = plaintext.to_vec();
            let cipher = ChaCha20Poly1305::new(KEY.expose().into());
            let tag = cipher.encrypt_inout_detached(&nonce.into(), ad, expected.as_mut_slice().into()).unwrap();
            expected.extend_from_slice(&tag);
            let mut sealed = Vec::new();
            seal(&KEY, &nonce, &[ad], plaintext, &mut sealed);
            assert_eq!(sealed, expected, "{length}");
            assert_eq!(open(&KEY, &nonce, &[ad], &sealed).unwrap(), plaintext);
            let blocks = authenticated(&[ad], plaintext);
            assert_eq!(poly1305_short(&[9; 32], &blocks), poly1305_long(&[9; 32], &blocks));
        }
    }

    /// P-10: a forgery gives an error and no plaintext, in either implementation.
    #[test]
    fn a_forgery_gives_nothing() {
        for length in [0, 40, 2000, 4000] {
            let mut sealed = Vec::new();
            seal(&KEY, &[1; 12], &[b"ad"], &vec![0x11; length], &mut sealed);
            assert_eq!(open(&KEY, &[2; 12], &[b"ad"], &sealed), Err(Fault::MessageAuthentication.into()));
            assert_eq!(open(&KEY, &[1; 12], &[b"da"], &sealed), Err(Fault::MessageAuthentication.into()));
            assert_eq!(open(&KEY, &[1; 12], &[b"ad"], &sealed[..15]), Err(Fault::MessageAuthentication.into()));
            for position in [0, length / 2, sealed.len() - 1] {
                let mut forged = sealed.clone();
                forged[position] ^= 1;
                assert_eq!(open(&KEY, &[1; 12], &[b"ad"], &forged), Err(Fault::MessageAuthentication.into()));
            }
        }
        let mut text = [0x22; 99];
        let tag = xseal(&KEY, &[3; 24], &mut text).tag(&[], &text);
        let before = text;
        assert_eq!(xopen(&KEY, &[3; 24], &[b"x"], &mut text, &tag), Err(Fault::MessageAuthentication.into()));
        assert_eq!(text, before);
    }
}
