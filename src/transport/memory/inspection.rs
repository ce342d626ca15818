//! For this repository's tests: a server that is not honest, and what the honest one has seen.

use super::{MemoryServer, Server};
use crate::error::Result;
use crate::handshake::PublishedPrekey;
use crate::runtime::Shareable;
use crate::transport::{Delivery, EnvelopeId, MeetingPlace, Outbound, PrekeyStock, PrekeyUpload, Verdict, Witness};
use crate::wire::Address;
use std::sync::{Arc, PoisonError};

/// A hostile server: each method is given the honest answer and returns the one that is given to the client. The server does what it would do
/// otherwise; what it hands out is what is changed. What it keeps is not touched, so that without its `Tamper` it is honest again.
///
/// The server is locked while a method runs: no method may call the server.
pub trait Tamper: Shareable {
    /// Statements of a device list.
    fn device_list(&self, _account: &str, _after: u64, honest: Result<Vec<Vec<u8>>>) -> Result<Vec<Vec<u8>>> {
        honest
    }

    /// Prekey bundles.
    fn fetch(&self, _account: &str, _devices: &[u8], honest: Result<Vec<Vec<u8>>>) -> Result<Vec<Vec<u8>>> {
        honest
    }

    /// What becomes of an envelope: `Some` instead of accepting it.
    fn send(&self, _envelope: &Outbound) -> Option<Verdict> {
        None
    }

    /// What the sender is told of a batch.
    fn verdicts(&self, _envelopes: &[Outbound], honest: Vec<Verdict>) -> Vec<Verdict> {
        honest
    }

    /// Whether acknowledged envelopes are forgotten.
    fn forgets(&self, _device: &Address) -> bool {
        true
    }

    /// What a device is told of its prekeys.
    fn stock(&self, _device: &Address, honest: Result<PrekeyStock>) -> Result<PrekeyStock> {
        honest
    }

    /// What a device receives; while it is nothing, the device waits.
    fn receive(&self, _device: &Address, honest: Vec<Delivery>) -> Vec<Delivery> {
        honest
    }

    /// The witness that was highest.
    fn witness(&self, _device: &Address, honest: Option<Witness>) -> Option<Witness> {
        honest
    }

    /// A message at a meeting place.
    fn collect(&self, _place: &MeetingPlace, _number: u8, honest: Vec<u8>) -> Vec<u8> {
        honest
    }
}

/// What the server has seen.
#[derive(Default)]
pub(in crate::transport) struct Seen {
    envelopes: Vec<(Address, Vec<u8>)>,
    one_time_prekeys: Vec<HandedOut>,
}

/// A one-time prekey that was handed out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HandedOut {
    /// Whose it is.
    pub device: Address,
    /// The registration that it belongs to.
    pub registration_id: u32,
    /// Whether it is a KEM prekey.
    pub is_kem: bool,
    /// Its id.
    pub id: u32,
}

impl Seen {
    pub(in crate::transport) fn accepted(&mut self, to: &Address, bytes: &[u8]) {
        self.envelopes.push((to.clone(), bytes.to_vec()));
    }

    pub(in crate::transport) fn handed_out(
        &mut self,
        device: &Address,
        upload: &PrekeyUpload,
        one_time: Option<&PublishedPrekey>,
        one_time_kem: Option<&PublishedPrekey>,
    ) {
        for (prekey, is_kem) in [(one_time, false), (one_time_kem, true)] {
            self.one_time_prekeys.extend(prekey.map(|prekey| HandedOut {
                device: device.clone(),
                registration_id: upload.registration_id,
                is_kem,
                id: prekey.id,
            }));
        }
    }
}

impl MemoryServer {
    /// Makes the server hostile, or with `None` honest again.
    pub fn tamper(&self, tamper: Option<Arc<dyn Tamper>>) {
        *self.server.tamper.lock().unwrap_or_else(PoisonError::into_inner) = tamper;
        self.server.accounts().wake_all();
    }

    /// Puts an envelope into a device's mailbox that nobody sent.
    pub fn inject(&self, to: &Address, id: EnvelopeId, bytes: Vec<u8>) {
        self.server.accounts().mailbox(to).put(Delivery { id, bytes });
    }

    /// Every envelope that was ever accepted, and for whom, in order.
    #[must_use]
    pub fn accepted_envelopes(&self) -> Vec<(Address, Vec<u8>)> {
        self.server.accounts().seen.envelopes.clone()
    }

    /// Every one-time prekey that was ever handed out, in order.
    #[must_use]
    pub fn handed_out_prekeys(&self) -> Vec<HandedOut> {
        self.server.accounts().seen.one_time_prekeys.clone()
    }

    /// How many envelopes wait for a device.
    #[must_use]
    pub fn waiting_envelopes(&self, device: &Address) -> usize {
        self.server.accounts().mailbox(device).mail.len()
    }
}

impl Server {
    pub(super) fn tampered<T>(&self, honest: T, change: impl FnOnce(&dyn Tamper, T) -> T) -> T {
        let tamper = self.tamper.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match tamper {
            Some(tamper) => change(&*tamper, honest),
            None => honest,
        }
    }
}
