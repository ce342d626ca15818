//! What a client writes into logs and metrics while much happens and much goes wrong.

use super::log_capture::*;
use super::world::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use core::time::Duration;
use futures_executor::block_on;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeSet;
use undertone::Client;
use undertone::content::MessageId;
use undertone::crypto::key_uses;
use undertone::store::{MemoryStore, SealedStore, StoreSecret};
use undertone::transport::{EnvelopeId, Faults};

impl Recorder for Everything {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, text: SharedString) {
        self.write(&format!("{key:?} {text}"));
    }

    fn describe_gauge(&self, key: KeyName, _: Option<Unit>, text: SharedString) {
        self.write(&format!("{key:?} {text}"));
    }

    fn describe_histogram(&self, key: KeyName, _: Option<Unit>, text: SharedString) {
        self.write(&format!("{key:?} {text}"));
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.write(&format!("{key:?}"));
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.write(&format!("{key:?}"));
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.write(&format!("{key:?}"));
        Histogram::noop()
    }
}

/// Many devices, many messages, and all that can go wrong.
fn live_through_everything(dice: &mut StdRng, needles: &mut Needles) {
    let world = World::new();
    let names: Vec<String> = (0..4).map(|_| secret(dice, needles, "name")).collect();
    let passphrase = secret(dice, needles, "passphrase");
    let mut clients: Vec<Client> = names.iter().map(|name| world.person(name)).collect();
    let tablet = link(&world, &clients[0], &MemoryStore::new());
    clients.push(tablet);
    let stranger = secret(dice, needles, "stranger");

    for round in 0..60_u8 {
        let faults = Faults { seed: dice.random(), loss: 20, duplication: 10, reordering: 30, ..Faults::none() };
        world.server.set_faults(if round % 3 == 0 { Faults::none() } else { faults });
        let (sender, to) = (dice.random_range(0..clients.len()), dice.random_range(0..names.len()));
        let text = secret(dice, needles, "text");
        let _ = block_on(clients[sender].send(&names[to], text.as_str()));
        if round % 10 == 0 {
            let _ = block_on(clients[sender].send(&stranger, text.as_str()));
            let _ = block_on(clients[sender].send_as(&stranger, MessageId([round; 16]), text.repeat(100_000)));
            let _ = block_on(clients[sender].contact(&stranger));
            let _ = block_on(clients[sender].safety_number(&names[to]));
            let _ = block_on(clients[sender].verify_scan(&names[to], text.as_bytes()));
            let _ = block_on(clients[sender].unlink(99));
        }
        if let Some((address, mut bytes)) = world.server.accepted_envelopes().pop() {
            let at = dice.random_range(0..bytes.len());
            bytes[at] ^= 1;
            world.server.inject(&address, EnvelopeId(dice.random()), bytes);
        }
        for client in &clients {
            let _ = block_on(client.sync(Duration::ZERO));
            while let Ok(Some(event)) = block_on(client.ready_event()) {
                let _ = block_on(client.confirm(event.id));
            }
        }
        world.clock.advance(Duration::from_secs(dice.random_range(0..7_200)));
    }

    // Stores: the wrong key, the wrong passphrase, another account, a client that is closed.
    let store = MemoryStore::new();
    let _ = block_on(SealedStore::open(store.clone(), StoreSecret::passphrase(&passphrase)));
    let _ = block_on(SealedStore::open(store.clone(), StoreSecret::passphrase(&format!("{passphrase}!"))));
    let _ = block_on(SealedStore::open(store, StoreSecret::key([9; 32])));
    let store = MemoryStore::new();
    let client = world.open(&names[0].to_uppercase(), &store);
    let _ = block_on(world.builder(&store).open(&names[1]));
    let _ = block_on(client.close());
    let _ = block_on(client.send(&names[1], "after the end"));
    let _ = block_on(client.next_event());
}

/// B76, D4: at TRACE and in every label, through a long run with errors of every kind: no name, no text, no passphrase, and no key in any form.
#[test]
fn logs_and_metrics_tell_nothing() {
    let (everything, mut dice, mut needles) = (Everything::default(), StdRng::seed_from_u64(76), Needles::default());
    let ((), uses) = key_uses::record(|| {
        metrics::with_local_recorder(&everything, || {
            tracing::subscriber::with_default(everything.clone(), || live_through_everything(&mut dice, &mut needles));
        });
    });
    let used: BTreeSet<[u8; 32]> = uses.into_iter().map(|used| used.key).collect();
    assert!(used.len() > 200, "{} keys", used.len());
    needles.keys = used.into_iter().take(400).chain([[7; 32], [9; 32]]).collect();
    needles.texts.extend(needles.texts.clone().iter().map(|text| text.to_uppercase()));

    let log = everything.0.lock().unwrap().clone();
    // Control: it is a log: spans, errors, metrics.
    for expected in
        ["send", "transport.unreachable", "undertone_messages_received_total", "undertone_decrypt_failures_total"]
    {
        assert!(log.contains(expected), "{expected}");
    }
    assert_eq!(needles.find(&log), None);
    // Control: what is planted is found, whatever it is and however it is written.
    for text in &needles.texts {
        assert_eq!(needles.find(&format!("error: {text} failed")).as_ref(), Some(text));
        assert!(needles.find(&format!("payload {}", hex::encode(format!("\n {text}!")))).is_some());
        assert!((0..3).all(|at| needles.find(&STANDARD.encode(&format!("abc{text}")[at..])).is_some()));
    }
    let key = needles.keys.iter().nth(20).unwrap();
    for planted in [
        hex::encode(key),
        STANDARD.encode(key),
        format!("Key({key:?})"),
        format!("{key:#?}"),
        format!("{:?}", key.to_vec()),
    ] {
        assert!(needles.find(&format!("{log}{planted}")).is_some(), "{planted}");
    }
}
