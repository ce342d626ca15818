//! `cargo xtask errors`: the page of all error codes, written from the table in `src/error.rs`.

use crate::workspace;
use std::fmt::Write;
use std::fs;

const SOURCE: &str = "src/error.rs";
const PAGE: &str = "docs/guide/errors.md";

/// What an application does about each kind; the table in the source says the rest.
const ADVICE: [(&str, &str); 21] = [
    ("InvalidRequest", "Change the call: repeating it fails again."),
    (
        "NoSession",
        "The client begins sessions by itself; there is nobody to write to. On the engine alone: fetch a prekey bundle.",
    ),
    (
        "UntrustedIdentity",
        "Ask the user to compare the safety number, then `Client::accept_identity`, or do not write.",
    ),
    ("Duplicate", "Drop it silently."),
    ("InvalidMessage", "Drop it. The client counts it, and mends the session if it happens again."),
    ("InvalidKey", "Refuse whatever the key came with."),
    ("InvalidSignature", "Refuse whatever was signed."),
    ("UnknownPrekey", "Drop it. The client begins a new session by itself."),
    ("NoSenderKey", "Ask the sender for its sender key."),
    ("TooFarAhead", "Drop it: the chain is not followed that far."),
    ("UnsupportedVersion", "One of the two sides needs a newer version."),
    ("Expired", "Fetch or make a new one. If it is frequent, look at the clock."),
    ("InvalidRecord", "The client replaces what it can. Where it cannot: link the device anew."),
    ("Randomness", "Try again later; if it stays, the system is broken."),
    ("Exhausted", "Begin anew: a session, a sender key, an account."),
    ("Refused", "Ask whoever decides: the user, the policy, the server's operator."),
    ("Unavailable", "Try again later. What was queued is sent by itself."),
    ("Storage", "Nothing was changed. Do what the sentence says, then open again."),
    (
        "InvalidAnswer",
        "Do not believe this server; the client tries again, and tells a security event where it matters.",
    ),
    ("Conflict", "Nothing: the client tries again by itself. On a store alone: read again and plan anew."),
    ("Closed", "Open a client again; an unlinked device is linked anew, on a new store."),
];

struct Fault {
    kind: String,
    code: String,
    text: String,
}

/// Writes the page.
pub fn write() -> Result<(), String> {
    fs::write(workspace::root().join(PAGE), page()?).map_err(|error| format!("{PAGE}: {error}"))
}

/// Whether the page is what the source says.
pub fn check() -> Result<(), String> {
    let there = fs::read_to_string(workspace::root().join(PAGE)).map_err(|error| format!("{PAGE}: {error}"))?;
    if there == page()? { Ok(()) } else { Err(format!("{PAGE} is out of date: run `cargo xtask errors`")) }
}

fn page() -> Result<String, String> {
    let source = fs::read_to_string(workspace::root().join(SOURCE)).map_err(|error| format!("{SOURCE}: {error}"))?;
    render(&faults(&source)?, &retryable_kinds(&source)?)
}

/// The lines of the table: `Name Kind "code" "text";`.
fn faults(source: &str) -> Result<Vec<Fault>, String> {
    let (_, table) = source.split_once("\nfaults! {\n").ok_or("there is no table of faults")?;
    let (table, _) = table.split_once("\n}").ok_or("the table of faults does not end")?;
    table.lines().map(str::trim).filter(|line| !line.is_empty()).map(fault).collect()
}

fn fault(line: &str) -> Result<Fault, String> {
    let cannot = || format!("{SOURCE}: cannot read `{line}`");
    let pieces: Vec<&str> = line.splitn(5, '"').collect();
    let [names, code, " ", text, ";"] = pieces.as_slice() else { return Err(cannot()) };
    let (_, kind) = names.trim().split_once(' ').ok_or_else(cannot)?;
    Ok(Fault { kind: kind.to_owned(), code: (*code).to_owned(), text: (*text).to_owned() })
}

/// The kinds that `is_retryable` names.
fn retryable_kinds(source: &str) -> Result<Vec<String>, String> {
    let body = source.split_once("fn is_retryable").and_then(|(_, rest)| rest.split_once('}')).map(|(body, _)| body);
    let kinds: Vec<String> = body
        .unwrap_or_default()
        .split("ErrorKind::")
        .skip(1)
        .map(|rest| rest.chars().take_while(|one| one.is_ascii_alphanumeric()).collect())
        .collect();
    if kinds.is_empty() { Err(format!("{SOURCE}: `is_retryable` names no kind")) } else { Ok(kinds) }
}

fn render(faults: &[Fault], retryable: &[String]) -> Result<String, String> {
    let mut text = String::from(
        "# Errors\n\n\
         Written by `cargo xtask errors` from the table in `src/error.rs`; the test suite checks that it is up to date.\n\n\
         Every failure is one `Error`. Its `kind()` says what an application can do about it, its `code()` is stable and the same in every\n\
         language, and `is_retryable()` says whether the same call may succeed later. No error carries a key, a plaintext or a user's name.\n\n\
         ## What to do, by kind\n\n| kind | retry | what to do |\n|---|---|---|\n",
    );
    for (kind, advice) in ADVICE {
        let _ = writeln!(text, "| `{kind}` | {} | {advice} |", yes(retryable.iter().any(|known| known == kind)));
    }
    text.push_str("\n## Every code\n\n| code | kind | retry | what happened |\n|---|---|---|---|\n");
    for Fault { kind, code, text: sentence } in faults {
        if !ADVICE.iter().any(|(known, _)| known == kind) {
            return Err(format!("there is no advice for the kind {kind}: add it to xtask/src/errors.rs"));
        }
        let _ = writeln!(text, "| `{code}` | `{kind}` | {} | {sentence} |", yes(retryable.contains(kind)));
    }
    Ok(text)
}

const fn yes(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE_OF_A_TEST: &str = "fn is_retryable() { matches!(kind, ErrorKind::Conflict | ErrorKind::Randomness) }\n\
        \nfaults! {\n    StoreConflict Conflict \"store.conflict\" \"another writer came first\";\n\n    \
        Argument InvalidRequest \"request.argument\" \"an argument is out of range\";\n}\n";

    #[test]
    fn a_table_becomes_a_page() {
        let faults = faults(SOURCE_OF_A_TEST).unwrap();
        let page = render(&faults, &retryable_kinds(SOURCE_OF_A_TEST).unwrap()).unwrap();
        assert!(page.contains("| `store.conflict` | `Conflict` | yes | another writer came first |"), "{page}");
        assert!(page.contains("| `request.argument` | `InvalidRequest` |  | an argument is out of range |"), "{page}");
    }

    #[test]
    fn a_line_or_a_kind_that_is_not_understood_is_an_error() {
        assert!(faults("faults! {}").is_err());
        assert!(faults("\nfaults! {\n    Half Conflict \"store.half\";\n}").is_err());
        let unknown = faults("\nfaults! {\n    New Novelty \"a.b\" \"c\";\n}").unwrap();
        assert!(render(&unknown, &[]).is_err());
        assert!(retryable_kinds("").is_err());
    }
}
