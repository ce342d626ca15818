//! What the client costs: opening with many conversations beside few, and sending. `cargo bench --features __internals --bench client`.
//!
//! The counts of records and commits in the names of the rows are counted in this run.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    missing_docs,
    dead_code
)]

#[path = "../tests/client/counting.rs"]
mod counting;
#[path = "peers/interleaved.rs"]
mod interleaved;
#[path = "peers/table.rs"]
mod table;

use core::time::Duration;
use counting::{Counting, Counts, add_conversations};
use futures_executor::block_on;
use interleaved::{Batch, Effort, repeated};
use std::path::{Path, PathBuf};
use table::{Peer, Table};
use undertone::Client;
use undertone::client::EventKind;
use undertone::content::Body;
use undertone::store::{MemoryStore, SealedStore, SqliteStore, Store, StoreSecret};
use undertone::transport::MemoryServer;

/// A message every so often is answered, as in a conversation.
const MESSAGES_PER_ANSWER: usize = 50;

fn main() {
    let mut table = Table::from_arguments();
    opening(&mut table);
    let folder = Folder::new();
    sending(&mut table, &folder.0);
    table.write();
}

/// Alice, who has talked with Bob over a store that counts.
struct Pair<S> {
    server: MemoryServer,
    store: Counting<S>,
    sealed: SealedStore,
    alice: Client,
    bob: Client,
    sent: usize,
}

impl<S: Store> Pair<S> {
    fn new(store: S) -> Self {
        let server = MemoryServer::new();
        let store = Counting::new(store);
        let sealed = open_store(store.clone());
        let alice = open(&sealed, &server, "alice");
        let bob = open(&open_store(MemoryStore::new()), &server, "bob");
        let mut pair = Self { server, store, sealed, alice, bob, sent: 0 };
        pair.answer();
        pair
    }

    fn with_conversations(self, count: usize) -> Self {
        add_conversations(&self.sealed, self.bob.address(), count - 1);
        self
    }

    fn open_again(&self) -> Client {
        open(&self.sealed, &self.server, "alice")
    }

    fn send(&mut self, body: &Body) {
        let sent = block_on(self.alice.send("bob", body.clone())).unwrap();
        assert!(sent.delivered_to_server);
        self.sent += 1;
    }

    fn send_and_count(&mut self, body: &Body) -> Counts {
        let store = self.store.clone();
        store.during(|| self.send(body)).0
    }

    /// Bob reads what came and writes something, and Alice reads it.
    fn answer(&mut self) {
        self.send(&Body::from("hello"));
        take_all(&self.bob);
        block_on(self.bob.send("alice", "hi")).unwrap();
        take_all(&self.alice);
        self.sent = 0;
    }
}

fn opening(table: &mut Table) {
    let (few, many) = [10, 10_000].map(|count| Pair::new(MemoryStore::new()).with_conversations(count)).into();
    let counts = [&few, &many].map(|pair| pair.store.during(|| pair.open_again()).0);
    assert_eq!(counts[0], counts[1], "opening reads more when there are more conversations");
    println!("opening with 10 000 conversations: {:?}; with 10: {:?}", counts[1], counts[0]);
    let name = format!("open with 10 000 conversations ({} records read)", counts[1].records);
    table.row(&name, Effort::LONG, || {
        (repeated(|| many.open_again()), Peer::Named("undertone, 10 conversations", repeated(|| few.open_again())))
    });
}

fn sending(table: &mut Table, folder: &Path) {
    let body = Body::from("x".repeat(1_000));
    let mut in_memory = Pair::new(MemoryStore::new()).with_conversations(10_000);
    let mut in_file = Pair::new(SqliteStore::open(folder.join("alice.db")).unwrap()).with_conversations(10_000);
    let counts = [in_memory.send_and_count(&body), in_file.send_and_count(&body)];
    assert!(counts.iter().all(|counts| counts.commits == 1), "a message costs one commit: {counts:?}");
    println!("sending into one of 10 000 conversations: {:?}", counts[0]);
    table.row("send 1 KB into one of 10 000 conversations, MemoryStore (1 commit)", Effort::LONG, || {
        (sends(&mut in_memory, &body), Peer::None)
    });
    table.row("send 1 KB into one of 10 000 conversations, SqliteStore (1 commit)", Effort::LONG, || {
        (sends(&mut in_file, &body), Peer::None)
    });
}

/// Sends so many messages. The answers in between do not count.
fn sends<'a, S: Store>(pair: &'a mut Pair<S>, body: &'a Body) -> Batch<'a> {
    Box::new(move |count| {
        let mut time = Duration::ZERO;
        for _ in 0..count {
            let start = std::time::Instant::now();
            pair.send(body);
            time += start.elapsed();
            if pair.sent >= MESSAGES_PER_ANSWER {
                pair.answer();
            }
        }
        time
    })
}

fn open_store(store: impl Store) -> SealedStore {
    block_on(SealedStore::open(store, StoreSecret::key([7; 32]))).unwrap()
}

fn open(store: &SealedStore, server: &MemoryServer, name: &str) -> Client {
    block_on(Client::builder(store.clone(), server.transport()).open(name)).unwrap()
}

fn take_all(client: &Client) {
    block_on(async {
        client.sync(Duration::ZERO).await.unwrap();
        while let Some(event) = client.ready_event().await.unwrap() {
            assert!(matches!(event.kind, EventKind::Message(_)));
            client.confirm(event.id).await.unwrap();
        }
    });
}

/// A folder that is gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("undertone-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
