//! The certificates of sealed sender: issued by a server, judged by a recipient (SS-1).

use crate::crypto::xeddsa::XeddsaKey;
use crate::error::{Fault, Result};
use crate::profile::{IdentityKeyPair, SignalIdentityKey, SignalIdentityKeyPair, Statement};
use crate::rule::{self, Rule};
use crate::wire::Address;
use crate::wire::signal::{SenderCertificateFields, ServerCertificateFields, Signed, Signer};
use core::fmt;
use rand_core::TryCryptoRng;

/// The number of a server certificate that is revoked everywhere.
const REVOKED: u32 = 0xDEAD_C357;

/// Names the key with which a server signs sender certificates; itself signed by a trust root.
///
/// ```
/// use undertone::sealed::ServerCertificate;
#[doc = include_str!("../../docs/examples/sealed.txt")]
///
/// let server = ServerCertificate::issue(7, server_key.public(), &root, &mut rng)?;
/// let parsed = ServerCertificate::parse(&server.to_bytes())?;
/// assert_eq!(parsed.id(), 7);
/// assert!(parsed == server);
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ServerCertificate(Signed<ServerCertificateFields>);

/// Says that a device of an account has an identity key; signed by a server.
///
/// ```
/// use undertone::sealed::SenderCertificate;
#[doc = include_str!("../../docs/examples/sealed.txt")]
///
/// // The server issues it, the sender's device keeps it, and a recipient judges it.
/// let issued = SenderCertificate::issue(claims, &server, &server_key, &mut rng)?.to_bytes();
/// let certificate = SenderCertificate::parse(&issued)?;
/// certificate.validate(&trust, now_ms)?;
/// assert_eq!((certificate.address()?, certificate.e164()), (alices, None));
/// assert_eq!(certificate.identity_key(), *alices_key.public());
/// assert_eq!(certificate.validate(&trust, certificate.expires() + 1).unwrap_err().code(), "certificate.expired");
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SenderCertificate(Signed<SenderCertificateFields>);

/// What a sender certificate says about a sender.
///
/// ```
/// use undertone::sealed::{SenderCertificate, SenderClaims};
#[doc = include_str!("../../docs/examples/sealed.txt")]
///
/// let identity_key = alices_key.public().clone();
/// let claims = SenderClaims { address: alices, e164: Some("+14152222222".to_owned()), identity_key, expires: now_ms };
/// let certificate = SenderCertificate::issue(claims, &server, &server_key, &mut rng)?;
/// assert_eq!((certificate.e164(), certificate.expires()), (Some("+14152222222"), now_ms));
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct SenderClaims {
    /// The account and the device.
    pub address: Address,
    /// The account's phone number, if it is to be disclosed.
    pub e164: Option<String>,
    /// The account's identity key.
    pub identity_key: SignalIdentityKey,
    /// The last millisecond of validity, since 1970.
    pub expires: u64,
}

/// Whom a recipient believes: the roots that sign server certificates, the server certificates it knows by number, and the
/// numbers that have been revoked.
///
/// ```
/// use undertone::sealed::{SenderCertificate, TrustRoots};
#[doc = include_str!("../../docs/examples/sealed.txt")]
///
/// // A short certificate names the server's by its number alone: whoever knows that one can judge it.
/// let certificate = SenderCertificate::issue_by_known(claims, server.id(), &server_key, &mut rng)?;
/// let trust = TrustRoots::new(vec![root.public().clone()]);
/// assert_eq!(certificate.validate(&trust, now_ms).unwrap_err().code(), "certificate.signature");
/// let trust = trust.knowing(server);
/// certificate.validate(&trust, now_ms)?;
/// assert_eq!(certificate.validate(&trust.revoking(1), now_ms).unwrap_err().code(), "certificate.revoked");
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone)]
pub struct TrustRoots {
    roots: Vec<SignalIdentityKey>,
    known: Vec<ServerCertificate>,
    revoked: Vec<u32>,
}

impl ServerCertificate {
    /// Issues the certificate of number `id` for `key`, signed by the trust root.
    ///
    /// # Errors
    /// `random.failed`.
    pub fn issue(
        id: u32,
        key: &SignalIdentityKey,
        root: &SignalIdentityKeyPair,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Self> {
        let fields = ServerCertificateFields { id, key: *key.verifying_key() };
        Signed::<ServerCertificateFields>::sign(fields, |bytes| root.sign(Statement::Certificate, &[bytes], rng))
            .map(Self)
    }

    /// Parses a serialized certificate, which is not trusted by that.
    ///
    /// # Errors
    /// `certificate.field`; a `key.*` code.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        Signed::<ServerCertificateFields>::parse(bytes).map(Self)
    }

    /// The serialized certificate.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.encode()
    }

    /// The certificate's number.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.0.fields.id
    }
}

