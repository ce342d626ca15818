//! Connects many clients to a relay on this machine, lets them pass messages in a ring, and prints what it measured.
//!
//! `load [--clients 1000] [--messages 20] [--every 0] [--url ws://…]`: without a URL it starts a relay of its own. With `--every` a client sends one message in
//! so many milliseconds; without it, as fast as it is told that the last one was accepted, which measures the rate and not the time of a message.
//!
//! Each client sends to the next one, one message at a time, and receives and acknowledges what the one before sends. The time of a message is from before its
//! `send` until its recipient has it.

use getrandom::SysRng;
use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use undertone::identity::{AccountKeyPair, DeviceList, NewDevice, sign_login};
use undertone::transport::{
    EnvelopeId, Login, Outbound, Publication, Transport, Verdict, WebSocketOptions, WebSocketTransport,
};
use undertone::{Address, IdentityKeyPair, UndertoneIdentityKeyPair};
use undertone_relay::{Rate, Relay, RelayOptions};

/// The bytes of an envelope: a short text, padded and sealed.
const ENVELOPE: usize = 700;
/// Clients that connect at once.
const CONNECTING: usize = 64;

type Failure = Box<dyn Error + Send + Sync>;

/// When each envelope was sent, until it is received.
type Departures = Arc<Mutex<HashMap<EnvelopeId, Instant>>>;

struct Load {
    clients: usize,
    messages: usize,
    every: Duration,
    url: Option<String>,
}

struct Client {
    transport: WebSocketTransport,
    key: Arc<Key>,
}

struct Key {
    address: Address,
    identity: UndertoneIdentityKeyPair,
}

impl Login for Key {
    fn address(&self) -> &Address {
        &self.address
    }

