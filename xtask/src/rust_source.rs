//! Reads a Rust file line by line, as far as its comments, its items and its tests go. No parser: rustfmt's output is
//! regular enough.

use std::collections::HashSet;

/// One line of a Rust file.
#[derive(Debug, Default)]
pub struct Line {
    /// From 1.
    pub number: usize,
    /// What is neither comment nor the content of a string.
    pub code: String,
    /// The text of its comment.
    pub comment: String,
    /// Whether the comment is of a kind that documents the next item.
    pub documents_next: bool,
    /// Whether the comment documents the whole file.
    pub documents_file: bool,
    /// Whether it belongs to a unit test module, or to a test file.
    pub in_test: bool,
    /// The item that this line begins.
    pub declares: Option<Item>,
    /// The innermost function, or else the innermost type, that it lies in.
    pub within: Option<Item>,
    /// The test that it lies in, be it within a function of the test's own.
    pub test: Option<String>,
    /// How many modules it lies in that were opened in this file.
    pub modules: usize,
}

/// A named item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub name: String,
    pub kind: Kind,
    pub is_test: bool,
}

/// What an item is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Function,
    Module,
    Other,
}

/// Reads `text`.
pub fn read(text: &str) -> Vec<Line> {
    let mut lines = split(text);
    mark_items(&mut lines);
    mark_tests(&mut lines);
    lines
}

impl Line {
    /// The item that a comment on this line speaks of, given all the lines of the file.
    pub fn subject(&self, lines: &[Line]) -> Option<Item> {
        let after = lines.iter().skip(self.number);
        let next = || after.take_while(|line| line.goes_before_an_item() || line.declares.is_some());
        let next_item = || next().find_map(|line| line.declares.clone());
        let enclosing_function = self.within.clone().filter(|item| item.kind == Kind::Function);
        if self.documents_next {
            next_item().or_else(|| self.within.clone())
        } else {
            self.declares.clone().or(enclosing_function).or_else(next_item).or_else(|| self.within.clone())
        }
    }

    fn goes_before_an_item(&self) -> bool {
        let code = self.code.trim();
        code.is_empty() || code.starts_with("#[") || code.ends_with(")]")
    }
}

/// Separates code from comments and empties the strings.
fn split(text: &str) -> Vec<Line> {
    enum State {
        Code,
        BlockComment(usize),
        Text,
        RawText(usize),
    }
    let mut state = State::Code;
    let mut lines = Vec::new();
    for (index, source) in text.lines().enumerate() {
        let mut line = Line { number: index + 1, ..Line::default() };
        let characters: Vec<char> = source.chars().collect();
        let at = |position: usize| characters.get(position).copied().unwrap_or('\n');
        let mut position = 0;
        while position < characters.len() {
            let one = at(position);
            match state {
                State::BlockComment(depth) => {
                    if one == '*' && at(position + 1) == '/' {
                        state = if depth > 1 { State::BlockComment(depth - 1) } else { State::Code };
                        position += 2;
                    } else if one == '/' && at(position + 1) == '*' {
                        state = State::BlockComment(depth + 1);
                        position += 2;
                    } else {
                        line.comment.push(one);
                        position += 1;
                    }
                }
                State::Text => match one {
                    '\\' => position += 2,
                    '"' => {
                        line.code.push('"');
                        state = State::Code;
                        position += 1;
                    }
                    _ => position += 1,
                },
                State::RawText(hashes) => {
                    let closes = one == '"' && (1..=hashes).all(|offset| at(position + offset) == '#');
                    position += if closes { 1 + hashes } else { 1 };
                    if closes {
                        line.code.push('"');
                        state = State::Code;
                    }
                }
                State::Code if one == '/' && at(position + 1) == '/' => {
                    let rest: String = characters.iter().skip(position + 2).collect();
                    line.documents_next = rest.starts_with('/') && !rest.starts_with("//");
                    line.documents_file = rest.starts_with('!');
                    line.comment.push_str(rest.trim_start_matches(['/', '!']));
                    break;
                }
                State::Code if one == '/' && at(position + 1) == '*' => {
                    state = State::BlockComment(1);
                    position += 2;
                }
                State::Code if one == '"' => {
                    line.code.push('"');
                    let hashes = line.code.chars().rev().skip(1).take_while(|&hash| hash == '#').count();
                    let before: String = line.code.chars().rev().skip(1 + hashes).take(1).collect();
                    state = if before == "r" { State::RawText(hashes) } else { State::Text };
                    position += 1;
                }
                State::Code if one == '\'' && at(position + 1) == '\\' => {
                    position += 3;
                    while position < characters.len() && at(position) != '\'' {
                        position += 1;
                    }
                    position += 1;
                }
                State::Code if one == '\'' && at(position + 2) == '\'' => position += 3,
                State::Code => {
                    line.code.push(one);
                    position += 1;
                }
            }
        }
        lines.push(line);
    }
    lines
}

