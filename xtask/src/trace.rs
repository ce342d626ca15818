//! Which code and which tests bear each requirement: `docs/requirements.md`.

use crate::requirements::{self, Requirement, Section};
use crate::rust_source::{self, Item, Line};
use crate::workspace;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

/// How the comment in a test begins that introduces a negative control other than a rule switched off.
const CONTROL: &str = "Control:";

/// What bears one requirement.
#[derive(Debug, Default)]
struct Evidence {
    code: BTreeSet<String>,
    tests: BTreeSet<String>,
    /// Whether one of the tests was seen to fail when what it tests is wrong.
    is_controlled: bool,
}

type Evidences = HashMap<String, Evidence>;

/// Writes the document.
pub fn write() -> Result<(), String> {
    let (document, complaints) = trace()?;
    fs::write(document_path(), document).map_err(|error| format!("docs/requirements.md: {error}"))?;
    println!("wrote docs/requirements.md; {} to mend", complaints.len());
    for complaint in complaints {
        println!("{complaint}");
    }
    Ok(())
}

/// Fails if the document is not what the code and the tests say now, or if something is open.
pub fn check() -> Result<(), String> {
    let (document, mut complaints) = trace()?;
    if fs::read_to_string(document_path()).unwrap_or_default() != document {
        complaints.push("docs/requirements.md is not up to date: run `cargo xtask trace`".to_owned());
    }
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n")) }
}

fn document_path() -> PathBuf {
    workspace::root().join("docs/requirements.md")
}

fn trace() -> Result<(String, Vec<String>), String> {
    let path = workspace::root().join("xtask/requirements.txt");
    let text = fs::read_to_string(path).map_err(|error| format!("xtask/requirements.txt: {error}"))?;
    let sections = requirements::parse(&text)?;
    let mut evidence = Evidences::new();
    let mut unknown = BTreeSet::new();
    let catalogue = Catalogue::new(&sections);
    for folder in ["src", "tests"] {
        for path in workspace::files(folder, &[".rs", ".py", ".mjs"]) {
            let text = fs::read_to_string(&path).unwrap_or_default();
            read_file(&workspace::shown(&path), &text, &catalogue, &mut evidence, &mut unknown);
        }
    }
    let mut complaints: Vec<String> = unknown.into_iter().collect();
    let open = all(&sections).filter(|one| is_open(one, &evidence));
    complaints.extend(open.map(|one| format!("{} is open: {}", one.id, one.statement)));
    let uncoded = all(&sections).filter(|one| is_uncoded(one, &evidence));
    complaints.extend(uncoded.map(|one| format!("{} is cited by no code: {}", one.id, one.statement)));
    let uncontrolled = all(&sections).filter(|one| is_uncontrolled(one, &evidence));
    complaints.extend(uncontrolled.map(|one| format!("{} has no negative control: {}", one.id, one.statement)));
    Ok((document(&sections, &evidence), complaints))
}

fn all(sections: &[Section]) -> impl Iterator<Item = &Requirement> {
    sections.iter().flat_map(|section| &section.requirements)
}

/// A requirement is open until a test bears it, or the catalogue says why none does.
fn is_open(requirement: &Requirement, evidence: &Evidences) -> bool {
    requirement.reason.is_none() && evidence.get(&requirement.id).is_none_or(|found| found.tests.is_empty())
}

/// Tests bear it, and no comment says which code makes them pass: who then knows what must not be changed?
fn is_uncoded(requirement: &Requirement, evidence: &Evidences) -> bool {
    requirement.reason.is_none()
        && evidence.get(&requirement.id).is_some_and(|found| !found.tests.is_empty() && found.code.is_empty())
}

/// An attack that no test carries out with success: who knows then that it is the rule that stops it?
fn is_uncontrolled(requirement: &Requirement, evidence: &Evidences) -> bool {
    requirement.is_attack()
        && evidence.get(&requirement.id).is_some_and(|found| !found.tests.is_empty() && !found.is_controlled)
}

/// The ids, their switches, and the families of names that can only be ids.
struct Catalogue {
    ids: BTreeSet<String>,
    switches: BTreeMap<String, String>,
    families: BTreeSet<String>,
}

