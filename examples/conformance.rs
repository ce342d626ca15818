//! The conformance agent: lets anything drive the engine from outside: other clients, other languages, random schedules.
//!
//!     cargo build --release --example conformance --features signal
//!
//! It reads one JSON object a line on standard input and answers each by one JSON object on one line of standard output, in order, until the input ends. Bytes
//! are standard base64 with padding; fields that it does not know are ignored.
//!
//! A *party* is one device of one user with its own state in memory, under a name that the caller gives it. Every request has `op` and `party`; a `peer` is
//! `{name, device}`; `group` is a UUID. `profile` is `"signal"` or `"undertone"`; the parties of both answer the same operations.
//!
//! | op | further fields | answer |
//! |---|---|---|
//! | `create` | `profile`, `name` (in `signal` a UUID, or one after `PNI:`), `device` (1 to 127), `registration_id` | `identity`: the public identity key as it stands on the wire |
//! | `bundle` | `one_time` (bool) | `bundle`: `{registration_id, device, identity, signed_prekey, one_time_prekey, kem_prekey}`, each prekey `{id, public, signature}`; the one-time prekey may be null, and has a signature in `undertone` only |
//! | `process_bundle` | `peer`, `bundle` | `{}` |
//! | `encrypt` | `peer`, `plaintext` | `type` (`"prekey"` or `"message"`), `bytes` |
//! | `decrypt` | `peer`, `type`, `bytes` | `plaintext` |
//! | `distribution` | `group` | `bytes`: the distribution message of the party's sender key for the group, made on first use |
//! | `process_distribution` | `peer`, `bytes` | `{}` |
//! | `group_encrypt` | `group`, `plaintext` | `bytes` |
//! | `group_decrypt` | `peer`, `bytes` | `plaintext` |
//! | `fingerprint` | `local_id`, `remote_id` (bytes), `remote_identity`, `version` (1 or 2) | `display` (60 digits), `scannable` |
//! | `certificate` | `trust_root_private`, `server_private` (32 bytes each), `server_id`, `expires` (ms) | `bytes`: a sender certificate of the party |
//! | `sealed_encrypt` | `peer`, `plaintext`, `sender_certificate`, `version` (1 or 2), optional `group_id` | `bytes`, as they are delivered |
//! | `sealed_decrypt` | `bytes`, `trust_root` (public key), `timestamp` (ms) | `plaintext`, `sender: {name, device}`, `group_id` or null |
//! | `session` | `peer` | `established`, `handshake` (`"pqxdh"` or `"x3dh"`), `acknowledged`, `pq_epoch`, `skipped`, `archived`, `record_bytes` |
//! | `save` | | `state`: the party's whole state, as bytes |
//! | `load` | `state` | `{}`: the party goes on from that state |
//! | `forget` | | `{}` |
//! | `bench` | `peer`, `what` (`"encrypt"` or `"decrypt_own"`), `bytes`, `n` | `ns_per_op`: the median of `n` runs |
//!
//! What only the tests against the official client need is described beside them, in `tests/interop/README.md`: the operations `import_session` and
//! `sealed_encrypt_many`, and a `create` with a given private key.
//!
//! A failed request is answered by `{"error": KIND, "detail": TEXT}` and leaves every party exactly as it was. The kinds: `bad_request`, `no_session`,
//! `untrusted_identity`, `duplicate`, `invalid_message`, `invalid_key`, `invalid_signature`, `unknown_prekey`, `no_sender_key`, `too_far_ahead`,
//! `unsupported_version`, `expired`, `internal`.

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
