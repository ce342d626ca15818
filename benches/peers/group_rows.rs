//! Sender keys beside Megolm.

use crate::interleaved::{Effort, prepared, repeated};
use crate::table::{Peer, Table};
use crate::undertone_side::{Device, NOW};
use undertone::{GroupContext, GroupId, IdentityKeyPair, ReceivedSenderKeys, SenderKey, Undertone};
use vodozemac::megolm::{GroupSession, InboundGroupSession, MegolmMessage, SessionConfig};

pub fn measure(table: &mut Table) {
    table.row("sender key encrypt, 1 KiB", Effort::SHORT, || {
        let mut alice = Device::<Undertone>::new("alice", 0);
        let mut key = sender_key(&mut alice);
        let mut session = GroupSession::new(SessionConfig::version_1());
        let ours = repeated(move || key.encrypt(&[7; 1024], &mut alice.rng).unwrap());
        (ours, Peer::Named("vodozemac (Megolm)", repeated(move || session.encrypt([7; 1024]).to_bytes())))
    });
    table.row("sender key decrypt, 1 KiB", Effort::SHORT, || {
        let mut alice = Device::<Undertone>::new("alice", 0);
        let mut key = sender_key(&mut alice);
        let identity = alice.identity.public();
        let mut received = ReceivedSenderKeys::<Undertone>::new(&alice.address, identity);
        received.process_distribution(&alice.address, identity, &key.distribution()).unwrap();
        let ours = prepared(
            move || key.encrypt(&[7; 1024], &mut alice.rng).unwrap(),
            move |message| received.decrypt(message, NOW).unwrap(),
        );
        let mut session = GroupSession::new(SessionConfig::version_1());
        let mut inbound = InboundGroupSession::new(&session.session_key(), SessionConfig::version_1());
        let peer = prepared(
            move || session.encrypt([7; 1024]).to_bytes(),
            move |bytes| inbound.decrypt(&MegolmMessage::from_bytes(bytes).unwrap()).unwrap(),
        );
        (ours, Peer::Named("vodozemac (Megolm)", peer))
    });
}

fn sender_key(alice: &mut Device) -> SenderKey<Undertone> {
    let context = GroupContext::new(GroupId::new("group").unwrap(), 0, [0; 32]);
    SenderKey::create(context, &alice.address, alice.identity.public(), NOW, &mut alice.rng).unwrap()
}
