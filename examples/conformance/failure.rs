//! A failed request, as the agent answers it.

use serde_json::{Value, json};
use undertone::{Error, ErrorKind};

/// Why a request failed.
#[derive(Debug)]
pub struct Failure {
    kind: &'static str,
    detail: String,
}

impl Failure {
    /// The request itself was wrong.
    pub fn request(detail: impl Into<String>) -> Self {
        Self { kind: "bad_request", detail: detail.into() }
    }

    /// A failure of a named kind.
    pub fn of(kind: &'static str, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// The answer to the request.
    pub fn answer(&self) -> Value {
        json!({ "error": self.kind, "detail": self.detail })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::InvalidRequest | ErrorKind::InvalidRecord => "bad_request",
            ErrorKind::NoSession | ErrorKind::Exhausted => "no_session",
            ErrorKind::UntrustedIdentity => "untrusted_identity",
            ErrorKind::Duplicate => "duplicate",
            ErrorKind::InvalidMessage | ErrorKind::Refused => "invalid_message",
            ErrorKind::InvalidKey => "invalid_key",
            ErrorKind::InvalidSignature => "invalid_signature",
            ErrorKind::UnknownPrekey => "unknown_prekey",
            ErrorKind::NoSenderKey => "no_sender_key",
            ErrorKind::TooFarAhead => "too_far_ahead",
            ErrorKind::UnsupportedVersion => "unsupported_version",
            ErrorKind::Expired => "expired",
            _ => "internal",
        };
        Self { kind, detail: format!("{error}") }
    }
}
