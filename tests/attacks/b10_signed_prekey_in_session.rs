//! B10: a dump of one idle session gives away the signed prekey, and with it every other session that began with it.

use crate::session_world::{Person, strangers};
use undertone::handshake::HandshakeProfile;
use undertone::{Signal, Undertone};

/// Whether the 32 bytes stand anywhere in `bytes`.
fn holds(bytes: &[u8], secret: &[u8; 32]) -> bool {
    bytes.windows(32).any(|window| window == secret)
}

fn signed_prekey<P: HandshakeProfile>(person: &Person<P>) -> [u8; 32] {
    let id = person.prekeys.signed_prekey().unwrap().id;
    *person.prekeys.signed_prekey_of(id).unwrap().agreement_secret().expose()
}

/// DR-16, B10: a responder's session that has read and never written does not hold the signed prekey; the record of the prekeys, in which the same search
/// finds it, does.
#[test]
fn an_idle_session_does_not_hold_the_signed_prekey() {
    fn check<P: HandshakeProfile>() {
        let (mut alice, mut bob) = strangers::<P>(10);
        let secret = signed_prekey(&bob);
        alice.begin(&bob).unwrap();
        for _ in 0..3 {
            let sent = alice.write(b"are you there?").unwrap();
            bob.read(&sent).unwrap();
            assert!(!holds(&bob.record.to_bytes(), &secret));
        }
        // Control: the search finds it where it is.
        assert!(holds(&bob.prekeys.to_bytes(), &secret));
        bob.write(b"yes").unwrap();
        assert!(!holds(&bob.record.to_bytes(), &secret));
    }
    check::<Undertone>();
    check::<Signal>();
}
