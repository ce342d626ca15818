//! The form in which a version 2 sealed message goes to the server, which hands each recipient its share.

use super::{MAX_MESSAGE, SealedV2, ServiceId};
use crate::error::{Fault, Result};
use crate::wire::Reader;
use std::collections::HashMap;

const SENT_BYTE: u8 = 0x23;
const MORE_DEVICES: u16 = 0x8000;
/// The largest registration id, 14 bits.
const REGISTRATION_ID: u16 = 0x3FFF;
/// Where the first device should stand, ends an excluded recipient.
const NO_DEVICES: u8 = 0;

/// A message to any number of recipients, as the server reads it.
#[derive(Debug, PartialEq, Eq)]
pub struct SentMessage<'a> {
    /// The recipients, each named once.
    pub recipients: Vec<SentRecipient>,
    /// The ephemeral key, without a type byte.
    pub ephemeral: &'a [u8; 32],
    /// The content, the same for all.
    pub ciphertext: &'a [u8],
}

/// One recipient's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentRecipient {
    /// Who.
    pub service_id: ServiceId,
    /// The devices and their registration ids; none for a recipient who is excluded from the delivery but of the group.
    pub devices: Vec<(u8, u16)>,
    /// `C` and `AT`; zero for an excluded recipient, for whom none travels.
    pub share: ([u8; 32], [u8; 16]),
}

impl<'a> SentMessage<'a> {
    /// Parses `23 ‖ count ‖ recipients ‖ E ‖ ciphertext`, merging a recipient that is named repeatedly.
    ///
    /// # Errors
    /// `message.truncated`, `message.version`, `message.too_large`; `message.field` for a count, a device or a service id
    /// that is none, and for a recipient named twice in contradiction.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes, Fault::MessageTruncated);
        let version = reader.u8()?;
        if bytes.len() > MAX_MESSAGE {
            return Err(Fault::MessageTooLarge.into());
        }
        if version != SENT_BYTE {
            return Err(Fault::MessageVersion.into());
        }
        let count = read_count(&mut reader)?;
        let mut merged = Merged::default();
        for _ in 0..count {
            merged.add(read_recipient(&mut reader)?, Fault::MessageField)?;
        }
        Ok(Self { recipients: merged.recipients, ephemeral: reader.array()?, ciphertext: reader.rest() })
    }

    /// Encodes the message.
    ///
    /// # Errors
    /// `address.device`, `address.registration_id`; `request.argument` for a recipient named twice in contradiction;
    /// `request.too_large`.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut merged = Merged::default();
        for recipient in &self.recipients {
            check_devices(recipient)?;
            merged.add(recipient.clone(), Fault::Argument)?;
        }
        let mut out = vec![SENT_BYTE];
        prost::encoding::encode_varint(merged.recipients.len() as u64, &mut out);
        for recipient in &merged.recipients {
            write_recipient(recipient, &mut out);
        }
        out.extend_from_slice(self.ephemeral);
        out.extend_from_slice(self.ciphertext);
        if out.len() > MAX_MESSAGE { Err(Fault::PlaintextTooLarge.into()) } else { Ok(out) }
    }

    /// What the server delivers to every device of `recipient`; `None` when it is excluded or not named.
    #[must_use]
    pub fn delivered_for(&self, recipient: &ServiceId) -> Option<Vec<u8>> {
        let found = self.recipients.iter().find(|other| other.service_id == *recipient && !other.devices.is_empty())?;
        let (encrypted_secret, authentication_tag) = &found.share;
        let message =
            SealedV2 { encrypted_secret, authentication_tag, ephemeral: self.ephemeral, ciphertext: self.ciphertext };
        Some(message.encode())
    }
}

/// Recipients, each once, found by its id: a message may name hundreds of thousands.
#[derive(Default)]
struct Merged {
    recipients: Vec<SentRecipient>,
    places: HashMap<ServiceId, usize>,
}

impl Merged {
    /// Adds a recipient, or its devices to the entry that is there already.
    fn add(&mut self, new: SentRecipient, contradiction: Fault) -> Result<()> {
        let place = *self.places.entry(new.service_id).or_insert(self.recipients.len());
        let Some(held) = self.recipients.get_mut(place) else {
            let mut seen = 0_u128;
            for (device, _) in &new.devices {
                let bit = 1_u128.checked_shl(u32::from(*device)).ok_or(contradiction)?;
                if seen & bit != 0 {
                    return Err(contradiction.into());
                }
                seen |= bit;
            }
            self.recipients.push(new);
            return Ok(());
        };
        if held.devices.is_empty() != new.devices.is_empty() || held.share != new.share {
            return Err(contradiction.into());
        }
        for device in new.devices {
            match held.devices.iter().find(|other| other.0 == device.0) {
                None => held.devices.push(device),
                Some(other) if *other == device => {}
                Some(_) => return Err(contradiction.into()),
            }
        }
        Ok(())
    }
}

fn read_count(reader: &mut Reader<'_>) -> Result<u32> {
    let mut count = 0_u32;
    for shift in [0, 7, 14, 21] {
        let byte = reader.u8()?;
        count |= u32::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok(count);
        }
    }
    Err(Fault::MessageField.into())
}

fn read_recipient(reader: &mut Reader<'_>) -> Result<SentRecipient> {
    let service_id =
        ServiceId::from_fixed_width(reader.array::<{ ServiceId::FIXED_WIDTH }>()?).map_err(|_| Fault::MessageField)?;
    let mut devices = Vec::new();
    loop {
        let device = reader.u8()?;
        if device == NO_DEVICES && devices.is_empty() {
            return Ok(SentRecipient { service_id, devices, share: ([0; 32], [0; 16]) });
        }
        if !(1..=127).contains(&device) {
            return Err(Fault::MessageField.into());
        }
        let registration = reader.u16()?;
        devices.push((device, registration & REGISTRATION_ID));
        if registration & MORE_DEVICES == 0 {
            break;
        }
    }
    Ok(SentRecipient { service_id, devices, share: (*reader.array()?, *reader.array()?) })
}

