//! Crash at every point: two users with four devices talk, link, rotate and meet strangers, and at every commit and every call to the server the process is
//! killed or the call fails; it is opened again and goes on, and after a death something goes wrong in the recovery as well (C8 of the requirements: L1, L3, L6).
//!
//! The oracles are the invariants of section C2: I1 (no key serves twice), I2 and I12 (nothing is lost, all comes to rest), I3 (nothing is told twice), I4 (no
//! one-time prekey serves twice), I7 (generations go up by one), I9 (private before public), I11 (what is stored can be read).
//!
//! It is a program of its own: it is also the child that it kills. A fault that was survived counts as one that passed.

mod child;
mod chronicle;
mod faults;
mod life;
mod memory;
mod mutants;
mod processes;
mod report;
mod scenes;
mod wire;

use report::Outcome;
use scenes::Scene;
use std::process::ExitCode;
use std::sync::Mutex;

/// At least as many faults, and of all of them so many in the recovery from another: what is covered does not shrink unnoticed.
const FAULTS_IN_MEMORY: u64 = 2_000;
const FAULTS_IN_PROCESSES: u64 = 2_000;
const FAULTS_IN_RECOVERIES: u64 = 1_000;
/// How many scenes are played at once.
const AT_ONCE: usize = 2;

type Part = Box<dyn FnOnce() -> Vec<Outcome> + Send>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == processes::CHILD) {
        child::live();
        return ExitCode::SUCCESS;
    }
    // A runner that wants to know single tests finds none: this is one long one.
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let filters: Vec<String> = arguments.into_iter().filter(|argument| !argument.starts_with('-')).collect();
    let wanted = move |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
    let mut parts: Vec<Part> = Vec::new();
    for scene in Scene::ALL {
        if wanted(&format!("processes {scene:?}")) {
            parts.push(Box::new(move || vec![processes::exhaust(scene)]));
        }
        if wanted(&format!("memory {scene:?}")) {
            parts.push(Box::new(move || vec![memory::exhaust(scene, |outcome| outcome.broken.len() > 40)]));
        }
    }
    let is_everything = parts.len() == 2 * Scene::ALL.len();
    let filter = wanted.clone();
    parts.push(Box::new(move || mutants::run_all(|name| filter(&format!("mutants {name}")))));
    let outcomes = play(parts);
    conclude(&outcomes, is_everything)
}

/// Plays all parts, a few at once.
fn play(mut parts: Vec<Part>) -> Vec<Outcome> {
    parts.reverse();
    let (parts, outcomes) = (Mutex::new(parts), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let part = parts.lock().unwrap().pop();
                    let Some(part) = part else { break };
                    let done = part();
                    outcomes.lock().unwrap().extend(done);
                }
            });
        }
    });
    outcomes.into_inner().unwrap()
}

fn conclude(outcomes: &[Outcome], is_everything: bool) -> ExitCode {
    report::print(outcomes);
    let survived = |place: &str| -> u64 {
        outcomes.iter().filter(|outcome| outcome.name.contains(place)).map(Outcome::survived).sum()
    };
    let (memory, processes) = (survived("in memory"), survived("in processes"));
    let kills: u64 = outcomes.iter().map(|outcome| outcome.kills).sum();
    let doubles: u64 = outcomes.iter().map(|outcome| outcome.doubles).sum();
    let mutants = outcomes.iter().filter(|outcome| outcome.noticed.is_some()).count() as u64;
    println!(
        "\n{memory} faults survived in memory, {processes} in processes, of them {kills} by SIGKILL; of all of them {doubles} in the recovery from another; \
         {mutants} mutants noticed"
    );
    let mut failed: usize = outcomes.iter().map(|outcome| outcome.broken.len()).sum();
    let is_less = memory < FAULTS_IN_MEMORY || processes < FAULTS_IN_PROCESSES || doubles < FAULTS_IN_RECOVERIES;
    if is_everything && is_less {
        println!("fewer faults than there were: the scenes have shrunk");
        failed += 1;
    }
    let recorded = outcomes.iter().filter(|outcome| outcome.survived() > 0);
    for blind in recorded.filter(|outcome| outcome.encryptions == 0) {
        println!("{}: the recorder of encryptions saw nothing", blind.name);
        failed += 1;
    }
    println!("\n{} passed, {failed} failed", memory + processes + mutants);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
