//! What the server in memory keeps: accounts, their devices, prekeys and mail.

use crate::error::{Fault, Result};
use crate::handshake::PublishedPrekey;
use crate::identity::{DeviceList, ListedDevice, verify_login};
use crate::profile::IdentityKey;
use crate::transport::{
    Delivery, EnvelopeId, MeetingPlace, Outbound, PrekeyStock, PrekeyUpload, Publication, ServerLimits, Verdict,
    Witness, admission,
};
use crate::wire::Address;
use event_listener::Event;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Everything the server knows.
#[derive(Default)]
pub(super) struct Accounts {
    accounts: HashMap<String, Account>,
    mailboxes: HashMap<Address, Mailbox>,
    places: HashMap<([u8; 16], u8), Vec<u8>>,
    pub(super) left: Arc<Event>,
    #[cfg(feature = "__internals")]
    pub(super) seen: super::inspection::Seen,
}

struct Account {
    list: DeviceList,
    /// What was published by devices that are on the list.
    devices: BTreeMap<u8, Device>,
}

#[derive(Default)]
struct Device {
    prekeys: Option<Prekeys>,
    publications: HashSet<[u8; 16]>,
    witness: Option<Witness>,
}

/// A device's signature over a challenge of the server's.
pub(super) struct SignIn {
    pub(super) device: Address,
    pub(super) challenge: [u8; 32],
    pub(super) signature: [u8; 64],
}

/// What a signature comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The device is on its account's list.
    Listed,
    /// The device is on no list yet: it may publish the statement that puts it there.
    Candidate,
}

/// The prekeys of one registration.
struct Prekeys {
    upload: PrekeyUpload,
    one_time: VecDeque<PublishedPrekey>,
    one_time_kem: VecDeque<PublishedPrekey>,
    /// Every id that was ever uploaded: what was handed out does not come back.
    known: BTreeSet<(bool, u32)>,
}

#[derive(Default)]
pub(super) struct Mailbox {
    pub(super) mail: VecDeque<Mail>,
    accepted: HashSet<EnvelopeId>,
    pub(super) arrived: Arc<Event>,
}

pub(super) struct Mail {
    pub(super) delivery: Delivery,
    /// Calls of `receive` for which it has been under way.
    pub(super) waited: u32,
    /// It was acknowledged, and comes once more because the network duplicates.
    pub(super) is_echo: bool,
}

impl Accounts {
    /// SE-11: which device is connected follows from the account's own list, not from what the server was told first.
    pub(super) fn standing(&self, login: &SignIn) -> Result<Standing> {
        let Some(account) = self.accounts.get(login.device.name()) else { return Ok(Standing::Candidate) };
        match account.list.device(login.device.device()) {
            Some(listed) => login.verify(listed).map(|()| Standing::Listed),
            None if account.list.was_removed(login.device.device()) => Err(Fault::TransportLogin.into()),
            None => Ok(Standing::Candidate),
        }
    }

    pub(super) fn publish(&mut self, publication: &Publication, login: &SignIn) -> Result<PrekeyStock> {
        if publication.device != login.device {
            return Err(Fault::TransportRefused.into());
        }
        if let Some(upload) = &publication.prekeys {
            admission::check_prekeys(&publication.device, upload)?;
        }
        let (name, number) = (publication.device.name(), publication.device.device());
        let list = match self.accounts.get(name) {
            Some(account) => {
                let mut list = account.list.clone();
                list.extend(&publication.statements).map(|_| list)
            }
            None => DeviceList::verify(name, &publication.statements),
        };
        let list = list.map_err(|_| Fault::TransportRefused)?;
        let listed = list.device(number).ok_or(Fault::TransportLogin)?;
        login.verify(listed)?;
        if publication.prekeys.as_ref().is_some_and(|upload| upload.identity[..] != listed.identity.to_bytes()) {
            return Err(Fault::TransportRefused.into());
        }
        let account = self
            .accounts
            .entry(name.to_owned())
            .or_insert_with(|| Account { list: list.clone(), devices: BTreeMap::new() });
        account.list = list;
        for removed in (1..=127).filter(|device| account.list.was_removed(*device)) {
            account.devices.remove(&removed);
            if let Some(mailbox) = self.mailboxes.get_mut(&Address::new(name, removed)?) {
                mailbox.clear();
            }
        }
        let device = account.devices.entry(number).or_default();
        if device.publications.insert(publication.id)
            && let Some(upload) = &publication.prekeys
        {
            device.add_prekeys(upload);
        }
        Ok(device.stock())
    }

    pub(super) fn device_list(&self, account: &str, after: u64) -> Result<Vec<Vec<u8>>> {
        let account = self.accounts.get(account).ok_or(Fault::TransportUnknown)?;
        Ok(account.list.statements_after(after))
    }

    pub(super) fn fetch(&mut self, account: &str, devices: &[u8]) -> Result<Vec<Vec<u8>>> {
        let entry = self.accounts.get_mut(account).ok_or(Fault::TransportUnknown)?;
        let mut bundles = Vec::new();
        for &number in devices {
            let Some(prekeys) = entry.devices.get_mut(&number).and_then(|device| device.prekeys.as_mut()) else {
                continue;
            };
            let address = Address::new(account, number)?;
            let (one_time, kem) = (prekeys.one_time.pop_front(), prekeys.one_time_kem.pop_front());
            #[cfg(feature = "__internals")]
            self.seen.handed_out(&address, &prekeys.upload, one_time.as_ref(), kem.as_ref());
            bundles.push(admission::assemble_bundle(&address, &prekeys.upload, one_time, kem)?);
        }
        Ok(bundles)
    }

