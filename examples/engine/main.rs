//! Two people and a group, over a mailbox in this process: the engine below the client, its whole life on one page.
//!
//! Run it with `cargo run --example engine`. Everything here is sans-IO: the program moves the bytes, keeps the records, and brings time and randomness.

mod person;

use person::{Mailbox, Person};
use undertone::handshake::HandshakePolicy;
use undertone::identity::{Fingerprint, FingerprintParty, FingerprintVersion};
use undertone::{DidKey, ErrorKind, IdentityKeyPair, Result, Undertone};

fn main() -> Result<()> {
    let mut mailbox = Mailbox::default();
    let mut alice = Person::new("alice")?;
    let mut bob = Person::new("bob")?;
    let mut carol = Person::new("carol")?;
    println!("Alice is {}", DidKey::new(alice.identity.public().clone()));

    a_conversation(&mut mailbox, &mut alice, &mut bob)?;
    lost_and_late(&mut mailbox, &mut alice, &mut bob)?;
    post_quantum_epochs(&mut mailbox, &mut alice, &mut bob)?;
    safety_numbers(&alice, &bob)?;
    without_a_kem(&mut mailbox, &mut carol, &mut alice)?;
    a_group(&mut mailbox, &mut alice, &mut bob, &mut carol)?;
    a_restart(&mut mailbox, alice, &mut bob)
}

/// PQXDH: Alice fetches Bob's prekey bundle and writes at once; Bob need not be there.
fn a_conversation(mailbox: &mut Mailbox, alice: &mut Person, bob: &mut Person) -> Result<()> {
    println!("\n— A conversation");
    let bundle = bob.publish_bundle()?;
    let strength = alice.begin(&bundle, HandshakePolicy::default())?;
    println!("Alice processes Bob's bundle: PQXDH, {strength:?} prekeys");
    alice.send(mailbox, &bob.address, "Hello Bob. No server can read this.")?;
    assert_eq!(bob.receive(mailbox)?, ["Hello Bob. No server can read this."]);
    bob.send(mailbox, &alice.address, "Hello Alice. Nor this.")?;
    assert_eq!(alice.receive(mailbox)?, ["Hello Alice. Nor this."]);
    Ok(())
}

/// Messages may come late or never: each is readable on its own, once.
fn lost_and_late(mailbox: &mut Mailbox, alice: &mut Person, bob: &mut Person) -> Result<()> {
    println!("\n— One is lost, two change places, one comes twice");
    for text in ["one", "two (lost)", "three", "four"] {
        alice.send(mailbox, &bob.address, text)?;
    }
    mailbox.lose(&bob.address, 1);
    mailbox.swap(&bob.address, 1, 2);
    mailbox.repeat(&bob.address, 0);
    assert_eq!(bob.receive(mailbox)?, ["one", "four", "three"]);
    Ok(())
}

/// Every header carries a piece of the post-quantum ratchet; a new secret is complete after some forty round trips.
fn post_quantum_epochs(mailbox: &mut Mailbox, alice: &mut Person, bob: &mut Person) -> Result<()> {
    println!("\n— The post-quantum ratchet");
    mailbox.quiet = true;
    let mut rounds = 0;
    while alice.post_quantum_epoch(&bob.address) < 2 {
        rounds += 1;
        bob.send(mailbox, &alice.address, "tick")?;
        alice.receive(mailbox)?;
        alice.send(mailbox, &bob.address, "tock")?;
        bob.receive(mailbox)?;
    }
    mailbox.quiet = false;
    let (alices, bobs) = (alice.post_quantum_epoch(&bob.address), bob.post_quantum_epoch(&alice.address));
    println!("after {rounds} round trips Alice has the secret of epoch {alices}, Bob that of epoch {bobs}");
    Ok(())
}

/// What Alice and Bob compare, aloud or by scanning: the proof that no one stands between them.
fn safety_numbers(alice: &Person, bob: &Person) -> Result<()> {
    println!("\n— The safety number");
    fn party(person: &Person) -> FingerprintParty<'_, Undertone> {
        FingerprintParty { account_id: person.name().as_bytes(), identity_key: person.identity.public() }
    }
    let alices = Fingerprint::new(FingerprintVersion::Two, &party(alice), &party(bob));
    let bobs = Fingerprint::new(FingerprintVersion::Two, &party(bob), &party(alice));
    println!("Alice sees {}", alices.digits());
    println!("Bob sees   {}", bobs.digits());
    assert_eq!(alices.digits(), bobs.digits());
    assert!(alices.matches_scan(&bobs.to_scan())?);
    println!("Alice scans Bob's code: they match");
    Ok(())
}

/// X3DH: a peer without a post-quantum prekey is refused, unless a policy names what it gives up.
fn without_a_kem(mailbox: &mut Mailbox, carol: &mut Person, alice: &mut Person) -> Result<()> {
    println!("\n— A peer without a KEM");
    let bundle = alice.publish_bundle()?.without_kem_prekey();
    let refused = carol.begin(&bundle, HandshakePolicy::default()).expect_err("no policy allows it");
    assert_eq!(refused.kind(), ErrorKind::UnsupportedVersion);
    println!("refused: {refused}");
    let policy = HandshakePolicy::allow_x3dh_without_post_quantum();
    let strength = carol.begin(&bundle, policy)?;
    alice.policy = policy;
    println!("Carol's policy names X3DH: {strength:?}");
    carol.send(mailbox, &alice.address, "An old device of mine.")?;
    assert_eq!(alice.receive(mailbox)?, ["An old device of mine."]);
    alice.send(mailbox, &carol.address, "Welcome all the same.")?;
    assert_eq!(carol.receive(mailbox)?, ["Welcome all the same."]);
    Ok(())
}

/// A group: each sender hands out its sender key over its sessions, then encrypts once for all.
fn a_group(mailbox: &mut Mailbox, alice: &mut Person, bob: &mut Person, carol: &mut Person) -> Result<()> {
    println!("\n— A group");
    let distribution = alice.create_group("hiking")?;
    for member in [&mut *bob, &mut *carol] {
        alice.send_distribution(mailbox, &member.address, &distribution)?;
        member.receive(mailbox)?;
    }
    let members = [&bob.address.clone(), &carol.address.clone()];
    for text in ["Saturday, seven o'clock?", "Bring shoes."] {
        alice.send_to_group(mailbox, "hiking", &members, text)?;
    }
    for member in [bob, carol] {
        assert_eq!(member.receive(mailbox)?, ["Saturday, seven o'clock?", "Bring shoes."]);
    }
    Ok(())
}

/// All that a device keeps fits a few small records.
fn a_restart(mailbox: &mut Mailbox, alice: Person, bob: &mut Person) -> Result<()> {
    println!("\n— A restart");
    let stored = alice.store();
    println!("Alice's session with Bob is a record of {} bytes", stored.session_bytes(&bob.address));
    let mut alice = Person::restore(stored)?;
    bob.send(mailbox, &alice.address, "Still there?")?;
    assert_eq!(alice.receive(mailbox)?, ["Still there?"]);
    alice.send(mailbox, &bob.address, "As if nothing had happened.")?;
    alice.send_to_group(mailbox, "hiking", &[&bob.address.clone()], "See you on Saturday.")?;
    assert_eq!(bob.receive(mailbox)?, ["As if nothing had happened.", "See you on Saturday."]);
    Ok(())
}
