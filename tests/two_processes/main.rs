//! Two processes on one store, as an application and its notification extension are: together they send and receive, and nothing is lost or done twice.
#![cfg(not(target_family = "wasm"))]

mod wire;

use core::time::Duration;
use futures_executor::block_on;
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{env, fs, thread};
use undertone::Error;
use undertone::client::{Client, EventKind};
use undertone::content::Body;
use undertone::runtime::async_trait;
use undertone::store::{Batch, MemoryStore, Reading, Scan, SealedStore, SqliteStore, Store, StoreSecret};
use undertone::transport::MemoryServer;
use wire::{Socket, Word, serve};

/// Messages in each direction: ten thousand in all.
const EACH_WAY: usize = 5_000;
/// Tells the child what it is, and where.
const NUMBER: &str = "UNDERTONE_TEST_PROCESS";
const SERVER: &str = "UNDERTONE_TEST_SERVER";
const STORE: &str = "UNDERTONE_TEST_STORE";

/// A store that counts how often another process came first.
struct Counting {
    sqlite: SqliteStore,
    conflicts: &'static AtomicU64,
}

#[async_trait]
impl Store for Counting {
    async fn read(&self, names: &[Vec<u8>]) -> Result<Reading, Error> {
        self.sqlite.read(names).await
    }

    async fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Scan, Error> {
        self.sqlite.scan(prefix, after, limit).await
    }

    async fn commit(&self, batch: &Batch, expected_generation: u64) -> Result<u64, Error> {
        let committed = self.sqlite.commit(batch, expected_generation).await;
        if committed.as_ref().is_err_and(|error| error.code() == "store.conflict") {
            self.conflicts.fetch_add(1, Ordering::Relaxed);
        }
        committed
    }

    async fn close(&self) -> Result<(), Error> {
        self.sqlite.close().await
    }
}

/// One of the two processes. Does nothing where it is not run as one.
#[test]
fn process() {
    let Ok(number) = env::var(NUMBER) else { return };
    let address: SocketAddr = env::var(SERVER).unwrap().parse().unwrap();
    static CONFLICTS: AtomicU64 = AtomicU64::new(0);
    let socket = Socket::connect(address);
    let sqlite = SqliteStore::open(PathBuf::from(env::var(STORE).unwrap())).unwrap();
    let store = Counting { sqlite, conflicts: &CONFLICTS };
    block_on(async {
        let store = SealedStore::open(store, StoreSecret::key([7; 32])).await.unwrap();
        let alice = Client::builder(store, socket.clone()).open("alice").await.unwrap();
        alice.sync(Duration::ZERO).await.unwrap();
        socket.told("ready");
        for text in 0..EACH_WAY / 2 {
            alice.send("bob", format!("{number}/{text}")).await.unwrap();
            if text % 20 == 0 {
                take(&alice, &socket, Duration::ZERO).await;
            }
        }
        while !socket.told("") {
            take(&alice, &socket, Duration::from_millis(50)).await;
        }
        // What would come twice comes now.
        take(&alice, &socket, Duration::from_millis(500)).await;
        socket.conflicts(CONFLICTS.load(Ordering::Relaxed));
    });
}

/// Takes in what is there. An event is this process's own if its confirmation was the first.
async fn take(alice: &Client, socket: &Socket, patience: Duration) {
    alice.sync(patience).await.unwrap();
    while let Some(event) = alice.ready_event().await.unwrap() {
        if alice.confirm(event.id).await.unwrap()
            && let EventKind::Message(message) = event.kind
            && let Body::Text(text) = message.body
        {
            socket.told(&text);
        }
    }
}

