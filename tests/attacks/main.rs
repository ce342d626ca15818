//! The attacks of the literature that concern the engine, one module each, named after its id in `docs/requirements.md`. Each shows that the attack
//! fails, and, with the rule that stops it switched off, that it would succeed.
#![allow(missing_docs, reason = "a test binary has no documentation")]

mod b01_forward_secrecy;
mod b02_key_confusion;
mod b03_re_encapsulation;
mod b04_last_resort;
mod b05_domain_separation;
mod b07_key_admission;
mod b08_unknown_key_share;
mod b09_replayed_first_message;
mod b10_signed_prekey_in_session;
mod b11_absent_chain;
mod b12_downgrade;
mod b13_downgrade_of_messages;
mod b14_prekey_depletion;
mod b15_prekey_ids;
mod b16_bundle_mix;
mod b17_key_compromise_impersonation;
mod b18_broken_randomness;
mod b29_combiner;
mod b31_skipped_keys;
mod b32_changes_before_authentication;
mod b33_rollback;
mod b34_clone;
mod b35_group_counters;
mod b35_session_counters;
mod b36_group_keys;
mod b36_old_keys;
mod b37_header_metadata;
mod b39_reflection;
mod b43_forgery_by_a_member;
mod b44_removed_member;
mod b45_moved_between_groups;
mod b48_forwarded_sender_key;
mod b49_crossed_messages;
mod group_world;
mod handshake_world;
mod session_world;
mod sn_safety_number;
