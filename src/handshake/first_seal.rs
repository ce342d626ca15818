//! The seal of the native profile's first messages (docs/protocol.md, section 5): the server sees neither who writes nor with which keys.
//!
//! It hides; it does not authenticate. Anyone can seal for a published signed prekey, and the handshake inside says who did.

use crate::crypto::agreement::{AgreementKey, AgreementSecret};
use crate::crypto::kdf::hkdf;
use crate::crypto::kem::{KemCiphertext, KemPublic, KemScheme, KemSecret, MlKem768};
use crate::crypto::{Secret, aead, hash};
use crate::error::{Error, Fault, Result};
use crate::handshake::{SealingKey, SealingSecret};
use crate::profile::{check_type, prefix};
use crate::wire::{Address, Reader, Writer};
use rand_core::TryCryptoRng;

/// The first byte of a sealed first message: version 1, type 1.
const SEALED_FIRST: u8 = 0x11;
/// What stands before the sealed part: type, signed prekey id, ephemeral key, ciphertext.
const PREFIX: usize = 1 + 4 + 32 + MlKem768::CIPHERTEXT;
/// The largest sealed part: the largest plaintext (16 MiB), and room for what wraps it.
const MAX_SEALED: usize = (16 << 20) + (8 << 10);

/// The sealing key of a signed prekey, with the published form that it belongs to.
///
/// ```
/// use undertone::handshake::{FirstSealKey, SealingKey};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
///
/// let key: FirstSealKey = initiate(&alice, &bobs, &bundle, policy, now, &mut rng)?.offer.sealing;
/// assert_eq!(key.duplicate(), key);
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstSealKey {
    pub(super) agreement: AgreementKey,
    pub(super) kem: KemPublic<MlKem768>,
    /// The whole published signed prekey: the seal is bound to it.
    pub(super) signed_prekey: Vec<u8>,
}

/// The private half of a [`FirstSealKey`].
///
/// ```
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
/// use undertone::handshake::FirstSealSecret;
///
/// let secret: Option<&FirstSealSecret> = prekeys.signed_prekey_of(1).map(|pair| pair.sealing_secret());
/// assert!(secret.is_some());
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Debug)]
pub struct FirstSealSecret {
    pub(super) agreement: AgreementSecret,
    pub(super) kem: KemSecret<MlKem768>,
}

/// Whom a first message is sealed for.
pub struct Recipient<'a> {
    /// The id of the signed prekey.
    pub signed_prekey_id: u32,
    /// Its published form.
    pub signed_prekey: &'a [u8],
    /// The recipient's address.
    pub address: &'a Address,
    /// The recipient's identity key as it stands on the wire.
    pub identity: &'a [u8],
}

/// Seals `first` under `key`, which belongs to `recipient`, with fresh keys each time (SS-4).
///
/// # Errors
/// `random.failed`, `request.too_large`.
pub fn seal(
    key: &FirstSealKey,
    recipient: &Recipient<'_>,
    first: &[u8],
    rng: &mut impl TryCryptoRng,
) -> Result<Vec<u8>> {
    if first.len() + aead::TAG > MAX_SEALED {
        return Err(Fault::PlaintextTooLarge.into());
    }
    let ephemeral = AgreementSecret::generate(rng)?;
    let (ciphertext, shared) = key.kem.encapsulate(rng)?;
    let agreement = ephemeral.agree(&key.agreement)?;
    let (cipher, nonce) = derive(&agreement, &shared, &ephemeral.public(), &ciphertext, recipient);
    let mut out = Vec::with_capacity(PREFIX + first.len() + aead::TAG);
    out.push(SEALED_FIRST);
    out.extend_from_slice(&recipient.signed_prekey_id.to_be_bytes());
    out.extend_from_slice(ephemeral.public().as_bytes());
    out.extend_from_slice(ciphertext.as_bytes());
    let data = out.clone();
    aead::seal(&cipher, nonce.expose(), &data, first, &mut out);
    Ok(out)
}

/// A sealed first message cut into its parts.
pub struct SealedFirst<'a> {
    signed_prekey_id: u32,
    ephemeral: &'a [u8; 32],
    ciphertext: KemCiphertext<MlKem768>,
    prefix: &'a [u8],
    body: &'a [u8],
}

impl<'a> SealedFirst<'a> {
    /// Cuts the bytes apart.
    ///
    /// # Errors
    /// `message.type`, `message.version`, `message.truncated`, `message.too_large`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut input = Reader::new(bytes, Fault::MessageTruncated);
        check_type(input.u8()?, SEALED_FIRST)?;
        let signed_prekey_id = input.u32()?;
        let ephemeral = input.array()?;
        let ciphertext = KemCiphertext::from_slice(input.bytes(MlKem768::CIPHERTEXT)?)?;
        let (prefix, body) = bytes.split_at_checked(PREFIX).ok_or(Fault::MessageTruncated)?;
        match body.len() {
            0..aead::TAG => Err(Fault::MessageTruncated.into()),
            length if length > MAX_SEALED => Err(Fault::MessageTooLarge.into()),
            _ => Ok(Self { signed_prekey_id, ephemeral, ciphertext, prefix, body }),
        }
    }

    /// The signed prekey that it is sealed for.
    pub const fn signed_prekey_id(&self) -> u32 {
        self.signed_prekey_id
    }

    /// Opens the seal.
    ///
    /// # Errors
    /// The `key.*` codes for the ephemeral key; `seal.authentication`.
    pub fn open(&self, secret: &FirstSealSecret, recipient: &Recipient<'_>) -> Result<Vec<u8>> {
        // B7: another encoding of the same point would be another context.
        let ephemeral = AgreementKey::admit(self.ephemeral)?;
        let agreement = secret.agreement.agree(&ephemeral)?;
        let shared = secret.kem.decapsulate(&self.ciphertext);
        let (cipher, nonce) = derive(&agreement, &shared, &ephemeral, &self.ciphertext, recipient);
        aead::open(&cipher, nonce.expose(), self.prefix, self.body).map_err(|_| Error::from(Fault::SealAuthentication))
    }
}

