//! B5, B6: keys and labels that are used for two things (PQXDH, findings 1 and 2; Fiedler and Günther, PKC 2025).

use crate::engine_source;
use std::collections::BTreeMap;
use undertone::crypto::{Secret, aead};

/// The pages whose tables list the labels: those of messages, and those of the store.
const PAGES: [&str; 2] = [include_str!("../../docs/protocol.md"), include_str!("../../docs/store.md")];

/// How the labels begin: those of a chain's step are eight bytes long.
const PREFIXES: [&str; 2] = ["Undertone_1_", "U1_"];

/// Every native label in the engine's source, with the files that name it.
fn labels_in_source() -> BTreeMap<String, Vec<String>> {
    let mut labels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in engine_source::files() {
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for prefix in PREFIXES {
            for piece in text.split(prefix).skip(1) {
                let label = format!("{prefix}{}", piece.split('"').next().unwrap());
                labels.entry(label).or_default().push(path.display().to_string());
            }
        }
    }
    labels
}

/// The tables of labels in section 1 of the protocol and in the page of the store.
fn labels_in_pages() -> Vec<String> {
    let lines = PAGES.iter().flat_map(|page| page.lines());
    let table = lines.filter(|line| PREFIXES.iter().any(|prefix| line.starts_with(&format!("| `{prefix}"))));
    let cells = table.flat_map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
    cells.filter(|cell| cell.starts_with('`')).map(|cell| cell.trim_matches('`').to_owned()).collect()
}

/// A label that stands in two places, or is the beginning of another one.
fn with_two_uses(labels: &BTreeMap<String, Vec<String>>) -> Option<&str> {
    let is_ambiguous = |label: &str| labels.keys().filter(|other| other.starts_with(label)).count() > 1;
    labels.iter().find(|(label, files)| files.len() != 1 || is_ambiguous(label)).map(|(label, _)| label.as_str())
}

/// X3-2, XE-7, P-9, B5: the crate uses the labels of the documents and no others, each in one place, and none is the beginning of another.
#[test]
fn every_label_has_one_use() {
    let (source, mut documented) = (labels_in_source(), labels_in_pages());
    documented.sort();
    assert_eq!(documented.len(), 34);
    assert_eq!(source.keys().cloned().collect::<Vec<_>>(), documented);
    assert_eq!(with_two_uses(&source), None);

    // Control: a label that a second file uses is noticed, and so is one that begins another.
    let mut doubled = source.clone();
    doubled.get_mut("Undertone_1_root").unwrap().push("another.rs".to_owned());
    assert_eq!(with_two_uses(&doubled), Some("Undertone_1_root"));
    let mut beginning = source;
    beginning.insert("Undertone_1_root_of_another".to_owned(), vec!["one.rs".to_owned()]);
    assert_eq!(with_two_uses(&beginning), Some("Undertone_1_root"));
}

/// PQ-1, B6: the one AEAD takes keys of 256 bits, by its type, and its tag has 128.
#[test]
fn keys_have_256_bits() {
    let mut sealed = Vec::new();
    aead::seal(&Secret::<32>::new([7; 32]), &[0; 12], b"", b"text", &mut sealed);
    assert_eq!(sealed.len(), 4 + aead::TAG);
    assert_eq!(aead::TAG, 16);

    // Control: of a key that all but 12 bits are known of, the rest is found by trying.
    let short = |bits: u16| {
        let mut key = [0; 32];
        key[..2].copy_from_slice(&bits.to_le_bytes());
        Secret::<32>::new(key)
    };
    let mut sealed = Vec::new();
    aead::seal(&short(0x0A5C), &[0; 12], b"", b"text", &mut sealed);
    let found = (0..1 << 12).find(|bits| aead::open(&short(*bits), &[0; 12], b"", &sealed).is_ok());
    assert_eq!(found, Some(0x0A5C));
}
