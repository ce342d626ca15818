//! The attacks of the literature that concern the engine, one module each, named after its id in `docs/requirements.md`. Each shows that the attack
//! fails, and, with the rule that stops it switched off, that it would succeed.
#![allow(missing_docs, reason = "a test binary has no documentation")]

mod b35_group_counters;
mod b36_group_keys;
mod b43_forgery_by_a_member;
mod b44_removed_member;
mod b45_moved_between_groups;
mod b48_forwarded_sender_key;
mod group_world;
mod sn_safety_number;
