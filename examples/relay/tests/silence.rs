//! What the client, the relay and the libraries below them write into the log when they may write everything.

#[path = "../../../tests/client/log_capture.rs"]
mod log_capture;
mod setting;

use futures_util::{SinkExt, StreamExt};
use log::{LevelFilter, Log, Metadata, Record};
use log_capture::{Everything, Needles, secret};
use rand::SeedableRng;
use rand::rngs::StdRng;
use setting::{Scratch, connect, options, start};
use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;
use undertone::Client;
use undertone::client::EventKind;
#[cfg(feature = "__internals")]
use undertone::crypto::key_uses;
use undertone::store::{SealedStore, SqliteStore, StoreSecret};
use undertone::transport::protocol::Call;
use undertone_relay::Relay;

/// Where the libraries below write.
struct Below(OnceLock<Everything>);

static BELOW: Below = Below(OnceLock::new());

impl Log for Below {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if let Some(everything) = self.0.get() {
            everything.write(&format!("{} {}", record.target(), record.args()));
        }
    }

    fn flush(&self) {}
}

async fn open(relay: &Relay, scratch: &Scratch, name: &str, passphrase: &str) -> Client {
    let file = SqliteStore::open(scratch.path(&format!("{name}.db"))).unwrap();
    let store = SealedStore::open(file, StoreSecret::passphrase(passphrase)).await.unwrap();
    Client::builder(store, connect(relay.address())).open(name).await.unwrap()
}

/// The next text that `client` receives.
async fn hear(client: &Client) -> EventKind {
    loop {
        let event = client.next_event().await.unwrap();
        client.confirm(event.id).await.unwrap();
        if matches!(event.kind, EventKind::Message(_)) {
            return event.kind;
        }
    }
}

/// Two people who talk, and whom somebody asks for who is not there.
async fn converse(relay: &Relay, scratch: &Scratch, dice: &mut StdRng, needles: &Mutex<Needles>) {
    let mut secret = |kind| secret(dice, &mut needles.lock().unwrap(), kind);
    let (alice_name, bob_name, stranger) = (secret("name"), secret("name"), secret("stranger"));
    let alice = open(relay, scratch, &alice_name, &secret("passphrase")).await;
    let bob = open(relay, scratch, &bob_name, &secret("passphrase")).await;
    for client in [&alice, &bob] {
        client.sync(Duration::ZERO).await.unwrap();
    }
    for _ in 0..5 {
        alice.send(&bob_name, secret("text")).await.unwrap();
        hear(&bob).await;
        bob.send(&alice_name, secret("text")).await.unwrap();
        hear(&alice).await;
    }
    let _ = alice.send(&stranger, secret("text")).await;
    let _ = alice.contact(&stranger).await;
    for client in [alice, bob] {
        client.close().await.unwrap();
    }
}

/// Which keys were used meanwhile.
#[cfg(feature = "__internals")]
fn keys_of(action: impl FnOnce()) -> BTreeSet<[u8; 32]> {
    let ((), uses) = key_uses::record(action);
    let used: BTreeSet<[u8; 32]> = uses.into_iter().map(|used| used.key).collect();
    assert!(used.len() > 20, "{} keys", used.len());
    used
}

/// Without the recorder, the names, texts and passphrases alone are looked for.
#[cfg(not(feature = "__internals"))]
fn keys_of(action: impl FnOnce()) -> BTreeSet<[u8; 32]> {
    action();
    BTreeSet::new()
}

/// B76: over the real transport, at TRACE and through both facades, also of the libraries below: no name, no text, no passphrase, and no key in any form.
#[test]
fn the_libraries_below_log_nothing() {
    let everything = BELOW.0.get_or_init(Everything::default);
    log::set_logger(&BELOW).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (scratch, mut dice, needles) = (Scratch::new(), StdRng::seed_from_u64(77), Mutex::new(Needles::default()));
    let relay = runtime.block_on(start(options(&scratch)));
    let keys = keys_of(|| {
        tracing::subscriber::with_default(everything.clone(), || {
            runtime.block_on(converse(&relay, &scratch, &mut dice, &needles));
        });
    });
    let mut needles = needles.into_inner().unwrap();
    needles.keys = keys.into_iter().take(200).collect();

    let log = everything.0.lock().unwrap().clone();
    // Control: the client, the library below it and that below the relay have written, what is sent and what is received.
    for expected in ["undertone", "tungstenite", "Sending frame", "received frame", "Received message"] {
        assert!(log.to_lowercase().contains(&expected.to_lowercase()), "{expected}");
    }
    assert_eq!(needles.find(&log), None);

    // Control: without the mask a name is found, as text where it is sent and in hexadecimal where it is received.
    let name = needles.texts.iter().find(|text| text.starts_with("name")).unwrap().clone();
    let call = Call::DeviceList { account: name.clone(), after: 0 };
    runtime.block_on(async {
        let url = format!("ws://{}/v1/open", relay.address());
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        socket.send(Message::Binary(call.encode(1).into())).await.unwrap();
        while let Some(Ok(_)) = socket.next().await {}
        relay.shut_down().await;
    });
    let log = everything.0.lock().unwrap().split_off(log.len());
    assert!(log.contains(&name) && log.contains(&hex::encode(&name)), "{log}");
    assert!(needles.find(&log).is_some());
}
