//! One life of a process that hosts devices: it opens them, does what the scene asks, and ends or is ended.

use crate::chronicle::{Host, Note, START};
use crate::faults::{FaultStore, FaultTransport, Judge, Opened};
use core::task::Poll;
use core::time::Duration;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use undertone::client::{Client, ClientBuilder, EventKind};
use undertone::content::{Body, MessageId};
use undertone::crypto::hash::sha256;
use undertone::crypto::key_uses::{self, Encryption};
use undertone::handshake::Prekeys;
use undertone::runtime::{Clock, async_trait};
use undertone::store::sealed::RecordName;
use undertone::store::{SealedStore, StoreSecret};
use undertone::{Error, Result, SessionRecord, Undertone};

/// How often the application tries again what failed.
const ATTEMPTS: u32 = 6;
/// How often all devices look for mail before something is taken to be lost.
const TURNS: u32 = 60;
/// How many encryptions are looked for inside of the next one.
const RECENT: usize = 8;

/// A clock that stands still until it is moved.
#[derive(Clone)]
pub struct TestClock(pub Arc<AtomicU64>);

impl TestClock {
    pub fn at(milliseconds: u64) -> Self {
        Self(Arc::new(AtomicU64::new(milliseconds)))
    }

    pub fn milliseconds(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    pub fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Duration {
        Duration::from_millis(self.milliseconds())
    }

    async fn sleep(&self, duration: Duration) {
        self.0.fetch_add(u64::try_from(duration.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

/// A process, while it lives.
pub struct Life {
    pub judge: Arc<Judge>,
    pub clock: TestClock,
    clients: BTreeMap<String, Client>,
    opened: Vec<Opened>,
    members: BTreeMap<String, Vec<String>>,
    /// For the mutant M9: an application that repeats what failed as a new message.
    pub repeats_as_new: bool,
}

impl Life {
    pub fn new(judge: Arc<Judge>, clock: TestClock) -> Self {
        let host = Arc::clone(&judge.host);
        let mut recent: VecDeque<String> = VecDeque::new();
        key_uses::watch(Some(Box::new(move |encryption| note_encryption(&*host, &mut recent, encryption))));
        Self {
            judge,
            clock,
            clients: BTreeMap::new(),
            opened: Vec::new(),
            members: BTreeMap::new(),
            repeats_as_new: false,
        }
    }

    pub fn client(&self, device: &str) -> Client {
        self.clients[device].clone()
    }

    pub async fn builder(&mut self, device: &str) -> Result<ClientBuilder> {
        let opened = Opened::default();
        let device = device.to_owned();
        let judge = Arc::clone(&self.judge);
        let inner = judge.host.store(&device);
        let store = FaultStore { inner, judge, device: device.clone(), opened: Arc::clone(&opened) };
        self.opened.push(Arc::clone(&opened));
        let sealed = SealedStore::open(store, StoreSecret::key([7; 32])).await?;
        check_records(&sealed, &device, &*self.judge.host).await;
        *opened.lock().unwrap() = Some(sealed.clone());
        let judge = Arc::clone(&self.judge);
        let inner = judge.host.transport();
        let transport = FaultTransport { inner, judge, device, opened, received: Mutex::new(HashMap::new()) };
        Ok(Client::builder(sealed, transport).clock(self.clock.clone()))
    }

    /// Takes a client in that was opened in another way, as a device of the conversation.
    pub fn take_in(&mut self, device: &str, client: Client) {
        let devices = self.members.entry(account(device).to_owned()).or_default();
        if !devices.iter().any(|known| known == device) {
            devices.push(device.to_owned());
        }
        self.clients.insert(device.to_owned(), client);
    }

    /// The device is asked nothing more, and nobody expects it to be told anything.
    pub fn let_go(&mut self, device: &str) {
        self.clients.remove(device);
        self.members.values_mut().for_each(|devices| devices.retain(|known| known != device));
        self.judge.host.note(Note::Gone { device: device.to_owned() });
    }

    pub async fn open(&mut self, device: &str) {
        for _ in 0..ATTEMPTS {
            let opened = match self.builder(device).await {
                Ok(builder) => builder.open(account(device)).await,
                Err(error) => Err(error),
            };
            match opened {
                Ok(client) => return self.take_in(device, client),
                Err(error) => self.bear("open", device, &error),
            }
        }
        self.broken("I12", format!("{device} could not be opened"));
    }

    /// Sends a text to an account, again until it is taken.
    pub async fn say(&mut self, from: &str, to: &str, text: &str) {
        let members = self.members.get(to).into_iter().chain(self.members.get(account(from))).flatten();
        let recipients: std::collections::BTreeSet<String> =
            members.filter(|device| *device != from).cloned().collect();
        let note = Note::Said { text: format!("{text:?}"), to: recipients.into_iter().collect() };
        self.judge.host.note(note);
        let client = self.client(from);
        let hash = sha256(&[text.as_bytes()]);
        for attempt in 0..ATTEMPTS {
            let mut id: [u8; 16] = *hash.first_chunk().unwrap();
            if self.repeats_as_new {
                id[0] ^= u8::try_from(attempt).unwrap();
            }
            match client.send_as(to, MessageId(id), text).await {
                Ok(_) => return,
                Err(error) => self.bear("send", from, &error),
            }
        }
        self.broken("I12", format!("{from} could not send"));
    }

    /// Takes in what there is, and confirms it.
    pub async fn sync(&self, device: &str) {
        let Some(client) = self.clients.get(device) else { return };
        if let Err(error) = client.sync(Duration::ZERO).await {
            self.bear("sync", device, &error);
        }
        loop {
            match client.ready_event().await {
                Ok(Some(event)) => {
                    let what = show(&event.kind);
                    self.judge.host.note(Note::Told { device: device.to_owned(), event: event.id.0, what });
                    if let Err(error) = client.confirm(event.id).await {
                        self.bear("confirm", device, &error);
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    self.bear("event", device, &error);
                    break;
                }
            }
        }
    }

    /// I12: after finitely many turns everything has been told.
    pub async fn quiesce(&self) {
        for turn in 0..TURNS {
            for device in self.clients.keys() {
                self.sync(device).await;
            }
            if self.judge.host.is_quiet() {
                return;
            }
            if turn > 1 {
                self.clock.advance(40);
            }
        }
        self.broken("I12", "the devices did not come to rest".to_owned());
    }

    /// An application bears what the fault of this life, or the server's refusal of an old list, brings with it; nothing else.
    pub fn bear(&self, what: &str, device: &str, error: &Error) {
        let is_of_the_fault = matches!(error.code(), "store.full" | "store.io" | "transport.unreachable");
        if !is_of_the_fault || self.judge.struck().is_none() {
            self.broken("no false alarm", format!("{what} on {device} failed: {} ({error})", error.code()));
        }
    }

    pub fn broken(&self, oracle: &str, what: String) {
        self.judge.host.note(Note::Broken { oracle: oracle.to_owned(), what });
    }
}

/// Runs `action`; `None` if the process died meanwhile.
pub fn run<T>(judge: &Judge, action: impl Future<Output = T>) -> Option<T> {
    let mut action = pin!(action);
    futures_executor::block_on(core::future::poll_fn(|context| match action.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if judge.is_dead() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    }))
}

impl Drop for Life {
    fn drop(&mut self) {
        key_uses::watch(None);
        key_uses::take_spent();
        // The store's wrapper and what it knows of its own seals hold each other.
        for opened in &self.opened {
            opened.lock().unwrap().take();
        }
    }
}

/// The account of a device such as `alice-2`.
pub fn account(device: &str) -> &str {
    device.split('-').next().unwrap()
}

/// I11: every session and the prekeys of a store that is opened can be read.
async fn check_records(sealed: &SealedStore, device: &str, host: &dyn Host) {
    let broken = |what: &str| host.note(Note::Broken { oracle: "I11".to_owned(), what: format!("{device}: {what}") });
    match sealed.scan_all(&RecordName::table("session")).await {
        Ok((_, sessions)) => {
            if sessions.iter().any(|session| SessionRecord::<Undertone>::from_bytes(session).is_err()) {
                broken("a session does not decode");
            }
        }
        Err(_) => broken("the sessions cannot be read"),
    }
    match sealed.read(&[RecordName::table("prekeys")]).await {
        Ok(reading) => {
            let stored = reading.values.into_iter().flatten().next();
            if stored.is_some_and(|stored| Prekeys::<Undertone>::from_bytes(&stored).is_err()) {
                broken("the prekeys do not decode");
            }
        }
        Err(_) => broken("the prekeys cannot be read"),
    }
}

fn show(kind: &EventKind) -> String {
    match kind {
        EventKind::Message(message) => match &message.body {
            Body::Text(text) => format!("{text:?}"),
            other => format!("{other:?}"),
        },
        EventKind::Security(event) => format!("Security({:?}, {})", event.kind, event.code),
        other => format!("{other:?}"),
    }
}

fn note_encryption(host: &dyn Host, recent: &mut VecDeque<String>, encryption: &Encryption<'_>) {
    let Some(start) = encryption.ciphertext.first_chunk::<START>().map(hex::encode) else { return };
    let mut inside = Vec::new();
    if encryption.plaintext.len() <= 16 << 10 {
        let plaintext = hex::encode(encryption.plaintext);
        inside.extend(recent.iter().filter(|one| plaintext.contains(one.as_str())).cloned());
    }
    recent.push_back(start.clone());
    if recent.len() > RECENT {
        recent.pop_front();
    }
    let what = hex::encode(&sha256(&[encryption.nonce, encryption.ad, encryption.plaintext])[..12]);
    let key = hex::encode(&sha256(&[encryption.key])[..12]);
    host.note(Note::Encrypted { key, what, start, inside });
}
