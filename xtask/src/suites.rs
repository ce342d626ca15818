//! The suites of `cargo xtask test`, and the table at its end.

use crate::counts::Counts;
use crate::step::{Report, Verdict};
use crate::{errors, machine, structure, trace, workspace};
use std::process::Command;
use std::time::Duration;

/// Every suite, by the name it keeps for good.
const SUITES: [(&str, Suite); 9] = [
    ("core", core),
    ("vectors", vectors),
    ("interop", interop),
    ("properties", properties),
    ("store", store),
    ("transport", transport),
    ("hostile", hostile),
    ("crash", crash),
    ("wasm", wasm),
];

/// All features, for tests that open the engine's private floors.
const EVERYTHING: &str = "signal,conformance,websocket,__internals";

/// Integration tests that are suites of their own; every other one belongs to `core`.
const VECTORS: &[&str] = &["primitives", "vectors"];
const PROPERTIES: &[&str] = &["properties"];
const STORE: &[&str] = &["store", "two_processes"];
const TRANSPORT: &[&str] = &["transport"];
const HOSTILE: &[&str] = &["hostile"];
const CRASH: &[&str] = &["crash"];

/// What browsers run, and what a test program can run in: the same code, with a place to print to.
const BROWSER: &str = "wasm32-unknown-unknown";
const WASI: &str = "wasm32-wasip1";

type Suite = fn(&mut Report, &Options);

struct Options {
    /// Interop schedules to run.
    schedules: u32,
}

/// Runs the suites named, or all; fails if a test fails or a suite ran none.
pub fn run(arguments: &[&str]) -> Result<(), String> {
    let (names, options) = parse(arguments)?;
    let mut reports = Vec::new();
    for (name, suite) in SUITES {
        if names.is_empty() || names.contains(&name) {
            reports.push(run_suite(name, suite, &options));
        }
    }
    let sum = print_table(&reports);
    println!("\n{} passed, {} failed", sum.passed, sum.failed);
    if sum.failed == 0 { Ok(()) } else { Err(String::new()) }
}

/// The names of all suites, for people.
pub fn all_names() -> String {
    SUITES.map(|(name, _)| name).join(", ")
}

/// A suite that ran nothing has failed.
fn run_suite(name: &str, suite: Suite, options: &Options) -> Report {
    let mut report = Report::new(name);
    suite(&mut report, options);
    if report.counts.total() == 0 {
        report.check("count", || Err("the suite ran nothing".to_owned()));
    }
    report
}

fn parse<'a>(arguments: &[&'a str]) -> Result<(Vec<&'a str>, Options), String> {
    let mut names = Vec::new();
    let mut options = Options { schedules: 200 };
    let mut rest = arguments.iter();
    while let Some(&argument) = rest.next() {
        if argument == "--schedules" {
            options.schedules =
                rest.next().and_then(|number| number.parse().ok()).ok_or("--schedules takes a number")?;
        } else if SUITES.iter().any(|(name, _)| *name == argument) {
            names.push(argument);
        } else {
            return Err(format!("there is no suite {argument}; the suites are {}", all_names()));
        }
    }
    Ok((names, options))
}

