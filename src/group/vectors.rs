//! The vectors of an independent program for native sender keys (docs/protocol.md, section 10).

use super::{GroupContext, GroupId, ReceivedSenderKeys, SenderKey};
use crate::crypto::Secret;
use crate::crypto::ed25519::SigningSecret;
use crate::error::Error;
use crate::profile::{IdentityKey, Undertone, UndertoneIdentityKey};
use crate::wire::Address;
use core::convert::Infallible;
use rand_core::{TryCryptoRng, TryRng};
use serde_json::Value;
use std::collections::VecDeque;

/// Hands out the bytes that a vector says were drawn.
struct Script(VecDeque<u8>);

impl TryRng for Script {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("the crate draws bytes only")
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("the crate draws bytes only")
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.iter_mut().for_each(|slot| *slot = self.0.pop_front().expect("more is drawn than the vector says"));
        Ok(())
    }
}

impl TryCryptoRng for Script {}

fn script(random: &Value, order: &[&str]) -> Script {
    Script(order.iter().flat_map(|field| bytes(&random[field])).collect())
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

/// What a step does to a message before it is read.
fn changed(message: &[u8], change: &Value) -> Vec<u8> {
    let mut message = message.to_vec();
    if let Some(flip) = change["flip"].as_array() {
        message[flip[0].as_u64().unwrap() as usize] ^= flip[1].as_u64().unwrap() as u8;
    }
    if let Some(cut) = change["cut"].as_u64() {
        message.truncate(message.len() - cut as usize);
    }
    if change["append"].is_string() {
        message.extend(bytes(&change["append"]));
    }
    message
}

fn check<T: PartialEq + core::fmt::Debug>(result: Result<T, Error>, expected: &Value, value: Option<T>, step: &Value) {
    match result {
        Ok(found) => assert_eq!(Some(found), value, "{step}"),
        Err(error) => assert_eq!(error.code(), expected["error"].as_str().unwrap_or_default(), "{step}"),
    }
}

/// D5, B45, B48: what is distributed, encrypted, decrypted and refused, byte by byte and code by code.
#[test]
fn native_sender_keys() {
    let file: Value = serde_json::from_str(include_str!("../../tests/vectors/undertone-1.json")).unwrap();
    let now = file["now"].as_u64().unwrap();
    let groups = file["groups"].as_array().unwrap();
    let cases = groups.iter().find(|group| group["name"] == "sender key").unwrap()["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 2);
    for case in cases {
        let inputs = &case["inputs"];
        let seed = Secret::from_slice(&bytes(&inputs["owner"]["identity_seed"])).unwrap();
        let identity = UndertoneIdentityKey::admit(SigningSecret::from_seed(seed).verifying_key().as_bytes()).unwrap();
        let owner =
            Address::new(inputs["owner"]["name"].as_str().unwrap(), inputs["owner"]["device"].as_u64().unwrap() as u8);
        let owner = owner.unwrap();
        let peer = Address::new(inputs["claimed_by"].as_str().unwrap(), 1).unwrap();
        let membership = bytes(&inputs["membership"]).try_into().unwrap();
        let id = GroupId::new(bytes(&inputs["group"])).unwrap();
        let context = GroupContext::new(id, inputs["epoch"].as_u64().unwrap(), membership);
        let mut rng = script(&inputs["random"], &["chain_id", "header_key", "signing_seed", "chain_key"]);
        let mut sender = SenderKey::<Undertone>::create(context.clone(), &owner, &identity, now, &mut rng).unwrap();
        // The peer in whose session the distribution comes is whose record it goes to.
        let mut received = ReceivedSenderKeys::<Undertone>::new(&peer, &identity);

        let results = case["outputs"]["results"].as_array().unwrap();
        let steps = inputs["steps"].as_array().unwrap();
        assert_eq!(steps.len(), results.len());
        let message = |step: &Value| {
            let made = &results[step["message"].as_u64().unwrap() as usize]["message"];
            changed(&bytes(made), &step["change"])
        };
        for (step, expected) in steps.iter().zip(results) {
            match step["op"].as_str().unwrap() {
                "distribute" => assert_eq!(sender.distribution(), bytes(&expected["message"])),
                "encrypt" => {
                    let mut rng = script(&step["random"], &["nonce24", "guard"]);
                    let made = sender.encrypt(&bytes(&step["plaintext"]), &mut rng).unwrap();
                    assert_eq!(made, bytes(&expected["message"]));
                }
                "process" => {
                    let result = received.process_distribution(&peer, &identity, &message(step));
                    check(result, expected, expected["processed"].as_bool().map(|_| context.clone()), step);
                }
                "decrypt" => {
                    let result = received.decrypt(&message(step), now).map(|read| read.plaintext);
                    check(
                        result,
                        expected,
                        expected["plaintext"].is_string().then(|| bytes(&expected["plaintext"])),
                        step,
                    );
                }
                other => panic!("unknown step {other}"),
            }
        }
    }
}
