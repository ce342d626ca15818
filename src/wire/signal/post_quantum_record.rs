//! The post-quantum ratchet in the records of official stores.

use crate::crypto::{Zeroize, ZeroizeOnDrop};
use crate::wire::signal::records::records;
use prost::Message;

records! {
    /// The whole ratchet.
    StoredPostQuantum {
        /// What the chains begin with, until the first message has come.
        #[prost(message, optional, tag = "1")]
        start: Option<StoredStart>,
        /// The chains; absent before the first message, and in the version without a post-quantum ratchet.
        #[prost(message, optional, tag = "2")]
        chains: Option<StoredChains>,
        /// The braid.
        #[prost(message, optional, tag = "3")]
        braid: Option<StoredBraid>,
    }

    /// What the chains begin with.
    StoredStart {
        /// The secret of the handshake, 32 bytes.
        #[prost(bytes = "vec", tag = "1")]
        secret: Vec<u8>,
        /// 0 for the initiator, 1 for the responder.
        #[prost(uint32, tag = "2")]
        direction: u32,
    }

    /// The chains of the epochs still in use.
    StoredChains {
        /// 0 for the initiator, 1 for the responder.
        #[prost(uint32, tag = "1")]
        direction: u32,
        /// The newest epoch.
        #[prost(uint64, tag = "2")]
        newest: u64,
        /// Oldest first, up to the newest.
        #[prost(message, repeated, tag = "3")]
        epochs: Vec<StoredEpoch>,
        /// The root of the next epoch, 32 bytes.
        #[prost(bytes = "vec", tag = "4")]
        root: Vec<u8>,
        /// The epoch last sent in.
        #[prost(uint64, tag = "5")]
        sending: u64,
    }

    /// The chains of one epoch.
    StoredEpoch {
        /// For sending.
        #[prost(message, optional, tag = "1")]
        sending: Option<StoredDirection>,
        /// For receiving.
        #[prost(message, optional, tag = "2")]
        receiving: Option<StoredDirection>,
    }

    /// One chain.
    StoredDirection {
        /// The index of the last message.
        #[prost(uint32, tag = "1")]
        index: u32,
        /// The chain key, 32 bytes; empty once it is wiped.
        #[prost(bytes = "vec", tag = "2")]
        key: Vec<u8>,
        /// Keys passed over: each a 4-byte index and 32 bytes, in no order.
        #[prost(bytes = "vec", tag = "3")]
        skipped: Vec<u8>,
    }

    /// The braid: one of eleven states, under its number.
    StoredBraid {
        /// KeysUnsampled.
        #[prost(message, optional, tag = "1")]
        keys_unsampled: Option<StoredBraidState>,
        /// KeysSampled: `third` is the vector, `fourth` the expanded key; `first_part` the encoder of the header.
        #[prost(message, optional, tag = "2")]
        keys_sampled: Option<StoredBraidState>,
        /// HeaderSent: `third` is the expanded key; the encoder of the vector, the decoder of ct1.
        #[prost(message, optional, tag = "3")]
        header_sent: Option<StoredBraidState>,
        /// Ct1Received: the expanded key and ct1; the encoder of the vector.
        #[prost(message, optional, tag = "4")]
        ct1_received: Option<StoredBraidState>,
        /// EkSentCt1Received: the expanded key and ct1; `second_part` the decoder of ct2.
        #[prost(message, optional, tag = "5")]
        ek_sent_ct1_received: Option<StoredBraidState>,
        /// NoHeaderReceived: `first_part` the decoder of the header.
        #[prost(message, optional, tag = "6")]
        no_header_received: Option<StoredBraidState>,
        /// HeaderReceived: `third` is the header.
        #[prost(message, optional, tag = "7")]
        header_received: Option<StoredBraidState>,
        /// Ct1Sampled: the header, the encapsulation state and ct1; the encoder of ct1, the decoder of the vector.
        #[prost(message, optional, tag = "8")]
        ct1_sampled: Option<StoredBraidState>,
        /// EkReceivedCt1Sampled: the encapsulation state, the vector and ct1; the encoder of ct1.
        #[prost(message, optional, tag = "9")]
        ek_received_ct1_sampled: Option<StoredBraidState>,
        /// Ct1Acknowledged: the header, the encapsulation state and ct1; `first_part` the decoder of the vector.
        #[prost(message, optional, tag = "10")]
        ct1_acknowledged: Option<StoredBraidState>,
        /// Ct2Sampled: the encoder of ct2.
        #[prost(message, optional, tag = "11")]
        ct2_sampled: Option<StoredBraidState>,
    }

    /// One state of the braid.
    StoredBraidState {
        /// What it holds besides chunks.
        #[prost(message, optional, tag = "1")]
        inner: Option<StoredBraidKeys>,
        /// An encoder, or a decoder where there is no encoder.
        #[prost(bytes = "vec", tag = "2")]
        first_part: Vec<u8>,
        /// A decoder.
        #[prost(bytes = "vec", tag = "3")]
        second_part: Vec<u8>,
    }

    /// What a state of the braid holds besides chunks; what the fields from the third on are depends on the state.
    StoredBraidKeys {
        /// The epoch being negotiated.
        #[prost(uint64, tag = "1")]
        epoch: u64,
        /// The authenticator.
        #[prost(message, optional, tag = "2")]
        authenticator: Option<StoredAuthenticator>,
        /// See the state.
        #[prost(bytes = "vec", tag = "3")]
        third: Vec<u8>,
        /// See the state.
        #[prost(bytes = "vec", tag = "4")]
        fourth: Vec<u8>,
        /// See the state.
        #[prost(bytes = "vec", tag = "5")]
        fifth: Vec<u8>,
    }

    /// The keys of the authenticator.
    StoredAuthenticator {
        /// 32 bytes.
        #[prost(bytes = "vec", tag = "1")]
        root: Vec<u8>,
        /// 32 bytes.
        #[prost(bytes = "vec", tag = "2")]
        mac: Vec<u8>,
    }

    /// The sender of a message in chunks.
    StoredEncoder {
        /// The index of the next chunk.
        #[prost(uint32, tag = "1")]
        next: u32,
        /// Per lane its values at 0, 1, 2, ...: big-endian, two bytes each.
        #[prost(bytes = "vec", repeated, tag = "2")]
        values: Vec<Vec<u8>>,
        /// Or, once the message itself was sent, per lane the coefficients of its polynomial, the constant first.
        #[prost(bytes = "vec", repeated, tag = "3")]
        polynomials: Vec<Vec<u8>>,
    }

    /// The receiver of a message in chunks.
    StoredDecoder {
        /// Per lane its points: index and value, big-endian, two bytes each.
        #[prost(bytes = "vec", repeated, tag = "3")]
        points: Vec<Vec<u8>>,
    }
}
