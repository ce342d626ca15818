//! Bad input by name: each kind of it, in both profiles, has its own error kind and code, and leaves everything as it was.
#![allow(missing_docs, reason = "a test binary has no documentation")]

#[allow(dead_code, reason = "shared with the attacks")]
#[path = "../attacks/session_world.rs"]
mod session_world;

mod fingerprints;
mod groups;
mod keys;
mod messages;
mod oversized;
mod prekeys;
mod protobuf;
mod seals;

use session_world::Person;
use undertone::handshake::HandshakeProfile;
use undertone::{EnvelopeKind, Error, ErrorKind};

/// What failed: the kind to act upon and the code to report.
fn told<T>(result: Result<T, Error>) -> (ErrorKind, &'static str) {
    result.err().map(|error| (error.kind(), error.code())).expect("bad input is refused")
}

/// Refuses `bytes` by this name and changes nothing.
fn refused<P: HandshakeProfile>(
    person: &mut Person<P>,
    kind: EnvelopeKind,
    bytes: &[u8],
    name: (ErrorKind, &'static str),
) {
    let before = person.state();
    assert_eq!(told(person.read_as(kind, bytes)), name);
    assert_eq!(person.state(), before);
}

const TRUNCATED: (ErrorKind, &str) = (ErrorKind::InvalidMessage, "message.truncated");
const FIELD: (ErrorKind, &str) = (ErrorKind::InvalidMessage, "message.field");
const VERSION: (ErrorKind, &str) = (ErrorKind::UnsupportedVersion, "message.version");
const TOO_LARGE: (ErrorKind, &str) = (ErrorKind::InvalidMessage, "message.too_large");
const NO_KEM: (ErrorKind, &str) = (ErrorKind::UnsupportedVersion, "handshake.no_kem");
const LENGTH: (ErrorKind, &str) = (ErrorKind::InvalidKey, "key.length");
const TYPE: (ErrorKind, &str) = (ErrorKind::InvalidKey, "key.type");
const NOT_CANONICAL: (ErrorKind, &str) = (ErrorKind::InvalidKey, "key.not_canonical");
const LOW_ORDER: (ErrorKind, &str) = (ErrorKind::InvalidKey, "key.low_order");
const TORSION: (ErrorKind, &str) = (ErrorKind::InvalidKey, "key.torsion");
