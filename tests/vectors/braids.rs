//! Floor 2: the post-quantum ratchet alone: the erasure code, and whole epochs of the braid.

use crate::document::{array, bytes, cases, list, number, text};
use crate::native_profile::payload;
use crate::scripted_rng::ScriptedRng;
use serde_json::Value;
use undertone::crypto::{Secret, hash};
use undertone::profile::{Chunk, PostQuantumHeader, Undertone};
use undertone::ratchet::erasure_code::{self, Decoder, Message, Progress};
use undertone::ratchet::{PostQuantumRatchet, StepBudget};

/// BR-7, BR-11: chunks of the message and beyond it, and the message again from every second one.
#[test]
fn erasure_code() {
    for case in cases("erasure code") {
        match bytes(&case.inputs["message"]).len() / 32 {
            3 => check_code::<3>(&case.name, case.inputs, case.outputs),
            5 => check_code::<5>(&case.name, case.inputs, case.outputs),
            30 => check_code::<30>(&case.name, case.inputs, case.outputs),
            36 => check_code::<36>(&case.name, case.inputs, case.outputs),
            chunks => panic!("{}: no message has {chunks} chunks", case.name),
        }
    }
}

/// BR-1 to BR-10, SP-2: two sides through two epochs, each message and each key of theirs, with all that is lost on the way.
#[test]
fn braids() {
    for case in cases("braid") {
        let secret = Secret::new(array(&case.inputs["pq"]));
        let mut sides = [
            PostQuantumRatchet::<Undertone>::initiator(&secret, false),
            PostQuantumRatchet::<Undertone>::responder(&secret, false),
        ];
        let drawn: Vec<Vec<u8>> = list(&case.inputs["draws"]).iter().map(|draw| bytes(&draw["value"])).collect();
        let mut rng = ScriptedRng::new(&drawn.iter().map(Vec::as_slice).collect::<Vec<_>>());
        for (position, row) in list(&case.outputs["messages"]).iter().enumerate() {
            let name = format!("{}, message {position}", case.name);
            let [by, lost, epoch, index, kind, chunk_index, chunk, key] = list(row).as_slice() else {
                panic!("{name}: not eight fields")
            };
            let (sender, receiver) = if text(by) == "A" { (0, 1) } else { (1, 0) };
            let sent = sides[sender].send(&mut rng).expect(&name);
            let expected = PostQuantumHeader {
                epoch: number(epoch),
                index: number(index),
                payload: payload(kind, number(chunk_index), array(chunk)),
            };
            assert_eq!(sent.header, expected, "{name}");
            assert_eq!(sent.key.expose(), &array(key), "{name}");
            sides[sender].apply(sent.change, 0);
            if lost == &Value::Bool(true) {
                continue;
            }
            let received = sides[receiver].receive(&expected, 0, &mut StepBudget::full()).expect(&name);
            assert_eq!(received.key, sent.key, "{name}");
            sides[receiver].apply(received.change, 0);
        }
        rng.finish(&case.name);
        for side in sides {
            assert_eq!(side.epochs_completed(), number::<u64>(&case.inputs["epochs"]), "{}", case.name);
        }
    }
}

fn check_code<const N: usize>(name: &str, inputs: &Value, outputs: &Value) {
    let parts: Vec<[u8; 32]> =
        bytes(&inputs["message"]).chunks_exact(32).map(|part| part.try_into().unwrap()).collect();
    let message: Message<N> = parts.try_into().expect(name);
    for (index, expected) in list(&inputs["indices"]).iter().zip(list(&outputs["chunks"])) {
        let expected = Chunk { index: number(index), bytes: array(expected) };
        assert_eq!(erasure_code::chunk::<N>(&message, number(index)), expected, "{name}");
    }
    let received: Vec<Chunk> =
        list(&inputs["received"]).iter().map(|index| erasure_code::chunk::<N>(&message, number(index))).collect();
    let all: Vec<u8> = received.iter().flat_map(|chunk| chunk.bytes).collect();
    assert_eq!(hash::sha256(&[&all]), array(&outputs["parity_of_received"]), "{name}");

    let mut decoder = Decoder::<N>::empty();
    for (position, chunk) in received.iter().enumerate() {
        match decoder.with(chunk).expect(name) {
            Progress::Partial(next) => decoder = next,
            Progress::Complete(whole) => {
                assert_eq!(position, N - 1, "{name}");
                assert_eq!(*whole, message, "{name}");
                return;
            }
            Progress::Unchanged => panic!("{name}: chunk {position} changed nothing"),
        }
    }
    panic!("{name}: incomplete");
}
