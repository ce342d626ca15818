//! `docs/threat-model.md` and this suite tell of the same attacks.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The names of the tests in a folder of tests.
fn tests_in(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if line == "#[test]" {
                let name =
                    lines.next().and_then(|line| line.strip_prefix("fn ")).and_then(|line| line.split('(').next());
                names.insert(name.expect("a function follows").to_owned());
            }
        }
    }
    names
}

/// The names in the last column of the tables.
fn tests_of_table(document: &str) -> BTreeSet<String> {
    let rows = document.lines().filter(|line| line.starts_with('|'));
    let last = rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next());
    last.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// Every attack that the threat model lists is tried by a test of that name, and every test of this suite is listed.
#[test]
fn the_threat_model_lists_every_attack() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let listed = tests_of_table(&document);
    let mut tried = tests_in(&root.join("tests/hostile"));
    assert!(tried.remove("the_threat_model_lists_every_attack"));
    let untried: Vec<_> = listed.difference(&tried).collect();
    let unlisted: Vec<_> = tried.difference(&listed).collect();
    assert!(untried.is_empty() && unlisted.is_empty(), "no test: {untried:?}; not in the table: {unlisted:?}");
    // Control: a name that is not there would be missed.
    assert!(!listed.contains("no_such_test") && listed.len() > 40);
}
