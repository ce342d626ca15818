//! What can be counted and traced: numbers and stable words, never a key, a plaintext or a name.
//!
//! Metrics go to whatever recorder the application installed with the `metrics` facade; without one they cost next to nothing.

use super::event::SecurityKind;
use crate::transport::PrekeyStock;
use core::time::Duration;
use metrics::{counter, gauge, histogram};

/// Something to count once its operation is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// An envelope was encrypted.
    Encrypted,
    /// A message was told to the application.
    Received,
    /// An envelope came that was dealt with before.
    Redelivered,
    /// A message came that was here already.
    Repeated,
    /// An envelope could not be read.
    Failed(&'static str),
    /// A message about the streams, or one that waited, could not be encrypted.
    Refused(&'static str),
    /// A session is to be replaced.
    Renewed,
    /// A security event.
    Security(SecurityKind),
    /// A session completed this many post-quantum epochs.
    Epoch(u64),
}

/// Counts what was committed.
pub(super) fn count(notes: &[Note]) {
    for note in notes {
        match note {
            Note::Encrypted => counter!("undertone_envelopes_encrypted_total").increment(1),
            Note::Received => counter!("undertone_messages_received_total").increment(1),
            Note::Redelivered => counter!("undertone_envelopes_redelivered_total").increment(1),
            Note::Repeated => counter!("undertone_messages_repeated_total").increment(1),
            Note::Failed(code) => counter!("undertone_decrypt_failures_total", "code" => *code).increment(1),
            Note::Refused(code) => counter!("undertone_encrypt_failures_total", "code" => *code).increment(1),
            Note::Renewed => counter!("undertone_sessions_renewed_total").increment(1),
            Note::Security(kind) => counter!("undertone_security_events_total", "kind" => kind.word()).increment(1),
            Note::Epoch(epoch) => histogram!("undertone_post_quantum_epoch").record(*epoch as f64),
        }
    }
}

/// A commit went through.
pub(super) fn committed(time: Duration) {
    counter!("undertone_commits_total").increment(1);
    histogram!("undertone_commit_seconds").record(time.as_secs_f64());
}

/// Another writer came first.
pub(super) fn conflict() {
    counter!("undertone_commit_conflicts_total").increment(1);
    tracing::debug!("another writer came first; planning again");
}

/// Envelopes were handed to the server.
pub(super) fn sent(envelopes: usize) {
    counter!("undertone_envelopes_sent_total").increment(envelopes as u64);
}

/// How many envelopes wait.
pub(super) fn outbox(depth: usize) {
    gauge!("undertone_outbox_depth").set(depth as f64);
}

/// How many one-time prekeys the server has.
pub(super) fn stock(stock: PrekeyStock) {
    gauge!("undertone_prekeys_left", "kind" => "one_time").set(f64::from(stock.one_time));
    gauge!("undertone_prekeys_left", "kind" => "one_time_kem").set(f64::from(stock.one_time_kem));
}

/// The server could not be reached, or would not do what was asked.
pub(super) fn trouble(code: &'static str) {
    counter!("undertone_network_errors_total", "code" => code).increment(1);
    tracing::debug!(code, "the server could not be used; trying again later");
}

#[cfg(test)]
mod tests {
    use super::SecurityKind;
    use std::collections::BTreeSet;

    const GUIDE: &str = include_str!("../../docs/guide/observability.md");

    fn metrics(text: &str) -> BTreeSet<&str> {
        let words = text.split(|one: char| !(one.is_ascii_lowercase() || one == '_'));
        words.filter(|word| word.starts_with("undertone_")).collect()
    }

    #[test]
    fn the_guide_lists_every_metric_and_no_other() {
        let source = include_str!("observe.rs").split("mod tests").next().unwrap();
        assert_eq!(metrics(source), metrics(GUIDE));
    }

    #[test]
    fn the_guide_explains_every_security_event() {
        for kind in SecurityKind::ALL {
            let row = format!("| `{kind:?}` | `{}` |", kind.word());
            assert!(GUIDE.contains(&row), "{row}");
        }
    }
}
