//! Seeds, and what is drawn from them.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

/// Everything random in a schedule comes from here.
pub type Rng = ChaCha12Rng;

/// Runs `property` on `schedules` schedules, or as many as the environment says.
pub fn on_schedules(schedules: u64, mut property: impl FnMut(&mut Rng)) {
    if let Some(seed) = number("UNDERTONE_SEED") {
        return property(&mut Rng::seed_from_u64(seed));
    }
    for seed in 0..number("UNDERTONE_SCHEDULES").unwrap_or(schedules) {
        let shown = ShownOnFailure(seed);
        property(&mut Rng::seed_from_u64(seed));
        drop(shown);
    }
}

/// One of `items`.
pub fn one_of<'a, T>(items: &'a [T], rng: &mut Rng) -> &'a T {
    &items[rng.random_range(0..items.len())]
}

/// Whether an event of this probability takes place, in percent.
pub fn happens(percent: u32, rng: &mut Rng) -> bool {
    rng.random_ratio(percent, 100)
}

struct ShownOnFailure(u64);

impl Drop for ShownOnFailure {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the schedule that failed: UNDERTONE_SEED={}", self.0);
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}