    fn sign(&self, challenge: &[u8; 32]) -> undertone::Result<[u8; 64]> {
        sign_login(&self.identity, &self.address, challenge, &mut SysRng)
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let load = parse()?;
    raise_file_limit(load.clients)?;
    let folder = std::env::temp_dir().join(format!("undertone-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let relay = match &load.url {
        Some(_) => None,
        None => {
            let mut options = RelayOptions::new(([127, 0, 0, 1], 0).into(), folder.join("relay.sqlite"));
            // All clients have one address.
            let unlimited = Rate { per_second: 1e9, burst: 1e9 };
            (options.rate_of_connection, options.rate_of_address) = (unlimited, unlimited);
            Some(Relay::start(options).await?)
        }
    };
    let url = match (&load.url, &relay) {
        (Some(url), _) => url.clone(),
        (None, Some(relay)) => format!("ws://{}", relay.address()),
        (None, None) => return Err("no relay".into()),
    };
    let outcome = run(&load, &url).await;
    if let Some(relay) = relay {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        let metrics = relay.metrics();
        let commits = count(&metrics.commits).max(1.0);
        let (requests, time) = (count(&metrics.requests_committed), count(&metrics.commit_microseconds));
        println!(
            "{{\"name\":\"relay_commits\",\"commits\":{commits:.0},\"requests_per_commit\":{:.1},\"commit_ms\":{:.2}}}",
            requests / commits,
            time / commits / 1e3
        );
        relay.shut_down().await;
    }
    std::fs::remove_dir_all(&folder)?;
    outcome
}

async fn run(load: &Load, url: &str) -> Result<(), Failure> {
    let start = Instant::now();
    let mut clients: Vec<Arc<Client>> = Vec::with_capacity(load.clients);
    let mut connecting = JoinSet::new();
    for number in 0..load.clients {
        // More at once would measure the system's queue of connections.
        if connecting.len() >= CONNECTING
            && let Some(connected) = connecting.join_next().await
        {
            clients.push(connected??);
        }
        connecting.spawn(connect(url.to_owned(), number));
    }
    while let Some(connected) = connecting.join_next().await {
        clients.push(connected??);
    }
    let connected = start.elapsed();

    let departures = Departures::default();
    let start = Instant::now();
    let (mut sending, mut receiving) = (JoinSet::new(), JoinSet::new());
    for (number, client) in clients.iter().enumerate() {
        let next = clients[(number + 1) % clients.len()].key.address.clone();
        sending.spawn(send(Arc::clone(client), next, Pace::of(load, number), Arc::clone(&departures)));
        receiving.spawn(receive(Arc::clone(client), load.messages, Arc::clone(&departures)));
    }
    while let Some(sent) = sending.join_next().await {
        sent??;
    }
    let mut times = Vec::with_capacity(load.clients * load.messages);
    while let Some(received) = receiving.join_next().await {
        times.extend(received??);
    }
    print(load, connected, start.elapsed(), &mut times);
    Ok(())
}

/// A new account with one device, connected on both of its connections.
async fn connect(url: String, number: usize) -> Result<Arc<Client>, Failure> {
    let options = WebSocketOptions { request_timeout: Duration::from_secs(120), ..WebSocketOptions::default() };
    let transport = WebSocketTransport::with_options(&url, options)?;
    let name = format!("load-{}-{number}", std::process::id());
    let account = AccountKeyPair::generate(&mut SysRng)?;
    let identity = UndertoneIdentityKeyPair::generate(&mut SysRng)?;
    let first = NewDevice::new(&identity, account.public(), &name, 1, &mut SysRng)?;
    let list = DeviceList::create(&account, &name, first, 1_800_000_000)?;
    let address = Address::new(name, 1)?;
    let publication =
        Publication { id: [1; 16], device: address.clone(), statements: list.statements_after(0), prekeys: None };
    let key = Arc::new(Key { address, identity });
    transport.attach(Arc::clone(&key) as Arc<dyn Login>).await?;
    transport.publish(&publication).await?;
    transport.device_list(key.address.name(), 0).await?;
    Ok(Arc::new(Client { transport, key }))
}

/// How one client sends: the clients of a load begin at different moments of the first interval.
struct Pace {
    messages: usize,
    every: Duration,
    first: Instant,
}

impl Pace {
    fn of(load: &Load, number: usize) -> Self {
        let part = number as f64 / load.clients.max(1) as f64;
        Self { messages: load.messages, every: load.every, first: Instant::now() + load.every.mul_f64(part) }
    }
}

async fn send(client: Arc<Client>, to: Address, pace: Pace, departures: Departures) -> Result<(), Failure> {
    for number in 0..u32::try_from(pace.messages)? {
        tokio::time::sleep_until((pace.first + pace.every * number).into()).await;
        let mut id = [0; 16];
        getrandom::fill(&mut id)?;
        let envelope = Outbound { id: EnvelopeId(id), to: to.clone(), device_list: 1, bytes: vec![7; ENVELOPE] };
        departures.lock().unwrap_or_else(PoisonError::into_inner).insert(envelope.id, Instant::now());
        let verdicts = client.transport.send(&[envelope]).await?;
        if verdicts != [Verdict::Accepted] {
            return Err(format!("not accepted: {verdicts:?}").into());
        }
    }
    Ok(())
}

/// How long each message took.
async fn receive(client: Arc<Client>, messages: usize, departures: Departures) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::with_capacity(messages);
    while times.len() < messages {
        let ids: Vec<EnvelopeId> = client.transport.receive().await?.iter().map(|delivery| delivery.id).collect();
        {
            let mut departures = departures.lock().unwrap_or_else(PoisonError::into_inner);
            times.extend(ids.iter().filter_map(|id| departures.remove(id)).map(|departure| departure.elapsed()));
        }
        client.transport.acknowledge(&ids).await?;
    }
    Ok(times)
}

/// One line of JSON, and the row of a table.
fn print(load: &Load, connected: Duration, passing: Duration, times: &mut [Duration]) {
    times.sort_unstable();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let at = |part: f64| times.get((times.len() as f64 * part) as usize).copied().map_or(0.0, milliseconds);
    let (clients, messages) = (load.clients, times.len());
    let rate = messages as f64 / passing.as_secs_f64();
    let (p50, p99, connected) = (at(0.5), at(0.99), connected.as_secs_f64());
    println!(
        "{{\"name\":\"relay_load\",\"clients\":{clients},\"messages\":{messages},\"every_ms\":{},\"connect_seconds\":{connected:.2},\
         \"messages_per_second\":{rate:.0},\"p50_ms\":{p50:.2},\"p99_ms\":{p99:.2}}}",
        load.every.as_millis()
    );
    println!("| relay, {clients} clients, {messages} messages | {rate:.0} /s | p50 {p50:.1} ms | p99 {p99:.1} ms |");
}

/// Each client has two connections, and here both of their ends.
fn raise_file_limit(clients: usize) -> Result<(), Failure> {
    let needed = u64::try_from(clients * 4 + 200)?;
    let limit = rlimit::increase_nofile_limit(needed)?;
    if limit < needed {
        return Err(format!("{needed} open files are needed and {limit} allowed: raise the limit (ulimit -n)").into());
    }
    Ok(())
}

fn parse() -> Result<Load, Failure> {
    let mut load = Load { clients: 1_000, messages: 20, every: Duration::ZERO, url: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--clients" => load.clients = value.parse()?,
            "--messages" => load.messages = value.parse()?,
            "--every" => load.every = Duration::from_millis(value.parse()?),
            "--url" => load.url = Some(value),
            _ => return Err(format!("there is no option {name}").into()),
        }
    }
    Ok(load)
}