fn check_devices(recipient: &SentRecipient) -> Result<()> {
    for (device, registration) in &recipient.devices {
        if !(1..=127).contains(device) {
            return Err(Fault::AddressDevice.into());
        }
        if *registration > REGISTRATION_ID {
            return Err(Fault::RegistrationId.into());
        }
    }
    Ok(())
}

/// The devices were checked.
fn write_recipient(recipient: &SentRecipient, out: &mut Vec<u8>) {
    out.extend_from_slice(&recipient.service_id.to_fixed_width());
    let Some((last, others)) = recipient.devices.split_last() else {
        out.push(NO_DEVICES);
        return;
    };
    for (more, (device, registration)) in others.iter().map(|device| (MORE_DEVICES, device)).chain([(0, last)]) {
        out.push(*device);
        out.extend_from_slice(&(registration | more).to_be_bytes());
    }
    let (encrypted_secret, authentication_tag) = &recipient.share;
    out.extend_from_slice(encrypted_secret);
    out.extend_from_slice(authentication_tag);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::signal::ServiceKind;

    fn recipient(name: u8, devices: &[(u8, u16)]) -> SentRecipient {
        let share = if devices.is_empty() { ([0; 32], [0; 16]) } else { ([name; 32], [name; 16]) };
        SentRecipient { service_id: ServiceId::new(ServiceKind::Aci, [name; 16]), devices: devices.to_vec(), share }
    }

    fn message(recipients: Vec<SentRecipient>) -> SentMessage<'static> {
        SentMessage { recipients, ephemeral: &[0xEE; 32], ciphertext: &[0xCC; 20] }
    }

    /// B59: each recipient is handed its own share and no other.
    #[test]
    fn the_server_finds_each_share() {
        let sent = message(vec![recipient(1, &[(1, 0x3FFF), (2, 7)]), recipient(2, &[]), recipient(3, &[(127, 0)])]);
        let bytes = sent.encode().unwrap();
        let layout = [
            vec![0x23, 3, 0],
            vec![1; 16],
            vec![1, 0xBF, 0xFF, 2, 0, 7],
            vec![1; 48],
            vec![0],
            vec![2; 16],
            vec![0, 0],
            vec![3; 16],
            vec![127, 0, 0],
            vec![3; 48],
            vec![0xEE; 32],
            vec![0xCC; 20],
        ];
        assert_eq!(hex::encode(&bytes), hex::encode(layout.concat()));
        let parsed = SentMessage::parse(&bytes).unwrap();
        assert_eq!(parsed, sent);
        let delivered = parsed.delivered_for(&sent.recipients[0].service_id).unwrap();
        assert_eq!(delivered, [vec![0x22], vec![1; 48], vec![0xEE; 32], vec![0xCC; 20]].concat());
        assert_eq!(parsed.delivered_for(&sent.recipients[1].service_id), None);
        assert_eq!(parsed.delivered_for(&ServiceId::new(ServiceKind::Pni, [1; 16])), None);
    }

    #[test]
    fn a_recipient_named_again_is_merged_unless_it_contradicts() {
        let twice = message(vec![recipient(1, &[(1, 5)]), recipient(1, &[(2, 6), (1, 5)])]);
        let bytes = twice.encode().unwrap();
        assert_eq!(SentMessage::parse(&bytes).unwrap().recipients, [recipient(1, &[(1, 5), (2, 6)])]);
        for contradiction in [
            vec![recipient(1, &[(1, 5)]), recipient(1, &[])],
            vec![recipient(1, &[(1, 5)]), recipient(1, &[(1, 6)])],
            vec![recipient(1, &[(1, 5), (1, 5)])],
        ] {
            assert_eq!(message(contradiction).encode().unwrap_err().code(), "request.argument");
        }
        let one = message(vec![recipient(1, &[(1, 5)])]).encode().unwrap();
        let head = &one[2..one.len() - 52];
        let mut excluded = head[..17].to_vec();
        excluded.push(0);
        let forged = [&[0x23, 2][..], head, &excluded, &[0; 52]].concat();
        assert_eq!(SentMessage::parse(&forged).unwrap_err().code(), "message.field");
    }

    #[test]
    fn each_malformation_has_its_name() {
        let sent = message(vec![recipient(1, &[(1, 5)])]);
        let bytes = sent.encode().unwrap();
        for length in 0..bytes.len() - 20 {
            assert_eq!(SentMessage::parse(&bytes[..length]).unwrap_err().code(), "message.truncated", "{length}");
        }
        let with = |at: usize, value: u8| {
            let mut changed = bytes.clone();
            changed[at] = value;
            SentMessage::parse(&changed).unwrap_err().code()
        };
        assert_eq!(with(0, 0x22), "message.version");
        assert_eq!(with(2, 2), "message.field");
        assert_eq!(with(19, 128), "message.field");
        assert_eq!(SentMessage::parse(&[0x23, 0xFF, 0xFF, 0xFF, 0xFF, 1]).unwrap_err().code(), "message.field");
        assert_eq!(SentMessage::parse(&vec![0x23; MAX_MESSAGE + 1]).unwrap_err().code(), "message.too_large");
        let encode = |devices: &[(u8, u16)]| message(vec![recipient(1, devices)]).encode().unwrap_err().code();
        assert_eq!(encode(&[(1, 0x4000)]), "address.registration_id");
        assert_eq!(encode(&[(128, 1)]), "address.device");
        assert_eq!(encode(&[(0, 1)]), "address.device");
    }
}
