//! Floor 3: the sealed sender of the Signal profile. An envelope that hides its sender from the server, proves it to the
//! recipient, and carries a certificate by which the server vouches for the sender's name.
//!
//! What is opened is only an envelope: the session that decrypts its content must be one with
//! [`sender`](OpenedSeal::sender) under [`identity_key`](OpenedSeal::identity_key), which its caller checks (SS-1, B38).

mod certificate;
mod content;
mod opened;
pub mod v1;
pub mod v2;

pub use crate::wire::signal::{ContentHint, ContentKind, ServiceId, ServiceKind};
pub use certificate::{SenderCertificate, SenderClaims, ServerCertificate, TrustRoots};
pub use content::UnidentifiedContent;
pub use opened::{OpenedSeal, Receiver, open};

#[cfg(test)]
mod tests;
