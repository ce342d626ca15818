//! Sealed sender, version 2: the content is encrypted once under a secret, and the secret to each recipient by itself, with a
//! tag that proves the sender to that recipient.

use super::{OpenedSeal, Receiver, UnidentifiedContent};
use crate::crypto::Secret;
use crate::crypto::agreement::{AgreementKey, AgreementSecret};
use crate::crypto::gcm_siv;
use crate::crypto::kdf::hkdf;
use crate::error::{Fault, Result};
use crate::profile::{IdentityKey, IdentityKeyPair, SignalIdentityKey, SignalIdentityKeyPair};
use crate::rule::{self, Rule};
use crate::wire::signal::{PUBLIC_KEY, SealedV2, SentMessage, SentRecipient, ServiceId, encode_agreement_key};
use rand_core::TryCryptoRng;

const EPHEMERAL: &[u8] = b"Sealed Sender v2: r (2023-08)";
const CONTENT: &[u8] = b"Sealed Sender v2: K";
const SECRET: &[u8] = b"Sealed Sender v2: DH";
const SENDER: &[u8] = b"Sealed Sender v2: DH-sender";
/// The content's key is fresh for every message and encrypts nothing else.
const NONCE: [u8; 12] = [0; 12];

/// One account that a message goes to.
///
/// ```
/// use undertone::sealed::v2::{Recipient, seal_to_many};
#[doc = include_str!("../../docs/examples/sealed.txt")]
#[doc = include_str!("../../docs/examples/sealed_content.txt")]
///
/// let service_id: ServiceId = bobs.name().parse()?;
/// let recipient = Recipient { service_id, identity: bobs_key.public(), devices: &[(1, 4711), (2, 815)] };
/// assert!(seal_to_many(&alices_key, &content, &[recipient], &[], &mut rng).is_ok());
///
/// let without_devices = Recipient { devices: &[], ..recipient };
/// let refused = seal_to_many(&alices_key, &content, &[without_devices], &[], &mut rng);
/// assert_eq!(refused.unwrap_err().code(), "request.argument");
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Recipient<'a> {
    /// The account.
    pub service_id: ServiceId,
    /// Its identity key.
    pub identity: &'a SignalIdentityKey,
    /// Its devices and their registration ids, which fit 14 bits.
    pub devices: &'a [(u8, u16)],
}

/// Seals `content` to one recipient, in the form in which it is delivered.
///
/// # Errors
/// `seal.sender` when the certificate is not for `sender`'s key; `request.too_large` for a group id over 8 KiB; `random.failed`,
/// `key.agreement_zero`.
///
/// # Example
/// ```
/// use undertone::sealed::v2;
#[doc = include_str!("../../docs/examples/sealed.txt")]
#[doc = include_str!("../../docs/examples/sealed_content.txt")]
///
/// let sealed = v2::seal_to_one(&alices_key, bobs_key.public(), &content, &mut rng)?;
/// assert_eq!(v2::open(&sealed, &receiver)?.hint, ContentHint::Resendable);
/// # Ok::<(), undertone::Error>(())
/// ```
pub fn seal_to_one(
    sender: &SignalIdentityKeyPair,
    recipient: &SignalIdentityKey,
    content: &UnidentifiedContent,
    rng: &mut impl TryCryptoRng,
) -> Result<Vec<u8>> {
    content.check(sender.public())?;
    seal_bytes(sender, recipient, &content.to_bytes(), rng)
}