impl SenderCertificate {
    /// Issues a certificate, which embeds that of the server whose key signs it.
    ///
    /// # Errors
    /// `random.failed`.
    pub fn issue(
        claims: SenderClaims,
        server: &ServerCertificate,
        server_key: &SignalIdentityKeyPair,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Self> {
        Self::issue_by(claims, Signer::Embedded(Box::new(server.0.clone())), server_key, rng)
    }

    /// Issues a certificate that names the server's by its number: recipients have to know that one.
    ///
    /// # Errors
    /// `random.failed`.
    pub fn issue_by_known(
        claims: SenderClaims,
        server: u32,
        server_key: &SignalIdentityKeyPair,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Self> {
        Self::issue_by(claims, Signer::Known(server), server_key, rng)
    }

    /// Parses a serialized certificate, which is not trusted by that.
    ///
    /// # Errors
    /// `certificate.field`; a `key.*` code.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        Signed::<SenderCertificateFields>::parse(bytes).map(Self)
    }

    /// The serialized certificate.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.encode()
    }

    /// The sender's account and device.
    ///
    /// # Errors
    /// `certificate.field` for a name that is too long.
    pub fn address(&self) -> Result<Address> {
        Address::new(self.0.fields.sender.clone(), self.0.fields.device).map_err(|_| Fault::CertificateField.into())
    }

    /// The sender's phone number, if it is disclosed.
    #[must_use]
    pub fn e164(&self) -> Option<&str> {
        self.0.fields.e164.as_deref()
    }

    /// The sender's identity key.
    #[must_use]
    pub fn identity_key(&self) -> SignalIdentityKey {
        self.0.fields.identity_key.into()
    }

    /// The last millisecond of validity, since 1970.
    #[must_use]
    pub const fn expires(&self) -> u64 {
        self.0.fields.expires
    }

    /// Judges the certificate: its server's signature by a root, its own by the server, its age, in this order.
    ///
    /// # Errors
    /// `certificate.revoked`, `certificate.signature`, `certificate.expired`.
    pub fn validate(&self, trust: &TrustRoots, now_ms: u64) -> Result<()> {
        if !rule::on(Rule::Ss1) {
            return Ok(());
        }
        let server = match &self.0.fields.signer {
            Signer::Embedded(server) => server,
            Signer::Known(id) => &trust.known(*id)?.0,
        };
        trust.judge(server)?;
        verify(&server.fields.key, &self.0)?;
        if now_ms > self.expires() { Err(Fault::CertificateExpired.into()) } else { Ok(()) }
    }

    fn issue_by(
        claims: SenderClaims,
        signer: Signer,
        server_key: &SignalIdentityKeyPair,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Self> {
        let fields = SenderCertificateFields {
            e164: claims.e164,
            device: claims.address.device(),
            expires: claims.expires,
            identity_key: *claims.identity_key.verifying_key(),
            signer,
            sender: claims.address.name().to_owned(),
        };
        Signed::<SenderCertificateFields>::sign(fields, |bytes| server_key.sign(Statement::Certificate, &[bytes], rng))
            .map(Self)
    }
}

impl TrustRoots {
    /// Believes server certificates signed by any of `roots`.
    #[must_use]
    pub fn new(roots: Vec<SignalIdentityKey>) -> Self {
        Self { roots, known: Vec::new(), revoked: vec![REVOKED] }
    }

    /// Lets sender certificates name `server` by its number. It is judged like an embedded one whenever it is used.
    #[must_use]
    pub fn knowing(mut self, server: ServerCertificate) -> Self {
        self.known.push(server);
        self
    }

    /// Believes the server certificate of this number no more.
    #[must_use]
    pub fn revoking(mut self, id: u32) -> Self {
        self.revoked.push(id);
        self
    }

    fn known(&self, id: u32) -> Result<&ServerCertificate> {
        self.known.iter().find(|server| server.id() == id).ok_or_else(|| Fault::CertificateSignature.into())
    }

    /// Tries every root, whichever fits, so that the time it takes does not tell which.
    fn judge(&self, server: &Signed<ServerCertificateFields>) -> Result<()> {
        if self.revoked.contains(&server.fields.id) {
            return Err(Fault::CertificateRevoked.into());
        }
        let fitting = self.roots.iter().filter(|root| verify(root.verifying_key(), server).is_ok()).count();
        if fitting == 0 { Err(Fault::CertificateSignature.into()) } else { Ok(()) }
    }
}

impl fmt::Debug for SenderCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SenderCertificate(..)")
    }
}

fn verify<T>(key: &XeddsaKey, signed: &Signed<T>) -> Result<()> {
    key.verify(&[&signed.certificate], &signed.signature).map_err(|_| Fault::CertificateSignature.into())
}
