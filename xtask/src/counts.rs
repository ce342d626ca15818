//! What a test runner says at its end.

/// How many tests passed and how many did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
}

impl Counts {
    pub fn total(self) -> u64 {
        self.passed + self.failed
    }

    pub fn add(&mut self, more: Counts) {
        self.passed += more.passed;
        self.failed += more.failed;
    }
}

/// Reads the closing lines of `cargo test`, of nextest, or the plain `N passed, N failed`, and adds them up.
///
/// A test that was ignored or skipped counts as failed: nothing here may be left out in silence. (Tests that a filter
/// left out are not counted by either runner's word for it.)
pub fn read(output: &str) -> Counts {
    let mut counts = Counts::default();
    for line in output.lines().map(str::trim) {
        if let Some(more) = cargo_test(line).or_else(|| nextest(line)).or_else(|| plain(line)) {
            counts.add(more);
        }
    }
    counts
}

/// `test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.10s`
fn cargo_test(line: &str) -> Option<Counts> {
    let rest = line.strip_prefix("test result:")?;
    Some(Counts {
        passed: number_before(rest, " passed")?,
        failed: number_before(rest, " failed")? + number_before(rest, " ignored")?,
    })
}

/// `Summary [   0.123s] 12 tests run: 11 passed (1 slow), 1 failed, 0 skipped`; `3/12 tests run` when it gave up.
fn nextest(line: &str) -> Option<Counts> {
    let rest = line.strip_prefix("Summary [")?;
    let planned = number_before(rest, " tests run:").or_else(|| number_before(rest, " test run:"))?;
    let passed = number_before(rest, " passed").unwrap_or(0);
    Some(Counts { passed, failed: planned.saturating_sub(passed) })
}

/// `12 passed, 0 failed`, alone on its line.
fn plain(line: &str) -> Option<Counts> {
    let (passed, failed) = line.strip_suffix(" failed")?.split_once(" passed, ")?;
    Some(Counts { passed: passed.parse().ok()?, failed: failed.parse().ok()? })
}

fn number_before(text: &str, word: &str) -> Option<u64> {
    let before = &text[..text.find(word)?];
    let digits = before.rfind(|character: char| !character.is_ascii_digit()).map_or(0, |at| at + 1);
    before[digits..].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64) -> Counts {
        Counts { passed, failed }
    }

    #[test]
    fn adds_the_results_of_cargo_test() {
        let output = "running 2 tests\n\
            test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.00s\n\
            test result: FAILED. 5 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s\n";
        assert_eq!(read(output), counts(7, 1));
    }

    #[test]
    fn an_ignored_test_has_not_passed() {
        let output = "test result: ok. 2 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(read(output), counts(2, 3));
    }

    #[test]
    fn reads_the_summary_of_nextest() {
        assert_eq!(read("     Summary [   0.123s] 12 tests run: 12 passed, 0 skipped"), counts(12, 0));
        assert_eq!(read("     Summary [   0.1s] 1 test run: 1 passed, 4 skipped"), counts(1, 0));
        assert_eq!(
            read("     Summary [   9.1s] 12 tests run: 10 passed (1 slow), 1 failed, 1 timed out"),
            counts(10, 2)
        );
        assert_eq!(read("     Summary [   9.1s] 3/12 tests run: 2 passed, 1 failed, 0 skipped"), counts(2, 10));
        assert_eq!(read("     Summary [   0.1s] 2 tests run: 0 passed, 2 failed, 0 skipped"), counts(0, 2));
    }

    #[test]
    fn reads_the_plain_line_and_nothing_like_it() {
        assert_eq!(read("200 passed, 0 failed"), counts(200, 0));
        assert_eq!(read("about 200 passed, 0 failed"), counts(0, 0));
        assert_eq!(read("everything passed, nothing failed"), counts(0, 0));
        assert_eq!(read(""), counts(0, 0));
    }
}
