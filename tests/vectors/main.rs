//! The engine against the vectors of docs/protocol.md: `undertone-1.json`, computed by an independent program.
//!
//! Every value that the program computed is computed here too and compared; every random value comes from the vectors.

mod braids;
mod conversations;
mod document;
mod handshakes;
mod identities;
mod native_profile;
mod primitives;
mod scripted_rng;
mod sender_keys;
