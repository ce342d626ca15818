//! The encodings of the Signal profile: its messages, its sealed sender, and the records of official stores.
//!
//! Wire messages are proto2 with optional fields, so that absence is seen; unknown fields are ignored. A parser keeps
//! the bytes that a MAC or a signature covers as they came, and refuses what is malformed with the fault that names it.

mod decryption_error;
mod fields;
mod kem_key;
mod message;
pub mod post_quantum;
mod post_quantum_record;
mod prekey_message;
mod public_key;
mod records;
mod scannable_fingerprint;
mod sealed_certificate;
mod sealed_content;
mod sealed_outer;
mod sealed_sent;
mod sender_key_distribution;
mod sender_key_message;
mod service_id;

pub use decryption_error::{DecryptionErrorMessage, PlaintextContent};
pub use kem_key::{admit_kem_ciphertext, admit_kem_key, encode_kem_key};
pub use message::{SignalMessage, SignalMessageFields};
pub use post_quantum_record::{
    StoredBraid, StoredBraidKeys, StoredBraidState, StoredChains, StoredDecoder, StoredDirection, StoredEncoder, StoredEpoch, StoredPostQuantum,
};
pub use prekey_message::PreKeySignalMessage;
pub use public_key::{
    PUBLIC_KEY, admit_agreement_key, admit_ephemeral_key, admit_verifying_key, encode_agreement_key, restore_verifying_key,
};
pub use records::{Chain, OfficialRecord, RecordStructure, SessionStructure};
pub use scannable_fingerprint::ScannableFingerprint;
pub use sealed_certificate::{SenderCertificateFields, ServerCertificateFields, Signed, Signer};
pub use sealed_content::{ContentFields, ContentHint, ContentKind};
pub use sealed_outer::{SealedV1, SealedV2, sealed_version};
pub use sealed_sent::{SentMessage, SentRecipient};
pub use sender_key_distribution::SenderKeyDistributionMessage;
pub use sender_key_message::{SenderKeyMessage, SenderKeyMessageFields};
pub use service_id::{ServiceId, ServiceKind};

/// The version of one-to-one messages that is spoken: PQXDH with the post-quantum ratchet.
pub const MESSAGE_VERSION: u8 = 4;
/// The first byte of a sent SignalMessage and PreKeySignalMessage.
const MESSAGE_VERSION_BYTE: u8 = (MESSAGE_VERSION << 4) | MESSAGE_VERSION;
/// The first byte of a sent SenderKeyMessage and SenderKeyDistributionMessage.
const SENDER_KEY_VERSION_BYTE: u8 = 0x33;

/// The longest message that is parsed: the largest plaintext (16 MiB), and room for its wrappings.
pub const MAX_MESSAGE: usize = (16 << 20) + (64 << 10);
/// The longest field that is not a body: certificates and post-quantum parts stay far below it.
pub const MAX_FIELD: usize = 8 << 10;
