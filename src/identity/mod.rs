//! Floor 4: who people and devices are: the account key and its device list, linking a device, signing in, trust, and how keys are named and compared.

mod account;
mod base58;
mod device_list;
mod device_statement;
mod did_key;
mod fingerprint;
mod fingerprint_form;
mod linking;
mod login;
mod new_device;
mod trust;

pub use account::{AccountKey, AccountKeyPair};
pub use device_list::{DeviceChange, DeviceList, ListedDevice};
pub use did_key::DidKey;
pub use fingerprint::{Fingerprint, FingerprintParty};
pub use fingerprint_form::{FingerprintProfile, FingerprintVersion};
pub use linking::{Invitation, LinkAcceptance, LinkCode, LinkRequest};
pub use login::{sign_login, verify_login};
pub use new_device::NewDevice;
pub use trust::{PinnedAccount, Seen, TrustPolicy, Verification};