/// Seals `content` to many recipients at once, in the form in which it goes to the server. `excluded` are members of the
/// group whom it shall not be delivered to.
///
/// # Errors
/// `seal.sender` when the certificate is not for `sender`'s key; `request.argument` for a recipient without a device, or
/// one named twice in contradiction; `address.device`, `address.registration_id`; `request.too_large`; `random.failed`,
/// `key.agreement_zero`.
///
/// # Example
/// ```
/// use undertone::sealed::v2::{Recipient, delivered_for, open, seal_to_many};
#[doc = include_str!("../../docs/examples/sealed.txt")]
#[doc = include_str!("../../docs/examples/sealed_content.txt")]
///
/// let (bob, left) = (bobs.name().parse()?, "11111111-2222-4333-8444-555555555555".parse()?);
/// let to_bob = Recipient { service_id: bob, identity: bobs_key.public(), devices: &[(1, 4711)] };
/// let sent = seal_to_many(&alices_key, &content, &[to_bob], &[left], &mut rng)?;
///
/// // The server cuts out what goes to each account, and nothing goes to the one that was excluded.
/// let delivered = delivered_for(&sent, &bob)?.expect("Bob is a recipient");
/// assert_eq!(open(&delivered, &receiver)?.sender, alices);
/// assert_eq!(delivered_for(&sent, &left)?, None);
/// # Ok::<(), undertone::Error>(())
/// ```
pub fn seal_to_many(
    sender: &SignalIdentityKeyPair,
    content: &UnidentifiedContent,
    recipients: &[Recipient<'_>],
    excluded: &[ServiceId],
    rng: &mut impl TryCryptoRng,
) -> Result<Vec<u8>> {
    content.check(sender.public())?;
    let secrets = MessageSecrets::new(Secret::random(rng)?);
    let ciphertext = secrets.encrypt(&content.to_bytes());
    let mut shares = Vec::with_capacity(recipients.len() + excluded.len());
    for recipient in recipients {
        if recipient.devices.is_empty() {
            return Err(Fault::Argument.into());
        }
        shares.push(SentRecipient {
            service_id: recipient.service_id,
            devices: recipient.devices.to_vec(),
            share: secrets.share(sender, recipient.identity)?,
        });
    }
    shares.extend(excluded.iter().map(|id| SentRecipient {
        service_id: *id,
        devices: Vec::new(),
        share: ([0; 32], [0; 16]),
    }));
    let ephemeral = secrets.ephemeral.public();
    SentMessage { recipients: shares, ephemeral: ephemeral.as_bytes(), ciphertext: &ciphertext }.encode()
}

/// What the server delivers of `sent` to every device of `recipient`; `None` when it is excluded or not named.
///
/// [`seal_to_many`] has an example of it.
///
/// # Errors
/// The `message.*` codes of malformed bytes.
pub fn delivered_for(sent: &[u8], recipient: &ServiceId) -> Result<Option<Vec<u8>>> {
    Ok(SentMessage::parse(sent)?.delivered_for(recipient))
}

/// Opens a delivered message, compares its sender with its certificate, and judges that.
///
/// The examples of [`seal_to_one`] and [`seal_to_many`] open what they sealed.
///
/// # Errors
/// As [`open`](super::open).
pub fn open(bytes: &[u8], receiver: &Receiver<'_>) -> Result<OpenedSeal> {
    let message = SealedV2::parse(bytes)?;
    let ours = receiver.identity.agreement_secret();
    let recipient = receiver.identity.public();
    let ephemeral = AgreementKey::admit(message.ephemeral)?;

    let agreement = ours.agree(&ephemeral)?;
    let secret = mask(&agreement, &ephemeral, recipient, message.encrypted_secret);
    let secrets = MessageSecrets::new(secret);
    // Who made the ephemeral key knew the secret; a share that was moved from another recipient fails here (B59).
    if secrets.ephemeral.public() != ephemeral {
        return Err(Fault::SealAuthentication.into());
    }
    let content = UnidentifiedContent::parse(&secrets.decrypt(message.ciphertext)?)?;

    // SS-2, B38: only the holder of the certificate's key, or this recipient itself, can make the tag.
    let sender = content.certificate.identity_key();
    let tag = tag(&ours.agree(sender.agreement_key())?, &ephemeral, message.encrypted_secret, &sender, recipient);
    if rule::on(Rule::Ss2) && tag != Secret::new(*message.authentication_tag) {
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
    let secrets = MessageSecrets::new(Secret::random(rng)?);
    let ciphertext = secrets.encrypt(content);
    let (encrypted_secret, authentication_tag) = secrets.share(sender, recipient)?;
    let ephemeral = secrets.ephemeral.public();
    let message = SealedV2 {
        encrypted_secret: &encrypted_secret,
        authentication_tag: &authentication_tag,
        ephemeral: ephemeral.as_bytes(),
        ciphertext: &ciphertext,
    };
    Ok(message.encode())
}

/// The ephemeral key and the content's key of a secret, for the known answers.
#[cfg(test)]
pub(super) fn derived(secret: Secret<32>) -> (AgreementKey, Secret<32>) {
    let secrets = MessageSecrets::new(secret);
    (secrets.ephemeral.public(), secrets.key)
}

/// What one secret gives: the ephemeral key pair and the content's key.
struct MessageSecrets {
    secret: Secret<32>,
    ephemeral: AgreementSecret,
    key: Secret<32>,
}

impl MessageSecrets {
    fn new(secret: Secret<32>) -> Self {
        let ephemeral = AgreementSecret::from_bytes(hkdf::<32>(&[], &[secret.expose()], &[EPHEMERAL]));
        let key = hkdf::<32>(&[], &[secret.expose()], &[CONTENT]);
        Self { secret, ephemeral, key }
    }

    fn encrypt(&self, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(content.len() + 16);
        gcm_siv::seal(&self.key, &NONCE, &[], content, &mut out);
        out
    }

    fn decrypt(&self, ciphertext: &[u8]) -> Result<Vec<u8>> {
        gcm_siv::open(&self.key, &NONCE, &[], ciphertext).map_err(|_| Fault::SealAuthentication.into())
    }

    /// `C` and `AT` for one recipient.
    fn share(&self, sender: &SignalIdentityKeyPair, recipient: &SignalIdentityKey) -> Result<([u8; 32], [u8; 16])> {
        let ephemeral = self.ephemeral.public();
        let agreement = self.ephemeral.agree(recipient.agreement_key())?;
        let encrypted_secret = *mask(&agreement, &ephemeral, recipient, self.secret.expose()).expose();
        let agreement = sender.agreement_secret().agree(recipient.agreement_key())?;
        let tag = tag(&agreement, &ephemeral, &encrypted_secret, sender.public(), recipient);
        Ok((encrypted_secret, *tag.expose()))
    }
}

/// Encrypts the secret to a recipient, or decrypts it.
fn mask(
    agreement: &Secret<32>,
    ephemeral: &AgreementKey,
    recipient: &SignalIdentityKey,
    secret: &[u8; 32],
) -> Secret<32> {
    let keys: [[u8; PUBLIC_KEY]; 2] = [encode_agreement_key(ephemeral), recipient.wire_bytes()];
    let pad = hkdf::<32>(&[], &[agreement.expose(), keys.as_flattened()], &[SECRET]);
    let mut masked = *secret;
    masked.iter_mut().zip(pad.expose()).for_each(|(byte, pad)| *byte ^= pad);
    Secret::new(masked)
}

fn tag(
    agreement: &Secret<32>,
    ephemeral: &AgreementKey,
    encrypted_secret: &[u8; 32],
    sender: &SignalIdentityKey,
    recipient: &SignalIdentityKey,
) -> Secret<16> {
    let keys: [[u8; PUBLIC_KEY]; 2] = [sender.wire_bytes(), recipient.wire_bytes()];
    let ephemeral = encode_agreement_key(ephemeral);
    hkdf::<16>(&[], &[agreement.expose(), &ephemeral, encrypted_secret, keys.as_flattened()], &[SENDER])
}
