//! Floor 3: sender keys.

use crate::document::{array, bytes, cases, changed, judge, list, now, number, text};
use crate::native_profile::device;
use crate::scripted_rng::ScriptedRng;
use undertone::group::{GroupContext, GroupId, ReceivedSenderKeys, SenderKey};
use undertone::profile::{IdentityKeyPair, Undertone};
use undertone::wire::Address;

/// B35, B45, B48, B49: distributions and messages byte for byte; late, repeated, forged and forwarded ones.
#[test]
fn sender_keys() {
    for case in cases("sender key") {
        let (identity, address) = device(&case.inputs["owner"]);
        let context = GroupContext::new(
            GroupId::new(bytes(&case.inputs["group"])).expect(&case.name),
            number(&case.inputs["epoch"]),
            array(&case.inputs["membership"]),
        );
        let drawn = |name: &str| bytes(&case.inputs["random"][name]);
        let mut rng =
            ScriptedRng::new(&[&drawn("chain_id"), &drawn("header_key"), &drawn("signing_seed"), &drawn("chain_key")]);
        let mut sender =
            SenderKey::<Undertone>::create(context, &address, identity.public(), now(), &mut rng).expect(&case.name);
        rng.finish(&case.name);

        let claimed = Address::new(text(&case.inputs["claimed_by"]), address.device()).expect(&case.name);
        let mut received = ReceivedSenderKeys::<Undertone>::new(&claimed, identity.public());
        let results = list(&case.outputs["results"]);
        for (position, (step, expected)) in list(&case.inputs["steps"]).iter().zip(results).enumerate() {
            let name = format!("{}, step {position}", case.name);
            let message = || changed(&bytes(&results[number::<usize>(&step["message"])]["message"]), &step["change"]);
            match text(&step["op"]) {
                "distribute" => assert_eq!(hex::encode(sender.distribution()), text(&expected["message"]), "{name}"),
                "encrypt" => {
                    let random = &step["random"];
                    let mut rng = ScriptedRng::new(&[&bytes(&random["nonce24"]), &bytes(&random["guard"])]);
                    let sent = sender.encrypt(&bytes(&step["plaintext"]), &mut rng).expect(&name);
                    rng.finish(&name);
                    assert_eq!(hex::encode(sent), text(&expected["message"]), "{name}");
                }
                "process" => {
                    let before = received.to_bytes();
                    let processed = received.process_distribution(&claimed, identity.public(), &message());
                    if judge(&name, processed, expected).is_none() {
                        assert_eq!(received.to_bytes(), before, "{name}: a failure changed the record");
                    }
                }
                "decrypt" => {
                    let before = received.to_bytes();
                    match judge(&name, received.decrypt(&message(), now()), expected) {
                        Some(read) => assert_eq!(read.plaintext, bytes(&expected["plaintext"]), "{name}"),
                        None => assert_eq!(received.to_bytes(), before, "{name}: a failure changed the record"),
                    }
                    received = ReceivedSenderKeys::from_bytes(&received.to_bytes()).expect(&name);
                }
                op => panic!("{name}: unknown step {op}"),
            }
        }
    }
}
