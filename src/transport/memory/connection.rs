//! One connection with the server in memory.

use super::accounts::{Accounts, SignIn, Standing};
use super::faults::{Passage, Weather};
use super::{Faults, Server};
use crate::crypto::random;
use crate::error::{Fault, Result};
use crate::runtime::async_trait;
use crate::transport::{
    Delivery, EnvelopeId, Login, MeetingPlace, Outbound, PrekeyStock, Publication, Transport, Verdict, Witness,
};
use crate::wire::Address;
use event_listener::{Event, EventListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most envelopes in one answer.
const BATCH: usize = 100;

/// A connection with a [`MemoryServer`](super::MemoryServer).
///
/// ```
/// use futures_executor::block_on;
/// use undertone::transport::{MemoryServer, Transport};
///
/// let server = MemoryServer::new();
/// let transport = server.transport();
/// assert_eq!(block_on(transport.device_list("nobody", 0)).unwrap_err().code(), "transport.unknown_account");
/// server.set_reachable(false);
/// assert_eq!(block_on(transport.device_list("nobody", 0)).unwrap_err().code(), "transport.unreachable");
/// ```
pub struct MemoryTransport {
    server: Arc<Server>,
    number: u64,
    state: Mutex<State>,
}

struct State {
    login: Option<Arc<SignIn>>,
    is_closed: bool,
    own_faults: Option<Faults>,
    weather: Weather,
    /// The server's count of changes when `weather` began.
    change: u64,
}

impl MemoryTransport {
    pub(super) fn new(server: Arc<Server>, number: u64) -> Self {
        let state = State {
            login: None,
            is_closed: false,
            own_faults: None,
            weather: Weather::new(Faults::none(), number),
            // No count of the server's: the faults in force are taken up at the first call.
            change: u64::MAX,
        };
        Self { server, number, state: Mutex::new(state) }
    }

    /// Lets the network of this connection misbehave in a way of its own.
    pub fn set_faults(&self, faults: Faults) {
        let mut state = self.state();
        state.own_faults = Some(faults);
        state.weather = Weather::new(faults, self.number);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and lets it fail if it is its turn. `effect` is what the server does.
    fn call<T>(&self, effect: impl FnOnce(&mut Accounts) -> Result<T>) -> Result<T> {
        match self.passage()? {
            Passage::Through => effect(&mut self.server.accounts()),
            Passage::RequestLost => Err(Fault::TransportUnreachable.into()),
            Passage::AnswerLost => {
                // The caller learns nothing of it, a refusal included.
                let _ = effect(&mut self.server.accounts());
                Err(Fault::TransportUnreachable.into())
            }
        }
    }

    fn passage(&self) -> Result<Passage> {
        self.check_open()?;
        let (faults, change) = {
            let mut network = self.server.network();
            network.calls += 1;
            (network.faults, network.change)
        };
        let mut state = self.state();
        if state.change != change {
            state.change = change;
            if state.own_faults.is_none() {
                state.weather = Weather::new(faults, self.number);
            }
        }
        Ok(state.weather.next_call())
    }

    fn check_open(&self) -> Result<()> {
        if self.state().is_closed || self.server.network().is_down {
            return Err(Fault::TransportUnreachable.into());
        }
        Ok(())
    }

    fn login(&self) -> Result<Arc<SignIn>> {
        self.state().login.clone().ok_or_else(|| Fault::TransportLogin.into())
    }

    /// Asks until there is an answer. It holds nothing between two questions, so that it may be dropped at any time.
    async fn wait_for<T>(&self, event: &Event, mut question: impl FnMut(&mut Accounts) -> Option<T>) -> Result<T> {
        loop {
            let listener: EventListener = event.listen();
            self.check_open()?;
            let answer = question(&mut self.server.accounts());
            match answer {
                Some(answer) => return Ok(answer),
                None => listener.await,
            }
        }
    }

    /// What is in the mailbox for this call of `receive`.
    fn take(&self, accounts: &mut Accounts, address: &Address) -> Option<Vec<Delivery>> {
        let mut state = self.state();
        let weather = &mut state.weather;
        let mailbox = accounts.mailbox(address);
        let mut due = Vec::new();
        for mail in &mut mailbox.mail {
            if mail.waited >= weather.delay(&mail.delivery.id.0) {
                due.push(mail.delivery.clone());
            } else {
                mail.waited += 1;
            }
        }
        if due.is_empty() {
            // Nothing overtakes what is still under way: it is there.
            due.extend(mailbox.mail.front().map(|mail| mail.delivery.clone()));
        }
        due.truncate(BATCH);
        let twice: Vec<Delivery> = due.iter().filter(|_| weather.duplicates()).cloned().collect();
        due.extend(twice);
        weather.shuffle(&mut due);
        drop(state);
        #[cfg(feature = "__internals")]
        let due = self.server.tampered(due, |tamper, due| tamper.receive(address, due));
        (!due.is_empty()).then_some(due)
    }
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Transport for MemoryTransport {
    async fn attach(&self, login: Arc<dyn Login>) -> Result<()> {
        let challenge = random::array(&mut getrandom::SysRng)?;
        let signature = login.sign(&challenge)?;
        let login = SignIn { device: login.address().clone(), challenge, signature };
        self.server.accounts().standing(&login)?;
        self.state().login = Some(Arc::new(login));
        Ok(())
    }

    async fn publish(&self, publication: &Publication) -> Result<PrekeyStock> {
        let login = self.login()?;
        let honest = self.call(|accounts| accounts.publish(publication, &login));
        #[cfg(feature = "__internals")]
        let honest = self.server.tampered(honest, |tamper, honest| tamper.stock(&login.device, honest));
        honest
    }

    async fn device_list(&self, account: &str, after: u64) -> Result<Vec<Vec<u8>>> {
        let honest = self.call(|accounts| accounts.device_list(account, after));
        #[cfg(feature = "__internals")]
        let honest = self.server.tampered(honest, |tamper, honest| tamper.device_list(account, after, honest));
        honest
    }

    async fn fetch(&self, account: &str, devices: &[u8]) -> Result<Vec<Vec<u8>>> {
        let honest = self.call(|accounts| accounts.fetch(account, devices));
        #[cfg(feature = "__internals")]
        let honest = self.server.tampered(honest, |tamper, honest| tamper.fetch(account, devices, honest));
        honest
    }

    async fn send(&self, envelopes: &[Outbound]) -> Result<Vec<Verdict>> {
        let limits = self.server.limits;
        let honest = self.call(|accounts| {
            let mut verdicts = Vec::with_capacity(envelopes.len());
            for envelope in envelopes {
                #[cfg(feature = "__internals")]
                if let Some(verdict) = self.server.tampered(None, |tamper, _| tamper.send(envelope)) {
                    verdicts.push(verdict);
                    continue;
                }
                verdicts.push(accounts.send(envelope, &limits));
            }
            Ok(verdicts)
        });
        #[cfg(feature = "__internals")]
        let honest =
            honest.map(|honest| self.server.tampered(honest, |tamper, honest| tamper.verdicts(envelopes, honest)));
        honest
    }

    async fn receive(&self) -> Result<Vec<Delivery>> {
        let login = self.login()?;
        // A call that is lost and a call whose answer is lost are the same: nothing is forgotten before it is acknowledged.
        if self.passage()? != Passage::Through {
            return Err(Fault::TransportUnreachable.into());
        }
        let arrived = Arc::clone(&self.server.accounts().mailbox(&login.device).arrived);
        let mail = self.wait_for(&arrived, |accounts| match accounts.standing(&login) {
            Ok(_) => self.take(accounts, &login.device).map(Ok),
            Err(error) => Some(Err(error)),
        });
        mail.await?
    }

    async fn acknowledge(&self, ids: &[EnvelopeId]) -> Result<()> {
        let login = self.login()?;
        self.call(|accounts| {
            check_listed(accounts, &login)?;
            #[cfg(feature = "__internals")]
            if !self.server.tampered(true, |tamper, _| tamper.forgets(&login.device)) {
                return Ok(());
            }
            let mut state = self.state();
            let mailbox = accounts.mailbox(&login.device);
            for id in ids {
                mailbox.acknowledge(*id, || state.weather.duplicates());
            }
            Ok(())
        })
    }

    async fn witness(&self, mine: &Witness) -> Result<Option<Witness>> {
        let login = self.login()?;
        let honest = self.call(|accounts| {
            check_listed(accounts, &login)?;
            Ok(accounts.witness(&login.device, mine))
        });
        #[cfg(feature = "__internals")]
        let honest =
            honest.map(|honest| self.server.tampered(honest, |tamper, honest| tamper.witness(&login.device, honest)));
        honest
    }

    async fn leave(&self, place: &MeetingPlace, number: u8, message: &[u8]) -> Result<()> {
        let limit = self.server.limits.meeting_message;
        self.call(|accounts| accounts.leave(place, number, message, limit))
    }

    async fn collect(&self, place: &MeetingPlace, number: u8) -> Result<Vec<u8>> {
        if self.passage()? != Passage::Through {
            return Err(Fault::TransportUnreachable.into());
        }
        let left = Arc::clone(&self.server.accounts().left);
        let honest = self.wait_for(&left, |accounts| accounts.collect(place, number)).await?;
        #[cfg(feature = "__internals")]
        let honest = self.server.tampered(honest, |tamper, honest| tamper.collect(place, number, honest));
        Ok(honest)
    }

    async fn close(&self) {
        self.state().is_closed = true;
        self.server.accounts().wake_all();
    }
}

fn check_listed(accounts: &Accounts, login: &SignIn) -> Result<()> {
    match accounts.standing(login)? {
        Standing::Listed => Ok(()),
        Standing::Candidate => Err(Fault::TransportLogin.into()),
    }
}