/// I1, I3, I7, I8, B77, M11: ten thousand messages through one store that two processes share: each once.
#[test]
fn two_processes_lose_and_repeat_nothing() {
    let folder = folder();
    let server = MemoryServer::new();
    let bob = block_on(async {
        let store = SealedStore::open(MemoryStore::new(), StoreSecret::key([8; 32])).await.unwrap();
        Client::builder(store, server.transport()).open("bob").await.unwrap()
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let children: Vec<_> = (0..2)
        .map(|number| {
            Command::new(env::current_exe().unwrap())
                .args(["process", "--exact", "--nocapture"])
                .envs([(NUMBER, number.to_string()), (SERVER, listener.local_addr().unwrap().to_string())])
                .env(STORE, folder.join("alice.db"))
                .spawn()
                .unwrap()
        })
        .collect();
    let told: [Mutex<Vec<String>>; 2] = Default::default();
    let (ready, conflicts, is_over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let mut children = Children(children);
        for told in &told {
            let (stream, _) = listener.accept().unwrap();
            let (transport, ready, conflicts, is_over) = (server.transport(), &ready, &conflicts, &is_over);
            scope.spawn(move || {
                serve(stream, transport, |word| {
                    match word {
                        Word::Told(text) if text == "ready" => drop(ready.fetch_add(1, Ordering::SeqCst)),
                        Word::Told(text) if text.is_empty() => {}
                        Word::Told(text) => told.lock().unwrap().push(text),
                        Word::Conflicts(count) => drop(conflicts.fetch_add(count, Ordering::SeqCst)),
                    }
                    is_over.load(Ordering::SeqCst)
                });
            });
        }
        while ready.load(Ordering::SeqCst) < 2 {
            children.check();
            thread::yield_now();
        }
        let of_bob = talk(&bob, || {
            children.check();
            told.iter().map(|told| told.lock().unwrap().len()).sum::<usize>() >= EACH_WAY
        });
        is_over.store(true, Ordering::SeqCst);
        for child in &mut children.0 {
            assert!(child.wait().unwrap().success());
        }
        let expected: BTreeSet<String> =
            (0..2).flat_map(|process| (0..EACH_WAY / 2).map(move |text| format!("{process}/{text}"))).collect();
        assert_eq!(of_bob.len(), EACH_WAY);
        assert_eq!(of_bob.into_iter().collect::<BTreeSet<_>>(), expected);
    });
    let [one, other] = told.map(|told| told.into_inner().unwrap());
    println!(
        "{} messages sent and {} received by two processes on one store ({} and {}), {} conflicts",
        EACH_WAY,
        one.len() + other.len(),
        one.len(),
        other.len(),
        conflicts.load(Ordering::SeqCst),
    );
    assert_eq!(one.len() + other.len(), EACH_WAY);
    let all: BTreeSet<String> = one.into_iter().chain(other).collect();
    assert_eq!(all, (0..EACH_WAY).map(|text| text.to_string()).collect());
    // Control: without conflicts the two would not have met.
    assert!(conflicts.into_inner() > 0);
    fs::remove_dir_all(folder).unwrap();
}

/// The processes, killed when the test fails.
struct Children(Vec<Child>);

impl Children {
    fn check(&mut self) {
        assert!(self.0.iter_mut().all(|child| child.try_wait().unwrap().is_none()), "a process ended");
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
        }
    }
}

/// Sends, and takes what comes until it has all and `is_done`.
fn talk(bob: &Client, mut is_done: impl FnMut() -> bool) -> Vec<String> {
    block_on(async {
        let (mut sent, mut told) = (0, Vec::new());
        loop {
            for _ in 0..20_usize.min(EACH_WAY - sent) {
                bob.send("alice", sent.to_string()).await.unwrap();
                sent += 1;
            }
            bob.sync(Duration::from_millis(if sent == EACH_WAY { 50 } else { 0 })).await.unwrap();
            while let Some(event) = bob.ready_event().await.unwrap() {
                assert!(bob.confirm(event.id).await.unwrap());
                if let EventKind::Message(message) = event.kind
                    && let Body::Text(text) = message.body
                {
                    told.push(text);
                }
            }
            if sent == EACH_WAY && told.len() >= EACH_WAY && is_done() {
                return told;
            }
        }
    })
}

/// In memory, where the system has a file system there: what is asked here is order, not whether a disk keeps its promises.
fn folder() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { env::temp_dir() };
    let folder = parent.join(format!("undertone-processes-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}
