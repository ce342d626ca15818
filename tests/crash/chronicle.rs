//! What survives every crash: what was said, what was told, what left the devices; and what must hold of it.

use crate::faults::Fault;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use undertone::store::Store;
use undertone::transport::Transport;

/// What a process says of itself while it lives.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Note {
    /// The application means to send a text, which these devices are to be told once.
    Said { text: String, to: Vec<String> },
    /// The application was told of an event, and is about to confirm it.
    Told { device: String, event: u64, what: String },
    /// A store has a new generation.
    Committed { device: String, generation: u64 },
    /// Whoever waited for a commit did not wait for its end: it may be done or not.
    Abandoned { device: String },
    /// A one-time prekey began a session, and that is committed.
    Spent { device: String, is_kem: bool, id: u32 },
    /// Prekeys are published; of these one-time prekeys the store has no private half.
    Published { device: String, absent: Vec<(bool, u32)> },
    /// Something was encrypted; what was encrypted before is inside of it.
    Encrypted { key: String, what: String, start: String, inside: Vec<String> },
    /// An envelope is handed to the server.
    Left { device: String, id: String, bytes: String },
    /// A device is part of the conversation no longer.
    Gone { device: String },
    /// What must hold does not.
    Broken { oracle: String, what: String },
}

/// The world around a process.
pub trait Host: Send + Sync {
    /// The file or memory of a device.
    fn store(&self, device: &str) -> Box<dyn Store>;
    /// A new connection with the server.
    fn transport(&self) -> Box<dyn Transport>;
    fn note(&self, note: Note);
    /// Says that this life is over. A real process does not return from this.
    fn die(&self, fault: Fault);
    /// Whether all that was said was told, and nothing is under way.
    fn is_quiet(&self) -> bool;
    /// Lets the server repeat and reorder, or not.
    fn set_weather(&self, seed: Option<u64>);
}

/// One encryption.
struct Use {
    what: String,
    inside: Vec<String>,
    key: String,
    has_left: bool,
}

/// Everything that was noted.
#[derive(Default)]
pub struct Chronicle {
    said: BTreeMap<String, BTreeSet<String>>,
    told: BTreeMap<String, BTreeMap<u64, String>>,
    generations: HashMap<String, u64>,
    abandoned: HashMap<String, u64>,
    spent: BTreeSet<(String, bool, u32)>,
    /// By the first bytes of their ciphertext.
    encryptions: HashMap<String, Use>,
    /// The encryptions of every key that left a device.
    left: HashMap<String, BTreeSet<String>>,
    envelopes: HashMap<String, String>,
    broken: BTreeSet<(String, String)>,
}

impl Chronicle {
    pub fn note(&mut self, note: Note) {
        match note {
            Note::Said { text, to } => self.said.entry(text).or_default().extend(to),
            Note::Told { device, event, what } => self.told(device, event, what),
            Note::Committed { device, generation } => {
                let before = self.generations.insert(device.clone(), generation);
                let abandoned = self.abandoned.remove(&device).unwrap_or_default();
                if before.is_some_and(|before| !(1..=1 + abandoned).contains(&(generation - before))) {
                    self.break_rule("I7", format!("{device} went from generation {before:?} to {generation}"));
                }
            }
            Note::Abandoned { device } => *self.abandoned.entry(device).or_default() += 1,
            Note::Spent { device, is_kem, id } => {
                if !self.spent.insert((device.clone(), is_kem, id)) {
                    self.break_rule("I4", format!("{device} began two sessions with prekey {id} (KEM: {is_kem})"));
                }
            }
            Note::Published { device, absent } => {
                for (is_kem, id) in absent {
                    if !self.spent.contains(&(device.clone(), is_kem, id)) {
                        let what = format!("{device} publishes prekey {id} (KEM: {is_kem}) without its private half");
                        self.break_rule("I9", what);
                    }
                }
            }
            Note::Encrypted { key, what, start, inside } => {
                self.encryptions.insert(start, Use { what, inside, key, has_left: false });
            }
            Note::Left { device, id, bytes } => self.left(&device, id, bytes),
            Note::Gone { device } => self.said.values_mut().for_each(|to| to.retain(|known| *known != device)),
            Note::Broken { oracle, what } => self.break_rule(&oracle, what),
        }
    }

