//! Two devices of vodozemac, from the plaintext to the bytes on the wire and back as on our side.

use vodozemac::Curve25519PublicKey;
use vodozemac::olm::{Account, OlmMessage, Session, SessionConfig, SessionPickle};

/// What goes over the wire: the kind of the message and its bytes.
pub type Wire = (usize, Vec<u8>);

/// An account with a fallback key and `one_time` one-time keys.
pub fn account(one_time: usize) -> Account {
    let mut account = Account::new();
    account.generate_fallback_key();
    account.generate_one_time_keys(one_time);
    account
}

/// The two keys that a peer needs to begin a session.
pub fn bundle(account: &Account) -> (Curve25519PublicKey, Curve25519PublicKey) {
    (account.curve25519_key(), *account.one_time_keys().values().next().unwrap())
}

/// Begins a session.
pub fn initiate(account: &Account, (identity, one_time): (Curve25519PublicKey, Curve25519PublicKey)) -> Session {
    account.create_outbound_session(SessionConfig::version_1(), identity, one_time).unwrap()
}

/// Encrypts to the bytes on the wire.
pub fn encrypt(session: &mut Session, plaintext: &[u8]) -> Wire {
    session.encrypt(plaintext).unwrap().to_parts()
}

/// Decrypts from the bytes on the wire.
pub fn decrypt(session: &mut Session, (kind, bytes): &Wire) -> Vec<u8> {
    session.decrypt(&OlmMessage::from_parts(*kind, bytes).unwrap()).unwrap()
}

/// Reads a first message.
pub fn accept(account: &mut Account, from: Curve25519PublicKey, (kind, bytes): &Wire) -> (Session, Vec<u8>) {
    let OlmMessage::PreKey(message) = OlmMessage::from_parts(*kind, bytes).unwrap() else { panic!("a first message") };
    let result = account.create_inbound_session(SessionConfig::version_1(), from, &message).unwrap();
    (result.session, result.plaintext)
}

/// The two sides of an established session.
pub struct Pair {
    pub alice: Session,
    pub bob: Session,
}

impl Pair {
    /// A session in which both have written for `rounds` rounds.
    pub fn after_rounds(rounds: usize) -> Self {
        let (alices, mut bobs) = (account(0), account(1));
        let mut alice = initiate(&alices, bundle(&bobs));
        let first = encrypt(&mut alice, b"hello");
        let (bob, _) = accept(&mut bobs, alices.curve25519_key(), &first);
        let mut pair = Self { alice, bob };
        pair.answer(b"hello");
        (0..rounds).for_each(|_| pair.round(b"hello"));
        pair
    }

    /// Alice writes, Bob reads and writes, Alice reads.
    pub fn round(&mut self, plaintext: &[u8]) {
        let message = encrypt(&mut self.alice, plaintext);
        assert_eq!(decrypt(&mut self.bob, &message), plaintext);
        self.answer(plaintext);
    }

    fn answer(&mut self, plaintext: &[u8]) {
        let message = encrypt(&mut self.bob, plaintext);
        assert_eq!(decrypt(&mut self.alice, &message), plaintext);
    }
}

/// A session as a store gets it.
pub fn save(session: &Session) -> Vec<u8> {
    serde_json::to_vec(&session.pickle()).unwrap()
}

/// A session from a store.
pub fn load(bytes: &[u8]) -> Session {
    Session::from_pickle(serde_json::from_slice::<SessionPickle>(bytes).unwrap())
}
