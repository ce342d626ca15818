//! What a [`WebSocketTransport`](crate::transport::WebSocketTransport) and a relay say to each other, in the form that both work with (docs/relay.md).

use super::frames::*;
use crate::error::{Error, Fault, Result};
use crate::handshake::PublishedPrekey;
use crate::transport::{
    Delivery, EnvelopeId, MeetingPlace, Outbound, PrekeyStock, PrekeyUpload, Publication, TransportFault, Verdict,
    Witness,
};
use crate::wire::Address;
use prost::Message;

pub use super::mask::{MASK, mask, unmask};

/// The largest frame that either side takes, in bytes, with its mask.
pub const MAX_FRAME: usize = 4 << 20;
/// The path of connections that sign in.
pub const DEVICE_PATH: &str = "/v1/device";
/// The path of connections that do not: the relay does not learn who sends.
pub const OPEN_PATH: &str = "/v1/open";

/// What a client asks. Its answers are told apart by the number it was given, from 1.
///
/// ```
/// use undertone::transport::protocol::Call;
///
/// let call = Call::DeviceList { account: "alice".to_owned(), after: 3 };
/// let frame = call.encode(7);
/// assert!(matches!(Call::decode(&frame)?, (7, Call::DeviceList { after: 3, .. })));
/// assert_eq!(Call::decode(b"garbage").err().map(|error| error.code()), Some("transport.malformed"));
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the transport's methods")]
#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum Call {
    /// The first on a connection that signs in.
    SignIn { device: Address, signature: [u8; 64] },
    /// Signed in.
    Publish(Publication),
    /// Open.
    DeviceList { account: String, after: u64 },
    /// Open.
    Fetch { account: String, devices: Vec<u8> },
    /// Open.
    Send(Vec<Outbound>),
    /// Signed in.
    Acknowledge(Vec<EnvelopeId>),
    /// Signed in.
    Witness(Witness),
    /// Open.
    Leave { place: MeetingPlace, number: u8, message: Vec<u8> },
    /// Open. Answered when there is a message.
    Collect { place: MeetingPlace, number: u8 },
}

/// What a relay says: to a call, or unasked under the number 0.
///
/// ```
/// use undertone::transport::{TransportFault, protocol::Answer};
///
/// let frame = Answer::Failed(TransportFault::RateLimited).encode(7);
/// assert!(matches!(Answer::decode(&frame)?, (7, Answer::Failed(TransportFault::RateLimited))));
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// Unasked, the first on a connection that signs in.
    Challenge([u8; 32]),
    /// To `SignIn`, `Acknowledge` and `Leave`.
    Done,
    /// To `Publish`.
    Stock(PrekeyStock),
    /// To `DeviceList`.
    Statements(Vec<Vec<u8>>),
    /// To `Fetch`.
    Bundles(Vec<Vec<u8>>),
    /// To `Send`.
    Verdicts(Vec<Verdict>),
    /// To `Witness`.
    Witness(Option<Witness>),
    /// To `Collect`.
    Message(Vec<u8>),
    /// To any call.
    Failed(TransportFault),
    /// Unasked, on a connection that signed in.
    Deliveries(Vec<Delivery>),
}

impl Call {
    /// The frame of call number `id`, to be [masked](mask).
    #[must_use]
    pub fn encode(&self, id: u64) -> Vec<u8> {
        let call = match self {
            Self::SignIn { device, signature } => CallFrame::SignIn(SignInFrame {
                account: device.name().to_owned(),
                device: u32::from(device.device()),
                signature: signature.to_vec(),
            }),
            Self::Publish(publication) => CallFrame::Publish(publication_frame(publication)),
            Self::DeviceList { account, after } => {
                CallFrame::DeviceList(DeviceListFrame { account: account.clone(), after: *after })
            }
            Self::Fetch { account, devices } => {
                CallFrame::Fetch(FetchFrame { account: account.clone(), devices: devices.clone() })
            }
            Self::Send(envelopes) => {
                CallFrame::Send(SendFrame { envelopes: envelopes.iter().map(envelope_frame).collect() })
            }
            Self::Acknowledge(ids) => {
                CallFrame::Acknowledge(ListFrame { items: ids.iter().map(|id| id.0.to_vec()).collect() })
            }
            Self::Witness(witness) => CallFrame::Witness(witness_frame(witness)),
            Self::Leave { place, number, message } => CallFrame::Leave(MeetingFrame {
                place: place.0.to_vec(),
                number: u32::from(*number),
                message: message.clone(),
            }),
            Self::Collect { place, number } => CallFrame::Collect(MeetingFrame {
                place: place.0.to_vec(),
                number: u32::from(*number),
                message: Vec::new(),
            }),
        };
        RequestFrame { id, call: Some(call) }.encode_to_vec()
    }

