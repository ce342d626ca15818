//! Opening a client: a new account, or a device that is there already.

use super::handle::{Client, Inner, Settings, Told};
use super::linking::Linking;
use super::own_device::{OwnDevice, random, random_number};
use super::prekey_upkeep::new_prekeys;
use super::record_names::{self, Numbered};
use super::transaction::{Operation, Transaction};
use crate::content::Padding;
use crate::error::{Fault, Result};
use crate::handshake::HandshakePolicy;
use crate::identity::{AccountKeyPair, DeviceList, NewDevice, TrustPolicy};
use crate::profile::{IdentityKeyPair, UndertoneIdentityKeyPair};
use crate::runtime::{Clock, SystemClock, async_trait};
use crate::store::SealedStore;
use crate::transport::Transport;
use crate::wire::Address;
use getrandom::SysRng;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex};

/// How a client is to be opened; see [`Client::builder`].
///
/// ```
#[doc = include_str!("../../docs/examples/two_clients.txt")]
/// use undertone::{content::Padding, identity::TrustPolicy};
///
/// let carol = Client::builder(store(3).await?, server.transport())
///     .trust(TrustPolicy::Warn)
///     .padding(Padding::Padme)
///     .open("carol")
///     .await?;
/// assert_eq!(carol.name(), "carol");
#[doc = include_str!("../../docs/examples/end.txt")]
/// ```
pub struct ClientBuilder {
    pub(super) store: SealedStore,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) clock: Arc<dyn Clock>,
    trust: TrustPolicy,
    padding: Padding,
    handshake: HandshakePolicy,
    trust_clock: bool,
    receipts: bool,
}

impl ClientBuilder {
    pub(super) fn new(store: SealedStore, transport: Arc<dyn Transport>) -> Self {
        Self {
            store,
            transport,
            clock: Arc::new(SystemClock),
            trust: TrustPolicy::default(),
            padding: Padding::default(),
            handshake: HandshakePolicy::default(),
            trust_clock: false,
            receipts: true,
        }
    }

    /// Another clock than the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// What to do when a contact's account key changes. The default is to send nothing until the user accepts it.
    #[must_use]
    pub const fn trust(mut self, policy: TrustPolicy) -> Self {
        self.trust = policy;
        self
    }

