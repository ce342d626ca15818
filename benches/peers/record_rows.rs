//! Records in and out of a store, and what a forgery costs.

use crate::forgery::{Forgery, Stage};
use crate::interleaved::{Effort, repeated};
use crate::olm_side;
use crate::table::{Peer, Table};
use crate::undertone_side::{NOW, Pair};
use undertone::{ErrorKind, SessionRecord, TrustedIdentity, Undertone};

const UNDER_WAY: usize = 20;

pub fn measure(table: &mut Table) {
    table.row("record save", Effort::SHORT, || {
        let (pair, olm) = (Pair::after_rounds(UNDER_WAY), olm_side::Pair::after_rounds(UNDER_WAY));
        let ours = repeated(move || pair.with_bob.to_bytes());
        (ours, Peer::Named("vodozemac (JSON pickle)", repeated(move || olm_side::save(&olm.alice))))
    });
    table.row("record load", Effort::SHORT, || {
        let stored = Pair::after_rounds(UNDER_WAY).with_bob.to_bytes();
        let pickled = olm_side::save(&olm_side::Pair::after_rounds(UNDER_WAY).alice);
        let ours = repeated(move || SessionRecord::<Undertone>::from_bytes(&stored).unwrap());
        (ours, Peer::Named("vodozemac (JSON pickle)", repeated(move || olm_side::load(&pickled))))
    });
    for (stage, shown) in [(Stage::Current, "current"), (Stage::Oldest, "oldest")] {
        let name = format!("forgery refused, largest jump in the {shown} of eleven sessions");
        table.row(&name, Effort::LONG, || {
            let Forgery { bob, mut record, message } = Forgery::<Undertone>::new("alice", "bob", stage);
            let refused = move || {
                let read = record.decrypt(&bob.local(), &message, &TrustedIdentity::FirstUse, NOW);
                assert_eq!(read.unwrap_err().kind(), ErrorKind::InvalidMessage);
            };
            (repeated(refused), Peer::None)
        });
    }
}
