//! Peers who say in their own sessions what is not theirs to say, and strangers in the name of others: T-CTX.

use crate::puppet::{Puppet, put};
use crate::server::{device, is_warned, live, live_on, said, warnings};
use crate::world::{World, link, messages, say, texts};
use futures_executor::block_on;
use undertone::client::{Client, EventKind, SecurityKind};
use undertone::content::{Acknowledged, Body, Content, MessageId, MissingRange};
use undertone::store::MemoryStore;
use undertone::transport::Transport;

fn text(id: u8, text: &str) -> Content {
    Content::new(MessageId([id; 16]), 1_800_000_000_000, Body::Text(text.to_owned()))
}

/// Alice, who knows bob; and mallory, who may say anything.
fn world() -> (World, Client, Client, Puppet) {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    say(&bob, "alice", "hello");
    assert_eq!(texts(&alice), ["hello"]);
    let mallory = Puppet::listed(&world, "mallory");
    (world, alice, bob, mallory)
}

/// What alice makes of a content of mallory's.
fn told(world: &World, alice: &Client, mallory: &mut Puppet, content: &Content) -> Vec<EventKind> {
    let bytes = mallory.write(world, &device("alice", 1), content);
    put(world, &device("alice", 1), bytes);
    live(alice)
}

/// B38, SE-11: a peer cannot put a message into another conversation: only one's own devices name one.
#[test]
fn a_peer_writes_into_no_other_conversation() {
    let (world, alice, _bob, mut mallory) = world();
    let mut content = text(1, "as if alice had written this to bob");
    content.conversation = Some("bob".to_owned());
    assert!(said(&told(&world, &alice, &mut mallory, &content)).is_empty());
    // Control: without it the message is mallory's, in mallory's own conversation.
    let bytes = mallory.write(&world, &device("alice", 1), &text(2, "hello"));
    put(&world, &device("alice", 1), bytes);
    let message = messages(&alice).remove(0);
    assert_eq!((message.sender.as_str(), message.conversation.as_str()), ("mallory", "mallory"));
}

/// B38: the copy that one's own device sends names its conversation; one that does not is refused by the other devices. Here: an honest copy, to see that it arrives.
#[test]
fn only_own_devices_name_a_conversation() {
    let (world, alice, bob, _) = world();
    let tablet = link(&world, &alice, &MemoryStore::new());
    say(&alice, "bob", "hi");
    let copy = messages(&tablet).remove(0);
    assert_eq!((copy.sender.as_str(), copy.conversation.as_str(), copy.device), ("alice", "bob", 1));
    // Control: at bob's it is in the conversation with alice.
    let message = messages(&bob).remove(0);
    assert_eq!((message.sender.as_str(), message.conversation.as_str()), ("alice", "alice"));
}

/// SE-11, B38, B47: a first message that names bob's device, with another identity inside, is refused and reported, whatever device it names.
#[test]
fn a_stranger_in_bobs_name_is_refused() {
    let (world, alice, _bob, mut mallory) = world();
    for number in [1, 2, 127] {
        let mut stranger = Puppet::unlisted(&world, "bob", number);
        let bytes = stranger.write(&world, &device("alice", 1), &text(1, "I am bob"));
        put(&world, &device("alice", 1), bytes);
        let events = live(&alice);
        assert!(said(&events).is_empty());
        assert!(is_warned(&events, SecurityKind::UnlistedDevice), "{number}");
    }
    // Control: mallory, in her own name, is read.
    assert_eq!(said(&told(&world, &alice, &mut mallory, &text(2, "hello"))), ["hello"]);
}

/// SE-11, B38, B39: a first message in alice's own name, of a device that she does not have, is refused.
#[test]
fn a_stranger_in_the_own_name_is_refused() {
    let (world, alice, bob, _) = world();
    for number in [2, 3] {
        let mut stranger = Puppet::unlisted(&world, "alice", number);
        let mut content = text(1, "a note to myself");
        content.conversation = Some("alice".to_owned());
        let bytes = stranger.write(&world, &device("alice", 1), &content);
        put(&world, &device("alice", 1), bytes);
        let events = live(&alice);
        assert!(said(&events).is_empty(), "{number}");
        assert!(is_warned(&events, SecurityKind::UnlistedDevice));
    }
    // Control: bob is read.
    say(&bob, "alice", "it is me");
    assert_eq!(texts(&alice), ["it is me"]);
}

