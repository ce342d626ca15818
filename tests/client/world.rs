//! People with clients on one server in memory.

use core::time::Duration;
use futures_executor::block_on;
use futures_util::future::{join, try_join};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use undertone::client::{Client, ClientBuilder, EventKind, Message};
use undertone::content::Body;
use undertone::runtime::{Clock, async_trait};
use undertone::store::{MemoryStore, SealedStore, StoreSecret};
use undertone::transport::MemoryServer;

/// A clock that a test sets. Waiting takes no real time: it moves the clock.
#[derive(Clone)]
pub struct TestClock(Arc<AtomicU64>);

impl TestClock {
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_800_000_000_000)))
    }

    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub fn set_back(&self, by: Duration) {
        self.0.fetch_sub(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}

/// A server, a clock, and the stores of devices.
pub struct World {
    pub server: MemoryServer,
    pub clock: TestClock,
}

impl World {
    pub fn new() -> Self {
        Self { server: MemoryServer::new(), clock: TestClock::new() }
    }

    /// A builder on `store` with the key of all test stores.
    pub fn builder(&self, store: &MemoryStore) -> ClientBuilder {
        let sealed = block_on(SealedStore::open(store.clone(), StoreSecret::key([7; 32]))).unwrap();
        Client::builder(sealed, self.server.transport()).clock(self.clock.clone())
    }

    pub fn open(&self, name: &str, store: &MemoryStore) -> Client {
        block_on(self.builder(store).open(name)).unwrap()
    }

    /// A new account on a new store.
    pub fn person(&self, name: &str) -> Client {
        self.open(name, &MemoryStore::new())
    }
}

/// Does all that there is to do on `client`, and returns the events, confirmed.
pub fn events(client: &Client) -> Vec<EventKind> {
    block_on(async {
        client.sync(Duration::ZERO).await.unwrap();
        let mut events = Vec::new();
        while let Some(event) = client.ready_event().await.unwrap() {
            assert!(client.confirm(event.id).await.unwrap());
            events.push(event.kind);
        }
        events
    })
}

/// The messages among the events.
pub fn messages(client: &Client) -> Vec<Message> {
    let message = |event| match event {
        EventKind::Message(message) => Some(message),
        _ => None,
    };
    events(client).into_iter().filter_map(message).collect()
}

/// What the messages among the events say.
pub fn texts(client: &Client) -> Vec<String> {
    let text = |message: Message| match message.body {
        Body::Text(text) => text,
        other => panic!("not a text: {other:?}"),
    };
    messages(client).into_iter().map(text).collect()
}

/// Sends a text.
pub fn say(from: &Client, to: &str, text: &str) {
    block_on(from.send(to, text)).unwrap();
}

/// Links a new device on `store` to the account of `first`; both users see the same digits.
pub fn link(world: &World, first: &Client, store: &MemoryStore) -> Client {
    let builder = world.builder(store);
    block_on(async {
        let linking = builder.link().await.unwrap();
        let code = linking.code().to_string().parse().unwrap();
        let (pending, accepted) = try_join(first.link(&code), linking.accept()).await.unwrap();
        assert_eq!(accepted.account(), first.name());
        assert_eq!(pending.confirmation_code(), accepted.confirmation_code());
        let (number, client) = join(pending.confirm(), accepted.finish()).await;
        let client = client.unwrap();
        assert_eq!(client.address().device(), number.unwrap());
        client
    })
}
