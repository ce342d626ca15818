//! Two people and three devices: what an application does with a client, on one page.
//!
//! Run it with `cargo run --example quickstart`. The devices keep their state in files, as they would on a phone; the server is one in this process. With a
//! `WebSocketTransport` in place of `server.transport()` the same program talks to a server elsewhere.

use core::time::Duration;
use futures_executor::block_on;
use futures_util::future::{join, try_join};
use std::path::PathBuf;
use undertone::client::{Client, ClientBuilder, Event, EventKind, Message};
use undertone::content::Body;
use undertone::identity::Verification;
use undertone::store::{SealedStore, SqliteStore, StoreSecret};
use undertone::transport::MemoryServer;
use undertone::{ErrorKind, Result};

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("undertone-quickstart-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let mut key = [0; 32];
    getrandom::fill(&mut key)?;
    let world = World { server: MemoryServer::new(), folder: folder.clone(), key };
    let told = block_on(world.story());
    std::fs::remove_dir_all(folder)?;
    Ok(told?)
}

/// A server, and a folder for the devices' files.
struct World {
    server: MemoryServer,
    folder: PathBuf,
    /// Seals the files. On a phone the platform's key store keeps it; where there is none, `StoreSecret::passphrase` takes one from the user.
    key: [u8; 32],
}

impl World {
    /// A device with its file: everything that it knows is in there, sealed.
    async fn device(&self, file: &str) -> Result<ClientBuilder> {
        let file = SqliteStore::open(self.folder.join(file))?;
        let store = SealedStore::open(file, StoreSecret::key(self.key)).await?;
        Ok(Client::builder(store, self.server.transport()))
    }

    async fn story(&self) -> Result<()> {
        let phone = self.device("alices-phone.db").await?.open("alice").await?;
        let bob = self.device("bob.db").await?.open("bob").await?;
        println!("Alice is {}", phone.did());

        a_conversation(&phone, &bob).await?;
        a_safety_number(&phone, &bob).await?;
        let tablet = self.a_second_device(&phone, &bob).await?;
        self.without_a_network(&phone, &bob, &tablet).await?;
        let bob = self.a_restart(bob, &phone, &tablet).await?;
        a_lost_device(&phone, &tablet, &bob).await
    }

    /// A new device shows a code; a device of the account scans it, and its user compares six digits. The server cannot add a device by itself.
    async fn a_second_device(&self, phone: &Client, bob: &Client) -> Result<Client> {
        println!("\n— A second device");
        let linking = self.device("alices-tablet.db").await?.link().await?;
        let scanned = linking.code().to_string().parse()?;
        let (pending, accepted) = try_join(phone.link(&scanned), linking.accept()).await?;
        println!("both show {}", accepted.confirmation_code());
        assert_eq!(pending.confirmation_code(), accepted.confirmation_code());
        let (number, tablet) = join(pending.confirm(), accepted.finish()).await;
        let (number, tablet) = (number?, tablet?);
        assert_eq!(tablet.devices().await?.all, [1, number]);

        // From the next message on, Bob writes to both of Alice's devices, and each of hers tells the other what it wrote.
        bob.send("alice", "Both of you?").await?;
        bob.sync(Duration::ZERO).await?;
        for device in [phone, &tablet] {
            assert_eq!(next_message(device).await?.body, Body::from("Both of you?"));
        }
        tablet.send("bob", "Both of us.").await?;
        assert_eq!(next_message(bob).await?.body, Body::from("Both of us."));
        let copy = next_message(phone).await?;
        assert_eq!((copy.sender.as_str(), copy.device, copy.conversation.as_str()), ("alice", number, "bob"));
        Ok(tablet)
    }

    /// A message is durable when `send` returns; it goes out when the server can be reached.
    async fn without_a_network(&self, phone: &Client, bob: &Client, tablet: &Client) -> Result<()> {
        println!("\n— In a tunnel");
        self.server.set_reachable(false);
        assert!(!phone.send("bob", "I am in a tunnel.").await?.delivered_to_server);
        self.server.set_reachable(true);
        phone.sync(Duration::ZERO).await?;
        assert_eq!(next_message(bob).await?.body, Body::from("I am in a tunnel."));
        assert_eq!(next_message(tablet).await?.conversation, "bob");
        Ok(())
    }

