//! What the devices do in one round. A round can be begun again after a crash: the application says the same things under the same names.

use crate::life::Life;
use futures_util::future::try_join;
use serde::{Deserialize, Serialize};
use undertone::client::Client;
use undertone::{Error, Result};

/// A kind of round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scene {
    /// Both accounts write in turn: ratchet steps and post-quantum epochs.
    Talk,
    /// Many messages at once, which the server repeats and reorders.
    Burst,
    /// A stranger and a device of Bob's write to each other before either has heard of the other.
    FirstContact,
    /// A week passes while a first message is under way: prekeys are rotated and refilled.
    Rotation,
    /// A device is linked and unlinked while others write.
    Linking,
}

impl Scene {
    pub const ALL: [Self; 5] = [Self::Talk, Self::Burst, Self::FirstContact, Self::Rotation, Self::Linking];

    /// After how many rounds the world begins anew: an account has 127 device numbers, and a server hands out one-time prekeys until they expire, after 90 days.
    pub const fn rounds_in_one_world(self) -> u32 {
        match self {
            Self::Linking => 30,
            Self::Rotation => 5,
            _ => u32::MAX,
        }
    }

    /// Opens the devices that are there in every round.
    async fn open(self, life: &mut Life) {
        let devices: &[&str] = match self {
            Self::Talk | Self::Burst | Self::Linking => &["alice-1", "alice-2", "bob-1", "bob-2"],
            Self::FirstContact | Self::Rotation => &["bob-1", "bob-2"],
        };
        for device in devices {
            life.open(device).await;
        }
    }

    /// One round, from the opening of the devices to the moment when nothing is under way.
    pub async fn play(self, life: &mut Life, round: u32) {
        self.open(life).await;
        match self {
            Self::Talk => talk(life, round).await,
            Self::Burst => burst(life, round).await,
            Self::FirstContact => first_contact(life, round).await,
            Self::Rotation => rotation(life, round).await,
            Self::Linking => linking(life, round).await,
        }
        life.quiesce().await;
        life.judge.host.set_weather(None);
    }
}

/// Two accounts with two devices each, linked and acquainted.
pub async fn set_up(life: &mut Life) {
    for (first, second) in [("alice-1", "alice-2"), ("bob-1", "bob-2")] {
        life.open(first).await;
        let client = link(life, first, second, false).await.unwrap();
        life.take_in(second, client);
    }
    life.say("alice-1", "bob", "hello").await;
    life.quiesce().await;
    life.say("bob-2", "alice", "hello yourself").await;
    life.quiesce().await;
}

async fn talk(life: &mut Life, round: u32) {
    let (one, other) = if round.is_multiple_of(2) { ("alice-1", "bob-2") } else { ("alice-2", "bob-1") };
    life.say(one, "bob", &format!("talk {round} a")).await;
    life.sync(other).await;
    life.say(other, "alice", &format!("talk {round} b")).await;
    life.sync(one).await;
    life.say(one, "bob", &format!("talk {round} c")).await;
}

async fn burst(life: &mut Life, round: u32) {
    life.judge.host.set_weather(Some(u64::from(round)));
    for number in 0..3 {
        life.say("alice-1", "bob", &format!("burst {round} a{number}")).await;
        life.say("bob-2", "alice", &format!("burst {round} b{number}")).await;
    }
    life.sync("alice-2").await;
    life.say("alice-2", "bob", &format!("burst {round} c")).await;
}

async fn first_contact(life: &mut Life, round: u32) {
    let stranger = format!("carol{round}-1");
    life.open(&stranger).await;
    // Nobody can write to an account that the server has not heard of.
    life.sync(&stranger).await;
    life.say(&stranger, "bob", &format!("contact {round} a")).await;
    life.say("bob-1", &format!("carol{round}"), &format!("contact {round} b")).await;
    life.sync("bob-2").await;
    life.say("bob-2", &format!("carol{round}"), &format!("contact {round} c")).await;
    life.sync(&stranger).await;
}

async fn rotation(life: &mut Life, round: u32) {
    let stranger = format!("dave{round}-1");
    life.open(&stranger).await;
    // Nobody can write to an account that the server has not heard of.
    life.sync(&stranger).await;
    life.say(&stranger, "bob", &format!("rotation {round} a")).await;
    life.clock.advance(8 * 86_400);
    life.sync("bob-1").await;
    life.say("bob-1", &format!("dave{round}"), &format!("rotation {round} b")).await;
}

async fn linking(life: &mut Life, round: u32) {
    life.say("bob-1", "alice", &format!("linking {round} a")).await;
    let watch = link_until_done(life, round).await;
    if let Some(watch) = &watch {
        life.say("bob-1", "alice", &format!("linking {round} b")).await;
        life.sync("bob-1").await;
        life.sync(watch).await;
        life.quiesce().await;
        life.let_go(watch);
    }
    unlink_all(life).await;
    life.say("alice-2", "bob", &format!("linking {round} c")).await;
}

/// Links a new device; begins again with another code when something went wrong, as users do.
async fn link_until_done(life: &mut Life, round: u32) -> Option<String> {
    let mut device = format!("alice-watch{round}");
    let mut failures = Vec::new();
    for attempt in 0..8 {
        let linked = link(life, "alice-1", &device, attempt > 0).await;
        failures.extend(linked.as_ref().err().map(Error::code));
        match linked {
            Ok(client) => {
                life.take_in(&device, client);
                return Some(device);
            }
            // After a crash the two sides may be at odds; a device that is on the list and could not be told of it is taken off again.
            Err(error) if error.code().starts_with("link.") => {}
            // The crash came after it had become part of the account.
            Err(error) if error.code() == "store.account" => {
                if has_strangers(&life.client("alice-1")).await {
                    life.open(&device).await;
                    return Some(device);
                }
                life.let_go(&device);
                if attempt == 0 {
                    // It was linked and unlinked before the crash.
                    return None;
                }
                device = format!("alice-watch{round}-{attempt}");
                continue;
            }
            Err(error) => life.bear("link", &device, &error),
        }
        life.let_go(&device);
        unlink_all(life).await;
    }
    life.broken("I12", format!("no device could be linked: {failures:?}"));
    None
}

async fn unlink_all(life: &mut Life) {
    let client = life.client("alice-1");
    for _ in 0..6 {
        match unlink_strangers(&client).await {
            Ok(()) => return,
            Err(error) => life.bear("unlink", "alice-1", &error),
        }
    }
    life.broken("I12", "a device could not be unlinked".to_owned());
}

async fn has_strangers(client: &Client) -> bool {
    client.devices().await.is_ok_and(|devices| devices.all.len() > 2)
}

async fn unlink_strangers(client: &Client) -> Result<()> {
    for device in client.devices().await?.all {
        if device > 2 {
            client.unlink(device).await?;
        }
    }
    Ok(())
}

/// The new device shows a code and the first one scans it; both confirm.
async fn link(life: &mut Life, first: &str, device: &str, anew: bool) -> Result<Client> {
    let mut linking = life.builder(device).await?.link().await?;
    if anew {
        linking = linking.start_over().await?;
    }
    let code = linking.code().to_string().parse()?;
    let first = life.client(first);
    let (pending, accepted) = try_join(first.link(&code), linking.accept()).await?;
    if pending.confirmation_code() != accepted.confirmation_code() {
        life.broken("SE-11", "the two devices show different digits".to_owned());
    }
    let (number, client) = try_join(pending.confirm(), accepted.finish()).await?;
    if client.address().device() != number {
        life.broken("SE-11", "the new device has another number".to_owned());
    }
    Ok::<Client, Error>(client)
}
