//! The one error of the crate: what went wrong as a [`kind`](Error::kind) to act upon and a stable
//! [`code`](Error::code) to report, the same in every language.

use core::fmt;
use std::sync::Arc;

/// What an application can do about an [`Error`]. New kinds may be added.
///
/// ```
/// use undertone::{Address, Error, ErrorKind};
///
/// fn advice(error: &Error) -> &'static str {
///     match error.kind() {
///         ErrorKind::Duplicate => "drop the message",
///         ErrorKind::UntrustedIdentity => "ask the user",
///         ErrorKind::NoSession => "fetch a prekey bundle",
///         _ => "report the code",
///     }
/// }
/// assert_eq!(advice(&Address::new("", 1).unwrap_err()), "report the code");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The call itself was wrong: an argument out of range, an operation the state does not allow.
    InvalidRequest,
    /// There is no session with this peer, or none that may still send.
    NoSession,
    /// The peer's identity key is not the one that was trusted.
    UntrustedIdentity,
    /// The message was already delivered; drop it silently.
    Duplicate,
    /// The message is malformed, forged, or meant for another session.
    InvalidMessage,
    /// A public or private key is malformed, not canonical, or of low order.
    InvalidKey,
    /// A signature does not verify.
    InvalidSignature,
    /// The message names a prekey that does not exist (any more).
    UnknownPrekey,
    /// No sender key is known for this group and sender.
    NoSenderKey,
    /// The message is further ahead in its chain than the protocol allows.
    TooFarAhead,
    /// The version or the profile is not one that this build speaks.
    UnsupportedVersion,
    /// A certificate, prekey or session has passed its end of life.
    Expired,
    /// A stored record is corrupt, or was written by a newer version.
    InvalidRecord,
    /// The random number generator failed.
    Randomness,
    /// A counter reached its ceiling; a new session or sender key is needed.
    Exhausted,
    /// A policy forbids what was asked: nothing is wrong with the bytes.
    Refused,
    /// The store or the server cannot be reached or is busy: try again later.
    Unavailable,
    /// The store cannot be used as it is: full, opened with another key, or written by a newer version.
    Storage,
    /// The server answered, and not as an honest one would.
    InvalidAnswer,
    /// Someone else wrote to the store in between; the client tries again by itself.
    Conflict,
    /// The client was closed, or its device is no longer part of the account.
    Closed,
}

/// Every failure of the crate.
///
/// An error carries no key, no plaintext and no user name, in no form.
///
/// ```
/// use undertone::{ErrorKind, DidKey};
///
/// let error = "did:key:nonsense".parse::<DidKey>().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidKey);
/// assert_eq!(error.code(), "did.encoding");
/// assert!(!error.is_retryable());
/// ```
#[derive(Clone)]
pub struct Error {
    fault: Fault,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// The result of every fallible operation of the crate.
///
/// ```
/// use undertone::{Address, Result};
///
/// fn first_device(name: &str) -> Result<Address> {
///     Address::new(name, 1)
/// }
/// assert_eq!(first_device("alice")?.device(), 1);
/// # Ok::<(), undertone::Error>(())
/// ```
pub type Result<T> = core::result::Result<T, Error>;

impl Error {
    /// What the application can do about it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.fault.kind()
    }

    /// A stable identifier such as `message.authentication`, for logs, tests and other languages.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.fault.code()
    }

    /// Whether the same call may succeed later without a change to its arguments.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self.fault.kind(), ErrorKind::Randomness | ErrorKind::Unavailable | ErrorKind::Conflict)
    }

    /// The same error with what caused it: the error of a database or of a socket. It is shown by [`source`](std::error::Error::source) alone, never by
    /// the error itself, so that nothing that it says reaches a log unasked.
    #[must_use]
    pub fn caused_by(self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { source: Some(Arc::from(source.into())), ..self }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self { fault, source: None }
    }
}

/// Two errors are equal if they have the same code, whatever caused them.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        self.fault == other.fault
    }
}

