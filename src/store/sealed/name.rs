//! How a record is named: a table, then texts and numbers.

use core::fmt;

/// The name of a record, or the beginning of the names of several: `RecordName::table("session").text(b"bob").number(7)`.
///
/// Equal names have equal components of equal kinds; no two names share a hidden form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordName {
    components: Vec<Component>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Component {
    Table(&'static str),
    Text(Vec<u8>),
    Number(u64),
}

impl RecordName {
    /// All records of a table.
    #[must_use]
    pub fn table(label: &'static str) -> Self {
        Self { components: vec![Component::Table(label)] }
    }

    /// Those whose next component is `text`, of which the backend sees a keyed hash.
    #[must_use]
    pub fn text(mut self, text: &[u8]) -> Self {
        self.components.push(Component::Text(text.to_vec()));
        self
    }

    /// Those whose next component is `number`, which the backend sees: numbers keep their order.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.components.push(Component::Number(number));
        self
    }

    /// The hidden form. `hash` is asked for each component that is no number, with its kind, the hidden form of what stands before it, and its bytes.
    pub(super) fn hide(&self, hash: impl Fn(u8, &[u8], &[u8]) -> [u8; HASH]) -> Vec<u8> {
        let mut hidden = Vec::with_capacity(self.components.len() * (1 + HASH));
        for component in &self.components {
            match component {
                Component::Table(label) => append(&mut hidden, TABLE, |before| hash(TABLE, before, label.as_bytes())),
                Component::Text(text) => append(&mut hidden, TEXT, |before| hash(TEXT, before, text)),
                Component::Number(number) => append(&mut hidden, NUMBER, |_| number.to_be_bytes()),
            }
        }
        hidden
    }
}

/// A name says whom the user writes to.
impl fmt::Debug for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.components.iter().find_map(|component| match component {
            Component::Table(label) => Some(*label),
            _ => None,
        });
        write!(f, "RecordName({}, ..)", table.unwrap_or_default())
    }
}

/// Bytes of the hash that hides a component.
pub(super) const HASH: usize = 16;

/// The kinds, each the byte that its components begin with. They make the hidden form readable from left to right in one way only.
const TABLE: u8 = 1;
const TEXT: u8 = 2;
const NUMBER: u8 = 3;

fn append<const N: usize>(hidden: &mut Vec<u8>, kind: u8, form: impl FnOnce(&[u8]) -> [u8; N]) {
    let form = form(hidden);
    hidden.push(kind);
    hidden.extend_from_slice(&form);
}

/// The hidden form of `number` behind the hidden prefix.
pub(super) fn behind(prefix: &[u8], number: u64) -> Vec<u8> {
    let mut hidden = prefix.to_vec();
    append(&mut hidden, NUMBER, |_| number.to_be_bytes());
    hidden
}

/// The number that a hidden name ends in; 0 if it ends in something else.
pub(super) fn last_number(mut hidden: &[u8]) -> u64 {
    let mut last = 0;
    while let Some((&kind, rest)) = hidden.split_first() {
        let length = if kind == NUMBER { 8 } else { HASH };
        let Some((form, behind)) = rest.split_at_checked(length) else { return 0 };
        last = if kind == NUMBER { form.try_into().map(u64::from_be_bytes).unwrap_or_default() } else { 0 };
        hidden = behind;
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hash::sha256;

    fn hide(name: &RecordName) -> Vec<u8> {
        name.hide(|kind, before, bytes| {
            let length = [u8::try_from(before.len()).unwrap()];
            *sha256(&[&[kind], &length, before, bytes]).first_chunk().unwrap()
        })
    }

    #[test]
    fn numbers_keep_their_order_and_are_read_back() {
        let log = RecordName::table("log").text(b"bob");
        let numbers = [0, 1, 255, 256, u64::from(u32::MAX), u64::MAX - 1, u64::MAX];
        let hidden: Vec<_> = numbers.iter().map(|number| hide(&log.clone().number(*number))).collect();
        assert!(hidden.is_sorted());
        assert_eq!(hidden.iter().map(|name| last_number(name)).collect::<Vec<_>>(), numbers);
        assert!(hidden.iter().zip(numbers).all(|(name, number)| *name == behind(&hide(&log), number)));
        assert_eq!(last_number(&hide(&log.clone().number(7).text(b"x"))), 0);
        assert_eq!(last_number(&hidden[1][..30]), 0);
    }

    #[test]
    fn a_prefix_of_components_is_a_prefix_of_bytes_and_nothing_else_is() {
        let bob = RecordName::table("session").text(b"bob");
        assert!(hide(&bob.clone().number(7)).starts_with(&hide(&bob)));
        assert!(hide(&bob).starts_with(&hide(&RecordName::table("session"))));
        for other in [
            RecordName::table("session").text(b"bobby"),
            RecordName::table("sessio").text(b"nbob"),
            RecordName::table("session").text(b"").text(b"bob"),
            RecordName::table("other").text(b"bob"),
            RecordName::table("session").number(u64::from_be_bytes(*b"bobbobbo")),
        ] {
            assert!(!hide(&other.clone().number(7)).starts_with(&hide(&bob)), "{other:?}");
        }
        // The same text behind another component has another form: the backend cannot tell that the two are one user.
        let one = hide(&RecordName::table("a").number(1).text(b"bob"));
        let two = hide(&RecordName::table("a").number(2).text(b"bob"));
        assert_ne!(one[one.len() - HASH..], two[two.len() - HASH..]);
    }

    #[test]
    fn debug_shows_the_table_alone() {
        assert_eq!(format!("{:?}", RecordName::table("session").text(b"bob").number(7)), "RecordName(session, ..)");
    }
}
