use super::*;
use crate::error::Result;
use proptest::prelude::*;

const ID: MessageId = MessageId([7; 16]);

fn content(body: Body) -> Content {
    Content {
        conversation: Some("bob".to_owned()),
        stream: 0x0102_0304_0506_0708,
        sequence: 3,
        acknowledged: Some(Acknowledged { stream: 9, up_to: 0 }),
        device_list: Some((4, [5; 32])),
        ..Content::new(ID, 1_800_000_000_123, body)
    }
}

fn bodies() -> Vec<Body> {
    let text = || "Grüße".to_owned();
    vec![
        Body::Nothing,
        Body::Text(String::new()),
        Body::Text(text()),
        Body::Reply { to: ID, text: text() },
        Body::Reaction { to: ID, emoji: "👍".to_owned() },
        Body::Edit { target: ID, text: text() },
        Body::Delete { target: ID },
        Body::Receipt { kind: ReceiptKind::Delivered, ids: vec![ID, MessageId([8; 16])] },
        Body::Receipt { kind: ReceiptKind::Read, ids: vec![ID; MAX_RECEIPT_IDS] },
        Body::Attachment(AttachmentPointer {
            locator: "files/7".to_owned(),
            key: [1; 32].into(),
            digest: [2; 32],
            size: u64::MAX,
            media_type: String::new(),
            name: "harbour.jpg".to_owned(),
        }),
        Body::GroupChange(vec![1, 2, 3]),
        Body::DeviceList(vec![vec![1; 300], Vec::new()]),
        Body::ResendRequest {
            stream: 9,
            missing: vec![MissingRange { from: 1, to: 1 }, MissingRange { from: 3, to: u64::MAX }],
        },
        Body::App(vec![0; 1000]),
        Body::Unknown { kind: 13, payload: vec![0xFF, 0, 1] },
        Body::Unknown { kind: u32::MAX, payload: Vec::new() },
    ]
}

fn code<T: core::fmt::Debug>(result: Result<T>) -> &'static str {
    result.unwrap_err().code()
}

#[test]
fn every_kind_survives_the_wire() {
    for body in bodies() {
        for content in [content(body.clone()), Content::new(ID, 0, body)] {
            let bytes = content.encode().unwrap();
            let again = Content::decode(&bytes).unwrap();
            assert_eq!(again, content);
            assert_eq!(again.encode().unwrap(), bytes);
        }
    }
}

/// The bytes of docs/content.md, section 5.
#[test]
fn the_example_of_the_documentation() {
    let bytes = Content { stream: 9, sequence: 1, ..Content::new(ID, 1_800_000_000_000, Body::from("hi")) }.encode();
    assert_eq!(hex::encode(&*bytes.unwrap()), EXAMPLE);
    assert!(include_str!("../../docs/content.md").contains(&format!("    {EXAMPLE}\n")));
}

const EXAMPLE: &str = "010a10070707070707070707070707070707071080a0f1c2b134210900000000000000280140024a040a026869";

/// B75: no content that is cut or bent makes a panic, and none that is cut is taken for whole where a field would be missing.
#[test]
fn bent_contents_are_refused_or_read() {
    for body in bodies() {
        let bytes = content(body).encode().unwrap();
        for cut in 0..bytes.len() {
            if let Err(error) = Content::decode(&bytes[..cut]) {
                assert_eq!(error.code(), "content.field");
            }
            let mut bent = bytes.to_vec();
            bent[cut] ^= 0x55;
            let _ = Content::decode(&bent);
        }
    }
    assert_eq!(code(Content::decode(&[])), "content.field");
    assert_eq!(code(Content::decode(&[1])), "content.field");
    assert_eq!(code(Content::decode(&[2, 0xFF])), "content.version");
}

/// Fields of a later version are passed over, in the envelope and in a kind.
#[test]
fn later_fields_are_passed_over() {
    let content = content(Body::from("hello"));
    let later = [&content.encode().unwrap()[..], &[0xA2, 0x06, 2, 1, 2]].concat();
    assert_eq!(Content::decode(&later), Ok(content));
    let text = payload::decode(2, vec![0x0A, 2, b'h', b'i', 0x50, 1]);
    assert_eq!(text, Ok(Body::from("hi")));
}

