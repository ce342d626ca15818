//! The tasks of this repository, run as `cargo xtask TASK`. The only place that knows how to set a machine up.

mod bench;
mod counts;
mod errors;
mod machine;
mod requirements;
mod rust_source;
mod step;
mod structure;
mod suites;
mod trace;
mod workspace;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask TASK

  test [SUITE…] [--schedules N]   run every suite, or those named
  structure                       check the order of the floors, the names and the sizes of the source files
  trace [--check]                 write docs/requirements.md, or check that it is up to date and nothing is open
  errors [--check]                write docs/guide/errors.md from the table of errors, or check that it is up to date
  bench [--json FILE]             run the benchmarks beside their peers, write benches/RESULTS.md";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["test", rest @ ..] => suites::run(rest),
        ["structure"] => structure::run(),
        ["trace"] => trace::write(),
        ["trace", "--check"] => trace::check(),
        ["errors"] => errors::write(),
        ["errors", "--check"] => errors::check(),
        ["bench"] => bench::run(None),
        ["bench", "--json", file] => bench::run(Some(file)),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}\n\nThe suites are {}.", suites::all_names());
            Ok(())
        }
        _ => Err(format!("cannot read these arguments\n\n{USAGE}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}
