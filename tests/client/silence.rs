//! What a client writes into logs and metrics while much happens and much goes wrong.

use super::world::*;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use core::fmt::Write;
use core::time::Duration;
use futures_executor::block_on;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use undertone::Client;
use undertone::content::MessageId;
use undertone::crypto::key_uses;
use undertone::store::{MemoryStore, SealedStore, StoreSecret};
use undertone::transport::{EnvelopeId, Faults};

/// Keeps all that is logged, at every level, and the names and labels of all that is counted.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

impl Everything {
    fn write(&self, text: &str) {
        let mut log = self.0.lock().unwrap();
        log.push_str(text);
        log.push('\n');
    }
}

impl Visit for Everything {
    fn record_debug(&mut self, field: &Field, value: &dyn core::fmt::Debug) {
        self.write(&format!("{}={value:?} {value:#?}", field.name()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn core::error::Error + 'static)) {
        self.write(&format!("{}={value} {value:?}", field.name()));
        let mut cause = value.source();
        while let Some(inner) = cause {
            self.write(&format!("{inner} {inner:?}"));
            cause = inner.source();
        }
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.write(span.metadata().name());
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.write(event.metadata().target());
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

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

/// What must not be in a log.
#[derive(Default)]
struct Needles {
    texts: BTreeSet<String>,
    keys: BTreeSet<[u8; 32]>,
}

impl Needles {
    /// Whether one of them is in `log`, and in which form.
    fn find(&self, log: &str) -> Option<String> {
        let text = self.texts.iter().find(|text| log.contains(text.as_str())).cloned();
        text.or_else(|| self.keys.iter().flat_map(forms).find(|form| log.contains(form.as_str())))
    }
}

/// The beginning of a key, as it would be written.
fn forms(key: &[u8; 32]) -> Vec<String> {
    let mut list = String::new();
    key[..8].iter().for_each(|byte| write!(list, "{byte}, ").unwrap());
    let mut lines = String::new();
    key[..8].iter().for_each(|byte| write!(lines, "{byte},\n    ").unwrap());
    let raw = String::from_utf8_lossy(&key[..12]).into_owned();
    let mut forms = vec![
        hex::encode(&key[..8]),
        hex::encode_upper(&key[..8]),
        STANDARD.encode(&key[..9]),
        URL_SAFE_NO_PAD.encode(&key[..9]),
        list.trim_end_matches(", ").to_owned(),
        lines.trim_end().to_owned(),
    ];
    // Bytes that are no text at all would be found in any other such bytes.
    forms.extend(Some(raw).filter(|raw| raw.chars().filter(|letter| *letter != '\u{FFFD}').count() >= 8));
    forms
}

/// Says something random that is remembered.
fn secret(dice: &mut StdRng, needles: &mut Needles, kind: &str) -> String {
    let text = format!("{kind}-{:016x}", dice.random::<u64>());
    needles.texts.insert(text.clone());
    text
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
        assert_eq!(needles.find(&format!("{log}error: {text} failed")).as_ref(), Some(text));
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
