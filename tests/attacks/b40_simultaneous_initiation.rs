//! B40: both sides begin a session at once, messages are lost and overtake one another, and the two never meet in one session again.

use crate::session_world::{Person, strangers};
use undertone::handshake::HandshakeProfile;
use undertone::rule::{Rule, without};
use undertone::{DecryptedBy, Envelope, EnvelopeKind, Signal, Undertone};

/// A message under way.
struct Pending {
    to_bob: bool,
    envelope: Envelope,
    text: u8,
}

type State = (Vec<u8>, Vec<u8>);

struct World<P: HandshakeProfile> {
    alice: Person<P>,
    bob: Person<P>,
    schedules: usize,
}

impl<P: HandshakeProfile> World<P> {
    fn new(seed: u64) -> Self {
        let (mut alice, mut bob) = strangers::<P>(seed);
        alice.begin(&bob).unwrap();
        bob.begin(&alice).unwrap();
        Self { alice, bob, schedules: 0 }
    }

    fn state(&self) -> (State, State) {
        (self.alice.state(), self.bob.state())
    }

    fn restore(&mut self, state: &(State, State)) {
        self.alice.restore(&state.0);
        self.bob.restore(&state.1);
    }

    fn send(&mut self, to_bob: bool, text: u8) -> Pending {
        let from = if to_bob { &mut self.alice } else { &mut self.bob };
        Pending { to_bob, envelope: from.write(&[text]).unwrap(), text }
    }

    fn deliver(&mut self, message: &Pending) -> DecryptedBy {
        let to = if message.to_bob { &mut self.bob } else { &mut self.alice };
        let read = to.read(&message.envelope).unwrap();
        assert_eq!(read.plaintext, [message.text]);
        read.by
    }

    /// The network has healed: after two round trips both sides speak in one session, which both have confirmed.
    fn converges(&mut self) -> bool {
        for _ in 0..2 {
            for to_bob in [true, false] {
                let message = self.send(to_bob, 0xFF);
                self.deliver(&message);
            }
        }
        [true, false].into_iter().all(|to_bob| {
            let message = self.send(to_bob, 0xFE);
            message.envelope.kind == EnvelopeKind::Message && self.deliver(&message) == DecryptedBy::Current
        })
    }

    /// From here on: everything is lost; or one of the messages under way arrives next; or, as long as `left` has some, one side writes another.
    fn explore(&mut self, pending: &mut Vec<Pending>, left: [usize; 2]) {
        let here = self.state();
        self.schedules += 1;
        assert!(self.converges(), "schedule {}", self.schedules);
        for index in 0..pending.len() {
            self.restore(&here);
            let message = pending.remove(index);
            self.deliver(&message);
            self.explore(pending, left);
            pending.insert(index, message);
        }
        for side in 0..2 {
            if left[side] > 0 {
                self.restore(&here);
                let mut left = left;
                left[side] -= 1;
                let message = self.send(side == 0, pending.len() as u8);
                pending.push(message);
                self.explore(pending, left);
                pending.pop();
            }
        }
    }
}

/// Each side writes as often before anything arrives; then all orders, and all losses.
fn at_once<P: HandshakeProfile>(each: usize) -> usize {
    let mut world = World::<P>::new(40);
    let mut pending = Vec::new();
    for text in 0..each as u8 {
        pending.push(world.send(true, text));
        pending.push(world.send(false, text));
    }
    world.explore(&mut pending, [0, 0]);
    world.schedules
}

/// Each side writes as often as `each` whenever it likes, between what arrives.
fn interleaved<P: HandshakeProfile>(each: usize) -> usize {
    let mut world = World::<P>::new(41);
    world.explore(&mut Vec::new(), [each, each]);
    world.schedules
}

/// SE-3, SE-7, SE-12, B40: six messages that crossed, in every order and with every loss: each that arrives is read once, and two round trips later both
/// sides are in one session.
#[test]
fn six_crossed_messages_converge() {
    assert_eq!(at_once::<Undertone>(3), 1957);
}

/// SE-3, SE-12, B40: the same in the Signal profile, with four messages.
#[test]
fn four_crossed_messages_converge_in_the_signal_profile() {
    assert_eq!(at_once::<Signal>(2), 65);
}

/// SE-3, SE-12, B40: messages written between what arrives, in every order and with every loss.
#[test]
fn interleaved_messages_converge() {
    assert!(interleaved::<Undertone>(2) > 200);
}

/// SE-3, B40: without the promotion of the session that read a message the two speak past each other for ever.
#[test]
fn without_promotion_they_never_meet() {
    let crossed = || {
        let mut world = World::<Undertone>::new(42);
        let (one, other) = (world.send(true, 1), world.send(false, 2));
        world.deliver(&one);
        world.deliver(&other);
        world.converges()
    };
    assert!(crossed());
    assert!(!without(Rule::Se3, crossed));
}
