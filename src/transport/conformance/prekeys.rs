//! Prekeys: published, handed out once, replaced.

use super::participant::Participant;
use super::{Outcome, Suite, equal, fails_with, told};
use crate::handshake::PrekeyBundle;
use crate::profile::Undertone;
use crate::transport::{PrekeyStock, Transport};
use futures_util::future::join_all;
use std::collections::BTreeSet;

/// Who fetches at once, and the one-time prekeys that they fetch.
const FETCHERS: usize = 8;

type Told<T> = core::result::Result<T, String>;

/// The ids of the one-time prekeys in a bundle, as far as it has any.
type OneTime = (Option<u32>, Option<u32>);

pub(super) async fn handed_out_once<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let (bob, anyone) = (suite.participant(2).await?, suite.connect());
    equal("the stock", bob.stock, PrekeyStock { one_time: 2, one_time_kem: 2 })?;
    let mut seen = BTreeSet::new();
    for _ in 0..2 {
        let (one_time, kem) = fetch(&bob, &anyone).await?;
        equal("a one-time prekey", one_time.is_some_and(|id| seen.insert((false, id))), true)?;
        equal("a one-time KEM prekey", kem.is_some_and(|id| seen.insert((true, id))), true)?;
    }
    equal("when there are none left", fetch(&bob, &anyone).await?, (None, None))?;
    let none = told("fetching", anyone.fetch(bob.address.name(), &[9]).await)?;
    equal("the bundles of a device that does not exist", none.len(), 0)
}

pub(super) async fn published_twice<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let (bob, anyone) = (suite.participant(2).await?, suite.connect());
    let publication = told("making a publication", bob.publication(0))?;
    for attempt in ["under another id", "under the same id"] {
        let stock = told("publishing", bob.transport.publish(&publication).await)?;
        equal(attempt, stock, PrekeyStock { one_time: 2, one_time_kem: 2 })?;
    }
    fetch(&bob, &anyone).await?;
    for publication in [publication, told("making a publication", bob.publication(0))?] {
        let stock = told("publishing", bob.transport.publish(&publication).await)?;
        equal("after one was handed out", stock, PrekeyStock { one_time: 1, one_time_kem: 1 })?;
    }
    Ok(())
}

pub(super) async fn new_registration<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let (mut bob, anyone) = (suite.participant(3).await?, suite.connect());
    told("starting afresh", bob.start_afresh(1))?;
    let publication = told("making a publication", bob.publication(0))?;
    let stock = told("publishing", bob.transport.publish(&publication).await)?;
    equal("the stock", stock, PrekeyStock { one_time: 1, one_time_kem: 1 })?;
    fetch(&bob, &anyone).await.map(drop)
}

pub(super) async fn wrong_prekey<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let bob = suite.participant(1).await?;
    let mut publication = told("making a publication", bob.publication(0))?;
    if let Some(upload) = &mut publication.prekeys {
        upload.signed_prekey.id ^= 1;
    }
    fails_with("publishing it", bob.transport.publish(&publication).await, "transport.refused")
}

pub(super) async fn fetched_at_once<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let bob = suite.participant(FETCHERS).await?;
    let connections: Vec<T> = (0..FETCHERS).map(|_| suite.connect()).collect();
    let fetched = join_all(connections.iter().map(|anyone| fetch(&bob, anyone))).await;
    let fetched: Vec<OneTime> = fetched.into_iter().collect::<Told<_>>()?;
    let one_time: BTreeSet<u32> = fetched.iter().filter_map(|(one_time, _)| *one_time).collect();
    let kem: BTreeSet<u32> = fetched.iter().filter_map(|(_, kem)| *kem).collect();
    equal("different one-time prekeys", (one_time.len(), kem.len()), (FETCHERS, FETCHERS))
}

/// Fetches the one bundle of `bob`, which must be his.
async fn fetch<T: Transport>(bob: &Participant<T>, anyone: &T) -> Told<OneTime> {
    let bundles = told("fetching", anyone.fetch(bob.address.name(), &[bob.address.device()]).await)?;
    let [bundle] = bundles.as_slice() else { return Err(format!("{} bundles instead of one", bundles.len())) };
    let bundle = told("reading a bundle", PrekeyBundle::<Undertone>::from_bytes(bundle))?;
    equal("the bundle's device", &bundle.address, &bob.address)?;
    equal("the bundle's registration", bundle.registration_id, bob.registration_id)?;
    let last_resort = bob.prekeys.last_resort_prekey().map(|prekey| prekey.id);
    let kem = bundle.kem_prekey().map(|prekey| prekey.id);
    Ok((bundle.one_time_prekey().map(|prekey| prekey.id), kem.filter(|id| Some(*id) != last_resort)))
}
