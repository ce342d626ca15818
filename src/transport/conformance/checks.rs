//! Envelopes, and who may receive them.

use super::participant::{Key, now};
use super::{Outcome, Suite, equal, fails_with, told};
use crate::profile::{IdentityKeyPair, UndertoneIdentityKeyPair};
use crate::transport::{Transport, Verdict};
use futures_util::FutureExt;
use futures_util::future::{join, join_all};
use getrandom::SysRng;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Senders at once, and envelopes of each.
const SENDERS: usize = 8;
const ENVELOPES: usize = 25;

pub(super) async fn receive_until_acknowledged<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let (mut bob, sender) = (suite.participant(0).await?, suite.connect());
    let first = bob.envelope(b"first")?;
    bob.is_sent(&sender, &first).await?;
    for attempt in ["the first time", "again"] {
        let received = bob.received().await?;
        equal(attempt, received.iter().map(|delivery| &delivery.bytes[..]).collect(), vec![&b"first"[..]])?;
        equal("the id", received.first().map(|delivery| delivery.id), Some(first.id))?;
    }
    bob.transport.close().await;
    bob.transport = suite.connect();
    bob.attach().await?;
    equal("on a new connection", bob.received().await?.len(), 1)?;
    bob.acknowledge(&[first.id]).await?;
    bob.acknowledge(&[first.id]).await?;
    let second = bob.envelope(b"second")?;
    bob.is_sent(&sender, &second).await?;
    let received = bob.received().await?;
    equal("after the acknowledgement", received.iter().map(|one| one.id).collect(), vec![second.id])
}

pub(super) async fn sent_twice<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let (bob, sender) = (suite.participant(0).await?, suite.connect());
    let once = bob.envelope(b"once")?;
    bob.is_sent(&sender, &once).await?;
    bob.is_sent(&suite.connect(), &once).await?;
    equal("while it waits", told("receiving", bob.transport.receive().await)?.len(), 1)?;
    bob.acknowledge(&[once.id]).await?;
    bob.is_sent(&sender, &once).await?;
    let other = bob.envelope(b"other")?;
    bob.is_sent(&sender, &other).await?;
    let received = bob.received().await?;
    equal("after it was acknowledged", received.iter().map(|one| one.id).collect(), vec![other.id])
}

pub(super) async fn verdicts<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let (bob, sender) = (suite.participant(0).await?, suite.connect());
    let (good, mut nobody, mut no_device) = (bob.envelope(b"1")?, bob.envelope(b"2")?, bob.envelope(b"3")?);
    nobody.to = told("an address", crate::wire::Address::new(format!("{}-nobody", bob.address.name()), 1))?;
    no_device.to = told("an address", crate::wire::Address::new(bob.address.name(), 9))?;
    let verdicts = told("sending", sender.send(&[nobody, good.clone(), no_device, good]).await)?;
    let expected = [Verdict::NoSuchDevice, Verdict::Accepted, Verdict::NoSuchDevice, Verdict::Accepted];
    equal("the verdicts", verdicts, expected.to_vec())
}

pub(super) async fn stale_device_list<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let (mut bob, sender) = (suite.participant(0).await?, suite.connect());
    let stale = bob.envelope(b"stale")?;
    bob.link(suite.connect()).await?;
    let verdicts = told("sending", sender.send(core::slice::from_ref(&stale)).await)?;
    equal("the verdict", verdicts, vec![Verdict::DevicesChanged])?;
    let fresh = bob.envelope(b"fresh")?;
    bob.is_sent(&sender, &fresh).await?;
    let received = bob.received().await?;
    equal("what was received", received.iter().map(|one| one.id).collect(), vec![fresh.id])
}

pub(super) async fn too_large<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let (bob, sender) = (suite.participant(0).await?, suite.connect());
    let large = bob.envelope(&vec![7; suite.largest_envelope + 1])?;
    let verdicts = told("sending", sender.send(core::slice::from_ref(&large)).await)?;
    equal("the verdict", verdicts, vec![Verdict::TooLarge])?;
    let largest = bob.envelope(&vec![7; suite.largest_envelope])?;
    bob.is_sent(&sender, &largest).await?;
    equal("what was received", bob.received().await?.iter().map(|one| one.id).collect(), vec![largest.id])
}

pub(super) async fn receiving_given_up<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let (bob, sender) = (suite.participant(0).await?, suite.connect());
    for _ in 0..3 {
        equal("before anything was sent", bob.transport.receive().now_or_never().is_none(), true)?;
    }
    let envelope = bob.envelope(b"kept")?;
    let (sent, given_up) = join(bob.is_sent(&sender, &envelope), async {
        (0..3).filter_map(|_| bob.transport.receive().now_or_never()).count()
    })
    .await;
    sent?;
    equal("what was given up early", given_up <= 3, true)?;
    equal("what was received", bob.received().await?.iter().map(|one| one.id).collect(), vec![envelope.id])
}

