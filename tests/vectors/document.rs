//! Reads the vectors.

use serde_json::Value;
use std::sync::LazyLock;

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("undertone-1.json")).expect("the vectors are JSON"));

/// One case of a group.
pub struct Case {
    /// `group: case`, for a failed assertion.
    pub name: String,
    pub inputs: &'static Value,
    pub outputs: &'static Value,
}

/// The time at which every vector happens, in seconds.
pub fn now() -> u64 {
    DOCUMENT["now"].as_u64().expect("a time")
}

/// The names of all groups.
pub fn groups() -> Vec<String> {
    list(&DOCUMENT["groups"]).iter().map(|group| text(&group["name"]).to_owned()).collect()
}

/// The cases of a group, of which there must be some.
pub fn cases(group: &str) -> Vec<Case> {
    let found = list(&DOCUMENT["groups"]).iter().find(|found| text(&found["name"]) == group);
    let cases = list(&found.unwrap_or_else(|| panic!("no vectors of {group}"))["cases"]);
    assert!(!cases.is_empty(), "no vectors of {group}");
    let named = |case: &'static Value| format!("{group}: {}", text(&case["name"]));
    cases.iter().map(|case| Case { name: named(case), inputs: &case["inputs"], outputs: &case["outputs"] }).collect()
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

pub fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

pub fn number<N: TryFrom<u64>>(value: &Value) -> N {
    value.as_u64().and_then(|number| N::try_from(number).ok()).unwrap_or_else(|| panic!("no such number: {value}"))
}

pub fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(text(value)).unwrap_or_else(|_| panic!("no bytes: {value}"))
}

pub fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap_or_else(|_| panic!("not {N} bytes: {value}"))
}

/// The error code of an output that is a refusal.
pub fn refusal(value: &Value) -> Option<&str> {
    value.get("error").map(text)
}

/// `data` after one change: a byte flipped, bytes replaced, cut off or appended; `null` changes nothing.
pub fn changed(data: &[u8], change: &Value) -> Vec<u8> {
    let mut data = data.to_vec();
    if let Some(flip) = change.get("flip") {
        data[number::<usize>(&flip[0])] ^= number::<u8>(&flip[1]);
    } else if let Some(set) = change.get("set") {
        let (at, replaced) = (number::<usize>(&set[0]), bytes(&set[1]));
        data.splice(at..at + replaced.len(), replaced);
    } else if let Some(cut) = change.get("cut") {
        data.truncate(data.len() - number::<usize>(cut));
    } else if let Some(appended) = change.get("append") {
        data.extend(bytes(appended));
    }
    data
}

/// Compares a result with an output that is either a refusal or a success; the value of a success.
pub fn judge<T>(name: &str, result: Result<T, undertone::Error>, output: &Value) -> Option<T> {
    match (result, refusal(output)) {
        (Ok(value), None) => Some(value),
        (Err(error), Some(code)) => {
            assert_eq!(error.code(), code, "{name}");
            None
        }
        (Ok(_), Some(code)) => panic!("{name}: accepted instead of {code}"),
        (Err(error), None) => panic!("{name}: {error} instead of success"),
    }
}
