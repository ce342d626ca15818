//! L0: the order of the client's steps, explored whole: a device that sends, devices that receive, and a server that hands out what it has in any order and again, with
//! processes that are killed between any two steps and commits of unknown outcome.
//!
//! What is modelled are the steps of `src/client` that read or write a store or the network, one by one; each says which function it stands for. Not modelled are loss
//! of mail by the server and what mends it (that is tested on the client itself), and what cryptography forbids.
#![cfg(not(target_family = "wasm"))]

mod device;
mod mutant;

use device::*;
use mutant::Mutant;
use stateright::{Checker, HasDiscoveries, Model, Property};
use std::time::Instant;

// The properties.
const I1: &str = "I1 no key serves two envelopes";
const I2: &str = "I2 nothing that was acknowledged or assured is lost";
const I3: &str = "I3 nothing is told twice";
const I4: &str = "I4 a prekey makes one session and is gone with it";
const I7: &str = "I7 nothing leaves that the store does not know";
const C5: &str = "C5 what comes again is no failure";
const I12: &str = "I12 when nothing moves any more, everything is there";

/// The bounds, and the mutant.
#[derive(Clone, Copy, Debug)]
struct World {
    messages: u8,
    devices: u8,
    /// Processes on the store of the device that sends, and on those of the devices that receive.
    senders: u8,
    receivers: u8,
    /// Crashes, commits of unknown outcome and redeliveries, all together.
    faults: u8,
    mutant: Mutant,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    store: SenderStore,
    senders: Vec<Sender>,
    mailboxes: Vec<Mailbox>,
    devices: Vec<(ReceiverStore, Vec<Receiver>)>,
    /// Messages for which `Client::send_as` returned `Ok`.
    assured: Messages,
    /// What left the sending device. Sorted.
    left: Vec<Envelope>,
    /// How often each message was encrypted.
    copies: [u8; 4],
    faults: u8,
}

/// What happens next. The first number is a device where there are several, then a process.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// `Inner::send`: `Send::plan` reads the store and encrypts.
    PlanSend(usize, u8),
    /// `Inner::transact`: the commit of it; a conflict if the generation is another.
    CommitSend(usize),
    /// The same, reported as `store.io`.
    CommitSendUnknown(usize, bool),
    /// `Inner::flush`, `hand_over`: one row goes to the server, and its answer comes back or not.
    HandOver(usize, Envelope, bool),
    /// `Inner::forget_delivered`, and what every commit does on the side.
    ForgetSettled(usize),
    /// `Inner::take_in`: `Receive::plan` reads an envelope.
    PlanReceive(usize, usize, Envelope),
    /// `Inner::transact`: the commit of it.
    CommitReceive(usize, usize),
    /// The same, reported as `store.io`.
    CommitReceiveUnknown(usize, usize, bool),
    /// `Inner::acknowledge`.
    Acknowledge(usize, usize),
    /// M3 only: the second commit.
    RemovePrekey(usize, usize),
    /// `Inner::confirm`: by whatever process.
    Confirm(usize, u8),
    /// A process is killed and starts again with an empty memory.
    CrashSender(usize),
    CrashReceiver(usize, usize),
    /// The network brings again what was acknowledged.
    Echo(usize, Envelope),
}

impl Step {
    /// What need not happen: a world without it must come to its end all the same.
    fn is_fault(&self) -> bool {
        use Step::*;
        matches!(self, CommitSendUnknown(..) | CommitReceiveUnknown(..) | CrashSender(_) | CrashReceiver(..) | Echo(..))
    }
}

