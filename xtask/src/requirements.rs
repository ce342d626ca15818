//! The catalogue of requirements and attacks, `xtask/requirements.txt`.
//!
//! ```text
//! [Title of a section]
//! PQ-13: what is required, on one line
//!   later: why nothing here bears it yet, if so
//!   stated: where and why it holds without a test, or how far what the tests show differs from its source, if so
//! ```

/// A section of the catalogue.
#[derive(Debug)]
pub struct Section {
    pub title: String,
    pub requirements: Vec<Requirement>,
}

/// One requirement or attack.
#[derive(Debug)]
pub struct Requirement {
    pub id: String,
    pub statement: String,
    pub reason: Option<String>,
}

impl Requirement {
    /// The name of its switch in `src/rule.rs`: `Pq13` for PQ-13.
    pub fn switch(&self) -> String {
        let (first, rest) = self.id.split_at(1);
        first.to_owned() + &rest.replace('-', "").to_lowercase()
    }

    /// Whether it is an attack: `B` and a number.
    pub fn is_attack(&self) -> bool {
        self.id.strip_prefix('B').is_some_and(|number| number.bytes().all(|one| one.is_ascii_digit()))
    }
}

/// Reads the catalogue.
pub fn parse(text: &str) -> Result<Vec<Section>, String> {
    let mut sections: Vec<Section> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let wrong = |what: &str| format!("xtask/requirements.txt:{}: {what}", index + 1);
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if let Some(title) = content.strip_prefix('[').and_then(|title| title.strip_suffix(']')) {
            sections.push(Section { title: title.to_owned(), requirements: Vec::new() });
            continue;
        }
        let known = |id: &str| sections.iter().flat_map(|section| &section.requirements).any(|one| one.id == id);
        let (key, value) = content.split_once(": ").ok_or_else(|| wrong("no `: `"))?;
        let repeated = known(key);
        let section = sections.last_mut().ok_or_else(|| wrong("no section yet"))?;
        if line.starts_with(' ') {
            let requirement = section.requirements.last_mut().ok_or_else(|| wrong("no requirement yet"))?;
            if !matches!(key, "later" | "stated") || requirement.reason.is_some() {
                return Err(wrong("one reason, `later` or `stated`"));
            }
            requirement.reason = Some(content.to_owned());
        } else if repeated {
            return Err(wrong("the same id again"));
        } else {
            let (id, statement) = (key.to_owned(), value.to_owned());
            section.requirements.push(Requirement { id, statement, reason: None });
        }
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sections_statements_and_reasons() {
        let sections = parse("# note\n[One]\nPQ-1: a\nB31: b: c\n  later: d\n\n[Two]\nX3-1: e\n").unwrap();
        assert_eq!(sections.len(), 2);
        let one = &sections[0].requirements;
        assert_eq!((one[0].statement.as_str(), one[0].reason.as_deref()), ("a", None));
        assert_eq!((one[1].statement.as_str(), one[1].reason.as_deref()), ("b: c", Some("later: d")));
        assert_eq!((one[0].switch(), one[1].switch()), ("Pq1".into(), "B31".into()));
        assert_eq!(sections[1].requirements[0].switch(), "X31");
    }

    #[test]
    fn refuses_what_it_cannot_place() {
        for text in
            ["PQ-1: a", "[One]\n  later: a", "[One]\nPQ-1: a\nPQ-1: b", "[One]\nPQ-1", "[One]\nPQ-1: a\n  soon: b"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_catalogue_of_this_repository_is_well_formed() {
        let sections = parse(include_str!("../requirements.txt")).unwrap();
        assert!(sections.iter().map(|section| section.requirements.len()).sum::<usize>() > 150);
    }
}