    /// What was found wrong so far, by the name of the rule.
    pub fn broken(&self) -> Vec<(String, String)> {
        self.broken.iter().cloned().collect()
    }

    /// Texts that were said and not told yet.
    pub fn missing(&self) -> Vec<(String, String)> {
        let heard = |device: &str, text: &String| {
            self.told.get(device).is_some_and(|events| events.values().any(|what| what == text))
        };
        let mut missing = Vec::new();
        for (text, to) in &self.said {
            missing
                .extend(to.iter().filter(|device| !heard(device, text)).map(|device| (device.clone(), text.clone())));
        }
        missing
    }

    /// At the end of a round: I2, I12. What was said is forgotten, so that the next round is looked at alone.
    pub fn end_round(&mut self) {
        for (device, text) in self.missing() {
            self.break_rule("I2", format!("{device} was never told {text}"));
        }
        self.said.clear();
        self.encryptions.retain(|_, encryption| encryption.has_left);
    }

    pub fn break_rule(&mut self, oracle: &str, what: String) {
        self.broken.insert((oracle.to_owned(), what));
    }

    fn told(&mut self, device: String, event: u64, what: String) {
        let events = self.told.entry(device.clone()).or_default();
        match events.get(&event) {
            // Told again after a crash before it was confirmed: the same event.
            Some(before) if *before == what => {}
            Some(before) => {
                let problem = format!("event {event} of {device} was {before:?} and is {what:?}");
                self.break_rule("I3", problem);
            }
            None => {
                let is_repeated = what.starts_with('"') && events.values().any(|before| *before == what);
                events.insert(event, what.clone());
                if is_repeated {
                    self.break_rule("I3", format!("{device} was told {what} twice"));
                }
            }
        }
        if !what.starts_with('"') && !is_expected(&what) {
            self.break_rule("no false alarm", format!("{device} was told: {what}"));
        }
    }

    /// I1: an envelope has the same bytes whenever it leaves, and what left was encrypted under a key of its own.
    fn left(&mut self, device: &str, id: String, bytes: String) {
        let before = self.envelopes.insert(id, bytes.clone());
        if before.as_ref() == Some(&bytes) {
            return;
        }
        if before.is_some() {
            self.break_rule("I1", format!("{device} sent other bytes under the same envelope id"));
        }
        let mut found = Vec::new();
        for at in (0..bytes.len().saturating_sub(START * 2 - 1)).step_by(2) {
            let start = &bytes[at..at + START * 2];
            if self.encryptions.contains_key(start) {
                found.push(start.to_owned());
            }
        }
        while let Some(start) = found.pop() {
            let Some(encryption) = self.encryptions.get_mut(&start) else { continue };
            if encryption.has_left {
                continue;
            }
            encryption.has_left = true;
            found.extend(encryption.inside.iter().cloned());
            let (key, what) = (encryption.key.clone(), encryption.what.clone());
            let uses = self.left.entry(key).or_default();
            uses.insert(what);
            if uses.len() > 1 {
                self.break_rule("I1", format!("{device} used a message key for two messages, and both left it"));
            }
        }
    }

    /// How many encryptions were seen to leave: the recorder works.
    pub fn encryptions_that_left(&self) -> usize {
        self.left.len()
    }
}

/// By how many bytes of its beginning a ciphertext is recognised.
pub const START: usize = 16;

/// Events that an honest world brings about.
fn is_expected(what: &str) -> bool {
    what.starts_with("DevicesChanged") || what == "Unlinked" || what.starts_with("Security(WeakHandshake")
}
