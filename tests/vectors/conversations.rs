//! Floor 3: whole conversations, from the bundle on: each message byte for byte, and what becomes of it at the other end.

use crate::document::{bytes, cases, changed, judge, list, now, number, text};
use crate::handshakes::{Device, bundle, policy};
use crate::scripted_rng::ScriptedRng;
use serde_json::Value;
use undertone::handshake::{FirstMessage, Prekeys};
use undertone::profile::Undertone;
use undertone::{Error, SessionRecord, TrustedIdentity};

/// The order in which the engine draws what a message needs.
const DRAWS: &[&str] = &["ratchet_secret", "ek_seed", "encaps_m", "nonce24", "guard", "seal_secret", "seal_randomness"];

/// One end of a conversation.
struct Side {
    device: Device,
    prekeys: Prekeys<Undertone>,
    record: SessionRecord<Undertone>,
}

/// DR-6, DR-7, PQ-18, PQ-19, SE-3, B32, B39: with messages out of order, late, repeated, damaged, replayed, and sent from both
/// sides at once. The state is stored and read again between any two steps, and a refused message leaves it as it was.
#[test]
fn conversations() {
    for case in cases("conversation") {
        let mut sides = [side(&case.inputs["parties"], "A", "B"), side(&case.inputs["parties"], "B", "A")];
        let bundles = [true, false]
            .map(|one_time| [0, 1].map(|of| bundle(&sides[of].device, &sides[of].prekeys, one_time, false).to_bytes()));
        let results = list(&case.outputs["results"]);
        for (position, (step, expected)) in list(&case.inputs["steps"]).iter().zip(results).enumerate() {
            let name = format!("{}, step {position}", case.name);
            let by = usize::from(text(&step["by"]) == "B");
            match text(&step["op"]) {
                "initiate" => {
                    let offered = &bundles[usize::from(step["one_time"] == false)][1 - by];
                    sides[by].initiate(offered, step["x3dh"] == true, &step["random"], &name);
                }
                "encrypt" => {
                    let sent = sides[by].encrypt(&bytes(&step["plaintext"]), &step["random"], &name);
                    assert_eq!(hex::encode(sent), text(&expected["message"]), "{name}");
                }
                "decrypt" => {
                    let message = &results[number::<usize>(&step["message"])]["message"];
                    let message = changed(&bytes(message), &step["change"]);
                    let before = sides[by].state();
                    match judge(&name, sides[by].decrypt(&message), expected) {
                        Some(plaintext) => assert_eq!(plaintext, bytes(&expected["plaintext"]), "{name}"),
                        None => assert_eq!(sides[by].state(), before, "{name}: a refused message changed the state"),
                    }
                }
                "forget_sessions" => sides[by].record = sides[by].new_record(),
                op => panic!("{name}: unknown step {op}"),
            }
            sides[by].store_and_read_again(&name);
        }
    }
}

impl Side {
    fn initiate(&mut self, offered: &[u8], x3dh: bool, random: &Value, name: &str) {
        let mut offered = undertone::handshake::PrekeyBundle::<Undertone>::from_bytes(offered).expect(name);
        if x3dh {
            offered = offered.without_kem_prekey();
        }
        let kem = random.get("kem_randomness").map(bytes).unwrap_or_default();
        let mut rng = ScriptedRng::new(&[&bytes(&random["base_key_secret"]), &kem, &bytes(&random["ratchet_secret"])]);
        let local = self.device.local();
        let begun = self.record.initiate(&local, &offered, &TrustedIdentity::FirstUse, policy(x3dh), now(), &mut rng);
        begun.expect(name);
        rng.finish(name);
    }

    fn encrypt(&mut self, plaintext: &[u8], random: &Value, name: &str) -> Vec<u8> {
        let drawn: Vec<Vec<u8>> = DRAWS.iter().filter_map(|draw| random.get(draw).map(bytes)).collect();
        assert_eq!(drawn.len(), random.as_object().expect(name).len(), "{name}: a draw without a name");
        let mut rng = ScriptedRng::new(&drawn.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let local = self.device.local();
        let sent = self.record.encrypt(&local, plaintext, &TrustedIdentity::FirstUse, now(), &mut rng).expect(name);
        rng.finish(name);
        sent.bytes
    }

    /// As a device does with what the server hands it: the first byte tells a first message from any other.
    fn decrypt(&mut self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let local = self.device.local();
        let trusted = TrustedIdentity::FirstUse;
        let decrypted = if message.first() == Some(&0x11) {
            let first = FirstMessage::open(&local, message, &self.prekeys)?;
            let policy = undertone::handshake::HandshakePolicy::allow_x3dh_without_post_quantum();
            self.record.accept(&local, &first, &mut self.prekeys, &trusted, policy, now())?
        } else {
            self.record.decrypt(&local, message, &trusted, now())?
        };
        Ok(decrypted.plaintext)
    }

    fn state(&self) -> (Vec<u8>, Vec<u8>) {
        (self.record.to_bytes(), self.prekeys.to_bytes())
    }

    fn store_and_read_again(&mut self, name: &str) {
        let (record, prekeys) = self.state();
        self.record = SessionRecord::from_bytes(&record).expect(name);
        self.prekeys = Prekeys::from_bytes(&prekeys).expect(name);
        assert_eq!(self.state(), (record, prekeys), "{name}: a record is not written as it was read");
    }

    fn new_record(&self) -> SessionRecord<Undertone> {
        SessionRecord::new(&self.device.local(), self.record.remote().clone()).expect("a record")
    }
}

fn side(parties: &Value, own: &str, other: &str) -> Side {
    let device = Device::new(&parties[own]);
    let prekeys = device.prekeys(&parties[own]);
    let record = SessionRecord::new(&device.local(), Device::new(&parties[other]).address).expect("a record");
    Side { device, prekeys, record }
}
