//! A server that does what a test tells it to, and clients that live with it.

use crate::world::World;
use core::time::Duration;
use futures_executor::block_on;
use std::sync::Arc;
use undertone::client::{Client, EventKind, SecurityKind};
use undertone::content::Body;
use undertone::transport::{Delivery, MeetingPlace, MemoryServer, Outbound, PrekeyStock, Tamper, Verdict, Witness};
use undertone::{Address, Result};

type Answers<T> = Box<dyn Fn(Result<T>) -> Result<T> + Send + Sync>;
type Lists = Box<dyn Fn(&str, u64, Result<Vec<Vec<u8>>>) -> Result<Vec<Vec<u8>>> + Send + Sync>;
type Bundles = Box<dyn Fn(&str, &[u8], Result<Vec<Vec<u8>>>) -> Result<Vec<Vec<u8>>> + Send + Sync>;
type Takes = Box<dyn Fn(&Outbound) -> Option<Verdict> + Send + Sync>;
type Verdicts = Box<dyn Fn(&[Outbound], Vec<Verdict>) -> Vec<Verdict> + Send + Sync>;
type Hands = Box<dyn Fn(&Address, Vec<Delivery>) -> Vec<Delivery> + Send + Sync>;
type Witnesses = Box<dyn Fn(&Address, Option<Witness>) -> Option<Witness> + Send + Sync>;
type Meetings = Box<dyn Fn(&MeetingPlace, u8, Vec<u8>) -> Vec<u8> + Send + Sync>;

/// What is not set is answered honestly.
#[derive(Default)]
pub struct Hostile {
    pub lists: Option<Lists>,
    pub bundles: Option<Bundles>,
    pub takes: Option<Takes>,
    pub verdicts: Option<Verdicts>,
    pub hands: Option<Hands>,
    pub witness: Option<Witnesses>,
    pub meetings: Option<Meetings>,
    pub stock: Option<Answers<PrekeyStock>>,
    pub never_forgets: bool,
}

impl Hostile {
    /// Takes over the server.
    pub fn over(self, server: &MemoryServer) {
        server.tamper(Some(Arc::new(self)));
    }

    pub fn lists(
        change: impl Fn(&str, u64, Result<Vec<Vec<u8>>>) -> Result<Vec<Vec<u8>>> + Send + Sync + 'static,
    ) -> Self {
        Self { lists: Some(Box::new(change)), ..Self::default() }
    }

    pub fn bundles(
        change: impl Fn(&str, &[u8], Result<Vec<Vec<u8>>>) -> Result<Vec<Vec<u8>>> + Send + Sync + 'static,
    ) -> Self {
        Self { bundles: Some(Box::new(change)), ..Self::default() }
    }

    pub fn hands(change: impl Fn(&Address, Vec<Delivery>) -> Vec<Delivery> + Send + Sync + 'static) -> Self {
        Self { hands: Some(Box::new(change)), ..Self::default() }
    }

    pub fn takes(change: impl Fn(&Outbound) -> Option<Verdict> + Send + Sync + 'static) -> Self {
        Self { takes: Some(Box::new(change)), ..Self::default() }
    }

    pub fn witness(change: impl Fn(&Address, Option<Witness>) -> Option<Witness> + Send + Sync + 'static) -> Self {
        Self { witness: Some(Box::new(change)), ..Self::default() }
    }
}

impl Tamper for Hostile {
    fn device_list(&self, account: &str, after: u64, honest: Result<Vec<Vec<u8>>>) -> Result<Vec<Vec<u8>>> {
        match &self.lists {
            Some(change) => change(account, after, honest),
            None => honest,
        }
    }

    fn fetch(&self, account: &str, devices: &[u8], honest: Result<Vec<Vec<u8>>>) -> Result<Vec<Vec<u8>>> {
        match &self.bundles {
            Some(change) => change(account, devices, honest),
            None => honest,
        }
    }

    fn send(&self, envelope: &Outbound) -> Option<Verdict> {
        self.takes.as_ref().and_then(|takes| takes(envelope))
    }

    fn verdicts(&self, envelopes: &[Outbound], honest: Vec<Verdict>) -> Vec<Verdict> {
        match &self.verdicts {
            Some(change) => change(envelopes, honest),
            None => honest,
        }
    }

    fn receive(&self, device: &Address, honest: Vec<Delivery>) -> Vec<Delivery> {
        match &self.hands {
            Some(change) => change(device, honest),
            None => honest,
        }
    }

    fn witness(&self, device: &Address, honest: Option<Witness>) -> Option<Witness> {
        match &self.witness {
            Some(change) => change(device, honest),
            None => honest,
        }
    }

    fn collect(&self, place: &MeetingPlace, number: u8, honest: Vec<u8>) -> Vec<u8> {
        match &self.meetings {
            Some(change) => change(place, number, honest),
            None => honest,
        }
    }

    fn stock(&self, _: &Address, honest: Result<PrekeyStock>) -> Result<PrekeyStock> {
        match &self.stock {
            Some(change) => change(honest),
            None => honest,
        }
    }

    fn forgets(&self, _: &Address) -> bool {
        !self.never_forgets
    }
}

/// Does all that there is to do, whatever the server says to it, and returns the events, confirmed.
pub fn live(client: &Client) -> Vec<EventKind> {
    block_on(async {
        match client.sync(Duration::ZERO).await {
            Err(error) if error.code().starts_with("store.") || error.code().starts_with("client.") => {
                panic!("a server cannot cause {error:?}")
            }
            _ => {}
        }
        let mut events = Vec::new();
        while let Some(event) = client.ready_event().await.unwrap() {
            assert!(client.confirm(event.id).await.unwrap());
            events.push(event.kind);
        }
        events
    })
}

/// Lets all live for `rounds` rounds of `seconds` each; returns the events of each.
pub fn live_on(world: &World, clients: &[&Client], rounds: usize, seconds: u64) -> Vec<Vec<EventKind>> {
    let mut all = vec![Vec::new(); clients.len()];
    for _ in 0..rounds {
        for (client, events) in clients.iter().zip(&mut all) {
            events.extend(live(client));
        }
        world.clock.advance(Duration::from_secs(seconds));
    }
    all
}

/// What the messages among the events say.
pub fn said(events: &[EventKind]) -> Vec<String> {
    let text = |event: &EventKind| match event {
        EventKind::Message(message) => match &message.body {
            Body::Text(text) => Some(text.clone()),
            other => panic!("not a text: {other:?}"),
        },
        _ => None,
    };
    events.iter().filter_map(text).collect()
}

/// The security events among the events.
pub fn warnings(events: &[EventKind]) -> Vec<(SecurityKind, String)> {
    let warning = |event: &EventKind| match event {
        EventKind::Security(warning) => Some((warning.kind, warning.code.clone())),
        _ => None,
    };
    events.iter().filter_map(warning).collect()
}

/// Whether the application was warned of this.
pub fn is_warned(events: &[EventKind], kind: SecurityKind) -> bool {
    warnings(events).iter().any(|(warned, _)| *warned == kind)
}

/// The code with which sending fails.
pub fn refused(from: &Client, to: &str, text: &str) -> &'static str {
    block_on(from.send(to, text)).unwrap_err().code()
}

/// The address of a device.
pub fn device(name: &str, number: u8) -> Address {
    Address::new(name, number).unwrap()
}
