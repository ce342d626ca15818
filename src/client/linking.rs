//! Making a device part of an account (docs/protocol.md, section 14): the new device shows a code, a device that holds the account key scans it, and both users see the
//! same digits. The server carries three messages and can change none of them.

use super::builder::ClientBuilder;
use super::devices::AddDevice;
use super::handle::{Client, Inner};
use super::own_device::{OwnDevice, random};
use super::prekey_upkeep::new_prekeys;
use super::record_names;
use super::transaction::{Operation, Transaction};
use crate::crypto::Zeroizing;
use crate::error::{Error, Fault, Result};
use crate::identity::{DeviceList, Invitation, LinkAcceptance, LinkCode, LinkRequest, NewDevice};
use crate::profile::{IdentityKeyPair, UndertoneIdentityKeyPair};
use crate::runtime::async_trait;
use crate::transport::MeetingPlace;
use crate::wire::{Address, Reader, Writer};
use core::fmt;
use getrandom::SysRng;
use std::sync::Arc;

const VERSION: u8 = 1;
/// The numbers of the three messages at the meeting place.
const OFFER: u8 = 1;
const ANSWER: u8 = 2;
const COMPLETION: u8 = 3;

/// A new device that shows its code; see [`ClientBuilder::link`]. It is in the store: after a crash, [`ClientBuilder::link`] goes on where it was.
///
/// ```
#[doc = include_str!("../../docs/examples/two_clients.txt")]
/// use futures_util::future::{join, try_join};
///
/// let linking: Linking = Client::builder(store(3).await?, server.transport()).link().await?;
/// let scanned = linking.code().to_string().parse()?;
/// let (pending, accepted) = try_join(alice.link(&scanned), linking.accept()).await?;
/// assert_eq!(accepted.account(), "alice");
/// # drop(pending);
#[doc = include_str!("../../docs/examples/end.txt")]
/// ```
pub struct Linking {
    inner: Inner,
    state: State,
}

/// A new device whose offer has come: the user compares the digits, then it [finishes](Self::finish).
///
/// ```
#[doc = include_str!("../../docs/examples/two_clients.txt")]
/// # use futures_util::future::{join, try_join};
/// #
/// # let linking: Linking = Client::builder(store(3).await?, server.transport()).link().await?;
/// # let scanned = linking.code().to_string().parse()?;
/// # let (pending, accepted) = try_join(alice.link(&scanned), linking.accept()).await?;
/// // On the new device:
/// println!("Does {} show {} too?", accepted.account(), accepted.confirmation_code());
/// let (number, tablet) = join(pending.confirm(), accepted.finish()).await;
/// assert_eq!(tablet?.address().device(), number?);
#[doc = include_str!("../../docs/examples/end.txt")]
/// ```
pub struct AcceptedLink {
    inner: Inner,
    acceptance: Box<LinkAcceptance>,
    code: LinkCode,
    answer: Vec<u8>,
}

/// A device that answered a code: the user compares the digits, then it [confirms](Self::confirm).
///
/// ```
#[doc = include_str!("../../docs/examples/two_clients.txt")]
/// # use futures_util::future::{join, try_join};
/// #
/// # let linking: Linking = Client::builder(store(3).await?, server.transport()).link().await?;
/// # let scanned = linking.code().to_string().parse()?;
/// # let (pending, accepted) = try_join(alice.link(&scanned), linking.accept()).await?;
/// // On the device that holds the account key:
/// println!("Does the new device show {} too?", pending.confirmation_code());
/// # assert_eq!(pending.confirmation_code(), accepted.confirmation_code());
/// let (number, tablet) = join(pending.confirm(), accepted.finish()).await;
/// assert_eq!(alice.devices().await?.all, [1, number?]);
/// # tablet?;
#[doc = include_str!("../../docs/examples/end.txt")]
/// ```
pub struct PendingLink {
    client: Client,
    invitation: Invitation,
    device: NewDevice,
    place: MeetingPlace,
}

/// How far a new device has come, as it is stored.
enum State {
    Asked(LinkRequest),
    Accepted { code: LinkCode, acceptance: Box<LinkAcceptance>, answer: Vec<u8> },
}

impl Linking {
    pub(super) async fn begin(builder: ClientBuilder) -> Result<Self> {
        let inner = builder.into_unnamed()?;
        let state = inner.transact(Begin { anew: false }).await?.into_inner();
        Ok(Self { inner, state })
    }

