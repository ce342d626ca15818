//! B73: a secret is compared or encoded by code whose time depends on it.

use crate::engine_source;
use std::fs;
use std::path::{Path, PathBuf};

/// The engine's files without their tests, which compare and encode as they like.
fn sources() -> Vec<(PathBuf, String)> {
    let is_code = |path: &PathBuf| !path.file_name().unwrap().to_string_lossy().contains("tests");
    let files = engine_source::files().into_iter().filter(|(path, _)| is_code(path));
    files.map(|(path, text)| (path, text.split("#[cfg(test)]").next().unwrap_or_default().to_owned())).collect()
}

/// A line that compares exposed bytes themselves, on either side, with the operators of slices.
fn compares_exposed_bytes(source: &str) -> Option<&str> {
    source.lines().find(|line| {
        let code = line.split("//").next().unwrap_or_default();
        ["==", "!="].iter().filter_map(|operator| code.split_once(operator)).any(|(left, right)| {
            let right = right.split([' ', '{', ';', ',']).find(|word| !word.is_empty()).unwrap_or_default();
            let is_plain = right.find('(') == right.find(".expose()").map(|at| at + ".expose".len());
            left.trim_end().ends_with(".expose()") || (right.contains(".expose()") && is_plain)
        })
    })
}

/// B73: exposed bytes are never compared with `==`; a `Secret` compares itself in constant time.
#[test]
fn secrets_are_compared_in_constant_time() {
    let found = sources();
    assert!(found.len() > 80);
    for (path, source) in &found {
        assert_eq!(compares_exposed_bytes(source), None, "{}", path.display());
    }
    // Control: the search finds what it is for.
    for line in ["if key.expose() == other {", "let same = bytes != *key.expose();", "key.expose() != x && y"] {
        assert!(compares_exposed_bytes(line).is_some(), "{line}");
    }
    let secret = found.iter().find(|(path, _)| path.ends_with("crypto/secret.rs")).unwrap();
    assert!(secret.1.contains("self.0.ct_eq(&other.0)"));
    assert!(!secret.1.contains("PartialEq)]"));
}

/// B73: no text encoding of secrets exists in the crate: records are bytes, and the crates that encode text are for the tests.
#[test]
fn secrets_are_not_encoded_as_text() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    for encoder in ["base64", "hex", "pem", "serde"] {
        assert!(!dependencies.lines().any(|line| line.starts_with(encoder)), "{encoder}");
    }
}