    /// Reads a frame: the number of the call, and the call.
    ///
    /// # Errors
    /// `transport.malformed`.
    pub fn decode(frame: &[u8]) -> Result<(u64, Self)> {
        let RequestFrame { id, call } = RequestFrame::decode(frame).map_err(|_| malformed())?;
        let call = match call.ok_or_else(malformed)? {
            CallFrame::SignIn(frame) => {
                Self::SignIn { device: address(frame.account, frame.device)?, signature: array(&frame.signature)? }
            }
            CallFrame::Publish(frame) => Self::Publish(publication(frame)?),
            CallFrame::DeviceList(DeviceListFrame { account, after }) => Self::DeviceList { account, after },
            CallFrame::Fetch(FetchFrame { account, devices }) => Self::Fetch { account, devices },
            CallFrame::Send(frame) => Self::Send(frame.envelopes.into_iter().map(envelope).collect::<Result<_>>()?),
            CallFrame::Acknowledge(frame) => {
                Self::Acknowledge(frame.items.iter().map(|id| array(id).map(EnvelopeId)).collect::<Result<_>>()?)
            }
            CallFrame::Witness(frame) => Self::Witness(witness(&frame)?),
            CallFrame::Leave(frame) => Self::Leave {
                place: MeetingPlace(array(&frame.place)?),
                number: byte(frame.number)?,
                message: frame.message,
            },
            CallFrame::Collect(frame) => {
                Self::Collect { place: MeetingPlace(array(&frame.place)?), number: byte(frame.number)? }
            }
        };
        Ok((id, call))
    }
}

impl Answer {
    /// The frame of the answer to call number `id`, to be [masked](mask).
    #[must_use]
    pub fn encode(&self, id: u64) -> Vec<u8> {
        let answer = match self {
            Self::Challenge(challenge) => AnswerFrame::Challenge(challenge.to_vec()),
            Self::Done => AnswerFrame::Done(NothingFrame {}),
            Self::Stock(PrekeyStock { one_time, one_time_kem }) => {
                AnswerFrame::Stock(StockFrame { one_time: *one_time, one_time_kem: *one_time_kem })
            }
            Self::Statements(items) => AnswerFrame::Statements(ListFrame { items: items.clone() }),
            Self::Bundles(items) => AnswerFrame::Bundles(ListFrame { items: items.clone() }),
            Self::Verdicts(verdicts) => AnswerFrame::Verdicts(verdicts.iter().copied().map(verdict_number).collect()),
            Self::Witness(witness) => {
                AnswerFrame::Witness(OptionalWitnessFrame { witness: witness.as_ref().map(witness_frame) })
            }
            Self::Message(message) => AnswerFrame::Message(message.clone()),
            Self::Failed(fault) => AnswerFrame::Failed(fault_number(*fault)),
            Self::Deliveries(deliveries) => {
                let frame =
                    |delivery: &Delivery| DeliveryFrame { id: delivery.id.0.to_vec(), bytes: delivery.bytes.clone() };
                AnswerFrame::Deliveries(DeliveriesFrame { envelopes: deliveries.iter().map(frame).collect() })
            }
        };
        ResponseFrame { id, answer: Some(answer) }.encode_to_vec()
    }

    /// Reads a frame: the number of the call it answers, and the answer.
    ///
    /// # Errors
    /// `transport.malformed`.
    pub fn decode(frame: &[u8]) -> Result<(u64, Self)> {
        let ResponseFrame { id, answer } = ResponseFrame::decode(frame).map_err(|_| malformed())?;
        let answer = match answer.ok_or_else(malformed)? {
            AnswerFrame::Challenge(challenge) => Self::Challenge(array(&challenge)?),
            AnswerFrame::Done(NothingFrame {}) => Self::Done,
            AnswerFrame::Stock(StockFrame { one_time, one_time_kem }) => {
                Self::Stock(PrekeyStock { one_time, one_time_kem })
            }
            AnswerFrame::Statements(ListFrame { items }) => Self::Statements(items),
            AnswerFrame::Bundles(ListFrame { items }) => Self::Bundles(items),
            AnswerFrame::Verdicts(numbers) => Self::Verdicts(numbers.into_iter().map(verdict).collect::<Result<_>>()?),
            AnswerFrame::Witness(frame) => Self::Witness(frame.witness.as_ref().map(witness).transpose()?),
            AnswerFrame::Message(message) => Self::Message(message),
            AnswerFrame::Failed(number) => Self::Failed(fault(number)),
            AnswerFrame::Deliveries(frame) => {
                let delivery =
                    |frame: DeliveryFrame| Ok(Delivery { id: EnvelopeId(array(&frame.id)?), bytes: frame.bytes });
                Self::Deliveries(frame.envelopes.into_iter().map(delivery).collect::<Result<_>>()?)
            }
        };
        Ok((id, answer))
    }
}

fn malformed() -> Error {
    Fault::TransportAnswer.into()
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| malformed())
}