impl Eq for Error {}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}, {})", self.kind(), self.code())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.fault.text(), self.code())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// Declares every fault once: its kind, its stable code, and the sentence shown to a developer.
macro_rules! faults {
    ($($fault:ident $kind:ident $code:literal $text:literal;)*) => {
        /// One way to fail; the crate-internal form of an [`Error`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(dead_code, reason = "some faults belong to optional features")]
        pub enum Fault { $(#[doc = $text] $fault,)* }

        impl Fault {
            const fn kind(self) -> ErrorKind {
                match self { $(Self::$fault => ErrorKind::$kind,)* }
            }
            const fn code(self) -> &'static str {
                match self { $(Self::$fault => $code,)* }
            }
            const fn text(self) -> &'static str {
                match self { $(Self::$fault => $text,)* }
            }
            /// Every fault there is, for the documentation and the tests of the codes.
            #[cfg(any(test, feature = "__internals"))]
            pub const ALL: &'static [Self] = &[$(Self::$fault,)*];
        }
    };
}

faults! {
    KeyLength InvalidKey "key.length" "a key has the wrong length";
    KeyType InvalidKey "key.type" "a key is of another type than the place it stands in";
    KeyNotCanonical InvalidKey "key.not_canonical" "a public key is not in its canonical encoding";
    KeyLowOrder InvalidKey "key.low_order" "a public key is of low order";
    KeyTorsion InvalidKey "key.torsion" "a public key is not in the prime-order subgroup";
    KeyModulus InvalidKey "key.modulus" "a KEM public key has a coefficient outside its modulus";
    KeyMismatch InvalidKey "key.mismatch" "a private key does not belong to its public key";
    AgreementZero InvalidKey "key.agreement_zero" "a Diffie–Hellman agreement gave the all-zero secret";
    Signature InvalidSignature "signature.invalid" "a signature does not verify";
    Rng Randomness "random.failed" "the random number generator failed or repeats itself";

    MessageTruncated InvalidMessage "message.truncated" "a message ends before its last field";
    MessageTrailing InvalidMessage "message.trailing" "a message goes on after its last field";
    MessageField InvalidMessage "message.field" "a message lacks a field, or a field is malformed";
    MessageTooLarge InvalidMessage "message.too_large" "a message or a field is larger than the protocol allows";
    MessageType InvalidMessage "message.type" "the bytes are a message of another type";
    MessageVersion UnsupportedVersion "message.version" "a message has a version this build does not speak";
    MessageAuthentication InvalidMessage "message.authentication" "a message does not authenticate under any session with its sender";
    MessagePadding InvalidMessage "message.padding" "a message authenticates but its padding or body is malformed";
    MessageAddress InvalidMessage "message.address" "a message was made for another pair of addresses";
    MessageReflected InvalidMessage "message.reflected" "a message came back to its own sender";
    MessageDuplicate Duplicate "message.duplicate" "a message was delivered before, or its key has been given up";
    MessageTooFarAhead TooFarAhead "message.too_far_ahead" "a message is further ahead in its chain than the protocol allows";
    MessageNoPostQuantum InvalidMessage "message.no_post_quantum" "a message lacks the mandatory post-quantum ratchet";
    BraidDecode InvalidMessage "braid.decode" "a post-quantum ratchet message is malformed";
    BraidEpoch InvalidMessage "braid.epoch" "a post-quantum ratchet message is of an epoch out of range";
    BraidConflict InvalidMessage "braid.conflict" "a post-quantum chunk contradicts one already held";
    BraidAuthentication InvalidMessage "braid.authentication" "a post-quantum ratchet exchange does not authenticate";
    BraidKey InvalidMessage "braid.key" "a post-quantum ratchet key does not match its header, or is out of its modulus";

    NoSession NoSession "session.none" "there is no session with this peer";
    SessionStale NoSession "session.unacknowledged_too_long" "the session was never answered and is too old to send in";
    SessionExhausted Exhausted "session.exhausted" "a counter of the session reached its ceiling";
    SessionCannotSend NoSession "session.no_sending_chain" "the session has no sending chain";
    UntrustedIdentity UntrustedIdentity "session.untrusted_identity" "the peer's identity key is not the one that was trusted";
    SelfAddress InvalidRequest "session.self" "a device cannot hold a session with itself";
    NoKem UnsupportedVersion "handshake.no_kem" "a first message or a bundle has no post-quantum key";
    X3dhNotAllowed Refused "handshake.x3dh_not_allowed" "a handshake without a KEM needs a policy that names it";
    HandshakeReplayed Duplicate "handshake.replayed" "a first message with this last-resort prekey was accepted before";
    ReplayGuardFull Refused "handshake.replay_guard_full" "a last-resort prekey has been used too often; rotate it";
    UnknownSignedPrekey UnknownPrekey "prekey.unknown_signed" "the message names a signed prekey that is not held";
    UnknownKemPrekey UnknownPrekey "prekey.unknown_kem" "the message names a KEM prekey that is not held";
    UnknownOneTimePrekey UnknownPrekey "prekey.unknown_one_time" "the message names a one-time prekey that is not held";
    PrekeyExists InvalidRequest "prekey.exists" "a prekey with this id is already held";
    PrekeyIdsExhausted Exhausted "prekey.ids_exhausted" "there are no prekey ids left";
    PrekeyExpired Expired "prekey.expired" "a signed prekey has passed its expiry";
    PrekeyNotYetValid Expired "prekey.not_yet_valid" "a signed prekey was created in the future";
    BundleField InvalidMessage "bundle.field" "a prekey bundle lacks a field, or a field is malformed";
    BundleAddress InvalidMessage "bundle.address" "a prekey bundle belongs to another device";

    NoSenderKey NoSenderKey "group.no_sender_key" "no sender key is held for this group, sender and chain";
    GroupConflict InvalidMessage "group.conflict" "a sender key contradicts one held under the same name";
    GroupExhausted Exhausted "group.exhausted" "a sender key reached its last iteration";
    GroupForwarded InvalidMessage "group.forwarded" "a sender key was distributed by someone other than its owner";

    SealUnknownKey UnknownPrekey "seal.unknown_key" "a sealed message names a sealing key that is not held";
    SealAuthentication InvalidMessage "seal.authentication" "a sealed message does not open";
    SealSender InvalidMessage "seal.sender" "a sealed message's sender is not who its certificate names";
    SealSelf InvalidMessage "seal.self_send" "a sealed message came from this very device";
    CertificateSignature InvalidSignature "certificate.signature" "a certificate is not signed by a trusted root";
    CertificateExpired Expired "certificate.expired" "a certificate has expired";
    CertificateRevoked InvalidSignature "certificate.revoked" "a certificate's signing key has been revoked";
    CertificateField InvalidMessage "certificate.field" "a certificate lacks a field, or a field is malformed";

    FingerprintIterations InvalidRequest "fingerprint.iterations" "a fingerprint needs from 2 to 1 000 000 iterations";
    FingerprintVersion UnsupportedVersion "fingerprint.version" "the fingerprints are of different versions";
    FingerprintField InvalidMessage "fingerprint.field" "a scanned fingerprint is malformed";
    DidEncoding InvalidKey "did.encoding" "a DID is not a did:key of an Ed25519 key";

    AddressName InvalidRequest "address.name" "a user name is empty or too long";
    AddressDevice InvalidRequest "address.device" "a device id is outside 1 to 127";
    AddressService InvalidRequest "address.service_id" "a name is not a service id";
    RegistrationId InvalidRequest "address.registration_id" "a registration id does not fit its 14 bits";
    MessageIdUsed InvalidRequest "request.message_id" "another message was sent under this id";
    PlaintextTooLarge InvalidRequest "request.too_large" "a plaintext is larger than one message can carry";
    Argument InvalidRequest "request.argument" "an argument is out of range";

    DevicesField InvalidMessage "devices.field" "a statement of a device list lacks a field, or a field is malformed";
    DevicesSignature InvalidSignature "devices.signature" "a statement of a device list is not signed by its account key";
    DevicesChain InvalidMessage "devices.chain" "a statement of a device list does not follow the one before it";
    DevicesForked InvalidAnswer "devices.forked" "the server shows another history of a device list than the one that was seen";
    DevicesStale InvalidAnswer "devices.stale" "the server shows an older device list than the one that was seen";
    DevicesAccount UntrustedIdentity "devices.account" "a device list belongs to another account key than the one that was pinned";
    DevicesUnlisted UntrustedIdentity "devices.unlisted" "a device is not on its account's device list, or has another identity key there";
    DevicesNumber InvalidRequest "devices.number" "a device number is taken, was used before, or is not on the list";
    DevicesFull Exhausted "devices.full" "the account has used all of its device numbers";
    DevicesKey InvalidRequest "devices.account_key" "this device does not hold the account key: only the account's first device changes its device list";

    LinkCode InvalidRequest "link.code" "the text or the picture is not a link code";
    LinkExpired Expired "link.expired" "the link code is no longer valid";
    LinkAuthentication InvalidMessage "link.authentication" "an answer to a link code was not made by a device that saw the code";
    LinkState InvalidRequest "link.state" "this step of linking a device was done before or is not due yet";

    ContentField InvalidMessage "content.field" "a decrypted message is no content envelope, or a field of it is malformed";
    ContentVersion UnsupportedVersion "content.version" "a content envelope has a version that this build does not speak";
    ContentContext InvalidMessage "content.context" "a content envelope contradicts the session that it came in";

    StoreConflict Conflict "store.conflict" "another writer committed to the store first";
    StoreBusy Unavailable "store.busy" "the store is locked by another process";
    StoreIo Unavailable "store.io" "reading or writing the store failed; whether the last commit happened is not known";
    StoreFull Storage "store.full" "there is no room left for the store; nothing was changed";
    StoreCorrupt InvalidRecord "store.corrupt" "the store is damaged: restore the device from a backup or link it again";
    StoreVersion Storage "store.newer_version" "the store was written by a newer version of this library: update the application";
    StoreKey Storage "store.wrong_key" "the store was sealed with another key or passphrase";
    StorePath Storage "store.path" "the store cannot be opened at this place";
    StoreClosed Closed "store.closed" "the store was closed";
    StoreAccount InvalidRequest "store.account" "the store belongs to another account or device";

    TransportUnreachable Unavailable "transport.unreachable" "the server cannot be reached";
    TransportBusy Unavailable "transport.rate_limited" "the server asks to try again later";
    TransportRefused Refused "transport.refused" "the server refused the request";
    TransportLogin Refused "transport.unauthorized" "the server does not accept this device's signature";
    TransportUnknown NoSession "transport.unknown_account" "the server knows no such account";
    TransportTooLarge InvalidRequest "transport.too_large" "the server does not take an envelope of this size";
    TransportAnswer InvalidAnswer "transport.malformed" "the server's answer is malformed";

    ClientClosed Closed "client.closed" "the client was closed";
    ClientUnlinked Closed "client.unlinked" "this device was removed from its account";
    ClientClock Refused "client.clock" "the clock is far behind the time of what was done before: set it right";
    ClientRolledBack Refused "client.rolled_back" "the store is an older copy of itself: its sessions are being replaced";
    MessageNotKept Refused "message.not_kept" "an envelope had to wait for a decision or the network, and waited too long, or too many did";
    MessageForgotten Expired "message.forgotten" "an own message is no longer kept, and a device has not been sent it";
    ContactChanged UntrustedIdentity "contact.identity_changed" "the contact's account key changed: sending waits until the change is accepted";
    ContactNoDevices NoSession "contact.no_devices" "the contact has no device that can be reached";
    ContactUnknown InvalidRequest "contact.unknown" "nothing is known of this contact yet";
    EventUnknown InvalidRequest "event.unknown" "there is no such event to confirm";

    RecordCorrupt InvalidRecord "record.corrupt" "a stored record does not decode, or contradicts itself";
    RecordVersion InvalidRecord "record.version" "a stored record was written by a newer version or another profile";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_well_formed() {
        let mut codes: Vec<_> = Fault::ALL.iter().map(|fault| fault.code()).collect();
        assert!(codes.iter().all(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b"._0123456789".contains(&b))));
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }
}
