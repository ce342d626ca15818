//! The conformance agent: lets anything drive the engine from outside, one JSON object a line.
//!
//! `cargo build --release --example conformance --features signal`, then feed `target/release/examples/conformance` requests on its standard input. Each line
//! is answered by one line. `{"error": KIND, "detail": TEXT}` answers a request that failed; a failed request leaves every party exactly as it was.
//! The operations stand in `conformance/agent.rs`, one function each.

#[path = "conformance/agent.rs"]
mod agent;
#[path = "conformance/bench.rs"]
mod bench;
#[path = "conformance/failure.rs"]
mod failure;
#[path = "conformance/native.rs"]
mod native;
#[path = "conformance/party.rs"]
mod party;
#[path = "conformance/request.rs"]
mod request;
#[path = "conformance/signal.rs"]
mod signal;
#[path = "conformance/wire_profile.rs"]
mod wire_profile;

use std::io::{self, BufRead, Write};

fn main() -> io::Result<()> {
    let mut agent = agent::Agent::default();
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().split(b'\n') {
        let answer = agent.answer(&line?);
        serde_json::to_writer(&mut output, &answer)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}