    pub(super) fn send(&mut self, envelope: &Outbound, limits: &ServerLimits) -> Verdict {
        if envelope.bytes.len() > limits.envelope {
            return Verdict::TooLarge;
        }
        let Some(account) = self.accounts.get(envelope.to.name()) else { return Verdict::NoSuchDevice };
        let mailbox = self.mailboxes.entry(envelope.to.clone()).or_default();
        if mailbox.accepted.contains(&envelope.id) {
            return Verdict::Accepted;
        }
        if envelope.device_list < account.list.number() {
            return Verdict::DevicesChanged;
        }
        if account.list.device(envelope.to.device()).is_none() {
            return Verdict::NoSuchDevice;
        }
        if mailbox.mail.len() >= limits.mailbox {
            return Verdict::MailboxFull;
        }
        mailbox.accepted.insert(envelope.id);
        mailbox.put(Delivery { id: envelope.id, bytes: envelope.bytes.clone() });
        #[cfg(feature = "__internals")]
        self.seen.accepted(&envelope.to, &envelope.bytes);
        Verdict::Accepted
    }

    /// The mailbox of a device; made if there is none, so that a device can wait before it is on its list.
    pub(super) fn mailbox(&mut self, address: &Address) -> &mut Mailbox {
        self.mailboxes.entry(address.clone()).or_default()
    }

    pub(super) fn witness(&mut self, address: &Address, mine: &Witness) -> Option<Witness> {
        let account = self.accounts.get_mut(address.name())?;
        let kept = &mut account.devices.entry(address.device()).or_default().witness;
        let before = *kept;
        if before.is_none_or(|before| before.generation < mine.generation) {
            *kept = Some(*mine);
        }
        before
    }

    pub(super) fn leave(&mut self, place: &MeetingPlace, number: u8, message: &[u8], limit: usize) -> Result<()> {
        if message.len() > limit {
            return Err(Fault::TransportTooLarge.into());
        }
        self.places.entry((place.0, number)).or_insert_with(|| message.to_vec());
        self.left.notify(usize::MAX);
        Ok(())
    }

    pub(super) fn collect(&self, place: &MeetingPlace, number: u8) -> Option<Vec<u8>> {
        self.places.get(&(place.0, number)).cloned()
    }

    pub(super) fn expire_meeting_places(&mut self) {
        self.places.clear();
    }

    /// Everyone who waits looks again.
    pub(super) fn wake_all(&self) {
        self.left.notify(usize::MAX);
        for mailbox in self.mailboxes.values() {
            mailbox.arrived.notify(usize::MAX);
        }
    }
}

impl Device {
    fn add_prekeys(&mut self, upload: &PrekeyUpload) {
        let kept = self.prekeys.take().filter(|prekeys| {
            prekeys.upload.registration_id == upload.registration_id && prekeys.upload.identity == upload.identity
        });
        let mut prekeys = kept.unwrap_or_else(|| Prekeys {
            upload: upload.clone(),
            one_time: VecDeque::new(),
            one_time_kem: VecDeque::new(),
            known: BTreeSet::new(),
        });
        for prekey in &upload.one_time_prekeys {
            if prekeys.known.insert((false, prekey.id)) {
                prekeys.one_time.push_back(prekey.clone());
            }
        }
        for prekey in &upload.one_time_kem_prekeys {
            if prekeys.known.insert((true, prekey.id)) {
                prekeys.one_time_kem.push_back(prekey.clone());
            }
        }
        prekeys.upload =
            PrekeyUpload { one_time_prekeys: Vec::new(), one_time_kem_prekeys: Vec::new(), ..upload.clone() };
        self.prekeys = Some(prekeys);
    }

    fn stock(&self) -> PrekeyStock {
        let count = |prekeys: &VecDeque<PublishedPrekey>| u32::try_from(prekeys.len()).unwrap_or(u32::MAX);
        self.prekeys.as_ref().map_or_else(PrekeyStock::default, |prekeys| PrekeyStock {
            one_time: count(&prekeys.one_time),
            one_time_kem: count(&prekeys.one_time_kem),
        })
    }
}

impl SignIn {
    fn verify(&self, listed: &ListedDevice) -> Result<()> {
        let verified = verify_login(&listed.identity, &self.device, &self.challenge, &self.signature);
        verified.map_err(|_| Fault::TransportLogin.into())
    }
}

impl Mailbox {
    fn clear(&mut self) {
        self.mail.clear();
        self.arrived.notify(usize::MAX);
    }

    pub(super) fn put(&mut self, delivery: Delivery) {
        self.mail.push_back(Mail { delivery, waited: 0, is_echo: false });
        self.arrived.notify(usize::MAX);
    }

    /// Forgets `id`, or keeps it for one more delivery.
    pub(super) fn acknowledge(&mut self, id: EnvelopeId, mut echo: impl FnMut() -> bool) {
        let Some(at) = self.mail.iter().position(|mail| mail.delivery.id == id) else { return };
        let Some(mail) = self.mail.remove(at) else { return };
        if !mail.is_echo && echo() {
            self.mail.push_back(Mail { is_echo: true, waited: 0, ..mail });
            self.arrived.notify(usize::MAX);
        }
    }
}
