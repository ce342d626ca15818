//! A protobuf as a list of fields, to be spoilt one by one.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field};

/// The fields in their order, each as it stands on the wire.
pub struct Fields(Vec<(u32, Vec<u8>)>);

impl Fields {
    /// Cuts a protobuf into its fields.
    pub fn read(mut bytes: &[u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let whole = bytes;
            let (tag, wire_type) = decode_key(&mut bytes).unwrap();
            skip_field(wire_type, tag, &mut bytes, DecodeContext::default()).unwrap();
            fields.push((tag, whole[..whole.len() - bytes.len()].to_vec()));
        }
        Self(fields)
    }

    /// The protobuf as it was.
    pub fn encode(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(_, field)| field.iter().copied()).collect()
    }

    /// What a field of bytes holds.
    pub fn bytes(&self, tag: u32) -> Vec<u8> {
        let mut field = self.0.iter().find(|(other, _)| *other == tag).unwrap().1.as_slice();
        assert_eq!(decode_key(&mut field).unwrap(), (tag, WireType::LengthDelimited));
        let length = decode_varint(&mut field).unwrap();
        assert_eq!(field.len() as u64, length);
        field.to_vec()
    }

    /// The protobuf without a field.
    pub fn without(&self, tag: u32) -> Vec<u8> {
        assert!(self.0.iter().any(|(other, _)| *other == tag), "there is a field {tag}");
        self.0.iter().filter(|(other, _)| *other != tag).flat_map(|(_, field)| field.iter().copied()).collect()
    }

    /// The protobuf with other bytes, or any at all, in a field.
    pub fn with(&self, tag: u32, content: &[u8]) -> Vec<u8> {
        let mut field = Vec::new();
        encode_key(tag, WireType::LengthDelimited, &mut field);
        encode_varint(content.len() as u64, &mut field);
        field.extend_from_slice(content);
        self.replaced(tag, field)
    }

    /// The protobuf with another number, or one at all, in a field.
    pub fn with_number(&self, tag: u32, number: u64) -> Vec<u8> {
        let mut field = Vec::new();
        encode_key(tag, WireType::Varint, &mut field);
        encode_varint(number, &mut field);
        self.replaced(tag, field)
    }

    /// How long the protobuf is up to the end of each field.
    pub fn ends(&self) -> Vec<(u32, usize)> {
        let mut end = 0;
        let ends = self.0.iter().map(|(tag, field)| {
            end += field.len();
            (*tag, end)
        });
        ends.collect()
    }

    fn replaced(&self, tag: u32, new: Vec<u8>) -> Vec<u8> {
        let mut fields = self.0.clone();
        match fields.iter_mut().find(|(other, _)| *other == tag) {
            Some((_, field)) => *field = new,
            None => fields.push((tag, new)),
        }
        Self(fields).encode()
    }
}