impl Catalogue {
    fn new(sections: &[Section]) -> Self {
        let family = |id: &str| id.split_once('-').map(|(family, _)| family.to_owned()).filter(|name| name.len() > 1);
        Self {
            ids: all(sections).map(|one| one.id.clone()).collect(),
            switches: all(sections).map(|one| (one.switch(), one.id.clone())).collect(),
            families: all(sections).filter_map(|one| family(&one.id)).collect(),
        }
    }

    /// The ids in a text, and the words that look like one and are none.
    fn ids_in(&self, text: &str) -> (Vec<String>, Vec<String>) {
        let text = text.replace(['\u{2010}', '\u{2011}'], "-");
        let words =
            text.split(|one: char| !one.is_ascii_alphanumeric() && one != '-').map(|word| word.trim_matches('-'));
        let (ids, rest): (Vec<&str>, Vec<&str>) = words.partition(|word| self.ids.contains(*word));
        let mistaken = rest.into_iter().filter(|word| {
            word.split_once('-').is_some_and(|(family, number)| {
                self.families.contains(family) && !number.is_empty() && number.bytes().all(|one| one.is_ascii_digit())
            })
        });
        (ids.into_iter().map(str::to_owned).collect(), mistaken.map(str::to_owned).collect())
    }

    /// The rules whose switches a piece of code names, but for their list itself.
    fn switched(&self, code: &str) -> Vec<String> {
        code.match_indices("Rule::")
            .filter_map(|(at, prefix)| rust_source::words(&code[at + prefix.len()..]).next())
            .filter_map(|name| self.switches.get(name).cloned())
            .collect()
    }
}

fn read_file(shown: &str, text: &str, catalogue: &Catalogue, evidence: &mut Evidences, unknown: &mut BTreeSet<String>) {
    let mut bear = |id: String, is_test: bool, place: String| {
        let found = evidence.entry(id).or_default();
        if is_test {
            found.is_controlled |= place.ends_with(')');
            found.tests.insert(place)
        } else {
            found.code.insert(place)
        };
    };
    if !shown.ends_with(".rs") {
        for (number, line) in text.lines().enumerate() {
            let (ids, mistaken) = catalogue.ids_in(comment_of_script(line));
            unknown
                .extend(mistaken.into_iter().map(|word| format!("{shown}:{}: {word} is no requirement", number + 1)));
            for id in ids {
                bear(id, true, format!("`{shown}`"));
            }
        }
        return;
    }
    let is_test_file = shown.starts_with("tests/") || shown.ends_with("/tests.rs") || shown.ends_with("_tests.rs");
    let lines = rust_source::read(text);
    let controls = controls(&lines, catalogue);
    for line in &lines {
        let in_test = is_test_file || line.in_test;
        let (ids, mistaken) = catalogue.ids_in(&line.comment);
        unknown.extend(mistaken.into_iter().map(|word| format!("{shown}:{}: {word} is no requirement", line.number)));
        let subject = if line.documents_file { None } else { line.subject(&lines) };
        for id in ids {
            match &subject {
                Some(item) if in_test && item.is_test => {
                    bear(id, true, test_place(shown, item, controls.get(&item.name)))
                }
                // What supports a test is no test, and neither is a remark between tests.
                Some(_) if in_test => {}
                None if in_test => bear(id, true, format!("`{shown}`")),
                Some(item) => bear(id, false, format!("`{shown}` {}", item.name)),
                None => bear(id, false, format!("`{shown}`")),
            }
        }
        if !in_test && shown != "src/rule.rs" {
            for id in catalogue.switched(&line.code) {
                let within = line.within.as_ref().map_or("", |item| item.name.as_str());
                bear(id, false, format!("`{shown}` {within}").trim().to_owned());
            }
        }
    }
}

/// How a test shows that it would notice.
#[derive(Default)]
struct Controls {
    /// The rules that it switches off to see its own attack succeed.
    rules: BTreeSet<String>,
    /// Whether it carries the attack out in another way.
    others: bool,
}

/// The negative controls of each test, by its name.
fn controls(lines: &[Line], catalogue: &Catalogue) -> BTreeMap<String, Controls> {
    let mut controls: BTreeMap<String, Controls> = BTreeMap::new();
    for line in lines {
        let Some(test) = &line.test else { continue };
        let found = controls.entry(test.clone()).or_default();
        found.rules.extend(catalogue.switched(&line.code));
        found.others |= line.comment.trim().starts_with(CONTROL);
    }
    controls
}

