//! What came of it, counted.

use crate::faults::{Fault, Struck};
use std::collections::BTreeMap;

/// What came of one scene.
pub struct Outcome {
    pub name: String,
    /// How many faults of each kind were survived.
    pub faults: BTreeMap<Fault, u64>,
    /// How many of them struck a life that recovered from another.
    pub doubles: u64,
    /// By the name of the rule that was broken, where, and how.
    pub broken: Vec<(String, String)>,
    /// How many encryptions were seen to leave.
    pub encryptions: usize,
    /// How many processes were killed.
    pub kills: u64,
    /// What an oracle found of a mutant.
    pub noticed: Option<(String, String)>,
}

impl Outcome {
    pub fn new(name: String) -> Self {
        Self { name, faults: BTreeMap::new(), doubles: 0, broken: Vec::new(), encryptions: 0, kills: 0, noticed: None }
    }

    /// Adds a round; true if something was found wrong in it.
    pub fn add(&mut self, struck: Struck, broken: Vec<(String, String)>, context: &str) -> bool {
        let is_broken = !broken.is_empty();
        for (oracle, what) in broken {
            self.broken.push((oracle, format!("{context}: {what}")));
        }
        if !is_broken {
            self.doubles += u64::from(struck.second.is_some());
            for fault in [struck.first, struck.second].into_iter().flatten() {
                *self.faults.entry(fault).or_default() += 1;
            }
        }
        is_broken
    }

    pub fn survived(&self) -> u64 {
        self.faults.values().sum()
    }
}

/// Prints all outcomes, by scene and by kind of fault.
pub fn print(outcomes: &[Outcome]) {
    let mut kinds: BTreeMap<Fault, u64> = BTreeMap::new();
    for outcome in outcomes {
        match &outcome.noticed {
            Some((oracle, what)) => println!("{:<52} noticed by {oracle}: {what}", outcome.name),
            None => println!(
                "{:<28}{:>6} faults survived, of them {:>4} in the recovery from another",
                outcome.name,
                outcome.survived(),
                outcome.doubles
            ),
        }
        for (kind, count) in &outcome.faults {
            *kinds.entry(*kind).or_default() += count;
        }
        for (oracle, what) in outcome.broken.iter().take(12) {
            println!("    {oracle} broken: {what}");
        }
    }
    println!();
    for (kind, count) in kinds {
        println!("{:<28}{count:>6}", format!("{kind:?}"));
    }
}