/// SE-11, B46, B47: statements that a peer sends are of the peer's own list, or of none.
#[test]
fn a_peer_changes_no_other_device_list() {
    let (world, alice, bob, mut mallory) = world();
    let _tablet = link(&world, &bob, &MemoryStore::new());
    let bobs = block_on(world.server.transport().device_list("bob", 0)).unwrap();
    let content = Content::new(MessageId([1; 16]), 1, Body::DeviceList(bobs));
    let events = told(&world, &alice, &mut mallory, &content);
    assert!(!events.iter().any(|event| matches!(event, EventKind::DevicesChanged { .. })), "{events:?}");
    assert_eq!(block_on(alice.contact("bob")).unwrap().devices, [1]);
    assert_eq!(block_on(alice.contact("mallory")).unwrap().devices, [1]);
    // Control: from bob himself the same statements are taken.
    say(&bob, "alice", "I have a tablet");
    live_on(&world, &[&alice, &bob], 2, 30);
    assert_eq!(block_on(alice.contact("bob")).unwrap().devices, [1, 2]);
}

/// SE-11, B47: a peer who claims a longer list than there is: it is looked for once, and the application is told.
#[test]
fn a_peer_who_mentions_a_list_that_is_not_there_is_told_of() {
    let (world, alice, _bob, mut mallory) = world();
    let mut content = text(1, "I have many devices");
    content.device_list = Some((99, [7; 32]));
    let calls = world.server.calls();
    let events = told(&world, &alice, &mut mallory, &content);
    assert_eq!(said(&events), ["I have many devices"]);
    assert!(is_warned(&events, SecurityKind::DeviceListWithheld));
    assert!(world.server.calls() - calls < 20);
    // Control: a mention of the right number under a wrong hash is a fork.
    let mut content = text(2, "I have another");
    content.device_list = Some((1, [7; 32]));
    let events = told(&world, &alice, &mut mallory, &content);
    assert!(warnings(&events).contains(&(SecurityKind::DeviceListRefused, "devices.forked".to_owned())));
}

/// B75, B41, I3, I12: numbers of streams at the ends of their range: what is missing between is not asked for one by one, nothing is sent without end, nothing panics.
#[test]
fn absurd_numbers_of_a_stream_do_no_harm() {
    let (world, alice, _bob, mut mallory) = world();
    say(&alice, "mallory", "hello");
    let before = world.server.accepted_envelopes().len();
    for (id, sequence) in [1, u64::MAX, u64::MAX - 1, 1 << 63, 2, u64::MAX / 2].into_iter().enumerate() {
        for stream in [1, u64::MAX] {
            let mut content = text(u8::try_from(id).unwrap(), "x");
            (content.stream, content.sequence) = (stream, sequence);
            content.acknowledged = Some(Acknowledged { stream, up_to: u64::MAX });
            told(&world, &alice, &mut mallory, &content);
        }
    }
    let missing = vec![MissingRange { from: 1, to: u64::MAX }];
    let content = Content::new(MessageId([99; 16]), 1, Body::ResendRequest { stream: u64::MAX, missing });
    told(&world, &alice, &mut mallory, &content);
    let events = live_on(&world, &[&alice], 48, 3_600);
    assert!(events[0].len() < 10);
    let sent = world.server.accepted_envelopes().len() - before;
    assert!(sent < 30, "{sent}");
    // Control: the conversation goes on.
    let mut content = text(77, "sensible");
    (content.stream, content.sequence) = (5, 1);
    assert_eq!(said(&told(&world, &alice, &mut mallory, &content)), ["sensible"]);
}

/// B75, B38, I6: what authenticates and is no content is a failure of that peer, and of nobody else.
#[test]
fn a_plaintext_that_is_no_content_is_refused() {
    let (world, alice, bob, mut mallory) = world();
    for plaintext in [&[][..], &[0; 256], &[0x80], &[0xFF; 300]] {
        let bytes = mallory.write_plaintext(&world, &device("alice", 1), plaintext);
        put(&world, &device("alice", 1), bytes);
        assert!(said(&live(&alice)).is_empty());
        mallory.forget();
    }
    // Control: bob is read.
    say(&bob, "alice", "go on");
    assert_eq!(texts(&alice), ["go on"]);
}