/// The engine by itself: how it is written, what it documents, its unit, documentation and attack tests, its example.
fn core(report: &mut Report, _: &Options) {
    if !machine::rust_components(report) {
        return;
    }
    report.run("format", Verdict::Check, workspace::cargo().args(["fmt", "--all", "--check"]));
    report.check("structure", structure::run);
    report.check("requirements", trace::check);
    report.check("table of errors", errors::check);
    if let Some(mut deny) = machine::cargo_deny(report) {
        deny.args(["check", "licenses", "bans", "sources"]);
        report.run("licences, bans, sources", Verdict::Check, &mut deny);
    }
    for (name, features) in [("lints", ""), ("lints, feature signal", "signal"), ("lints, every feature", EVERYTHING)] {
        let mut clippy = workspace::cargo();
        clippy.args(["clippy", "--workspace", "--all-targets", "--features", features, "--", "-D", "warnings"]);
        report.run(name, Verdict::Check, &mut clippy);
    }
    let mut doc = workspace::cargo();
    doc.args(["doc", "--no-deps", "--package", "undertone", "--features", "signal"]).env("RUSTDOCFLAGS", "-D warnings");
    report.run("documentation", Verdict::Check, &mut doc);

    report.run("tasks", Verdict::Tests, tests("xtask", "").arg("--bins"));
    report.run("unit tests", Verdict::Tests, tests("undertone", "").arg("--lib"));
    let mut everything = tests("undertone", EVERYTHING);
    everything.arg("--lib");
    let others = [VECTORS, PROPERTIES, STORE, TRANSPORT, HOSTILE, CRASH].concat();
    for target in integration_tests(|target| !others.contains(&target)) {
        everything.args(["--test", &target]);
    }
    report.run("unit and attack tests, every feature", Verdict::Tests, &mut everything);
    for (name, features) in [("documentation tests", ""), ("documentation tests, every feature", EVERYTHING)] {
        let mut examples = workspace::cargo();
        examples.args(["test", "--doc", "--package", "undertone", "--features", features]);
        report.run(name, Verdict::Tests, &mut examples);
    }

    report.run("examples", Verdict::Check, workspace::cargo().args(["build", "--examples", "--features", "signal"]));
    for example in ["quickstart", "engine"] {
        report.run(example, Verdict::Check, workspace::cargo().args(["run", "--example", example]));
    }
}

/// Published known answers, and our own recomputed by a program that shares nothing with the engine.
fn vectors(report: &mut Report, _: &Options) {
    integration_suite(report, VECTORS);
    let folder = workspace::root().join("tests/vectors");
    if let Some(python) = machine::python(report, &folder.join("requirements.txt")) {
        let mut program = Command::new(python);
        program.current_dir(&folder).args(["undertone_1.py", "--check"]);
        report.run("undertone-1.json", Verdict::Tests, &mut program);
    }
}

/// Random schedules with the official client at the other end.
fn interop(report: &mut Report, options: &Options) {
    let mut agent = workspace::cargo();
    agent.args(["build", "--release", "--example", "conformance", "--features", "signal"]);
    let Some(node) = machine::node(report) else { return };
    if !report.run("conformance agent", Verdict::Preparation, &mut agent) {
        return;
    }
    let folder = workspace::root().join("tests/interop");
    let mut npm = Command::new("npm");
    npm.current_dir(&folder).args(["install", "--no-audit", "--no-fund"]);
    if !report.run("official client", Verdict::Preparation, &mut npm) {
        return;
    }
    let mut runner = Command::new(node);
    runner
        .current_dir(&folder)
        .args(["run.mjs", "--schedules", &options.schedules.to_string()])
        .env("UNDERTONE_AGENT", workspace::target_directory().join("release/examples/conformance"));
    report.run("schedules", Verdict::Tests, &mut runner);
}

/// Seeded schedules of both profiles against what must always hold.
fn properties(report: &mut Report, _: &Options) {
    integration_suite(report, PROPERTIES);
}

/// The stores: the contract, the sealing layer, damaged files, the power that fails, and two processes on one store.
fn store(report: &mut Report, _: &Options) {
    integration_suite(report, STORE);
}

/// The transports: the contract, faults of the network, and the relay in process, over TLS, killed and stopped.
fn transport(report: &mut Report, _: &Options) {
    integration_suite(report, TRANSPORT);
    report.run("relay", Verdict::Tests, &mut tests("undertone-relay", "__internals"));
}

/// The client against a server that lies, withholds, replays and forges: every attack that `docs/threat-model.md` lists.
fn hostile(report: &mut Report, _: &Options) {
    integration_suite(report, HOSTILE);
}

/// Crash at every point: a program of its own, whose last line counts the faults that were survived.
fn crash(report: &mut Report, _: &Options) {
    let mut program = workspace::cargo();
    program.args(["test", "--package", "undertone", "--features", EVERYTHING]);
    for target in CRASH {
        program.args(["--test", target]);
    }
    report.run("every commit and every call", Verdict::Tests, &mut program);
}

