//! Section 12 of the protocol: its limits are those of the engine.

use undertone::group::{MAX_SENDER_KEYS, SENDER_KEY_AGE, SENDER_KEY_MESSAGES};
use undertone::handshake::internals::{
    CLOCK_SKEW, ONE_TIME_LIFETIME, PREKEY_GRACE, PREKEY_ROTATION, REPLAY_GUARD, ROTATED_LIFETIME,
};
use undertone::profile::{MAX_PLAINTEXT, Profile, Undertone};
use undertone::ratchet::limits::{MAX_FORWARD_JUMP, MAX_RECEIVING_CHAINS, MAX_SKIPPED_KEYS};
use undertone::session::internals::{MAX_ARCHIVED_SESSIONS, MAX_UNANSWERED};

const PROTOCOL: &str = include_str!("../../docs/protocol.md");

/// DR-14, B31: every limit has the value that the protocol names, so that all implementations refuse the same messages.
#[test]
fn limits_are_those_of_the_protocol() {
    let ours: [(&str, &[u64]); 13] = [
        ("`FORWARD_JUMP`", &[MAX_FORWARD_JUMP.into()]),
        ("`SKIPPED_KEYS`", &[MAX_SKIPPED_KEYS as u64]),
        ("`SKIPPED_AGE`", &[Undertone::SKIPPED_KEY_AGE.unwrap()]),
        ("`RECEIVING_CHAINS`", &[MAX_RECEIVING_CHAINS as u64]),
        ("`ARCHIVED_SESSIONS`, `ARCHIVED_AGE`", &[MAX_ARCHIVED_SESSIONS as u64, Undertone::ARCHIVED_AGE.unwrap()]),
        ("unanswered session", &[MAX_UNANSWERED]),
        ("`PREKEY_ROTATION`, `PREKEY_GRACE`", &[PREKEY_ROTATION, PREKEY_GRACE]),
        ("prekey lifetime (`expires − created`)", &[ROTATED_LIFETIME, ONE_TIME_LIFETIME]),
        ("`CLOCK_SKEW`", &[CLOCK_SKEW]),
        ("`REPLAY_GUARD`", &[REPLAY_GUARD as u64]),
        ("`SENDER_KEYS`", &[MAX_SENDER_KEYS as u64]),
        ("`SENDER_KEY_MESSAGES`, `SENDER_KEY_AGE`", &[SENDER_KEY_MESSAGES.into(), SENDER_KEY_AGE]),
        ("`PLAINTEXT`", &[MAX_PLAINTEXT as u64]),
    ];
    let (_, section) = PROTOCOL.split_once("## 12. Limits").unwrap();
    let rows: Vec<(&str, Vec<u64>)> =
        section.lines().skip_while(|line| !line.starts_with("|---")).skip(1).map_while(row).collect();
    assert_eq!(rows, ours.map(|(name, values)| (name, values.to_vec())));
}

/// The name in a row of the table, and its values in seconds, bytes or pieces.
fn row(line: &'static str) -> Option<(&'static str, Vec<u64>)> {
    let [_, name, values, ..] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else { return None };
    Some((name, values.split(", ").map(value).collect()))
}

fn value(text: &str) -> u64 {
    let unit_at = text.find(|one: char| !one.is_ascii_digit() && one != ' ').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.replace(' ', "").parse().unwrap();
    match unit.split(' ').next() {
        Some("day" | "days") => number * 86_400,
        Some("MiB") => number << 20,
        _ => number,
    }
}