    /// An event is told until it is confirmed: a program that ends in between misses nothing, and its file holds all it needs.
    async fn a_restart(&self, bob: Client, phone: &Client, tablet: &Client) -> Result<Client> {
        println!("\n— A restart");
        phone.send("bob", "Do not forget this.").await?;
        assert_eq!(next_message(tablet).await?.body, Body::from("Do not forget this."));
        let seen: Event = bob.next_event().await?;
        bob.close().await?;

        let bob = self.device("bob.db").await?.open("bob").await?;
        let again = bob.next_event().await?;
        assert_eq!(again.id, seen.id);
        assert!(bob.confirm(again.id).await?, "only now is it settled");
        assert_eq!(bob.contact("alice").await?.verification, Verification::Verified);
        println!("bob was told twice and confirmed once: {:?}", again.id);
        Ok(bob)
    }
}

/// Texts, replies, reactions. Neither side has to be there when the other writes.
async fn a_conversation(alice: &Client, bob: &Client) -> Result<()> {
    println!("— A conversation");
    let sent = alice.send("bob", "Hello Bob. No server can read this.").await?;
    assert!(sent.delivered_to_server);
    let hello = next_message(bob).await?;
    assert_eq!((hello.sender.as_str(), hello.id), ("alice", sent.id));

    bob.send("alice", Body::Reply { to: hello.id, text: "Nor this.".to_owned() }).await?;
    bob.send("alice", Body::Reaction { to: hello.id, emoji: "👋".to_owned() }).await?;
    assert!(
        matches!(next_message(alice).await?.body, Body::Reply { to, text } if to == sent.id && text == "Nor this.")
    );
    assert!(matches!(next_message(alice).await?.body, Body::Reaction { to, .. } if to == sent.id));
    Ok(())
}

/// What Alice and Bob compare, aloud or by scanning: the proof that no one stands between them.
async fn a_safety_number(alice: &Client, bob: &Client) -> Result<()> {
    println!("\n— The safety number");
    let (alices, bobs) = (alice.safety_number("bob").await?, bob.safety_number("alice").await?);
    println!("alice sees {}\nbob sees   {}", alices.digits(), bobs.digits());
    assert_eq!(alices.digits(), bobs.digits());
    alice.mark_verified("bob", &alices).await?;
    assert!(bob.verify_scan("alice", &alices.to_scan()).await?);

    bob.send("alice", "Now I am sure.").await?;
    assert_eq!(next_message(alice).await?.verification, Verification::Verified);
    Ok(())
}

/// Taken off the account's signed list, a device is written to by nobody.
async fn a_lost_device(phone: &Client, tablet: &Client, bob: &Client) -> Result<()> {
    println!("\n— A lost device");
    phone.unlink(tablet.address().device()).await?;
    bob.send("alice", "Only for your phone.").await?;
    bob.sync(Duration::ZERO).await?;
    assert_eq!(bob.contact("alice").await?.devices, [1]);
    assert_eq!(next_message(phone).await?.body, Body::from("Only for your phone."));
    while tablet.next_event().await?.kind != EventKind::Unlinked {}
    let refused = tablet.send("bob", "I am still here.").await.expect_err("it is no device of Alice's any more");
    assert_eq!(refused.kind(), ErrorKind::Closed);
    println!("the tablet: {refused}");
    Ok(())
}

/// Takes events until there is a message, and confirms each once it is taken care of: here, once it is printed.
async fn next_message(client: &Client) -> Result<Message> {
    loop {
        let event = client.next_event().await?;
        client.confirm(event.id).await?;
        match event.kind {
            EventKind::Message(message) => {
                println!("{} reads from {}: {}", client.name(), message.sender, shown(&message.body));
                return Ok(message);
            }
            EventKind::DevicesChanged { account, added, removed } => {
                println!("{} hears that {account} has new devices {added:?} and lost {removed:?}", client.name());
            }
            other => println!("{} is told {other:?}", client.name()),
        }
    }
}

fn shown(body: &Body) -> String {
    match body {
        Body::Text(text) => text.clone(),
        Body::Reply { text, .. } => format!("↩ {text}"),
        Body::Reaction { emoji, .. } => emoji.clone(),
        _ => "something that this example does not show".to_owned(),
    }
}
