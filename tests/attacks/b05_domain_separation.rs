//! B5, B6: keys and labels that are used for two things (PQXDH, findings 1 and 2; Fiedler and Günther, PKC 2025).

use std::collections::BTreeMap;
use std::path::Path;
use undertone::crypto::{Secret, aead};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
const PROTOCOL: &str = include_str!("../../docs/protocol.md");

/// How the labels begin: those of a chain's step are eight bytes long.
const PREFIXES: [&str; 2] = ["Undertone_1_", "U1_"];

/// Every native label in the engine's source, with the files that name it.
fn labels_in_source() -> BTreeMap<String, Vec<String>> {
    let mut labels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut folders = vec![Path::new(SOURCE).to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                for prefix in PREFIXES {
                    for piece in text.split(prefix).skip(1) {
                        let label = format!("{prefix}{}", piece.split('"').next().unwrap());
                        labels.entry(label).or_default().push(path.display().to_string());
                    }
                }
            }
        }
    }
    labels
}

/// The table of labels in section 1 of the protocol.
fn labels_in_protocol() -> Vec<String> {
    let table = PROTOCOL.lines().filter(|line| PREFIXES.iter().any(|prefix| line.starts_with(&format!("| `{prefix}"))));
    let cells = table.flat_map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
    cells.filter(|cell| cell.starts_with('`')).map(|cell| cell.trim_matches('`').to_owned()).collect()
}

/// X3-2, XE-7, P-9, B5: the engine uses the labels of the protocol and no others, each in one place, and none is the beginning of another.
#[test]
fn every_label_has_one_use() {
    let (source, mut protocol) = (labels_in_source(), labels_in_protocol());
    protocol.sort();
    assert_eq!(protocol.len(), 23);
    assert_eq!(source.keys().cloned().collect::<Vec<_>>(), protocol);
    for (label, files) in &source {
        assert_eq!(files.len(), 1, "{label} in {files:?}");
        assert_eq!(protocol.iter().filter(|other| other.starts_with(label.as_str())).count(), 1, "{label}");
    }
}

/// PQ-1, B6: the one AEAD takes keys of 256 bits, by its type, and its tag has 128.
#[test]
fn keys_have_256_bits() {
    let mut sealed = Vec::new();
    aead::seal(&Secret::<32>::new([7; 32]), &[0; 12], b"", b"text", &mut sealed);
    assert_eq!(sealed.len(), 4 + aead::TAG);
    assert_eq!(aead::TAG, 16);
}