/// The engine in WebAssembly: that it compiles for browsers, and that its unit tests and vectors pass there, in node.
fn wasm(report: &mut Report, _: &Options) {
    if !machine::rust_target(report, BROWSER) || !machine::rust_target(report, WASI) {
        return;
    }
    for (name, features) in [("no feature", ""), ("feature signal", "signal")] {
        let mut check = workspace::cargo();
        check.args(["check", "--package", "undertone", "--lib", "--target", BROWSER]);
        check.args(["--no-default-features", "--features", features]);
        report.run(name, Verdict::Check, &mut check);
    }
    let Some(node) = machine::node(report) else { return };
    let runner =
        format!("{} --no-warnings {}", node.display(), workspace::root().join("tests/wasm/wasi.mjs").display());
    let mut tests = workspace::cargo();
    tests.args([
        "test",
        "--no-fail-fast",
        "--package",
        "undertone",
        "--target",
        WASI,
        "--features",
        EVERYTHING,
        "--lib",
    ]);
    for target in integration_tests(|target| VECTORS.contains(&target)) {
        tests.args(["--test", &target]);
    }
    report.run(
        "unit tests and vectors in node",
        Verdict::Tests,
        tests.env("CARGO_TARGET_WASM32_WASIP1_RUNNER", runner),
    );
}

/// The integration tests of these names, which must all be there.
fn integration_suite(report: &mut Report, names: &[&str]) {
    let there = integration_tests(|target| names.contains(&target));
    let mut command = tests("undertone", EVERYTHING);
    for name in names {
        if !there.iter().any(|target| target == name) {
            report.check(name, || Err("there is no such test".to_owned()));
        }
    }
    for target in &there {
        command.args(["--test", target]);
    }
    if !there.is_empty() {
        report.run(&there.join(", "), Verdict::Tests, &mut command);
    }
}

fn integration_tests(wanted: impl Fn(&str) -> bool) -> Vec<String> {
    workspace::targets("test").into_iter().filter(|target| wanted(target)).collect()
}

/// nextest where it is installed, and what comes with every toolchain where it is not.
fn tests(package: &str, features: &str) -> Command {
    let mut command = workspace::cargo();
    let nextest =
        workspace::cargo().args(["nextest", "--version"]).output().is_ok_and(|output| output.status.success());
    command.args(if nextest { ["nextest", "run"].as_slice() } else { ["test"].as_slice() });
    command.args(["--no-fail-fast", "--package", package, "--features", features]);
    command
}

fn print_table(reports: &[Report]) -> Counts {
    println!("\n{:<12}{:>8}{:>8}{:>9}", "suite", "passed", "failed", "time");
    let mut sum = Counts::default();
    let mut time = Duration::ZERO;
    for report in reports {
        print_row(&report.suite, report.counts, report.time);
        sum.add(report.counts);
        time += report.time;
    }
    print_row("all", sum, time);
    sum
}

fn print_row(name: &str, counts: Counts, time: Duration) {
    let seconds = time.as_secs();
    let time = format!("{}:{:02}", seconds / 60, seconds % 60);
    println!("{name:<12}{:>8}{:>8}{time:>9}", counts.passed, counts.failed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_suites_are_run() {
        assert!(parse(&["core", "wasm"]).is_ok_and(|(names, _)| names == ["core", "wasm"]));
        assert!(parse(&["cores"]).is_err());
        assert!(parse(&["--schedules"]).is_err());
        assert!(parse(&["interop", "--schedules", "9"]).is_ok_and(|(_, options)| options.schedules == 9));
    }

    #[test]
    fn a_suite_that_ran_nothing_fails() {
        let counts = |suite: Suite| run_suite("of a test", suite, &Options { schedules: 0 }).counts;
        assert_eq!(counts(|_, _| {}), Counts { passed: 0, failed: 1 });
        let prepared: Suite = |report, _| {
            report.run("preparation", Verdict::Preparation, workspace::cargo().arg("--version"));
        };
        assert_eq!(counts(prepared), Counts { passed: 0, failed: 1 });
        let checked: Suite = |report, _| {
            report.check("check", || Ok(()));
        };
        assert_eq!(counts(checked), Counts { passed: 1, failed: 0 });
    }
}
