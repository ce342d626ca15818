//! Clients on a server that is not honest. Every attack here stands in `docs/threat-model.md` with what becomes of it.
#![cfg(not(target_family = "wasm"))]
#![allow(missing_docs, reason = "a test binary has no documentation")]

mod answers;
mod bundles;
mod clone;
mod context;
mod crossing;
mod device_lists;
mod envelopes;
mod floods;
mod identities;
mod puppet;
mod rollback;
mod server;
mod stores;
mod table;
#[allow(dead_code, reason = "shared with the tests of the client")]
#[path = "../client/world.rs"]
mod world;
