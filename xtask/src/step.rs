//! One command of a suite: run, logged, counted.

use crate::counts::{self, Counts};
use crate::workspace;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// How many lines of a failed command's log are shown.
const TAIL: usize = 80;

/// How a command tells how it went.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It counts its tests, and has at least one.
    Tests,
    /// Its exit status is one check, passed or failed.
    Check,
    /// Nothing is proven by it; without it the suite cannot go on.
    Preparation,
}

/// What became of one suite.
pub struct Report {
    pub suite: String,
    pub counts: Counts,
    pub time: Duration,
}

impl Report {
    pub fn new(suite: &str) -> Self {
        Self { suite: suite.to_owned(), counts: Counts::default(), time: Duration::ZERO }
    }

    /// Runs `command`, with its output in `target/xtask/SUITE-NAME.log`, and adds what it counts. True if it went well.
    pub fn run(&mut self, name: &str, verdict: Verdict, command: &mut Command) -> bool {
        self.announce(name);
        let begin = Instant::now();
        let (output, succeeded) = match logged(&log_file(&self.suite, name), command) {
            Ok(done) => done,
            Err(reason) => (reason, false),
        };
        let counted = match verdict {
            Verdict::Tests => counts::read(&output),
            Verdict::Check | Verdict::Preparation => Counts::default(),
        };
        let problem = if counted.failed > 0 {
            Some(format!("{} failed", counted.failed))
        } else if !succeeded {
            Some("it ended with an error".to_owned())
        } else if verdict == Verdict::Tests && counted.total() == 0 {
            Some("it ran nothing".to_owned())
        } else {
            None
        };
        let found = match (verdict, &problem) {
            (Verdict::Check, None) => Counts { passed: 1, failed: 0 },
            (_, Some(_)) if counted.failed == 0 => Counts { passed: counted.passed, failed: 1 },
            _ => counted,
        };
        self.conclude(begin.elapsed(), found, problem.map(|problem| format!("{problem}\n{}", tail(&output))))
    }

    /// Runs a check of our own: a list of complaints, empty when all is well.
    pub fn check(&mut self, name: &str, check: impl FnOnce() -> Result<(), String>) -> bool {
        self.announce(name);
        let begin = Instant::now();
        match check() {
            Ok(()) => self.conclude(begin.elapsed(), Counts { passed: 1, failed: 0 }, None),
            Err(problem) => self.conclude(begin.elapsed(), Counts { passed: 0, failed: 1 }, Some(problem)),
        }
    }

    fn announce(&self, name: &str) {
        println!("{:<10} {name} …", self.suite);
    }

    fn conclude(&mut self, time: Duration, found: Counts, problem: Option<String>) -> bool {
        self.counts.add(found);
        self.time += time;
        let seconds = time.as_secs();
        match problem {
            None if found.total() == 0 => println!("{:<10}   ready ({seconds} s)", self.suite),
            None => println!("{:<10}   {} passed ({seconds} s)", self.suite, found.passed),
            Some(problem) => println!("{:<10}   FAILED ({seconds} s): {problem}", self.suite),
        }
        found.failed == 0
    }
}

fn logged(path: &PathBuf, command: &mut Command) -> Result<(String, bool), String> {
    let cannot = |error: std::io::Error| format!("{}: {error}", command.get_program().to_string_lossy());
    fs::create_dir_all(path.parent().unwrap_or(path)).map_err(cannot)?;
    let log = File::create(path).map_err(cannot)?;
    let again = log.try_clone().map_err(cannot)?;
    let status = command
        .env("CARGO_TERM_COLOR", "never")
        .env("NO_COLOR", "1")
        .stdin(std::process::Stdio::null())
        .stdout(log)
        .stderr(again)
        .status()
        .map_err(|error| format!("{}: {error}", command.get_program().to_string_lossy()))?;
    let output = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((String::from_utf8_lossy(&output).into_owned(), status.success()))
}

fn log_file(suite: &str, name: &str) -> PathBuf {
    let name: String = name.chars().map(|one| if one.is_ascii_alphanumeric() { one } else { '-' }).collect();
    workspace::target_directory().join("xtask").join(format!("{suite}-{name}.log"))
}

fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    let from = lines.len().saturating_sub(TAIL);
    lines.iter().skip(from).map(|line| format!("    {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(name: &str, verdict: Verdict, command: &mut Command) -> Counts {
        let mut report = Report::new("of a test");
        let succeeded = report.run(name, verdict, command);
        assert_eq!(succeeded, report.counts.failed == 0);
        report.counts
    }

    #[test]
    fn a_command_that_ran_no_test_fails() {
        let version = |verdict, name| counted(name, verdict, workspace::cargo().arg("--version"));
        assert_eq!(version(Verdict::Tests, "no test"), Counts { passed: 0, failed: 1 });
        assert_eq!(version(Verdict::Check, "a check"), Counts { passed: 1, failed: 0 });
        assert_eq!(version(Verdict::Preparation, "a preparation"), Counts { passed: 0, failed: 0 });
        let said = |name, line: &str| counted(name, Verdict::Tests, Command::new("echo").arg(line));
        assert_eq!(said("no result", "0 passed, 0 failed"), Counts { passed: 0, failed: 1 });
        assert_eq!(said("two tests", "2 passed, 0 failed"), Counts { passed: 2, failed: 0 });
        assert_eq!(said("a failed test", "2 passed, 1 failed"), Counts { passed: 2, failed: 1 });
    }

    #[test]
    fn a_command_that_fails_is_counted_whatever_it_says() {
        for (name, verdict) in
            [("tests", Verdict::Tests), ("check", Verdict::Check), ("preparation", Verdict::Preparation)]
        {
            let no_such = format!("{name} that fails");
            let counts = counted(&no_such, verdict, workspace::cargo().arg("no-such-subcommand"));
            assert_eq!(counts, Counts { passed: 0, failed: 1 });
            let counts = counted(&no_such, verdict, &mut Command::new("there-is-no-such-program"));
            assert_eq!(counts, Counts { passed: 0, failed: 1 });
        }
    }
}