fn test_place(shown: &str, item: &Item, controls: Option<&Controls>) -> String {
    let mut control = Vec::new();
    if let Some(Controls { rules, others }) = controls {
        if !rules.is_empty() {
            control.push(format!("fails without {}", rules.iter().cloned().collect::<Vec<_>>().join(", ")));
        }
        if *others {
            control.push("has a control".to_owned());
        }
    }
    let control = if control.is_empty() { String::new() } else { format!(" ({})", control.join("; ")) };
    format!("`{shown}` {}{control}", item.name)
}

/// What a line of Python or JavaScript says in a comment or a documentation string.
fn comment_of_script(line: &str) -> &str {
    let trimmed = line.trim();
    if trimmed.starts_with(['*', '#']) || trimmed.starts_with("/*") || trimmed.contains("\"\"\"") {
        return trimmed;
    }
    ["//", "# "].iter().find_map(|mark| line.split_once(mark)).map_or("", |(_, comment)| comment)
}

fn document(sections: &[Section], evidence: &Evidences) -> String {
    let none = Evidence::default();
    let borne = |one: &&Requirement| evidence.get(&one.id).is_some_and(|found| !found.tests.is_empty());
    let open = all(sections).filter(|one| is_open(one, evidence)).count();
    let uncoded = all(sections).filter(|one| is_uncoded(one, evidence)).count();
    let tested = all(sections).filter(borne).count();
    let noted = all(sections).filter(borne).filter(|one| one.reason.is_some()).count();
    let total = all(sections).count();
    let mut text = format!(
        "# Requirements and attacks\n\n\
         Written by `cargo xtask trace` from the ids in `src/` and `tests/` and the catalogue `xtask/requirements.txt`; not\n\
         edited by hand. Names after a file are the items and the tests that bear the requirement. *Fails without* names the\n\
         rules that the test also switches off, to see its attack succeed; *has a control* says that it carries the attack out\n\
         in another way. No attack is without one of the two. What stands in italics says why there is no test, or how far\n\
         what the tests show differs from the source of the requirement.\n\n\
         {total} requirements and attacks: {tested} borne by tests ({noted} with a note), {} by a stated reason, {open} open,\n\
         {uncoded} cited by no code.\n",
        total - tested - open,
    );
    for section in sections {
        let _ = write!(text, "\n## {}\n\n| id | what it asks | code | tests |\n|---|---|---|---|\n", section.title);
        for one in &section.requirements {
            let found = evidence.get(&one.id).unwrap_or(&none);
            let places = |places: &BTreeSet<String>| places.iter().cloned().collect::<Vec<_>>().join("<br>");
            let tests = match (&one.reason, found.tests.is_empty()) {
                (None, false) => places(&found.tests),
                (Some(reason), false) => format!("{}<br>*{reason}*", places(&found.tests)),
                (Some(reason), true) => format!("*{reason}*"),
                (None, true) => "**OPEN**".to_owned(),
            };
            let code = if is_uncoded(one, evidence) { "**OPEN**".to_owned() } else { places(&found.code) };
            let _ = writeln!(text, "| {} | {} | {code} | {tests} |", one.id, one.statement);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections() -> Vec<Section> {
        requirements::parse("[One]\nPQ-1: a\nPQ-13: b\nB3: c\nB31: d\n  later: e\nK-1: f\n").unwrap()
    }

    fn evidence(shown: &str, text: &str) -> (Evidences, BTreeSet<String>) {
        let (mut evidence, mut unknown) = (Evidences::new(), BTreeSet::new());
        read_file(shown, text, &Catalogue::new(&sections()), &mut evidence, &mut unknown);
        (evidence, unknown)
    }

    fn places(places: &BTreeSet<String>) -> Vec<&str> {
        places.iter().map(String::as_str).collect()
    }

    #[test]
    fn code_bears_by_comment_and_by_switch() {
        let text = "/// PQ\u{2011}13: all.\nfn admit() {\n    if rule::on(Rule::Pq1) {}\n    let b = \"B3\";\n}\n";
        let (evidence, unknown) = evidence("src/a.rs", text);
        assert_eq!(places(&evidence["PQ-13"].code), ["`src/a.rs` admit"]);
        assert_eq!(places(&evidence["PQ-1"].code), ["`src/a.rs` admit"]);
        assert!(!evidence.contains_key("B3") && unknown.is_empty());
    }

    #[test]
    fn only_a_test_is_a_test() {
        let text = "/// B3, K-1: no.\n#[test]\nfn attack() {\n    without(Rule::Pq13, || {});\n}\n\n/// B31\nfn prepare() {}\n";
        let (evidence, _) = evidence("tests/attacks.rs", text);
        assert_eq!(places(&evidence["B3"].tests), ["`tests/attacks.rs` attack (fails without PQ-13)"]);
        assert!(evidence.contains_key("K-1"));
        assert!(!evidence.contains_key("B31"));
        assert!(!evidence.contains_key("PQ-13"), "a switched-off rule is not borne by the test that switches it off");
        for beside_the_code in ["src/a/tests.rs", "src/a/braid_tests.rs"] {
            let (evidence, _) = self::evidence(beside_the_code, text);
            assert!(!evidence["B3"].tests.is_empty(), "{beside_the_code}");
        }
    }

    #[test]
    fn an_id_that_does_not_exist_is_found() {
        let (_, unknown) = evidence("src/a.rs", "// PQ-99, P-256, B64, PQ-x, SP-800\nfn a() {}\n");
        assert_eq!(unknown.into_iter().collect::<Vec<_>>(), ["src/a.rs:1: PQ-99 is no requirement"]);
    }

    #[test]
    fn open_is_what_no_test_bears_and_no_reason_excuses() {
        let (evidence, _) =
            evidence("src/a.rs", "/// PQ-1\nfn a() {}\n#[cfg(test)]\nmod tests {\n/// K-1\n#[test]\nfn t() {}\n}");
        let sections = sections();
        let open: Vec<&str> = all(&sections).filter(|one| is_open(one, &evidence)).map(|one| one.id.as_str()).collect();
        assert_eq!(open, ["PQ-1", "PQ-13", "B3"]);
        assert!(document(&sections, &evidence).contains("| K-1 | f | **OPEN** | `src/a.rs` t |"));
    }

    #[test]
    fn what_tests_bear_and_no_code_cites_is_found() {
        let text = "/// PQ-1\nfn a() {}\n#[cfg(test)]\nmod tests {\n/// PQ-1, PQ-13, B31\n#[test]\nfn t() {}\n}";
        let (evidence, _) = evidence("src/a.rs", text);
        let sections = sections();
        let uncoded: Vec<&str> =
            all(&sections).filter(|one| is_uncoded(one, &evidence)).map(|one| one.id.as_str()).collect();
        assert_eq!(uncoded, ["PQ-13"], "B31 has a reason; what no test bears is open already");
        let document = document(&sections, &evidence);
        assert!(document.contains("1 cited by no code"));
        assert!(document.contains("| PQ-1 | a | `src/a.rs` a | `src/a.rs` t |"));
        assert!(document.contains("| PQ-13 | b | **OPEN** | `src/a.rs` t |"));
    }

    #[test]
    fn a_note_stands_beside_the_tests() {
        let (evidence, _) = evidence("tests/attacks.rs", "/// B31\n#[test]\nfn attack() {}\n");
        let document = document(&sections(), &evidence);
        assert!(document.contains("| B31 | d |  | `tests/attacks.rs` attack<br>*later: e* |"));
        assert!(
            document.contains("5 requirements and attacks: 1 borne by tests (1 with a note), 0 by a stated reason")
        );
    }

    #[test]
    fn an_attack_without_a_control_is_found() {
        let within =
            "/// B3\n#[test]\nfn attack() {\n    fn check() {\n        without(Rule::Pq13, || {});\n    }\n}\n";
        let commented = "/// B3\n#[test]\nfn attack() {\n    // Control: it works on another.\n}\n";
        let neither = "/// B3, K-1: some control.\n#[test]\nfn attack() {}\n";
        let sections = sections();
        for (text, expected) in [(within, 0), (commented, 0), (neither, 1)] {
            let (evidence, _) = evidence("tests/attacks.rs", text);
            assert_eq!(all(&sections).filter(|one| is_uncontrolled(one, &evidence)).count(), expected, "{text}");
        }
    }

    #[test]
    fn scripts_bear_by_their_comments() {
        let (evidence, _) = evidence("tests/interop/run.mjs", "const B3 = 1; // B31, K-1\n");
        assert!(evidence.contains_key("B31") && evidence.contains_key("K-1") && !evidence.contains_key("B3"));
    }
}
