//! Transports that are wrong in one way each, and the check that finds them.

use core::time::Duration;
use futures_executor::block_on;
use std::sync::{Arc, Mutex};
use undertone::Result;
use undertone::runtime::async_trait;
use undertone::transport::conformance::Suite;
use undertone::transport::{
    Delivery, EnvelopeId, Login, MeetingPlace, MemoryServer, MemoryTransport, Outbound, PrekeyStock, Publication,
    Transport, Verdict, Witness,
};

/// One way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    ForgetsWhatItHandsOut,
    NewIdsForWhatIsSent,
    LosesTheOrderOfVerdicts,
    LosesAcknowledgements,
    HidesAStaleList,
    TakesAnySize,
    SaysNothingOfSize,
    WholeListAlways,
    SameBundleTwice,
    AcceptsAnySignature,
    ForgetsTheWitness,
    NeverWakes,
    StaysOpen,
}

struct Broken {
    honest: MemoryTransport,
    flaw: Flaw,
    bundle: Arc<Mutex<Option<Vec<Vec<u8>>>>>,
}

#[async_trait]
impl Transport for Broken {
    async fn attach(&self, login: Arc<dyn Login>) -> Result<()> {
        match self.honest.attach(login).await {
            Err(_) if self.flaw == Flaw::AcceptsAnySignature => Ok(()),
            outcome => outcome,
        }
    }
    async fn publish(&self, publication: &Publication) -> Result<PrekeyStock> {
        self.honest.publish(publication).await
    }
    async fn device_list(&self, account: &str, after: u64) -> Result<Vec<Vec<u8>>> {
        self.honest.device_list(account, if self.flaw == Flaw::WholeListAlways { 0 } else { after }).await
    }
    async fn fetch(&self, account: &str, devices: &[u8]) -> Result<Vec<Vec<u8>>> {
        let bundles = self.honest.fetch(account, devices).await?;
        if self.flaw == Flaw::SameBundleTwice && !bundles.is_empty() {
            return Ok(self.bundle.lock().unwrap().get_or_insert(bundles).clone());
        }
        Ok(bundles)
    }
    async fn send(&self, envelopes: &[Outbound]) -> Result<Vec<Verdict>> {
        let mut envelopes = envelopes.to_vec();
        for envelope in &mut envelopes {
            match self.flaw {
                Flaw::NewIdsForWhatIsSent => getrandom::fill(&mut envelope.id.0).unwrap(),
                Flaw::HidesAStaleList => envelope.device_list = u64::MAX,
                Flaw::TakesAnySize => envelope.bytes.truncate(100),
                _ => {}
            }
        }
        let mut verdicts = self.honest.send(&envelopes).await?;
        match self.flaw {
            Flaw::LosesTheOrderOfVerdicts => verdicts.reverse(),
            Flaw::SaysNothingOfSize => {
                verdicts.iter_mut().filter(|verdict| **verdict == Verdict::TooLarge).for_each(|verdict| {
                    *verdict = Verdict::Accepted;
                });
            }
            _ => {}
        }
        Ok(verdicts)
    }
    async fn receive(&self) -> Result<Vec<Delivery>> {
        if self.flaw == Flaw::NeverWakes {
            use futures_util::FutureExt;
            if let Some(deliveries) = self.honest.receive().now_or_never() {
                return deliveries;
            }
            return core::future::pending().await;
        }
        if self.flaw == Flaw::AcceptsAnySignature {
            return Ok(self.honest.receive().await.unwrap_or_default());
        }
        let deliveries = self.honest.receive().await?;
        if self.flaw == Flaw::ForgetsWhatItHandsOut {
            let ids: Vec<EnvelopeId> = deliveries.iter().map(|delivery| delivery.id).collect();
            self.honest.acknowledge(&ids).await?;
        }
        Ok(deliveries)
    }
    async fn acknowledge(&self, ids: &[EnvelopeId]) -> Result<()> {
        if self.flaw == Flaw::LosesAcknowledgements { Ok(()) } else { self.honest.acknowledge(ids).await }
    }
    async fn witness(&self, mine: &Witness) -> Result<Option<Witness>> {
        let before = self.honest.witness(mine).await?;
        Ok(before.filter(|_| self.flaw != Flaw::ForgetsTheWitness))
    }
    async fn leave(&self, place: &MeetingPlace, number: u8, message: &[u8]) -> Result<()> {
        self.honest.leave(place, number, message).await
    }
    async fn collect(&self, place: &MeetingPlace, number: u8) -> Result<Vec<u8>> {
        self.honest.collect(place, number).await
    }
    async fn close(&self) {
        if self.flaw != Flaw::StaysOpen {
            self.honest.close().await;
        }
    }
}

/// What the suite says of a transport with this flaw.
fn failures(flaw: Flaw) -> Vec<&'static str> {
    let server = MemoryServer::new();
    let bundle = Arc::default();
    let suite = Suite::new(|| Broken { honest: server.transport(), flaw, bundle: Arc::clone(&bundle) });
    // An honest transport in memory needs milliseconds: whoever is not done by then waits for ever.
    let report = block_on(suite.patience(Duration::from_secs(1)).run());
    report.failures().map(|check| check.name).collect()
}

#[test]
fn every_flaw_is_found_by_its_check() {
    for (flaw, check) in [
        (Flaw::ForgetsWhatItHandsOut, "an envelope is received until it is acknowledged"),
        (Flaw::NewIdsForWhatIsSent, "an envelope sent twice is received once"),
        (Flaw::LosesTheOrderOfVerdicts, "every envelope of a call has its verdict"),
        (Flaw::LosesAcknowledgements, "an envelope is received until it is acknowledged"),
        (Flaw::HidesAStaleList, "a stale device list is told"),
        (Flaw::TakesAnySize, "an envelope that is too large is not taken"),
        (Flaw::SaysNothingOfSize, "an envelope that is too large is not taken"),
        (Flaw::WholeListAlways, "a device list is given from a number on"),
        (Flaw::SameBundleTwice, "a one-time prekey is handed out once"),
        (Flaw::AcceptsAnySignature, "a wrong signature is not accepted"),
        (Flaw::ForgetsTheWitness, "the highest witness is kept"),
        (Flaw::NeverWakes, "receiving waits"),
        (Flaw::StaysOpen, "a closed transport is unreachable"),
    ] {
        let failures = failures(flaw);
        assert!(failures.contains(&check), "{flaw:?}: {failures:?}");
    }
}