impl Model for World {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let device = (ReceiverStore::default(), vec![Receiver::Idle; usize::from(self.receivers)]);
        vec![State {
            store: SenderStore::default(),
            senders: vec![Sender::default(); usize::from(self.senders)],
            mailboxes: vec![Mailbox::default(); usize::from(self.devices)],
            devices: vec![device; usize::from(self.devices)],
            assured: 0,
            left: Vec::new(),
            copies: [0; 4],
            faults: 0,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for (process, sender) in state.senders.iter().enumerate() {
            self.sender_steps(state, process, sender, steps);
        }
        for (device, (store, receivers)) in state.devices.iter().enumerate() {
            for (process, receiver) in receivers.iter().enumerate() {
                self.receiver_steps(state, (device, process), receiver, steps);
            }
            steps.extend((0..self.messages).filter(|m| store.inbox & bit(*m) != 0).map(|m| Step::Confirm(device, m)));
            if state.faults < self.faults {
                let gone = &state.mailboxes[device].acknowledged;
                steps.extend(gone.iter().map(|envelope| Step::Echo(device, *envelope)));
            }
        }
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        let mut state = before.clone();
        state.faults += u8::from(step.is_fault());
        match step {
            Step::PlanSend(process, message) => self.plan_send(&mut state, process, message),
            Step::CommitSend(process) => self.commit_send(&mut state, process),
            Step::CommitSendUnknown(process, is_done) => {
                let plan = state.senders[process].plan.clone();
                if is_done {
                    self.commit_send(&mut state, process);
                }
                // `transact` plans again from what the store says.
                state.senders[process].plan = None;
                if let Some((_, message, _)) = plan
                    && self.mutant == Mutant::BelievesIoFailed
                    && state.store.sent & bit(message) != 0
                {
                    state.store.sent &= !bit(message);
                    state.assured &= !bit(message);
                }
            }
            Step::HandOver(process, envelope, is_answered) => {
                self.hand_over(&mut state, envelope);
                if is_answered {
                    insert(&mut state.senders[process].settled, envelope);
                }
            }
            Step::ForgetSettled(process) => {
                for envelope in std::mem::take(&mut state.senders[process].settled) {
                    remove(&mut state.store.outbox, &envelope);
                }
                state.store.generation += 1;
            }
            Step::PlanReceive(device, process, envelope) => self.plan_receive(&mut state, (device, process), envelope),
            Step::CommitReceive(device, process) => self.commit_receive(&mut state, (device, process)),
            Step::CommitReceiveUnknown(device, process, is_done) => {
                if is_done {
                    self.commit_receive(&mut state, (device, process));
                }
                state.devices[device].1[process] = Receiver::Idle;
            }
            Step::Acknowledge(device, process) => {
                let receiver = std::mem::take(&mut state.devices[device].1[process]);
                if let Receiver::Committed { envelope } = receiver {
                    acknowledge(&mut state.mailboxes[device], envelope);
                }
            }
            Step::RemovePrekey(device, process) => {
                let (store, receivers) = &mut state.devices[device];
                store.prekey_is_gone = true;
                store.generation += 1;
                if let Receiver::RemovesPrekey { envelope } = receivers[process] {
                    receivers[process] = Receiver::Committed { envelope };
                }
            }
            Step::Confirm(device, message) => {
                let store = &mut state.devices[device].0;
                store.inbox &= !bit(message);
                store.confirmed |= bit(message);
                store.generation += 1;
            }
            Step::CrashSender(process) => {
                state.senders[process] = Sender::default();
            }
            Step::CrashReceiver(device, process) => {
                state.devices[device].1[process] = Receiver::Idle;
            }
            Step::Echo(device, envelope) => {
                remove(&mut state.mailboxes[device].acknowledged, &envelope);
                insert(&mut state.mailboxes[device].waiting, envelope);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(I1, |_, state: &State| {
                state
                    .left
                    .windows(2)
                    .all(|pair| (pair[0].device, pair[0].position) != (pair[1].device, pair[1].position))
            }),
            Property::always(I2, |world: &World, state: &State| {
                (0..world.messages).all(|message| {
                    let is_assured = state.assured & bit(message) != 0;
                    (0..world.devices).all(|device| {
                        let (store, mailbox) =
                            (&state.devices[usize::from(device)].0, &state.mailboxes[usize::from(device)]);
                        let is_here = (store.inbox | store.confirmed) & bit(message) != 0;
                        let was_acknowledged = mailbox.acknowledged.iter().any(|envelope| envelope.message == message);
                        let is_for_here =
                            |envelope: &&Envelope| (envelope.device, envelope.message) == (device, message);
                        let is_on_its_way = state.store.outbox.iter().chain(&mailbox.waiting).any(|e| is_for_here(&e));
                        (is_here || !was_acknowledged) && (is_here || is_on_its_way || !is_assured)
                    })
                })
            }),
            Property::always(I3, |_, state: &State| {
                state.devices.iter().all(|(store, _)| store.told.iter().all(|times| *times <= 1))
            }),
            Property::always(I4, |_, state: &State| {
                state
                    .devices
                    .iter()
                    .all(|(store, _)| store.sessions <= 1 && (store.sessions == 0 || store.prekey_is_gone))
            }),
            Property::always(I7, |_, state: &State| {
                state.left.iter().all(|envelope| envelope.position < state.store.next)
            }),
            Property::always(C5, |_, state: &State| state.devices.iter().all(|(store, _)| store.failures == 0)),
            Property::always(I12, |world: &World, state: &State| {
                let mut steps = Vec::new();
                world.actions(state, &mut steps);
                let all = bit(world.messages) - 1;
                steps.iter().any(|step| !step.is_fault())
                    || (state.assured == all && state.devices.iter().all(|(store, _)| store.confirmed == all))
            }),
            Property::sometimes("everything is delivered", |world: &World, state: &State| {
                let all = bit(world.messages) - 1;
                state.devices.iter().all(|(store, _)| store.confirmed == all)
            }),
        ]
    }
}

impl World {
    fn sender_steps(&self, state: &State, process: usize, sender: &Sender, steps: &mut Vec<Step>) {
        let may_fail = state.faults < self.faults;
        if sender.plan.is_some() {
            steps.push(Step::CommitSend(process));
            if may_fail {
                steps.extend([true, false].map(|is_done| Step::CommitSendUnknown(process, is_done)));
            }
        } else {
            // One message is as good as another: they are begun in the order of their numbers.
            let is_next = |message: u8| message == 0 || state.copies[usize::from(message) - 1] > 0;
            let unsaid = (0..self.messages).filter(|m| state.assured & bit(*m) == 0 && is_next(*m));
            steps.extend(unsaid.map(|message| Step::PlanSend(process, message)));
            for envelope in &state.store.outbox {
                if sender.settled.binary_search(envelope).is_err() {
                    steps.push(Step::HandOver(process, *envelope, true));
                    let is_taken = state.mailboxes[usize::from(envelope.device)].accepted.contains(envelope);
                    if !is_taken {
                        steps.push(Step::HandOver(process, *envelope, false));
                    }
                }
            }
            if !sender.settled.is_empty() {
                steps.push(Step::ForgetSettled(process));
            }
        }
        if state.faults < self.faults && *sender != Sender::default() {
            steps.push(Step::CrashSender(process));
        }
    }

    fn receiver_steps(
        &self,
        state: &State,
        (device, process): (usize, usize),
        receiver: &Receiver,
        steps: &mut Vec<Step>,
    ) {
        match receiver {
            Receiver::Idle => {
                let waiting = &state.mailboxes[device].waiting;
                steps.extend(waiting.iter().map(|envelope| Step::PlanReceive(device, process, *envelope)));
                return;
            }
            Receiver::Planned { .. } => {
                steps.push(Step::CommitReceive(device, process));
                if state.faults < self.faults {
                    steps.extend([true, false].map(|is_done| Step::CommitReceiveUnknown(device, process, is_done)));
                }
            }
            Receiver::Committed { .. } => steps.push(Step::Acknowledge(device, process)),
            Receiver::RemovesPrekey { .. } => steps.push(Step::RemovePrekey(device, process)),
        }
        if state.faults < self.faults {
            steps.push(Step::CrashReceiver(device, process));
        }
    }

    fn plan_send(&self, state: &mut State, process: usize, message: u8) {
        if state.store.sent & bit(message) != 0 {
            // `Send::plan` finds the name: it was sent before.
            state.assured |= bit(message);
            return;
        }
        let copy = state.copies[usize::from(message)];
        state.copies[usize::from(message)] += 1;
        let position = state.store.next;
        let envelopes: Vec<Envelope> =
            (0..self.devices).map(|device| Envelope { device, position, message, copy }).collect();
        if self.mutant == Mutant::SendsBeforeCommit {
            envelopes.iter().for_each(|envelope| self.hand_over(state, *envelope));
        }
        state.senders[process].plan = Some((state.store.generation, message, envelopes));
    }

    fn commit_send(&self, state: &mut State, process: usize) {
        let Some((expected, message, envelopes)) = state.senders[process].plan.take() else { return };
        let is_stale = state.store.generation != expected;
        if is_stale && self.mutant != Mutant::IgnoresGeneration {
            return;
        }
        let store = &mut state.store;
        store.generation += 1;
        store.next = envelopes[0].position + 1;
        store.sent |= bit(message);
        for envelope in envelopes {
            insert(&mut store.outbox, envelope);
        }
        // `Inner::commit`: what the server has is forgotten along with it.
        for envelope in std::mem::take(&mut state.senders[process].settled) {
            remove(&mut store.outbox, &envelope);
        }
        state.assured |= bit(message);
    }

    fn hand_over(&self, state: &mut State, envelope: Envelope) {
        let mut bytes = envelope;
        let was_sent = state.left.binary_search(&envelope).is_ok();
        if self.mutant == Mutant::EncryptsAgainOnRetry && was_sent {
            bytes.copy += 100;
        }
        insert(&mut state.left, bytes);
        let mailbox = &mut state.mailboxes[usize::from(envelope.device)];
        if insert(&mut mailbox.accepted, envelope) {
            insert(&mut mailbox.waiting, envelope);
        }
    }

    fn plan_receive(&self, state: &mut State, (device, process): (usize, usize), envelope: Envelope) {
        let (store, receivers) = &mut state.devices[device];
        if self.mutant == Mutant::AcknowledgesBeforeCommit {
            acknowledge(&mut state.mailboxes[device], envelope);
        }
        let is_marked = store.received.binary_search(&envelope).is_ok();
        if is_marked {
            // Nothing to commit: the acknowledgement is made again.
            receivers[process] = Receiver::Committed { envelope };
            return;
        }
        let mut after = store.clone();
        if !matches!(self.mutant, Mutant::ForgetsMarks | Mutant::RecognisesNothing) {
            insert(&mut after.received, envelope);
        }
        let remembers = self.mutant != Mutant::RecognisesNothing;
        if remembers && store.used & bit(envelope.position) != 0 {
            // The ratchet has no key for it any more.
            after.failures += 1;
        } else {
            after.used |= bit(envelope.position);
            if store.sessions == 0 {
                after.sessions += 1;
                after.prekey_is_gone = self.mutant != Mutant::RemovesPrekeyLater;
            }
            // `take_content`: a number of the stream that is here already is not told.
            if !remembers || store.noted & bit(envelope.position) == 0 {
                after.noted |= bit(envelope.position);
                after.inbox |= bit(envelope.message);
                after.told[usize::from(envelope.message)] += 1;
            }
        }
        receivers[process] = Receiver::Planned { expected: store.generation, envelope, store: Box::new(after) };
    }

    fn commit_receive(&self, state: &mut State, (device, process): (usize, usize)) {
        let (store, receivers) = &mut state.devices[device];
        let Receiver::Planned { expected, envelope, store: after } = std::mem::take(&mut receivers[process]) else {
            return;
        };
        let is_stale = store.generation != expected;
        if is_stale && self.mutant != Mutant::IgnoresGeneration {
            return;
        }
        let is_new_session = after.sessions > store.sessions;
        let generation = store.generation + 1;
        *store = ReceiverStore { generation, ..*after };
        receivers[process] = if is_new_session && self.mutant == Mutant::RemovesPrekeyLater {
            Receiver::RemovesPrekey { envelope }
        } else {
            Receiver::Committed { envelope }
        };
    }
}

fn acknowledge(mailbox: &mut Mailbox, envelope: Envelope) {
    if remove(&mut mailbox.waiting, &envelope) {
        insert(&mut mailbox.acknowledged, envelope);
    }
}

const fn bit(number: u8) -> u8 {
    1 << number
}

impl World {
    /// As it is: no mutant, and one fault at any place.
    const fn new(messages: u8, devices: u8) -> Self {
        Self { messages, devices, senders: 1, receivers: 1, faults: 1, mutant: Mutant::None }
    }

    /// Explores everything within the bounds.
    fn explore(self) {
        let begin = Instant::now();
        let checker = self.checker().threads(2).spawn_bfs().join();
        println!("{} states, {} s: {self:?}", checker.unique_state_count(), begin.elapsed().as_secs());
        checker.assert_properties();
        assert!(checker.is_done() && checker.unique_state_count() > 1_000);
    }

    /// Explores until `property` is seen to be violated.
    fn is_caught(mut self, mutant: Mutant, property: &'static str) {
        self.mutant = mutant;
        let known = HasDiscoveries::AnyOf([property].into());
        let checker = self.checker().threads(2).finish_when(known).spawn_bfs().join();
        println!("{mutant:?}: {} states until {property:?} is violated", checker.unique_state_count());
        checker.assert_any_discovery(property);
    }
}

/// I1, I2, I3, I4, I7, I12: two devices, with one message and three faults at any place (5 607 states), and with two messages and one fault (1 023 816 states).
#[test]
fn two_devices_are_told_everything_once() {
    World { faults: 3, ..World::new(1, 2) }.explore();
    World::new(2, 2).explore();
}

/// I1, I2, I3, I4, I7, I12: one device, with three messages (7 825 states), and with two messages and three faults at any place (17 851 states).
#[test]
fn faults_upon_faults_change_nothing() {
    World { faults: 0, ..World::new(3, 1) }.explore();
    World { faults: 3, ..World::new(2, 1) }.explore();
}

/// I1, I2, I3, I4, I7, I12: two processes on a store, that of the device that sends (395 377 states), that of the device that receives (22 886), and both (7 329).
#[test]
fn two_processes_share_a_store() {
    World { senders: 2, ..World::new(2, 1) }.explore();
    World { receivers: 2, ..World::new(2, 1) }.explore();
    World { senders: 2, receivers: 2, faults: 2, ..World::new(1, 1) }.explore();
}