    /// The code to show, as a QR code or as text. Whoever sees it within ten minutes can answer it.
    #[must_use]
    pub const fn code(&self) -> &LinkCode {
        match &self.state {
            State::Asked(request) => request.code(),
            State::Accepted { code, .. } => code,
        }
    }

    /// Forgets this code, and whatever was answered to it, and shows another one: what to do when the other device was interrupted or refuses the code.
    ///
    /// # Errors
    /// `store.*`, `random.*`.
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn start_over(self) -> Result<Self> {
        let inner = self.inner;
        let state = inner.transact(Begin { anew: true }).await?.into_inner();
        Ok(Self { inner, state })
    }

    /// Waits for the other device's offer, and answers it.
    ///
    /// # Errors
    /// `link.*`, `transport.*`, `store.*`.
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn accept(self) -> Result<AcceptedLink> {
        let Self { inner, state } = self;
        let (code, acceptance, answer) = match state {
            State::Accepted { code, acceptance, answer } => (code, acceptance, answer),
            State::Asked(mut request) => {
                let code: LinkCode = request.code().to_string().parse()?;
                let offer = inner.transport.collect(&MeetingPlace(code.place()), OFFER).await?;
                let now = inner.clock.now().as_secs();
                let (acceptance, answer) = request.accept(&offer, now, &mut SysRng)?;
                let state = State::Accepted { code, acceptance: Box::new(acceptance), answer };
                inner.transact(Keep { state: &state }).await?;
                let State::Accepted { code, acceptance, answer } = state else { return Err(Fault::LinkState.into()) };
                (code, acceptance, answer)
            }
        };
        inner.transport.leave(&MeetingPlace(code.place()), ANSWER, &answer).await?;
        Ok(AcceptedLink { inner, acceptance, code, answer })
    }
}

impl AcceptedLink {
    /// The account that this device is offered to become part of.
    #[must_use]
    pub fn account(&self) -> &str {
        self.acceptance.name()
    }

    /// Six digits: the other device shows the same, or someone stands between.
    #[must_use]
    pub fn confirmation_code(&self) -> &str {
        self.acceptance.confirmation_code()
    }

    /// Waits for the other device to confirm, and opens the client. May be called again after an error of the network: open the link again with
    /// [`ClientBuilder::link`].
    ///
    /// # Errors
    /// `link.*`, `devices.*`, `transport.*`, `store.*`.
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn finish(self) -> Result<Client> {
        let Self { mut inner, acceptance, code, answer } = self;
        let place = MeetingPlace(code.place());
        inner.transport.leave(&place, ANSWER, &answer).await?;
        let completion = inner.transport.collect(&place, COMPLETION).await?;
        let list = acceptance.confirm(&completion)?;
        let own = inner.transact(Join { acceptance: &acceptance, list: &list }).await?.into_inner();
        inner.address = own.address.clone();
        inner.account = list.account().clone();
        inner.transport.attach(Arc::new(own.login()?)).await?;
        inner.publish_soon().await?;
        Ok(Client { inner: Arc::new(inner) })
    }
}

impl Client {
    /// Answers the code of a new device, and waits for its own answer. Nothing is signed yet.
    ///
    /// # Errors
    /// `devices.account_key` on a device that does not hold the account key; `devices.full`; `link.*`, `transport.*`, `store.*`, `client.*`.
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn link(&self, code: &LinkCode) -> Result<PendingLink> {
        self.check_open()?;
        let (own, list) = self.inner.own_account().await?;
        if own.unlinked {
            return Err(Fault::ClientUnlinked.into());
        }
        if own.account.is_none() {
            return Err(Fault::DevicesKey.into());
        }
        let now = self.inner.clock.now().as_secs();
        let (mut invitation, offer) = Invitation::answer(code, &list, list.next_device()?, now, &mut SysRng)?;
        let place = MeetingPlace(code.place());
        self.inner.transport.leave(&place, OFFER, &offer).await?;
        let answer = self.inner.transport.collect(&place, ANSWER).await?;
        let device = invitation.finish(&answer, self.inner.clock.now().as_secs())?;
        Ok(PendingLink { client: self.clone(), invitation, device, place })
    }
}

impl PendingLink {
    /// Six digits: the new device shows the same, or someone stands between.
    #[must_use]
    pub fn confirmation_code(&self) -> &str {
        self.invitation.confirmation_code().unwrap_or_default()
    }

