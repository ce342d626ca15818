//! Witnesses, meeting places, and the end.

use super::{Outcome, Suite, equal, fails_with, told};
use crate::crypto::random;
use crate::transport::{MeetingPlace, Transport, Witness};
use futures_util::future::join;
use getrandom::SysRng;

pub(super) async fn witness<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let bob = suite.participant(0).await?;
    let witness = |generation| Witness { generation, mac: [u8::try_from(generation).unwrap_or(0); 32] };
    for (mine, before) in [(5, None), (3, Some(5)), (8, Some(5)), (8, Some(8)), (9, Some(8))] {
        let told = told("leaving a witness", bob.transport.witness(&witness(mine)).await)?;
        equal("the highest before", told, before.map(witness))?;
    }
    Ok(())
}

pub(super) async fn first_stays<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let (one, other) = (suite.connect(), suite.connect());
    let place = MeetingPlace(told("drawing a place", random::array(&mut SysRng))?);
    told("leaving", one.leave(&place, 1, b"first").await)?;
    told("leaving", other.leave(&place, 1, b"second").await)?;
    told("leaving", other.leave(&place, 2, b"number two").await)?;
    for anyone in [&one, &other] {
        equal("number one", told("collecting", anyone.collect(&place, 1).await)?, b"first".to_vec())?;
        equal("number two", told("collecting", anyone.collect(&place, 2).await)?, b"number two".to_vec())?;
    }
    Ok(())
}

pub(super) async fn collecting_waits<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let (one, other) = (suite.connect(), suite.connect());
    let place = MeetingPlace(told("drawing a place", random::array(&mut SysRng))?);
    let (collected, left) = join(one.collect(&place, 3), other.leave(&place, 3, b"awaited")).await;
    told("leaving", left)?;
    equal("what was collected", told("collecting", collected)?, b"awaited".to_vec())
}

pub(super) async fn closed<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let bob = suite.participant(0).await?;
    let (received, ()) = join(bob.transport.receive(), bob.transport.close()).await;
    fails_with("receiving while it is closed", received, "transport.unreachable")?;
    fails_with("receiving", bob.transport.receive().await, "transport.unreachable")?;
    let list = bob.transport.device_list(bob.address.name(), 0).await;
    fails_with("asking for a device list", list, "transport.unreachable")
}
