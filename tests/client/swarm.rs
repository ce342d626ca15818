//! Fifty devices over a network that loses, duplicates, reorders and goes down.

use super::world::*;
use core::time::Duration;
use futures_executor::block_on;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use undertone::client::{Client, EventKind};
use undertone::content::Body;
use undertone::store::MemoryStore;
use undertone::transport::Faults;

/// How many devices each account has: fifty in all.
const ACCOUNTS: [usize; 20] = [5, 5, 5, 5, 5, 4, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2];
const MESSAGES: usize = 150;

/// One device, and how often it was told each text.
struct Member {
    account: usize,
    client: Client,
    told: BTreeMap<String, u32>,
    /// What else it was told of.
    others: Vec<String>,
}

impl Member {
    /// Does what can be done; the network may be in the way.
    fn live(&mut self) {
        block_on(async {
            match self.client.sync(Duration::ZERO).await {
                Err(error) if !error.is_retryable() => panic!("{error:?}"),
                _ => {}
            }
            while let Some(event) = self.client.ready_event().await.unwrap() {
                assert!(self.client.confirm(event.id).await.unwrap());
                match event.kind {
                    EventKind::Message(message) => {
                        let Body::Text(text) = message.body else { panic!("not a text") };
                        *self.told.entry(text).or_default() += 1;
                    }
                    EventKind::MessagesLost { .. } | EventKind::NotDelivered { .. } => panic!("{:?}", event.kind),
                    other => self.others.push(format!("{other:?}")),
                }
            }
        });
    }
}

fn name(account: usize) -> String {
    format!("account {account}")
}

/// I2, I3, I12: whatever the network did, once it heals every message was told once on each device of its recipient and on each other device of its sender.
#[test]
fn fifty_devices_converge() {
    let world = World::new();
    let mut members = Vec::new();
    for (account, devices) in ACCOUNTS.into_iter().enumerate() {
        let first = world.person(&name(account));
        for _ in 1..devices {
            let client = link(&world, &first, &MemoryStore::new());
            members.push(Member { account, client, told: BTreeMap::new(), others: Vec::new() });
        }
        members.push(Member { account, client: first, told: BTreeMap::new(), others: Vec::new() });
    }
    assert_eq!(members.len(), 50);

    let mut dice = StdRng::seed_from_u64(50);
    let mut expected: Vec<BTreeMap<String, u32>> = vec![BTreeMap::new(); 50];
    let faults = Faults {
        seed: 50,
        loss: 20,
        duplication: 15,
        reordering: 40,
        delay: 3,
        outages: 10,
        outage_length: 40,
        ..Faults::none()
    };
    world.server.set_faults(faults);
    for number in 0..MESSAGES {
        // Now and then nobody reaches the server, for as long as it pleases.
        if dice.random_bool(0.05) {
            world.server.set_reachable(false);
        } else if dice.random_bool(0.4) {
            world.server.set_reachable(true);
        }
        let (sender, to) = (dice.random_range(0..50), dice.random_range(0..ACCOUNTS.len()));
        let (text, from) = (number.to_string(), members[sender].account);
        block_on(members[sender].client.send(&name(to), text.as_str())).unwrap();
        for (index, member) in members.iter().enumerate() {
            if index != sender && (member.account == to || member.account == from) {
                expected[index].insert(text.clone(), 1);
            }
        }
        for _ in 0..4 {
            members[dice.random_range(0..50)].live();
        }
        world.clock.advance(Duration::from_secs(dice.random_range(0..20)));
    }
    let missing: usize =
        members.iter().zip(&expected).map(|(member, expected)| expected.len() - member.told.len()).sum();
    // Control: the network was in the way.
    assert!(missing > 50, "{missing}");

    world.server.set_reachable(true);
    world.server.set_faults(Faults::none());
    for _ in 0..60 {
        members.iter_mut().for_each(Member::live);
        if members.iter().zip(&expected).all(|(member, expected)| member.told == *expected) {
            break;
        }
        world.clock.advance(Duration::from_secs(120));
    }
    for (member, expected) in members.iter().zip(&expected) {
        assert_eq!(member.told, *expected, "{:?} {:?}", member.client, member.others);
    }
    // Nothing comes twice later on.
    world.clock.advance(Duration::from_secs(3_600));
    members.iter_mut().for_each(Member::live);
    assert!(members.iter().zip(&expected).all(|(member, expected)| member.told == *expected));
}
