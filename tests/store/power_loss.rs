//! L2: the power fails. Every write and sync of a run is recorded; for each moment the files are put together as a disk may have them that lost any part of what
//! was not synced, and opened again.

use crate::folder::Folder;
use crate::recording::{self, Event};
use futures_executor::block_on;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::fs;
use std::path::Path;
use undertone::store::{Batch, SqliteSettings, SqliteStore, Store};

/// Commits in one run; with a small log, many of them move it into the file.
const COMMITS: u64 = 60;
const ROWS: u8 = 12;
/// What a disk writes as one; a write of more may arrive in part.
const SECTOR: usize = 512;

/// The rows of a generation: each of its own size, some not there.
fn rows(generation: u64) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    (0..ROWS)
        .map(|row| {
            let size = (generation as usize * 131 + usize::from(row) * 977) % 3000;
            let there = !(generation + u64::from(row)).is_multiple_of(5);
            (vec![row], there.then(|| [generation.to_be_bytes().as_slice(), &vec![row; size]].concat()))
        })
        .collect()
}

/// The database and its write-ahead log.
type Disk = [Vec<u8>; 2];

fn read_disk(path: &Path) -> Disk {
    let wal = path.with_file_name(format!("{}-wal", path.file_name().unwrap().to_str().unwrap()));
    [fs::read(path).unwrap(), fs::read(wal).unwrap_or_default()]
}

/// One run: the disk at its beginning, on which all is synced, and what happened then.
fn run(name: &str, synchronous: &'static str) -> (Disk, Vec<Event>) {
    recording::register();
    let folder = Folder::new();
    let path = folder.join(name);
    let settings = SqliteSettings {
        synchronous,
        largest_log: 200_000,
        vfs: Some(recording::NAME.to_owned()),
        ..SqliteSettings::default()
    };
    let store = SqliteStore::open_with(&path, &settings).unwrap();
    recording::take(name);
    let disk = read_disk(&path);
    for generation in 0..COMMITS {
        let changes = rows(generation + 1);
        let returned = block_on(store.commit(&Batch { changes }, generation)).unwrap();
        recording::note(name, Event::Returned(returned));
    }
    let events = recording::take(name);
    block_on(store.close()).unwrap();
    (disk, events)
}

/// What becomes of writes that were not synced.
#[derive(Clone, Copy)]
enum Unsynced {
    Kept,
    Lost,
    Some,
}

fn apply(disk: &mut Disk, event: &Event, mut keep: impl FnMut() -> bool) {
    match event {
        Event::Write { log, offset, bytes } => {
            let file = &mut disk[usize::from(*log)];
            let mut at = *offset;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (sector, behind) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
                if keep() {
                    file.resize(file.len().max(at + sector.len()), 0);
                    file[at..at + sector.len()].copy_from_slice(sector);
                }
                at += sector.len();
                rest = behind;
            }
        }
        Event::Truncate { log, size } if keep() => disk[usize::from(*log)].resize(*size, 0),
        _ => {}
    }
}

/// What the power failing leaves on the disk after `events`.
fn after_loss(disk: &Disk, events: &[Event], unsynced: Unsynced, rng: &mut StdRng) -> Disk {
    let mut disk = disk.clone();
    let last_sync = |wanted: bool| {
        events.iter().rposition(|event| matches!(event, Event::Sync { log } if *log == wanted)).map_or(0, |at| at + 1)
    };
    let synced = [last_sync(false), last_sync(true)];
    for (index, event) in events.iter().enumerate() {
        let log = matches!(event, Event::Write { log: true, .. } | Event::Truncate { log: true, .. });
        apply(&mut disk, event, || {
            index < synced[usize::from(log)]
                || match unsynced {
                    Unsynced::Kept => true,
                    Unsynced::Lost => false,
                    Unsynced::Some => rng.random(),
                }
        });
    }
    disk
}

/// The generation that is found, or what is wrong with the store.
fn recovered(disk: &Disk) -> Result<u64, String> {
    let folder = Folder::new();
    fs::write(folder.join("store"), &disk[0]).unwrap();
    fs::write(folder.join("store-wal"), &disk[1]).unwrap();
    let code = |error: undertone::Error| error.code().to_owned();
    let store = SqliteStore::open(folder.join("store")).map_err(code)?;
    let names: Vec<_> = (0..ROWS).map(|row| vec![row]).collect();
    let reading = block_on(store.read(&names)).map_err(code)?;
    let expected: Vec<_> = match reading.generation {
        0 => vec![None; names.len()],
        generation => rows(generation).into_iter().map(|(_, value)| value).collect(),
    };
    if reading.values != expected {
        return Err(format!("the rows are not those of generation {}", reading.generation));
    }
    // The device goes on where it was.
    let changes = rows(reading.generation + 1);
    block_on(store.commit(&Batch { changes }, reading.generation)).map_err(code)?;
    block_on(store.close()).map_err(code)?;
    Ok(reading.generation)
}

struct Outcome {
    losses: usize,
    /// A commit had returned and is gone.
    taken_back: usize,
    broken: Vec<String>,
}

/// Lets the power fail before every sync and after every commit that returned, five times each.
fn fail_everywhere(disk: &Disk, events: &[Event]) -> Outcome {
    let mut outcome = Outcome { losses: 0, taken_back: 0, broken: Vec::new() };
    let mut rng = StdRng::seed_from_u64(11);
    let mut returned = 0;
    for (index, event) in events.iter().enumerate() {
        let until = match event {
            Event::Sync { .. } => index,
            Event::Returned(generation) => {
                returned = *generation;
                index + 1
            }
            _ => continue,
        };
        for unsynced in [Unsynced::Kept, Unsynced::Lost, Unsynced::Some, Unsynced::Some, Unsynced::Some] {
            outcome.losses += 1;
            match recovered(&after_loss(disk, &events[..until], unsynced, &mut rng)) {
                Ok(generation) if generation < returned => outcome.taken_back += 1,
                Ok(generation) if generation > returned + 1 => outcome.broken.push("a commit from nowhere".to_owned()),
                Ok(_) => {}
                Err(what) => outcome.broken.push(what),
            }
        }
    }
    outcome
}

/// C3, L2, I8, I11: whenever the power fails, every commit that had returned is there, whole, and the store goes on.
#[test]
fn no_commit_that_returned_is_taken_back() {
    let (disk, events) = run("full", "FULL");
    let syncs_of =
        |wanted| events.iter().filter(|event| matches!(event, Event::Sync { log } if *log == wanted)).count();
    assert!(syncs_of(true) as u64 >= COMMITS, "every commit syncs the log");
    assert!(syncs_of(false) >= 3, "the log is moved into the file several times");
    let outcome = fail_everywhere(&disk, &events);
    assert!(outcome.losses >= 600);
    assert_eq!((outcome.taken_back, outcome.broken), (0, Vec::<String>::new()));
}

/// L2, C8-M10. Control: with `synchronous = NORMAL` a commit that had returned is taken back, and with `OFF` worse may happen; the test above would notice.
#[test]
fn without_a_sync_in_each_commit_some_are_taken_back() {
    let (disk, events) = run("normal", "NORMAL");
    let outcome = fail_everywhere(&disk, &events);
    assert!(outcome.taken_back > 0);
    assert_eq!(outcome.broken, Vec::<String>::new());
    let (disk, events) = run("off", "OFF");
    let outcome = fail_everywhere(&disk, &events);
    assert!(outcome.taken_back + outcome.broken.len() > 0);
}
