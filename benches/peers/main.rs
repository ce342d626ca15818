//! Every operation beside the closest one of vodozemac, which has no post-quantum cryptography; both in turns in one process.
//!
//! `cargo bench --bench peers [-- --json FILE] [NAME]` prints the rows whose name contains NAME; the JSON also goes to the file that
//! `UNDERTONE_BENCH_JSON` names. `cargo xtask bench` makes `benches/RESULTS.md` of it.
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, missing_docs)]

mod forgery;
mod group_rows;
mod handshake_rows;
mod interleaved;
mod message_rows;
mod olm_side;
mod record_rows;
mod table;
mod undertone_side;

use table::Table;

fn main() {
    let mut table = Table::from_arguments();
    handshake_rows::measure(&mut table);
    message_rows::measure(&mut table);
    group_rows::measure(&mut table);
    record_rows::measure(&mut table);
    table.write();
}