    /// How messages are padded. The default is to sizes that tell little.
    #[must_use]
    pub const fn padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }

    /// Which handshakes are accepted. The default refuses those without a post-quantum key.
    #[must_use]
    pub const fn handshake(mut self, policy: HandshakePolicy) -> Self {
        self.handshake = policy;
        self
    }

    /// Sends no receipts, whatever the application asks for.
    #[must_use]
    pub const fn without_receipts(mut self) -> Self {
        self.receipts = false;
        self
    }

    /// Takes the clock for right although it is far behind what was seen before: after it was wrong, or when the user says so.
    #[must_use]
    pub const fn trust_clock(mut self) -> Self {
        self.trust_clock = true;
        self
    }

    /// Opens the client of the account `name`: the one in the store, or, if the store is new, a new account with this device as its first.
    ///
    /// The server need not be reached: what is to be published waits. If something is, one attempt is made.
    ///
    /// # Errors
    /// `store.*`: `store.account` if it belongs to another account; `address.name`; `client.clock`; `transport.unauthorized`; `random.failed`.
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn open(self, name: &str) -> Result<Client> {
        Address::new(name, 1)?;
        self.open_device(name).await
    }

    /// Begins to make this device part of an account that exists: it shows a code, and a device of the account scans it.
    ///
    /// # Errors
    /// `store.*`: `store.account` if the store belongs to an account already; `random.failed`.
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn link(self) -> Result<Linking> {
        Linking::begin(self).await
    }

    async fn open_device(self, name: &str) -> Result<Client> {
        let mut inner = self.into_unnamed()?;
        let settings = inner.settings;
        inner.begin_to_count().await?;
        let opened = inner.transact(Open { name, settings }).await?.into_inner();
        inner.address = opened.own.address.clone();
        inner.account = opened.list.account().clone();
        inner.first_own_envelope = opened.first_own_envelope;
        inner.transport.attach(Arc::new(opened.own.login()?)).await?;
        if opened.is_publication_pending && !opened.own.unlinked {
            inner.publish_soon().await?;
        }
        Ok(Client { inner: Arc::new(inner) })
    }

    /// What a client shares, before it is known which device it is.
    pub(super) fn into_unnamed(self) -> Result<Inner> {
        let settings = Settings {
            trust: self.trust,
            padding: self.padding,
            handshake: self.handshake,
            trust_clock: self.trust_clock,
            receipts: self.receipts,
            instance: random_number()?,
        };
        let nobody = AccountKeyPair::generate(&mut SysRng)?.public().clone();
        Ok(Inner {
            store: self.store,
            transport: self.transport,
            clock: self.clock,
            settings,
            address: Address::new("nobody", 1)?,
            account: nobody,
            writer: async_lock::Mutex::new(()),
            flushing: async_lock::Mutex::new(()),
            keeping_up: async_lock::Mutex::new(()),
            pumping: async_lock::Mutex::new(()),
            told: async_lock::Mutex::new(Told::default()),
            wake: event_listener::Event::new(),
            first_own_envelope: 0,
            mentioned: Mutex::default(),
            held_until: Mutex::new(Some(0)),
            opened_at: AtomicU64::new(0),
            own_commits: AtomicU64::new(0),
            shown: AtomicU64::new(0),
            upkeep_due: AtomicBool::new(true),
            kept_up: AtomicU64::new(0),
            last_trouble: Mutex::default(),
            troubled_until: Mutex::default(),
            syncing: AtomicUsize::new(0),
            synced: event_listener::Event::new(),
            trouble: AtomicU32::new(0),
            closed: AtomicBool::new(false),
            settled: Mutex::default(),
            postponed: Mutex::default(),
        })
    }
}

/// Reads what is needed to go on, or makes a new account: a few records, however much is in the store.
struct Open<'a> {
    name: &'a str,
    settings: Settings,
}

struct Opened {
    own: OwnDevice,
    list: DeviceList,
    first_own_envelope: u64,
    is_publication_pending: bool,
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for Open<'_> {
    type Output = Opened;

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<Opened> {
        transaction.check_clock(&self.settings).await?;
        if transaction.get(&record_names::own_device()).await?.is_none() {
            create_account(transaction, self.name).await?;
        }
        let own = transaction.own_device().await?;
        if self.name != own.address.name() {
            return Err(Fault::StoreAccount.into());
        }
        let list = transaction.own_list().await?;
        let first_own_envelope = transaction.counters().await?.next(Numbered::Outbox);
        let is_publication_pending = transaction.get(&record_names::publication()).await?.is_some();
        Ok(Opened { own, list, first_own_envelope, is_publication_pending })
    }
}

/// A new account, with this device as its first.
async fn create_account(transaction: &mut Transaction<'_>, name: &str) -> Result<()> {
    let address = Address::new(name, 1)?;
    let account = AccountKeyPair::generate(&mut SysRng)?;
    let identity = UndertoneIdentityKeyPair::generate(&mut SysRng)?;
    let device = NewDevice::new(&identity, account.public(), name, 1, &mut SysRng)?;
    let list = DeviceList::create(&account, name, device, transaction.now)?;
    let registration_id = u32::from_be_bytes(random()?);
    let own = OwnDevice {
        address,
        identity,
        registration_id,
        account: Some(account),
        unlinked: false,
        generations_before: 0,
    };
    transaction.put(record_names::own_device(), own.to_bytes()?);
    transaction.put(record_names::own_list(), list.to_bytes());
    new_prekeys(transaction, &own).await
}