fn byte(number: u32) -> Result<u8> {
    u8::try_from(number).map_err(|_| malformed())
}

fn address(account: String, device: u32) -> Result<Address> {
    Address::new(account, byte(device)?).map_err(|_| malformed())
}

fn envelope_frame(envelope: &Outbound) -> EnvelopeFrame {
    EnvelopeFrame {
        id: envelope.id.0.to_vec(),
        account: envelope.to.name().to_owned(),
        device: u32::from(envelope.to.device()),
        device_list: envelope.device_list,
        bytes: envelope.bytes.clone(),
    }
}

fn envelope(frame: EnvelopeFrame) -> Result<Outbound> {
    Ok(Outbound {
        id: EnvelopeId(array(&frame.id)?),
        to: address(frame.account, frame.device)?,
        device_list: frame.device_list,
        bytes: frame.bytes,
    })
}

fn witness_frame(witness: &Witness) -> WitnessFrame {
    WitnessFrame { generation: witness.generation, mac: witness.mac.to_vec() }
}

fn witness(frame: &WitnessFrame) -> Result<Witness> {
    Ok(Witness { generation: frame.generation, mac: array(&frame.mac)? })
}

fn publication_frame(publication: &Publication) -> PublicationFrame {
    let prekeys = publication.prekeys.as_ref().map(|upload| PrekeysFrame {
        registration_id: upload.registration_id,
        identity: upload.identity.to_vec(),
        signed_prekey: Some(prekey_frame(&upload.signed_prekey)),
        last_resort_prekey: Some(prekey_frame(&upload.last_resort_prekey)),
        one_time_prekeys: upload.one_time_prekeys.iter().map(prekey_frame).collect(),
        one_time_kem_prekeys: upload.one_time_kem_prekeys.iter().map(prekey_frame).collect(),
    });
    PublicationFrame {
        id: publication.id.to_vec(),
        account: publication.device.name().to_owned(),
        device: u32::from(publication.device.device()),
        statements: publication.statements.clone(),
        prekeys,
    }
}

fn publication(frame: PublicationFrame) -> Result<Publication> {
    let prekeys = |frame: PrekeysFrame| -> Result<PrekeyUpload> {
        Ok(PrekeyUpload {
            registration_id: frame.registration_id,
            identity: array(&frame.identity)?,
            signed_prekey: prekey(frame.signed_prekey.ok_or_else(malformed)?)?,
            last_resort_prekey: prekey(frame.last_resort_prekey.ok_or_else(malformed)?)?,
            one_time_prekeys: frame.one_time_prekeys.into_iter().map(prekey).collect::<Result<_>>()?,
            one_time_kem_prekeys: frame.one_time_kem_prekeys.into_iter().map(prekey).collect::<Result<_>>()?,
        })
    };
    Ok(Publication {
        id: array(&frame.id)?,
        device: address(frame.account, frame.device)?,
        statements: frame.statements,
        prekeys: frame.prekeys.map(prekeys).transpose()?,
    })
}

fn prekey_frame(prekey: &PublishedPrekey) -> PrekeyFrame {
    PrekeyFrame {
        id: prekey.id,
        public: prekey.public.clone(),
        signature: prekey.signature.map(|signature| signature.to_vec()).unwrap_or_default(),
    }
}

fn prekey(frame: PrekeyFrame) -> Result<PublishedPrekey> {
    let signature = if frame.signature.is_empty() { None } else { Some(array(&frame.signature)?) };
    Ok(PublishedPrekey { id: frame.id, public: frame.public, signature })
}

const fn verdict_number(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Accepted => 0,
        Verdict::DevicesChanged => 1,
        Verdict::NoSuchDevice => 2,
        Verdict::TooLarge => 3,
        Verdict::MailboxFull => 4,
    }
}

fn verdict(number: u8) -> Result<Verdict> {
    Ok(match number {
        0 => Verdict::Accepted,
        1 => Verdict::DevicesChanged,
        2 => Verdict::NoSuchDevice,
        3 => Verdict::TooLarge,
        4 => Verdict::MailboxFull,
        _ => return Err(malformed()),
    })
}

const fn fault_number(fault: TransportFault) -> u32 {
    match fault {
        TransportFault::Unreachable => 1,
        TransportFault::RateLimited => 2,
        TransportFault::Refused => 3,
        TransportFault::Unauthorized => 4,
        TransportFault::UnknownAccount => 5,
        TransportFault::TooLarge => 6,
        TransportFault::Malformed => 7,
    }
}

/// A reason that this version does not know is a refusal.
const fn fault(number: u32) -> TransportFault {
    match number {
        1 => TransportFault::Unreachable,
        2 => TransportFault::RateLimited,
        4 => TransportFault::Unauthorized,
        5 => TransportFault::UnknownAccount,
        6 => TransportFault::TooLarge,
        7 => TransportFault::Malformed,
        _ => TransportFault::Refused,
    }
}
