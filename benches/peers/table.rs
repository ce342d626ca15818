//! The rows, as text while they are measured and as JSON at the end.

use crate::interleaved::{Batch, Effort, in_turns};
use serde_json::{Value, json};

/// What was asked for, and what was measured so far.
pub struct Table {
    files: Vec<String>,
    filter: Option<String>,
    rows: Vec<Value>,
}

/// With whom a row compares.
pub enum Peer<'a> {
    /// With the operation of this name.
    Named(&'static str, Batch<'a>),
    /// With a bound in the requirements alone.
    None,
}

impl Table {
    /// As the command line and the environment say.
    pub fn from_arguments() -> Self {
        let mut files: Vec<String> = std::env::var("UNDERTONE_BENCH_JSON").into_iter().collect();
        let mut filter = None;
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => {}
                "--json" => files.extend(arguments.next()),
                _ => filter = Some(argument),
            }
        }
        Self { files, filter, rows: Vec::new() }
    }

    /// Measures a row, if it was asked for.
    pub fn row<'a>(&mut self, name: &str, effort: Effort, sides: impl FnOnce() -> (Batch<'a>, Peer<'a>)) {
        if self.filter.as_ref().is_some_and(|filter| !name.contains(filter.as_str())) {
            return;
        }
        let (ours, peer) = sides();
        let (who, mut sides) = match peer {
            Peer::Named(who, batch) => (Some(who), vec![ours, batch]),
            Peer::None => (None, vec![ours]),
        };
        let times = in_turns(effort, &mut sides);
        let (ours, peer) = (times[0], times.get(1).copied());
        let ratio = peer.map(|peer| ours / peer);
        match (who, peer, ratio) {
            (Some(who), Some(peer), Some(ratio)) => {
                println!("{name:<58} {:>10.2} µs {:>10.2} µs {ratio:>6.2}  {who}", ours / 1e3, peer / 1e3);
            }
            _ => println!("{name:<58} {:>10.2} µs", ours / 1e3),
        }
        self.rows.push(json!({ "name": name, "ours_ns": ours, "peer": who, "peer_ns": peer, "ratio": ratio }));
    }

    /// Writes the rows where they were asked for.
    pub fn write(&self) {
        let text = serde_json::to_string_pretty(&self.rows).unwrap();
        for file in &self.files {
            std::fs::write(file, &text).unwrap_or_else(|error| panic!("{file}: {error}"));
        }
    }
}
