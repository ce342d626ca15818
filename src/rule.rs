//! The rules that an attack test can switch off, to prove that the test would notice.
//!
//! A rule stands where the engine enforces a requirement of `docs/requirements.md`:
//! `if rule::on(Rule::Pq13) && !signature_ok { return Err(…) }`. In every ordinary build [`on`] is the
//! constant `true` and costs nothing. Only with the private feature `__internals` can a test suspend one rule, for
//! its own thread, and watch its attack succeed.

/// A requirement that some attack needs to be broken. Named after its id: `Pq13` is PQ-13, `L6M1` is what mutant M1 of section C8, L6, breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, dead_code, reason = "each name is the id of the requirement that documents it")]
pub enum Rule {
    B11,
    B15,
    B16,
    B31,
    B38,
    B39,
    B45,
    B48,
    B49,
    B79,
    Br2,
    Br3,
    Br7,
    Br12,
    D5,
    Dr5,
    Dr6,
    Dr7,
    Dr8,
    Dr15,
    He6,
    K3,
    K4,
    L6M1,
    L6M2,
    L6M3,
    L6M4,
    L6M5,
    L6M6,
    L6M9,
    L6M11,
    L6M12,
    L6M13,
    M2,
    P2,
    P5,
    Pq2,
    Pq4,
    Pq11,
    Pq12,
    Pq13,
    Pq16,
    Pq19,
    Pq20,
    Pq26,
    Se3,
    Se8,
    Se10,
    Se11,
    Sn2,
    Sn4,
    Sp7,
    Sp9,
    Sp11,
    Ss1,
    Ss2,
    Ss5,
    X310,
    X312,
    Xe5,
    Xe6,
}

/// Whether `rule` is in force.
#[cfg(not(feature = "__internals"))]
#[inline(always)]
pub const fn on(_rule: Rule) -> bool {
    true
}

#[cfg(feature = "__internals")]
pub use switch::{on, without};

#[cfg(feature = "__internals")]
mod switch {
    use super::Rule;
    use std::cell::Cell;

    thread_local!(static SUSPENDED: Cell<Option<Rule>> = const { Cell::new(None) });

    /// Whether `rule` is in force on this thread.
    pub fn on(rule: Rule) -> bool {
        SUSPENDED.get() != Some(rule)
    }

    /// Runs `attack` with `rule` switched off: the negative control of an attack test.
    pub fn without<T>(rule: Rule, attack: impl FnOnce() -> T) -> T {
        struct Restore;
        impl Drop for Restore {
            fn drop(&mut self) {
                SUSPENDED.set(None);
            }
        }
        let _restore = Restore;
        SUSPENDED.set(Some(rule));
        attack()
    }
}
