//! What a store has to keep per session.

use crate::device::Pair;
use crate::in_both_profiles;
use crate::wire_profile::WireProfile;

in_both_profiles! {
    /// A record stays small, whatever the post-quantum ratchet is at.
    a_steady_record_stays_within_2500_bytes;
}

fn a_steady_record_stays_within_2500_bytes<P: WireProfile>() {
    let mut pair = Pair::<P>::answered(1);
    let mut largest = 0;
    for message in 0..1000 {
        if message % 2 == 0 {
            let envelope = pair.alice_says(b"ping");
            pair.bob_reads(&envelope).unwrap();
        } else {
            let envelope = pair.bob_says(b"pong");
            pair.alice_reads(&envelope).unwrap();
        }
        for (of, with) in [(&pair.alice, &pair.bob), (&pair.bob, &pair.alice)] {
            largest = largest.max(of.sessions[&with.address].to_bytes().len());
        }
    }
    let epochs = pair.alice.epoch(&pair.bob.address);
    println!("{}: at most {largest} bytes over 1000 messages and {epochs} post-quantum epochs", P::NAME);
    assert!(epochs >= 5);
    assert!(largest <= 2500, "a record of {largest} bytes");
}