/// Finds what each line declares and what it lies in.
fn mark_items(lines: &mut [Line]) {
    let mut open: Vec<Option<Item>> = Vec::new();
    let mut pending: Option<Item> = None;
    let mut brackets = 0_i32;
    let mut test_attribute = false;
    for line in lines {
        line.within = innermost(&open);
        line.test = open.iter().flatten().find(|item| item.is_test).map(|item| item.name.clone());
        line.modules = open.iter().flatten().filter(|item| item.kind == Kind::Module).count();
        test_attribute |= line.code.contains("#[test]") || line.code.contains("::test]");
        if let Some((name, kind)) = declaration(&line.code) {
            let item = Item { name, kind, is_test: kind == Kind::Function && test_attribute };
            test_attribute = false;
            line.declares = Some(item.clone());
            pending = Some(item);
        }
        for one in line.code.chars() {
            match one {
                '{' => open.push(pending.take()),
                '}' => drop(open.pop()),
                '(' | '[' => brackets += 1,
                ')' | ']' => brackets -= 1,
                ';' if brackets == 0 => pending = None,
                _ => {}
            }
        }
    }
}

fn innermost(open: &[Option<Item>]) -> Option<Item> {
    let named = || open.iter().rev().flatten();
    named().find(|item| item.kind == Kind::Function).or_else(|| named().next()).cloned()
}

/// The name of the item that a line of code begins, and its kind.
fn declaration(code: &str) -> Option<(String, Kind)> {
    const BEFORE: [&str; 7] = ["pub", "const", "async", "unsafe", "extern", "default", "static"];
    const KINDS: [&str; 7] = ["fn", "struct", "enum", "trait", "type", "mod", "union"];
    let code = code.trim();
    if let Some(rest) = code.strip_prefix("macro_rules!") {
        return Some((identifier(rest.trim())?, Kind::Other));
    }
    if code == "impl" || code.starts_with("impl ") || code.starts_with("impl<") {
        return Some((code.trim_end_matches('{').trim().to_owned(), Kind::Other));
    }
    let mut constant = false;
    for word in code.split_whitespace() {
        let bare = word.split('(').next().unwrap_or(word);
        if KINDS.contains(&bare) {
            let after = code.split_once(&format!("{bare} "))?.1;
            let kind = match bare {
                "fn" => Kind::Function,
                "mod" => Kind::Module,
                _ => Kind::Other,
            };
            return Some((identifier(after.trim())?, kind));
        }
        if BEFORE.contains(&bare) || bare.starts_with('"') || bare.ends_with(')') {
            constant |= matches!(bare, "const" | "static");
        } else {
            return constant.then(|| identifier(word)).flatten().map(|name| (name, Kind::Other));
        }
    }
    None
}