    /// Signs the new device into the account's device list, publishes the list, and tells the device. Returns the device's number.
    ///
    /// # Errors
    /// `devices.*`, `transport.*`, `store.*`, `client.*`.
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn confirm(self) -> Result<u8> {
        let Self { client, invitation, device, place } = self;
        client.check_open()?;
        let number = device.number();
        let list = client.inner.transact(AddDevice { device }).await?.into_inner();
        client.inner.publish_soon().await?;
        let completion = invitation.complete(&list, &mut SysRng)?;
        client.inner.transport.leave(&place, COMPLETION, &completion).await?;
        Ok(number)
    }
}

/// Shows nothing: a code is a secret.
impl fmt::Debug for Linking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Linking").finish_non_exhaustive()
    }
}

/// Shows nothing.
impl fmt::Debug for AcceptedLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptedLink").finish_non_exhaustive()
    }
}

/// Shows nothing.
impl fmt::Debug for PendingLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingLink").finish_non_exhaustive()
    }
}

impl State {
    fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Writer::with_capacity(1024);
        out.u8(VERSION);
        match self {
            Self::Asked(request) => {
                out.u8(1).prefixed_long(&request.to_bytes())?;
            }
            Self::Accepted { code, acceptance, answer } => {
                out.u8(2).prefixed(code.to_string().as_bytes())?.prefixed_long(&acceptance.to_bytes())?;
                out.prefixed_long(answer)?;
            }
        }
        Ok(out.into_vec())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader::new(bytes, Fault::RecordCorrupt);
        if input.u8()? != VERSION {
            return Err(Fault::RecordVersion.into());
        }
        let state = match input.u8()? {
            1 => Self::Asked(LinkRequest::from_bytes(input.prefixed_long()?)?),
            2 => {
                let code = core::str::from_utf8(input.prefixed()?).map_err(|_| Error::from(Fault::RecordCorrupt))?;
                Self::Accepted {
                    code: code.parse()?,
                    acceptance: Box::new(LinkAcceptance::from_bytes(input.prefixed_long()?)?),
                    answer: input.prefixed_long()?.to_vec(),
                }
            }
            _ => return Err(Fault::RecordVersion.into()),
        };
        input.finish()?;
        Ok(state)
    }
}

/// Goes on with the request in the store, or makes one.
struct Begin {
    /// Whatever is in the store.
    anew: bool,
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for Begin {
    type Output = State;

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<State> {
        if transaction.get(&record_names::own_device()).await?.is_some() {
            return Err(Fault::StoreAccount.into());
        }
        let stored: Option<Zeroizing<Vec<u8>>> = transaction.get(&record_names::link_request()).await?;
        if let Some(stored) = stored
            && !self.anew
        {
            let state = State::from_bytes(&stored)?;
            let is_over = matches!(&state, State::Asked(request) if request.code().expires() <= transaction.now);
            if !is_over {
                return Ok(state);
            }
        }
        let state = State::Asked(LinkRequest::new(transaction.now, &mut SysRng)?);
        transaction.put(record_names::link_request(), state.to_bytes()?);
        Ok(state)
    }
}

/// Stores how far the new device has come.
struct Keep<'a> {
    state: &'a State,
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for Keep<'_> {
    type Output = ();

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        transaction.put(record_names::link_request(), self.state.to_bytes()?);
        Ok(())
    }
}

/// Makes this device what its account's list says that it is.
struct Join<'a> {
    acceptance: &'a LinkAcceptance,
    list: &'a DeviceList,
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for Join<'_> {
    type Output = OwnDevice;

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<OwnDevice> {
        let own = OwnDevice {
            address: Address::new(self.list.name(), self.acceptance.device())?,
            identity: UndertoneIdentityKeyPair::from_bytes(&*self.acceptance.identity().to_bytes())?,
            registration_id: u32::from_be_bytes(random()?),
            account: None,
            unlinked: false,
            generations_before: 0,
        };
        transaction.remove(record_names::link_request());
        transaction.put(record_names::own_device(), own.to_bytes()?);
        transaction.put(record_names::own_list(), self.list.to_bytes());
        let now = transaction.now;
        transaction.counters().await?.saw_time(now);
        new_prekeys(transaction, &own).await?;
        Ok(own)
    }
}
