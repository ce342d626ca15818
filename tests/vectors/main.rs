//! The engine against the vectors of docs/protocol.md: `undertone-1.json`, computed by an independent program.
//!
//! Every value that the program computed is computed here too and compared; every random value comes from the vectors.

mod braids;
mod conversations;
mod document;
mod handshakes;
mod identities;
mod limits;
mod native_profile;
mod primitives;
mod scripted_rng;
mod sender_keys;

/// What the modules check, as their sources say it.
const SOURCES: &[&str] = &[
    include_str!("braids.rs"),
    include_str!("conversations.rs"),
    include_str!("handshakes.rs"),
    include_str!("identities.rs"),
    include_str!("native_profile.rs"),
    include_str!("primitives.rs"),
    include_str!("sender_keys.rs"),
];

/// No group of the vectors is left out.
#[test]
fn every_group_is_checked() {
    for group in document::groups() {
        let asks = format!("in cases(\"{group}\")");
        assert!(SOURCES.iter().any(|source| source.contains(&asks)), "nothing checks the vectors of {group}");
    }
}
