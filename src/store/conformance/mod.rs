//! What every store must do, as one call: [`check`].
//!
//! A store that passes loses nothing, tears nothing and lets no writer overwrite another, as far as one process can tell. That a commit survives a loss of power
//! shows only where the power can be cut.

mod contents;
mod writers;

use crate::error::{Error, Result};
use crate::store::{Batch, Reading, Store};
use core::fmt;
use core::future::poll_fn;
use core::task::Poll;

/// Checks a store, in some seconds. Call it from a test.
///
/// `open` opens the store at a place. The suite names the places (lower-case letters and hyphens); a name that it has not used before is a new, empty store, and a
/// name that it has used before is the same store again, whether or not it was closed. It also opens one place several times at once.
///
/// # Errors
/// The first check that failed, by its name.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
/// use undertone::store::{MemoryStore, conformance};
///
/// let places = Mutex::new(HashMap::<String, MemoryStore>::new());
/// let open = async |place: &str| Ok(places.lock().unwrap().entry(place.to_owned()).or_default().clone());
/// let report = futures_executor::block_on(conformance::check(open))?;
/// assert!(report.passed.contains(&"one-of-two"));
/// # Ok::<(), conformance::Failure>(())
/// ```
pub async fn check<S: Store>(open: impl AsyncFn(&str) -> Result<S>) -> core::result::Result<Report, Failure> {
    let open = &open;
    let mut passed = Vec::new();
    macro_rules! checks {
        ($($name:literal $check:path;)*) => { $(
            $check(&Place { open, name: $name }).await.map_err(|Broken(what)| Failure { check: $name, what })?;
            passed.push($name);
        )* };
    }
    checks! {
        "new" contents::new;
        "read-your-writes" contents::read_your_writes;
        "removal" contents::removal;
        "empty" contents::empty;
        "order" contents::order;
        "prefixes" contents::prefixes;
        "pages" contents::pages;
        "large-batch" contents::large_batch;
        "large-value" contents::large_value;
        "generation" writers::generation;
        "stale-writer" writers::stale_writer;
        "one-of-two" writers::one_of_two;
        "increments" writers::increments;
        "whole-batches" writers::whole_batches;
        "abandoned-commit" writers::abandoned_commit;
        "reopened" writers::reopened;
        "closed" writers::closed;
    }
    Ok(Report { passed })
}

/// The checks that a store passed.
///
/// ```
/// use undertone::store::conformance::Report;
///
/// let report = Report { passed: vec!["new", "order"] };
/// assert_eq!(report.to_string(), "2 checks passed: new, order");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Their names.
    pub passed: Vec<&'static str>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} checks passed: {}", self.passed.len(), self.passed.join(", "))
    }
}

/// The check that a store failed.
///
/// ```
/// use undertone::store::conformance::Failure;
///
/// let failure = Failure { check: "order", what: "a scan went backwards".to_owned() };
/// assert_eq!(failure.to_string(), "order: a scan went backwards");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its name.
    pub check: &'static str,
    /// What the store did.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.what)
    }
}

impl std::error::Error for Failure {}

/// Where one check takes place.
struct Place<'a, O> {
    open: &'a O,
    name: &'static str,
}

impl<S: Store, O: AsyncFn(&str) -> Result<S>> Place<'_, O> {
    async fn open(&self) -> core::result::Result<S, Broken> {
        (self.open)(self.name).await.map_err(|error| Broken(format!("opening failed with {}", error.code())))
    }
}

/// What a store did wrong.
struct Broken(String);

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self(format!("a call failed with {}", error.code()))
    }
}

type Outcome = core::result::Result<(), Broken>;

fn expect(holds: bool, otherwise: &str) -> Outcome {
    if holds { Ok(()) } else { Err(Broken(otherwise.to_owned())) }
}

/// Lets the other tasks of this thread run.
async fn give_way() {
    let mut given = false;
    poll_fn(|context| {
        if core::mem::replace(&mut given, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn put(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> (Vec<u8>, Option<Vec<u8>>) {
    (name.as_ref().to_vec(), Some(value.as_ref().to_vec()))
}

fn remove(name: impl AsRef<[u8]>) -> (Vec<u8>, Option<Vec<u8>>) {
    (name.as_ref().to_vec(), None)
}

fn batch(changes: impl IntoIterator<Item = (Vec<u8>, Option<Vec<u8>>)>) -> Batch {
    Batch { changes: changes.into_iter().collect() }
}

async fn read_one(store: &impl Store, name: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>> {
    let Reading { values, .. } = store.read(&[name.as_ref().to_vec()]).await?;
    Ok(values.into_iter().next().flatten())
}
