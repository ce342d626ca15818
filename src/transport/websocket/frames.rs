//! The protobuf messages between a WebSocket transport and a relay, as `docs/relay.md` numbers their fields.

use prost::{Message, Oneof};

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(super) struct RequestFrame {
    #[prost(uint64, tag = "1")]
    pub(super) id: u64,
    #[prost(oneof = "CallFrame", tags = "2, 3, 4, 5, 6, 7, 8, 9, 10")]
    pub(super) call: Option<CallFrame>,
}

#[derive(Clone, PartialEq, Oneof)]
#[prost(skip_debug)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
pub(super) enum CallFrame {
    #[prost(message, tag = "2")]
    SignIn(SignInFrame),
    #[prost(message, tag = "3")]
    Publish(PublicationFrame),
    #[prost(message, tag = "4")]
    DeviceList(DeviceListFrame),
    #[prost(message, tag = "5")]
    Fetch(FetchFrame),
    #[prost(message, tag = "6")]
    Send(SendFrame),
    #[prost(message, tag = "7")]
    Acknowledge(ListFrame),
    #[prost(message, tag = "8")]
    Witness(WitnessFrame),
    #[prost(message, tag = "9")]
    Leave(MeetingFrame),
    #[prost(message, tag = "10")]
    Collect(MeetingFrame),
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(super) struct ResponseFrame {
    /// 0 for what the relay says unasked.
    #[prost(uint64, tag = "1")]
    pub(super) id: u64,
    #[prost(oneof = "AnswerFrame", tags = "2, 3, 4, 5, 6, 7, 8, 9, 10, 11")]
    pub(super) answer: Option<AnswerFrame>,
}

#[derive(Clone, PartialEq, Oneof)]
#[prost(skip_debug)]
pub(super) enum AnswerFrame {
    #[prost(bytes, tag = "2")]
    Challenge(Vec<u8>),
    #[prost(message, tag = "3")]
    Done(NothingFrame),
    #[prost(message, tag = "4")]
    Stock(StockFrame),
    #[prost(message, tag = "5")]
    Statements(ListFrame),
    #[prost(message, tag = "6")]
    Bundles(ListFrame),
    #[prost(bytes, tag = "7")]
    Verdicts(Vec<u8>),
    #[prost(message, tag = "8")]
    Witness(OptionalWitnessFrame),
    #[prost(bytes, tag = "9")]
    Message(Vec<u8>),
    #[prost(uint32, tag = "10")]
    Failed(u32),
    #[prost(message, tag = "11")]
    Deliveries(DeliveriesFrame),
}

#[derive(Clone, Copy, PartialEq, Message)]
#[prost(skip_debug)]
pub(super) struct NothingFrame {}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(super) struct SignInFrame {
    #[prost(string, tag = "1")]
    pub(super) account: String,
    #[prost(uint32, tag = "2")]
    pub(super) device: u32,
    #[prost(bytes, tag = "3")]
    pub(super) signature: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(super) struct PublicationFrame {
    #[prost(bytes, tag = "1")]
    pub(super) id: Vec<u8>,
    #[prost(string, tag = "2")]
    pub(super) account: String,
    #[prost(uint32, tag = "3")]
    pub(super) device: u32,
    #[prost(bytes, repeated, tag = "4")]
    pub(super) statements: Vec<Vec<u8>>,
    #[prost(message, optional, tag = "5")]
    pub(super) prekeys: Option<PrekeysFrame>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(super) struct PrekeysFrame {
    #[prost(uint32, tag = "1")]
    pub(super) registration_id: u32,
    #[prost(bytes, tag = "2")]
    pub(super) identity: Vec<u8>,
    #[prost(message, optional, tag = "3")]
    pub(super) signed_prekey: Option<PrekeyFrame>,
    #[prost(message, optional, tag = "4")]
    pub(super) last_resort_prekey: Option<PrekeyFrame>,
    #[prost(message, repeated, tag = "5")]
    pub(super) one_time_prekeys: Vec<PrekeyFrame>,
    #[prost(message, repeated, tag = "6")]
    pub(super) one_time_kem_prekeys: Vec<PrekeyFrame>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(super) struct PrekeyFrame {
    #[prost(uint32, tag = "1")]
    pub(super) id: u32,
    #[prost(bytes, tag = "2")]
    pub(super) public: Vec<u8>,
    #[prost(bytes, tag = "3")]
    pub(super) signature: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(super) struct DeviceListFrame {
    #[prost(string, tag = "1")]
    pub(super) account: String,
    #[prost(uint64, tag = "2")]
    pub(super) after: u64,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(super) struct FetchFrame {
    #[prost(string, tag = "1")]
    pub(super) account: String,
    #[prost(bytes, tag = "2")]
    pub(super) devices: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(super) struct SendFrame {
    #[prost(message, repeated, tag = "1")]
    pub(super) envelopes: Vec<EnvelopeFrame>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(super) struct EnvelopeFrame {
    #[prost(bytes, tag = "1")]
    pub(super) id: Vec<u8>,
    #[prost(string, tag = "2")]
    pub(super) account: String,
    #[prost(uint32, tag = "3")]
    pub(super) device: u32,
    #[prost(uint64, tag = "4")]
    pub(super) device_list: u64,
    #[prost(bytes, tag = "5")]
    pub(super) bytes: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(super) struct ListFrame {
    #[prost(bytes, repeated, tag = "1")]
    pub(super) items: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(super) struct WitnessFrame {
    #[prost(uint64, tag = "1")]
    pub(super) generation: u64,
    #[prost(bytes, tag = "2")]
    pub(super) mac: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(super) struct OptionalWitnessFrame {
    #[prost(message, optional, tag = "1")]
    pub(super) witness: Option<WitnessFrame>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(super) struct MeetingFrame {
    #[prost(bytes, tag = "1")]
    pub(super) place: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub(super) number: u32,
    #[prost(bytes, tag = "3")]
    pub(super) message: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Message)]
#[prost(skip_debug)]
pub(super) struct StockFrame {
    #[prost(uint32, tag = "1")]
    pub(super) one_time: u32,
    #[prost(uint32, tag = "2")]
    pub(super) one_time_kem: u32,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(super) struct DeliveriesFrame {
    #[prost(message, repeated, tag = "1")]
    pub(super) envelopes: Vec<DeliveryFrame>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(super) struct DeliveryFrame {
    #[prost(bytes, tag = "1")]
    pub(super) id: Vec<u8>,
    #[prost(bytes, tag = "2")]
    pub(super) bytes: Vec<u8>,
}

/// Names, keys and envelopes do not belong in a log: a frame shows nothing but what it is.
macro_rules! redacted {
    ($($frame:ident)*) => { $(
        impl core::fmt::Debug for $frame {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(stringify!($frame))
            }
        }
    )* };
}

redacted! {
    RequestFrame CallFrame ResponseFrame AnswerFrame NothingFrame SignInFrame PublicationFrame PrekeysFrame PrekeyFrame
    DeviceListFrame FetchFrame SendFrame EnvelopeFrame ListFrame WitnessFrame OptionalWitnessFrame MeetingFrame
    StockFrame DeliveriesFrame DeliveryFrame
}