fn identifier(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|&one| one.is_alphanumeric() || one == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// Marks everything below a `#[cfg(test)]`.
fn mark_tests(lines: &mut [Line]) {
    let mut depth = 0_i32;
    let mut awaited = false;
    let mut until: Option<i32> = None;
    for line in lines {
        awaited |= until.is_none() && (line.code.contains("#[cfg(test)]") || line.code.contains("#[cfg(all(test"));
        line.in_test = until.is_some() || awaited;
        for one in line.code.chars() {
            match one {
                '{' => {
                    if awaited {
                        until = Some(depth);
                        awaited = false;
                    }
                    depth += 1;
                }
                '}' => {
                    depth -= 1;
                    if until == Some(depth) {
                        until = None;
                    }
                }
                ';' if awaited => awaited = false,
                _ => {}
            }
        }
    }
}

/// The names that the file's own `use crate::…`, `use super::…`, `use self::…` and `mod …` bring in.
pub fn own_names(lines: &[Line]) -> HashSet<String> {
    let mut names = HashSet::new();
    let mut statement = String::new();
    for line in lines {
        let code = line.code.trim();
        if let Some(module) = code.split("mod ").nth(1).filter(|_| code.starts_with("mod ") || code.contains(" mod ")) {
            names.extend(identifier(module));
        }
        let begins = code.starts_with("use ") || (code.starts_with("pub") && code.contains(" use "));
        if begins || !statement.is_empty() {
            statement.push_str(code);
        }
        if statement.ends_with(';') {
            if ["use crate::", "use super::", "use self::"].iter().any(|root| statement.contains(root)) {
                names.extend(words(&statement).map(str::to_owned));
            }
            statement.clear();
        }
    }
    names
}

/// The identifiers of a piece of code.
pub fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|one: char| !one.is_alphanumeric() && one != '_').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r##"//! The file.
use crate::one::Two;
/// PQ-1: a key.
pub struct Key {
    /// PQ-2: a field.
    inner: [u8; 32],
}
// PQ-3: why.
const LIMIT: usize = 2;
impl Key {
    /// PQ-4
    #[must_use]
    pub(crate) const fn open(&self, text: [u8; 2]) -> u8 {
        let a = "// no comment { \" '";
        let b = r#"" { "#; let c = '{'; let d: &'static str = "";
        0 // PQ-5
    }
}
#[cfg(test)]
mod tests {
    /// PQ-6
    #[test]
    fn bears() {
        // PQ-7
    }
}
fn after() {}
"##;

    fn subject(id: &str) -> (String, bool, bool) {
        let lines = read(SAMPLE);
        let line = lines.iter().find(|line| line.comment.contains(id)).unwrap();
        let item = line.subject(&lines).unwrap();
        (item.name, item.is_test, line.in_test)
    }

    #[test]
    fn a_comment_finds_the_item_it_speaks_of() {
        assert_eq!(subject("PQ-1"), ("Key".into(), false, false));
        assert_eq!(subject("PQ-2"), ("Key".into(), false, false));
        assert_eq!(subject("PQ-3"), ("LIMIT".into(), false, false));
        assert_eq!(subject("PQ-4"), ("open".into(), false, false));
        assert_eq!(subject("PQ-5"), ("open".into(), false, false));
        assert_eq!(subject("PQ-6"), ("bears".into(), true, true));
        assert_eq!(subject("PQ-7"), ("bears".into(), true, true));
    }

    #[test]
    fn strings_are_neither_code_nor_comment() {
        let lines = read(SAMPLE);
        assert!(lines.iter().all(|line| !line.comment.contains("no comment")));
        assert!(lines.last().is_some_and(|line| !line.in_test && line.within.is_none()));
    }

    #[test]
    fn own_names_come_from_use_and_mod() {
        let names = own_names(&read("use crate::a::{b, c as d};\nuse std::e;\npub mod f;\npub(crate) use super::g;\n"));
        for own in ["a", "b", "d", "f", "g"] {
            assert!(names.contains(own), "{own}");
        }
        assert!(!names.contains("e"));
    }
}