pub(super) async fn receiving_waits<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let (bob, sender) = (suite.participant(0).await?, suite.connect());
    let envelope = bob.envelope(b"awaited")?;
    let (received, sent) = join(bob.received(), bob.is_sent(&sender, &envelope)).await;
    sent?;
    equal("what was received", received?.iter().map(|one| one.id).collect(), vec![envelope.id])
}

pub(super) async fn two_connections<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let (bob, sender, other) = (suite.participant(0).await?, suite.connect(), suite.connect());
    told("attaching", other.attach(bob.login()).await)?;
    let envelope = bob.envelope(b"for both")?;
    bob.is_sent(&sender, &envelope).await?;
    let (one, two) = join(bob.received(), other.receive()).await;
    let two = told("receiving", two)?;
    equal("on the first", one?.iter().map(|one| one.id).collect(), vec![envelope.id])?;
    equal("on the second", two.iter().map(|one| one.id).collect::<BTreeSet<_>>(), BTreeSet::from([envelope.id]))
}

pub(super) async fn many_senders<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let bob = suite.participant(0).await?;
    let mut expected = BTreeSet::new();
    let mut sends = Vec::new();
    for _ in 0..SENDERS {
        let mut envelopes = Vec::new();
        for _ in 0..ENVELOPES {
            envelopes.push(bob.envelope(b"one of many")?);
        }
        expected.extend(envelopes.iter().map(|envelope| envelope.id));
        let sender = suite.connect();
        sends.push(async move {
            for envelopes in envelopes.chunks(5) {
                let verdicts = told("sending", sender.send(envelopes).await)?;
                equal("the verdicts", verdicts, vec![Verdict::Accepted; envelopes.len()])?;
            }
            Ok::<(), String>(())
        });
    }
    let receive = async {
        let mut received = BTreeSet::new();
        while received.len() < SENDERS * ENVELOPES {
            let ids: Vec<_> = bob.received().await?.iter().map(|delivery| delivery.id).collect();
            bob.acknowledge(&ids).await?;
            for id in ids {
                equal("an envelope after its acknowledgement", received.insert(id), true)?;
            }
        }
        Ok::<_, String>(received)
    };
    let (sent, received) = join(join_all(sends), receive).await;
    sent.into_iter().collect::<core::result::Result<Vec<()>, String>>()?;
    equal("what was received", received? == expected, true)
}

pub(super) async fn removed_device<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let (mut bob, sender) = (suite.participant(0).await?, suite.connect());
    let mut second = bob.link(suite.connect()).await?;
    told("removing", bob.list.remove(&bob.account, second.address.device(), now()))?;
    let publication = told("making a publication", bob.publication(0))?;
    told("publishing", bob.transport.publish(&publication).await)?;
    second.list = bob.list.clone();
    let envelope = second.envelope(b"too late")?;
    let verdicts = told("sending", sender.send(core::slice::from_ref(&envelope)).await)?;
    equal("the verdict", verdicts, vec![Verdict::NoSuchDevice])?;
    second.transport.close().await;
    second.transport = suite.connect();
    let outcome = match second.transport.attach(second.login()).await {
        Ok(()) => second.transport.receive().await,
        Err(error) => Err(error),
    };
    fails_with("receiving as a removed device", outcome, "transport.unauthorized")
}

pub(super) async fn device_list<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let (mut bob, anyone) = (suite.participant(0).await?, suite.connect());
    bob.link(suite.connect()).await?;
    let name = bob.address.name().to_owned();
    for after in 0..=3 {
        let statements = told("asking for a device list", anyone.device_list(&name, after).await)?;
        equal(&format!("the statements after {after}"), statements == bob.list.statements_after(after), true)?;
    }
    let unknown = format!("{name}-nobody");
    fails_with("the list of nobody", anyone.device_list(&unknown, 0).await, "transport.unknown_account")?;
    fails_with("the bundles of nobody", anyone.fetch(&unknown, &[1]).await, "transport.unknown_account")
}

pub(super) async fn wrong_signature<T: Transport, F: Fn() -> T>(suite: &Suite<F>) -> Outcome {
    let (bob, thief) = (suite.participant(0).await?, suite.connect());
    let identity = Arc::new(told("drawing a key", UndertoneIdentityKeyPair::generate(&mut SysRng))?);
    let outcome = match thief.attach(Arc::new(Key { address: bob.address.clone(), identity })).await {
        Ok(()) => thief.receive().await,
        Err(error) => Err(error),
    };
    fails_with("receiving with another key", outcome, "transport.unauthorized")
}
