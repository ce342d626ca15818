//! Keeps what is logged, and finds in it what must not be there. The tests of the relay look for the same.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use core::fmt::Write;
use rand::RngExt;
use rand::rngs::StdRng;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};

/// Keeps all that is logged, at every level.
#[derive(Clone, Default)]
pub struct Everything(pub Arc<Mutex<String>>);

impl Everything {
    pub fn write(&self, text: &str) {
        let mut log = self.0.lock().unwrap();
        log.push_str(text);
        log.push('\n');
    }
}

impl Visit for Everything {
    fn record_debug(&mut self, field: &Field, value: &dyn core::fmt::Debug) {
        self.write(&format!("{}={value:?} {value:#?}", field.name()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn core::error::Error + 'static)) {
        self.write(&format!("{}={value} {value:?}", field.name()));
        let mut cause = value.source();
        while let Some(inner) = cause {
            self.write(&format!("{inner} {inner:?}"));
            cause = inner.source();
        }
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.write(span.metadata().name());
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.write(event.metadata().target());
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What must not be in a log.
#[derive(Default)]
pub struct Needles {
    pub texts: BTreeSet<String>,
    pub keys: BTreeSet<[u8; 32]>,
}

impl Needles {
    /// Whether one of them is in `log`, and in which form.
    pub fn find(&self, log: &str) -> Option<String> {
        let texts = self.texts.iter().flat_map(|text| forms_of_text(text));
        texts.chain(self.keys.iter().flat_map(forms)).find(|form| log.contains(form.as_str()))
    }
}

/// A text, as it would be written.
fn forms_of_text(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let list = format!("{bytes:?}");
    let mut forms = vec![text.to_owned(), hex::encode(bytes), hex::encode_upper(bytes)];
    forms.push(list.trim_matches(['[', ']']).to_owned());
    // Inside of something larger it begins at any of three places; what depends on its neighbours is left out.
    for skipped in 0..3 {
        let whole = bytes[skipped..].len() / 3 * 3;
        forms.push(STANDARD.encode(&bytes[skipped..][..whole]));
    }
    forms
}

/// The beginning of a key, as it would be written.
fn forms(key: &[u8; 32]) -> Vec<String> {
    let mut list = String::new();
    key[..8].iter().for_each(|byte| write!(list, "{byte}, ").unwrap());
    let mut lines = String::new();
    key[..8].iter().for_each(|byte| write!(lines, "{byte},\n    ").unwrap());
    let raw = String::from_utf8_lossy(&key[..12]).into_owned();
    let mut forms = vec![
        hex::encode(&key[..8]),
        hex::encode_upper(&key[..8]),
        STANDARD.encode(&key[..9]),
        URL_SAFE_NO_PAD.encode(&key[..9]),
        list.trim_end_matches(", ").to_owned(),
        lines.trim_end().to_owned(),
    ];
    // Bytes that are no text at all would be found in any other such bytes.
    forms.extend(Some(raw).filter(|raw| raw.chars().filter(|letter| *letter != '\u{FFFD}').count() >= 8));
    forms
}

/// Says something random that is remembered.
pub fn secret(dice: &mut StdRng, needles: &mut Needles, kind: &str) -> String {
    let text = format!("{kind}-{:016x}", dice.random::<u64>());
    needles.texts.insert(text.clone());
    text
}
