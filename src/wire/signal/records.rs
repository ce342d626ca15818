//! The records of official stores, read by importers. All proto3; what is secret is wiped on drop and not shown.

use crate::crypto::{Zeroize, ZeroizeOnDrop};
use crate::error::{Fault, Result};
use prost::Message;

/// The longest record that is read: an official session record with all its skipped keys stays under 200 KB, and
/// one RecordStructure holds at most 41 of them.
const MAX_RECORD: usize = 16 << 20;

/// Declares records: protobuf fields, wiped on drop, with a Debug that shows nothing.
macro_rules! records {
    ($($(#[$about:meta])* $name:ident { $($(#[$field_about:meta])* $field:ident: $type:ty,)* })*) => { $(
        $(#[$about])*
        #[derive(Clone, PartialEq, Message, Zeroize, ZeroizeOnDrop)]
        #[prost(skip_debug)]
        pub struct $name {
            $($(#[$field_about])* pub $field: $type,)*
        }

        impl $crate::wire::signal::OfficialRecord for $name {}

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )* };
}

pub(super) use records;

/// A record of an official store.
pub trait OfficialRecord: Message + Default {
    /// Decodes a stored record.
    ///
    /// # Errors
    /// `record.corrupt`.
    fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_RECORD {
            return Err(Fault::RecordCorrupt.into());
        }
        Self::decode(bytes).map_err(|_| Fault::RecordCorrupt.into())
    }
}

records! {
    /// All sessions with one device.
    RecordStructure {
        /// The session that sends.
        #[prost(message, optional, tag = "1")]
        current_session: Option<SessionStructure>,
        /// The archived ones, newest first, each a serialized [`SessionStructure`].
        #[prost(bytes = "vec", repeated, tag = "2")]
        previous_sessions: Vec<Vec<u8>>,
    }

    /// One session.
    SessionStructure {
        /// 4 for PQXDH.
        #[prost(uint32, tag = "1")]
        version: u32,
        /// The local identity key, 33 bytes.
        #[prost(bytes = "vec", tag = "2")]
        local_identity: Vec<u8>,
        /// The remote identity key, 33 bytes.
        #[prost(bytes = "vec", tag = "3")]
        remote_identity: Vec<u8>,
        /// The root key, 32 bytes.
        #[prost(bytes = "vec", tag = "4")]
        root_key: Vec<u8>,
        /// What goes out as the previous counter.
        #[prost(uint32, tag = "5")]
        previous_counter: u32,
        /// The sending chain.
        #[prost(message, optional, tag = "6")]
        sender_chain: Option<Chain>,
        /// The receiving chains, oldest first.
        #[prost(message, repeated, tag = "7")]
        receiver_chains: Vec<Chain>,
        /// The handshake that the peer has not acknowledged.
        #[prost(message, optional, tag = "9")]
        pending_pre_key: Option<PendingPreKey>,
        /// The peer's registration id.
        #[prost(uint32, tag = "10")]
        remote_registration_id: u32,
        /// Our registration id.
        #[prost(uint32, tag = "11")]
        local_registration_id: u32,
        /// The initiator's ephemeral key, 33 bytes.
        #[prost(bytes = "vec", tag = "13")]
        alice_base_key: Vec<u8>,
        /// The Kyber half of `pending_pre_key`.
        #[prost(message, optional, tag = "14")]
        pending_kyber_pre_key: Option<PendingKyberPreKey>,
        /// The post-quantum ratchet, serialized.
        #[prost(bytes = "vec", tag = "15")]
        pq_ratchet_state: Vec<u8>,
    }

    /// A sending or receiving chain.
    Chain {
        /// The ratchet key, 33 bytes.
        #[prost(bytes = "vec", tag = "1")]
        sender_ratchet_key: Vec<u8>,
        /// Its private half, in a sending chain.
        #[prost(bytes = "vec", tag = "2")]
        sender_ratchet_key_private: Vec<u8>,
        /// The chain key.
        #[prost(message, optional, tag = "3")]
        chain_key: Option<ChainKey>,
        /// Skipped message keys.
        #[prost(message, repeated, tag = "4")]
        message_keys: Vec<MessageKey>,
    }

    /// A chain key.
    ChainKey {
        /// The number of the message it is for.
        #[prost(uint32, tag = "1")]
        index: u32,
        /// 32 bytes.
        #[prost(bytes = "vec", tag = "2")]
        key: Vec<u8>,
    }

    /// A skipped message key: a seed, or in old records the three keys that a seed without post-quantum part gave.
    MessageKey {
        /// The message's number.
        #[prost(uint32, tag = "1")]
        index: u32,
        /// 32 bytes or none.
        #[prost(bytes = "vec", tag = "2")]
        cipher_key: Vec<u8>,
        /// 32 bytes or none.
        #[prost(bytes = "vec", tag = "3")]
        mac_key: Vec<u8>,
        /// 16 bytes or none.
        #[prost(bytes = "vec", tag = "4")]
        iv: Vec<u8>,
        /// 32 bytes or none.
        #[prost(bytes = "vec", tag = "5")]
        seed: Vec<u8>,
    }

    /// The classical half of a handshake that the peer has not acknowledged.
    PendingPreKey {
        /// The one-time prekey used.
        #[prost(uint32, optional, tag = "1")]
        pre_key_id: Option<u32>,
        /// The ephemeral key, 33 bytes.
        #[prost(bytes = "vec", tag = "2")]
        base_key: Vec<u8>,
        /// The signed prekey used.
        #[prost(int32, tag = "3")]
        signed_pre_key_id: i32,
        /// When, in seconds since 1970.
        #[prost(uint64, tag = "4")]
        timestamp: u64,
    }

    /// The post-quantum half.
    PendingKyberPreKey {
        /// The Kyber prekey used.
        #[prost(uint32, tag = "1")]
        pre_key_id: u32,
        /// The ciphertext, with its type byte.
        #[prost(bytes = "vec", tag = "2")]
        ciphertext: Vec<u8>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_a_round_trip_and_show_nothing() {
        let mut chain = Chain::default();
        chain.chain_key = Some(ChainKey { index: 3, key: vec![8; 32] });
        let mut session = SessionStructure::default();
        session.version = 4;
        session.root_key = vec![7; 32];
        session.sender_chain = Some(chain);
        let bytes = session.encode_to_vec();
        assert_eq!(hex::encode(bytes.get(..5).unwrap()), "0804222007");
        assert_eq!(SessionStructure::parse(&bytes).unwrap(), session);
        assert_eq!(format!("{session:?}"), "SessionStructure(..)");

        let mut record = RecordStructure::default();
        record.current_session = Some(session);
        record.previous_sessions = vec![bytes];
        assert_eq!(RecordStructure::parse(&record.encode_to_vec()).unwrap(), record);
    }

    #[test]
    fn malformed_records_are_corrupt() {
        let code = |bytes: &[u8]| RecordStructure::parse(bytes).unwrap_err().code();
        assert_eq!(code(&[0x0A, 5, 0]), "record.corrupt");
        assert_eq!(code(&[0x08, 1]), "record.corrupt");
        assert_eq!(code(&vec![0; MAX_RECORD + 1]), "record.corrupt");
        assert_eq!(RecordStructure::parse(&[0x98, 0x06, 1]).unwrap(), RecordStructure::default());
    }
}
