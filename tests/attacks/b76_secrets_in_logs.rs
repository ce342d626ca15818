//! B76: secrets, texts or names appear where a program prints things: debug output, errors, logs.

use crate::engine_source;
use crate::session_world::{ALICE, BOB, acquainted, strangers};
use core::fmt::Debug;
use undertone::crypto::Secret;
use undertone::crypto::agreement::AgreementSecret;
use undertone::crypto::ed25519::SigningSecret;
use undertone::crypto::kem::{KemSecret, MlKem1024};
use undertone::crypto::xeddsa::XeddsaSecret;
use undertone::handshake::{FirstMessage, HandshakeProfile};
use undertone::{EnvelopeKind, Fault, Signal, Undertone};

/// The ways in which four bytes of a secret show in printed text.
fn shows(printed: &str, secret: &[u8]) -> bool {
    let compact: String = printed.chars().filter(|one| !one.is_whitespace()).collect::<String>().to_lowercase();
    secret.windows(4).any(|window| {
        let decimal = window.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
        compact.contains(&decimal) || compact.contains(&hex::encode(window))
    })
}

/// Both forms of printing.
fn printed(value: &dyn Debug) -> String {
    format!("{value:?} {value:#?}")
}

/// B76: no type that holds a secret prints it, in either form; a type that did would be found.
#[test]
fn secrets_print_nothing() {
    let seed: [u8; 64] = core::array::from_fn(|i| (i * 37 + 101) as u8);
    let half: [u8; 32] = core::array::from_fn(|i| seed[i]);
    let agreement = || AgreementSecret::from_bytes(Secret::new(half));
    let values: Vec<(Box<dyn Debug>, Vec<u8>)> = vec![
        (Box::new(Secret::new(half)), half.to_vec()),
        (Box::new([Some(Secret::new(half))]), half.to_vec()),
        (Box::new(agreement()), agreement().expose().to_vec()),
        (Box::new(SigningSecret::from_seed(Secret::new(half))), half.to_vec()),
        (Box::new(XeddsaSecret::new(agreement())), agreement().expose().to_vec()),
        (Box::new(KemSecret::<MlKem1024>::from_seed(Secret::new(seed))), seed.to_vec()),
    ];
    for (value, secret) in &values {
        let text = printed(value.as_ref());
        assert!(!shows(&text, secret), "{text}");
    }
    // Control: a type that prints what it holds is found.
    assert!(shows(&printed(&half), &half));
    assert!(shows(&hex::encode(half), &half));
}

/// B76: what an application holds and may print shows neither texts, nor keys of the record, nor names.
#[test]
fn what_an_application_prints_shows_nothing() {
    fn check<P: HandshakeProfile>(seed: u64) {
        let text = b"meet me at the old bridge";
        let (mut alice, mut bob) = acquainted::<P>(seed);
        let sent = alice.write(text).unwrap();
        let read = bob.read(&sent).unwrap();
        let again = bob.read(&sent).err().unwrap();
        let (mut carol, stranger) = strangers::<P>(seed + 2);
        carol.begin(&stranger).unwrap();
        let envelope = carol.write(text).unwrap();
        let first = FirstMessage::open(&stranger.local(), &envelope.bytes, &stranger.prekeys).unwrap();
        let bundle = stranger.prekeys.bundle(&stranger.local(), true).unwrap();
        let status = bob.record.status().unwrap();
        let values: Vec<&dyn Debug> = vec![
            &sent,
            &read,
            &again,
            &envelope,
            &first,
            &bundle,
            &stranger.prekeys,
            &status,
            &bob.address,
            &sent.kind,
        ];
        let signed = stranger.prekeys.signed_prekey().unwrap().id;
        let signed = *stranger.prekeys.signed_prekey_of(signed).unwrap().agreement_secret().expose();
        for value in values {
            let text_of = printed(value);
            assert!(!shows(&text_of, text) && !text_of.contains("old bridge"), "{text_of}");
            assert!(!shows(&text_of, &signed), "{text_of}");
            assert!(!text_of.contains(ALICE) && !text_of.contains(BOB), "{text_of}");
        }
        assert!(matches!(sent.kind, EnvelopeKind::Message));
    }
    check::<Undertone>(150);
    check::<Signal>(154);
}

/// B76: an error is one of a list of constant sentences, with nothing filled in.
#[test]
fn errors_are_constant() {
    for fault in Fault::ALL {
        let error = undertone::Error::from(*fault);
        let text = format!("{error} {error:?}");
        assert!(text.contains(error.code()) && !text.contains('{'), "{text}");
    }
    // What caused an error may say anything: it is handed out on request, and never shown.
    let caused = undertone::Error::from(Fault::StoreIo).caused_by("the secret path");
    assert!(!format!("{caused} {caused:?}").contains("secret"));
    assert!(std::error::Error::source(&caused).is_some());
}

/// B76: the engine prints nothing itself.
#[test]
fn the_engine_is_silent() {
    // The client traces; what it says is watched while it runs (tests/client/silence.rs).
    let engine = engine_source::files()
        .into_iter()
        .filter(|(path, _)| !path.components().any(|part| part.as_os_str() == "client"));
    for (path, source) in engine {
        for (number, line) in source.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for printer in ["println!", "print!(", "dbg!", "log::", "tracing::"] {
                assert!(!line.contains(printer), "{}:{}", path.display(), number + 1);
            }
        }
    }
}
