//! What is larger than its limit.

use crate::session_world::{BOB, acquainted, strangers};
use crate::{refused, told};
use undertone::handshake::HandshakeProfile;
use undertone::wire::signal::SignalMessage;
use undertone::{Address, EnvelopeKind, ErrorKind, SessionRecord, Signal, Undertone};

/// Oversized fields: plaintexts, messages, names, devices, addresses of the same device.
#[test]
fn oversized_fields() {
    fn plaintext<P: HandshakeProfile>(seed: u64) {
        let (mut alice, _) = acquainted::<P>(seed);
        let before = alice.state();
        let huge = vec![0; (16 << 20) + 1];
        assert_eq!(told(alice.write(&huge)), (ErrorKind::InvalidRequest, "request.too_large"));
        assert_eq!(alice.state(), before);
    }
    plaintext::<Undertone>(244);
    plaintext::<Signal>(246);
    let large = (ErrorKind::InvalidMessage, "message.too_large");
    let (_, mut bob) = acquainted::<Undertone>(248);
    let bytes = vec![0x12; 156 + (16 << 20) + 17];
    refused(&mut bob, EnvelopeKind::Message, &bytes, large);
    let (mut alice, mut bob) = acquainted::<Signal>(250);
    let sent = alice.write(b"text").unwrap();
    let parsed = SignalMessage::parse(&sent.bytes).unwrap();
    let (mut fields, mac) = (parsed.fields, *parsed.mac);
    fields.pq_ratchet.resize(100_000, 0);
    refused(&mut bob, EnvelopeKind::Message, &fields.encode(|_| mac).unwrap(), large);
    refused(&mut bob, EnvelopeKind::Message, &vec![0x44; (16 << 20) + (1 << 20)], large);

    let kind = ErrorKind::InvalidRequest;
    assert_eq!(told(Address::new("", 1)), (kind, "address.name"));
    assert_eq!(told(Address::new("n".repeat(256), 1)), (kind, "address.name"));
    for device in [0, 128, 255] {
        assert_eq!(told(Address::new("name", device)), (kind, "address.device"));
    }
    assert_eq!(told(SessionRecord::<Signal>::new(&bob.local(), bob.address.clone())), (kind, "session.self"));
    // In the Signal profile a name in capitals is the same account; in the native one it is another.
    let capitals = Address::new(BOB.to_uppercase(), 1).unwrap();
    assert_eq!(told(SessionRecord::<Signal>::new(&bob.local(), capitals.clone())), (kind, "session.self"));
    let (_, bob) = strangers::<Undertone>(251);
    assert_eq!(told(SessionRecord::<Undertone>::new(&bob.local(), bob.address.clone())), (kind, "session.self"));
    assert!(SessionRecord::<Undertone>::new(&bob.local(), capitals).is_ok());
}
