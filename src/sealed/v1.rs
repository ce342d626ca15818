//! Sealed sender, version 1: two layers. The outer one, under an ephemeral key, hides the sender's identity key; the inner
//! one, under that key, hides the content and so proves the sender.

use super::{OpenedSeal, Receiver, UnidentifiedContent};
use crate::crypto::agreement::AgreementSecret;
use crate::crypto::ctr;
use crate::crypto::kdf::{hkdf, hmac};
use crate::crypto::{Secret, Zeroizing};
use crate::error::{Fault, Result};
use crate::profile::{IdentityKey, IdentityKeyPair, SignalIdentityKey, SignalIdentityKeyPair};
use crate::rule::{self, Rule};
use crate::wire::signal::{SealedV1, encode_agreement_key};
use rand_core::TryCryptoRng;

const LABEL: &[u8] = b"UnidentifiedDelivery";
/// The length of a layer's truncated MAC.
const MAC: usize = 10;

/// Seals `content` to `recipient`.
///
/// # Errors
/// `seal.sender` when the certificate is not for `sender`'s key; `request.too_large` for a group id over 8 KiB; `random.failed`, `key.agreement_zero`.
///
/// # Example
/// ```
/// use undertone::sealed::v1;
#[doc = include_str!("../../docs/examples/sealed.txt")]
#[doc = include_str!("../../docs/examples/sealed_content.txt")]
///
/// let sealed = v1::seal(&alices_key, bobs_key.public(), &content, &mut rng)?;
/// assert_eq!(v1::open(&sealed, &receiver)?.content, b"an encrypted message");
/// // The certificate is not Bob's: he cannot seal with it.
/// assert_eq!(v1::seal(&bobs_key, alices_key.public(), &content, &mut rng).unwrap_err().code(), "seal.sender");
/// # Ok::<(), undertone::Error>(())
/// ```
pub fn seal(
    sender: &SignalIdentityKeyPair,
    recipient: &SignalIdentityKey,
    content: &UnidentifiedContent,
    rng: &mut impl TryCryptoRng,
) -> Result<Vec<u8>> {
    content.check(sender.public())?;
    seal_bytes(sender, recipient, &content.to_bytes(), rng)
}

/// Opens a message, compares its sender with its certificate, and judges that.
///
/// [`seal`] has an example of both.
///
/// # Errors
/// As [`open`](super::open).
pub fn open(bytes: &[u8], receiver: &Receiver<'_>) -> Result<OpenedSeal> {
    let message = SealedV1::parse(bytes)?;
    let ours = receiver.identity.agreement_secret();
    let recipient = receiver.identity.public().wire_bytes();
    let ephemeral = encode_agreement_key(&message.ephemeral);

    let outer = Layer::new(&ours.agree(&message.ephemeral)?, &[LABEL, &recipient, &ephemeral].concat());
    let sender = SignalIdentityKey::admit(&outer.open(&message.encrypted_static)?)?;
    let inner = outer.next(&ours.agree(sender.agreement_key())?, &message.encrypted_static);
    let content = UnidentifiedContent::parse(&inner.open(&message.encrypted_message)?)?;

    // SS-2, B38: whoever sealed the message is whom the certificate names.
    if rule::on(Rule::Ss2) && content.certificate.identity_key() != sender {
        return Err(Fault::SealSender.into());
    }
    OpenedSeal::judge(content, receiver)
}

pub(super) fn seal_bytes(
    sender: &SignalIdentityKeyPair,
    recipient: &SignalIdentityKey,
    content: &[u8],
    rng: &mut impl TryCryptoRng,
) -> Result<Vec<u8>> {
    let ephemeral = AgreementSecret::generate(rng)?;
    let salt = [LABEL, &recipient.wire_bytes(), &encode_agreement_key(&ephemeral.public())].concat();
    let outer = Layer::new(&ephemeral.agree(recipient.agreement_key())?, &salt);
    let encrypted_static = outer.seal(&sender.public().wire_bytes());
    let inner = outer.next(&sender.agreement_secret().agree(recipient.agreement_key())?, &encrypted_static);
    let encrypted_message = inner.seal(content);
    Ok(SealedV1 { ephemeral: ephemeral.public(), encrypted_static, encrypted_message }.encode())
}

/// The keys of one layer.
struct Layer {
    chain: Secret<32>,
    cipher: Secret<32>,
    authentication: Secret<32>,
}

impl Layer {
    fn new(agreement: &Secret<32>, salt: &[u8]) -> Self {
        let [chain, cipher, authentication] = hkdf::<96>(salt, &[agreement.expose()], &[]).pieces::<3>();
        Self { chain, cipher, authentication }
    }

    /// The layer within, bound to the bytes of this one.
    fn next(&self, agreement: &Secret<32>, sealed: &[u8]) -> Self {
        let mut salt = Zeroizing::new(Vec::with_capacity(32 + sealed.len()));
        salt.extend_from_slice(self.chain.expose());
        salt.extend_from_slice(sealed);
        Self::new(agreement, &salt)
    }

    fn seal(&self, plaintext: &[u8]) -> Vec<u8> {
        let mut out = ctr::apply(&self.cipher, plaintext);
        let mac = self.mac(&out);
        out.extend_from_slice(mac.expose());
        out
    }

    fn open(&self, sealed: &[u8]) -> Result<Vec<u8>> {
        let (ciphertext, mac) = sealed.split_last_chunk::<MAC>().ok_or(Fault::MessageTruncated)?;
        if self.mac(ciphertext) != Secret::new(*mac) {
            return Err(Fault::SealAuthentication.into());
        }
        Ok(ctr::apply(&self.cipher, ciphertext))
    }

    fn mac(&self, ciphertext: &[u8]) -> Secret<MAC> {
        Secret::new(hmac(self.authentication.expose(), &[ciphertext])).split::<MAC, 22>().0
    }
}
