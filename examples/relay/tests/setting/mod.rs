//! A relay in this process, and devices that use it.

#![allow(dead_code, reason = "each test program uses a part of it")]

use getrandom::SysRng;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use undertone::identity::{AccountKeyPair, DeviceList, NewDevice, sign_login};
use undertone::transport::{EnvelopeId, Login, Outbound, Publication, Transport, WebSocketOptions, WebSocketTransport};
use undertone::{Address, IdentityKeyPair, Result, UndertoneIdentityKeyPair};
use undertone_relay::{Relay, RelayOptions};

/// A folder of a test, removed after it.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn options(scratch: &Scratch) -> RelayOptions {
    RelayOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)), scratch.path("relay.sqlite"))
}

pub async fn start(options: RelayOptions) -> Relay {
    Relay::start(options).await.unwrap()
}

/// Connects again at once.
pub fn connect(address: SocketAddr) -> WebSocketTransport {
    let options = WebSocketOptions {
        reconnect_after: Duration::from_millis(1),
        reconnect_after_at_most: Duration::from_millis(20),
        ..WebSocketOptions::default()
    };
    WebSocketTransport::with_options(&format!("ws://{address}"), options).unwrap()
}

/// A device that signs in with the key it was given.
pub struct Device {
    pub address: Address,
    pub identity: UndertoneIdentityKeyPair,
    pub publication: Publication,
}

impl Device {
    /// The first device of a new account.
    pub fn new(name: &str) -> Arc<Self> {
        let account = AccountKeyPair::generate(&mut SysRng).unwrap();
        let identity = UndertoneIdentityKeyPair::generate(&mut SysRng).unwrap();
        let first = NewDevice::new(&identity, account.public(), name, 1, &mut SysRng).unwrap();
        let list = DeviceList::create(&account, name, first, 1_800_000_000).unwrap();
        let address = Address::new(name, 1).unwrap();
        let publication =
            Publication { id: [1; 16], device: address.clone(), statements: list.statements_after(0), prekeys: None };
        Arc::new(Self { address, identity, publication })
    }

    pub async fn register(self: &Arc<Self>, transport: &WebSocketTransport) {
        transport.attach(Arc::clone(self) as Arc<dyn Login>).await.unwrap();
        transport.publish(&self.publication).await.unwrap();
    }

    pub fn envelope(&self, number: u64, size: usize) -> Outbound {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        Outbound { id: EnvelopeId(id), to: self.address.clone(), device_list: 1, bytes: vec![7; size] }
    }
}

impl Login for Device {
    fn address(&self) -> &Address {
        &self.address
    }

    fn sign(&self, challenge: &[u8; 32]) -> Result<[u8; 64]> {
        sign_login(&self.identity, &self.address, challenge, &mut SysRng)
    }
}