/// Section 5: both secrets enter the key by a derivation (K-8, SS-3, B29), and everything that was public enters the context.
fn derive(
    agreement: &Secret<32>,
    shared: &Secret<32>,
    ephemeral: &AgreementKey,
    ciphertext: &KemCiphertext<MlKem768>,
    recipient: &Recipient<'_>,
) -> (Secret<32>, Secret<12>) {
    let mut context = Writer::with_capacity(4096);
    prefix(&mut context, ephemeral.as_bytes());
    prefix(&mut context, ciphertext.as_bytes());
    prefix(&mut context, &[&recipient.signed_prekey_id.to_be_bytes(), recipient.signed_prekey].concat());
    prefix(&mut context, &recipient.address.to_bytes());
    prefix(&mut context, recipient.identity);
    let hash = hash::sha256(&[context.as_slice()]);
    hkdf::<44>(&[], &[agreement.expose(), shared.expose()], &[b"Undertone_1_first_seal", &hash]).split()
}

impl SealingKey for FirstSealKey {
    fn encode(&self, out: &mut Writer) {
        out.bytes(self.agreement.as_bytes()).bytes(self.kem.as_bytes());
        out.u32(u32::try_from(self.signed_prekey.len()).unwrap_or(u32::MAX)).bytes(&self.signed_prekey);
    }

    /// The subgroup check was made when the bundle was admitted, and a record is the device's own.
    fn decode(input: &mut Reader<'_>) -> Result<Self> {
        let fault = input.fault();
        let agreement = AgreementKey::admit_ephemeral(input.array::<32>()?).map_err(|_| fault)?;
        let kem = KemPublic::admit(input.bytes(MlKem768::PUBLIC)?).map_err(|_| fault)?;
        let signed_prekey = input.prefixed_long()?.to_vec();
        Ok(Self { agreement, kem, signed_prekey })
    }

    fn duplicate(&self) -> Self {
        self.clone()
    }
}

impl SealingSecret for FirstSealSecret {
    type Public = FirstSealKey;

    fn generate(rng: &mut impl TryCryptoRng) -> Result<Self> {
        Ok(Self { agreement: AgreementSecret::generate(rng)?, kem: KemSecret::generate(rng)? })
    }

    fn encode(&self, out: &mut Writer) {
        out.bytes(self.agreement.expose()).bytes(self.kem.seed().expose());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self> {
        Ok(Self { agreement: AgreementSecret::from_bytes(input.secret()?), kem: KemSecret::from_seed(input.secret()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn secret(agreement: u64, kem: u64) -> FirstSealSecret {
        FirstSealSecret {
            agreement: AgreementSecret::generate(&mut StdRng::seed_from_u64(agreement)).unwrap(),
            kem: KemSecret::generate(&mut StdRng::seed_from_u64(kem)).unwrap(),
        }
    }

    fn sealed(secret: &FirstSealSecret, recipient: &Recipient<'_>, seed: u64) -> Vec<u8> {
        let (agreement, kem) = (secret.agreement.public(), secret.kem.public().clone());
        let key = FirstSealKey { agreement, kem, signed_prekey: recipient.signed_prekey.to_vec() };
        seal(&key, recipient, b"a first message", &mut StdRng::seed_from_u64(seed)).unwrap()
    }

    /// SS-3, K-8: who has only one of the two private keys, X25519 or ML-KEM, does not open the seal.
    #[test]
    fn it_takes_both_keys_to_open() {
        let address = Address::new("bob", 1).unwrap();
        let recipient =
            Recipient { signed_prekey_id: 7, signed_prekey: b"published", address: &address, identity: &[9; 32] };
        let bytes = sealed(&secret(1, 2), &recipient, 5);
        let open = |secret: &FirstSealSecret| SealedFirst::parse(&bytes).unwrap().open(secret, &recipient);
        assert_eq!(open(&secret(1, 2)).unwrap(), b"a first message");
        for (agreement, kem) in [(1, 3), (3, 2)] {
            assert_eq!(open(&secret(agreement, kem)), Err(Fault::SealAuthentication.into()));
        }
    }

    /// SS-4: of two seals around the same bytes only the version and the id of the recipient's prekey are the same.
    #[test]
    fn two_seals_have_nothing_in_common() {
        let address = Address::new("bob", 1).unwrap();
        let recipient =
            Recipient { signed_prekey_id: 7, signed_prekey: b"published", address: &address, identity: &[9; 32] };
        let (one, other) = (sealed(&secret(1, 2), &recipient, 5), sealed(&secret(1, 2), &recipient, 6));
        assert_eq!((&one[..5], one.len()), (&other[..5], other.len()));
        let common =
            |length: usize| one[5..].windows(length).any(|part| other[5..].windows(length).any(|it| it == part));
        assert!(!common(8));
    }
}