#[test]
fn what_is_too_large_is_refused_on_both_sides() {
    let name = |length| "n".repeat(length);
    let pointer = |locator, media_type, name| {
        let (key, digest) = ([1; 32].into(), [2; 32]);
        Body::Attachment(AttachmentPointer { locator, key, digest, size: 1, media_type, name })
    };
    for body in [
        Body::Text(name(MAX_TEXT + 1)),
        Body::Reply { to: ID, text: name(MAX_TEXT + 1) },
        Body::Edit { target: ID, text: name(MAX_TEXT + 1) },
        Body::Reaction { to: ID, emoji: name(65) },
        Body::Receipt { kind: ReceiptKind::Read, ids: vec![ID; MAX_RECEIPT_IDS + 1] },
        pointer(name(1025), name(1), name(1)),
        pointer(name(1), name(256), name(1)),
        pointer(name(1), name(1), name(1025)),
        Body::DeviceList(vec![Vec::new(); 254]),
        Body::DeviceList(vec![vec![0; 1024]; 129]),
        Body::App(vec![0; MAX_CONTENT]),
    ] {
        assert_eq!(code(Content::new(ID, 0, body.clone()).encode()), "request.too_large", "{body:?}");
    }
    let largest = Content::new(ID, 0, Body::App(vec![0; MAX_CONTENT - 64])).encode().unwrap();
    assert!(Content::decode(&largest).is_ok());
    assert_eq!(code(Content::decode(&vec![1; MAX_CONTENT + 1])), "content.field");

    let text = [&[0x0A, 0x81, 0x80, 0x04][..], &vec![b'n'; MAX_TEXT + 1]].concat();
    assert_eq!(code(payload::decode(2, text)), "content.field");
    let identifiers = [&[0x08, 1][..], &[&[0x12, 16][..], &[7; 16]].concat().repeat(MAX_RECEIPT_IDS + 1)].concat();
    assert_eq!(code(payload::decode(7, identifiers)), "content.field");
    assert_eq!(code(payload::decode(10, [0x0A, 0].repeat(254))), "content.field");
    assert_eq!(code(payload::decode(10, [0x0A, 0].repeat(1 << 20))), "content.field");
}

#[test]
fn malformed_fields_are_refused() {
    let one = Content::new(ID, 0, Body::Nothing);
    for wrong in [
        Content { stream: 1, ..one.clone() },
        Content { sequence: 1, ..one.clone() },
        Content { acknowledged: Some(Acknowledged { stream: 0, up_to: 1 }), ..one.clone() },
        Content { device_list: Some((0, [0; 32])), ..one.clone() },
        Content { conversation: Some("n".repeat(256)), ..one.clone() },
        Content { conversation: Some(String::new()), ..one.clone() },
        Content { body: Body::Unknown { kind: 0, payload: Vec::new() }, ..one.clone() },
        Content { body: Body::Unknown { kind: 12, payload: Vec::new() }, ..one.clone() },
    ] {
        assert_eq!(code(wrong.encode()), "request.argument", "{wrong:?}");
    }
    let range = |from, to| MissingRange { from, to };
    for (stream, missing) in [
        (0, vec![range(1, 1)]),
        (1, Vec::new()),
        (1, vec![range(0, 1)]),
        (1, vec![range(2, 1)]),
        (1, vec![range(1, 2), range(2, 3)]),
        (1, vec![range(3, 3), range(1, 1)]),
    ] {
        assert_eq!(code(payload::encode(&Body::ResendRequest { stream, missing })), "request.argument");
    }
    let many = (0..65).map(|at| range(2 * at + 1, 2 * at + 1)).collect();
    assert_eq!(code(payload::encode(&Body::ResendRequest { stream: 1, missing: many })), "request.too_large");

    for (kind, bytes) in [
        (0, vec![]),
        (2, vec![0x0A, 1, 0xFF]),
        (2, vec![0x0A, 5, b'a']),
        (3, vec![0x12, 1, b'a']),
        (6, vec![0x0A, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        (7, vec![0x08, 3]),
        (8, vec![0x12, 1, 0]),
        (11, vec![0x12, 2, 0x08, 1]),
    ] {
        assert_eq!(code(payload::decode(kind, bytes)), "content.field", "{kind}");
    }
}

/// No content shows in what is written to a log.
#[test]
fn debug_shows_no_content() {
    for body in bodies() {
        let shown = format!("{:?}", content(body));
        for said in ["Grüße", "👍", "harbour", "files", "bob", "1, 2, 3"] {
            assert!(!shown.contains(said), "{shown}");
        }
    }
}

proptest! {
    /// B75: whatever stands in an envelope, reading it ends with an answer, and what was read is written in one form.
    #[test]
    fn any_bytes_have_an_answer(kind in 0_u32..16, bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Content::decode(&[&[1][..], &bytes].concat());
        if let Ok(body) = payload::decode(kind, bytes) {
            let again = content(body.clone()).encode().map(|bytes| Content::decode(&bytes).unwrap().body);
            prop_assert_eq!(again, Ok(body));
        }
    }
}
