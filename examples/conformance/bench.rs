//! The `bench` operation: the median time of one operation, in this process.

use crate::failure::Failure;
use crate::party::Party;
use crate::request::Fields;
use crate::wire_profile::{Result, WireProfile};
use serde_json::{Value, json};
use std::time::Instant;

/// Answers `{"ns_per_op": median}` over `n` runs. The party is left as it was.
pub fn run<P: WireProfile>(party: &Party<P>, request: &Fields<'_>) -> Result<Value> {
    let peer = P::peer(request)?;
    let length = request.number("bytes")?;
    let runs = request.number("n")?;
    if length > 1 << 20 || runs == 0 || runs > 1 << 20 {
        return Err(Failure::request("`bytes` is at most 1 048 576, `n` from 1 to 1 048 576"));
    }
    let plaintext = vec![0x5a; usize::try_from(length).unwrap_or(0)];
    let mut bench = party.copy()?;
    let mut times: Vec<u128> = Vec::new();
    match request.text("what")? {
        "encrypt" => {
            for _ in 0..runs {
                let start = Instant::now();
                bench.encrypt(&peer, &plaintext)?;
                times.push(start.elapsed().as_nanos());
            }
        }
        "decrypt_own" => {
            let (mut sender, mut receiver) = party.pair()?;
            let from = sender.address().clone();
            let to = receiver.address().clone();
            for _ in 0..runs {
                let envelope = sender.encrypt(&to, &plaintext)?;
                let start = Instant::now();
                receiver.decrypt(&from, envelope.kind, &envelope.bytes)?;
                times.push(start.elapsed().as_nanos());
            }
        }
        other => return Err(Failure::request(format!("`{other}` is not measured"))),
    }
    times.sort_unstable();
    Ok(json!({ "ns_per_op": u64::try_from(times[times.len() / 2]).unwrap_or(u64::MAX) }))
}
