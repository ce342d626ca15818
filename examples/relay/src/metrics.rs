//! Counters, and their text for Prometheus.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Declares each counter once: its field, its type, its name and its help.
macro_rules! metrics {
    ($($field:ident $kind:ident $name:literal $help:literal;)*) => {
        /// What the relay counts. No account, no address and no size of an envelope is in it.
        #[derive(Default)]
        pub struct Metrics { $(#[doc = $help] pub $field: AtomicU64,)* }

        impl Metrics {
            /// The text of `/metrics`.
            #[must_use]
            pub fn text(&self) -> String {
                let mut text = String::new();
                $(
                    let _ = writeln!(text, concat!("# HELP undertone_relay_", $name, " ", $help));
                    let _ = writeln!(text, concat!("# TYPE undertone_relay_", $name, " ", stringify!($kind)));
                    let _ = writeln!(text, concat!("undertone_relay_", $name, " {}"), self.$field.load(Ordering::Relaxed));
                )*
                text
            }
        }
    };
}

metrics! {
    connections gauge "connections" "Connections that are open.";
    envelopes_accepted counter "envelopes_accepted_total" "Envelopes that were taken.";
    envelopes_refused counter "envelopes_refused_total" "Envelopes that were not taken.";
    envelopes_delivered counter "envelopes_delivered_total" "Envelopes that were handed out, again included.";
    envelopes_acknowledged counter "envelopes_acknowledged_total" "Envelopes that were acknowledged.";
    envelopes_expired counter "envelopes_expired_total" "Envelopes that nobody came for.";
    bundles counter "bundles_total" "Prekey bundles that were handed out.";
    publications counter "publications_total" "Publications that were taken.";
    sign_ins counter "sign_ins_total" "Devices that signed in.";
    unauthorized counter "unauthorized_total" "Signatures that were not accepted.";
    rate_limited counter "rate_limited_total" "Requests over the limit of a connection or an address.";
    malformed counter "malformed_total" "Frames that could not be read.";
    commits counter "commits_total" "Commits to the database.";
    requests_committed counter "requests_committed_total" "Requests in those commits.";
    commit_microseconds counter "commit_microseconds_total" "The time that those commits took.";
}

impl Metrics {
    /// Counts `count` more.
    pub fn add(&self, counter: &AtomicU64, count: usize) {
        counter.fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
    }

    /// Counts a commit.
    pub fn committed(&self, requests: usize, time: Duration) {
        self.add(&self.commits, 1);
        self.add(&self.requests_committed, requests);
        self.commit_microseconds.fetch_add(u64::try_from(time.as_micros()).unwrap_or(0), Ordering::Relaxed);
    }
}
