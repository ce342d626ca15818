//! What a forgery costs at worst in the Signal profile, whose headers are in clear: `cargo bench --features signal --bench forgeries`.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    missing_docs,
    dead_code
)]

#[path = "peers/forgery.rs"]
mod forgery;
#[path = "peers/interleaved.rs"]
mod interleaved;
#[path = "peers/table.rs"]
mod table;
#[path = "peers/undertone_side.rs"]
mod undertone_side;

use forgery::{Forgery, Stage};
use interleaved::{Effort, repeated};
use table::{Peer, Table};
use undertone::{Signal, TrustedIdentity};
use undertone_side::NOW;

fn main() {
    let mut table = Table::from_arguments();
    for (stage, shown) in [(Stage::Current, "current"), (Stage::Oldest, "oldest")] {
        let name = format!("Signal: forgery refused, largest jump in the {shown} of eleven sessions");
        table.row(&name, Effort::LONG, || {
            let (alice, bob) = ("aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002");
            let Forgery { bob, mut record, message } = Forgery::<Signal>::new(alice, bob, stage);
            let refused = move || {
                assert!(record.decrypt(&bob.local(), &message, &TrustedIdentity::FirstUse, NOW).is_err());
            };
            (repeated(refused), Peer::None)
        });
    }
    table.write();
}
