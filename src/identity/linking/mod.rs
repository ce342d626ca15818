//! Linking a device to an account: three messages between the new device and the account's first one, over a place where both can leave messages
//! (docs/protocol.md, section 14).
//!
//! B53: the new device shows a code, the first device reads it. Only who saw the code can answer it, and both then show six digits that the user compares: they differ if
//! anyone stands between the two.

mod code;
mod invitation;
mod link_keys;
mod link_messages;
mod request;
#[cfg(test)]
mod tests;

pub use code::LinkCode;
pub use invitation::Invitation;
pub use request::{LinkAcceptance, LinkRequest};
