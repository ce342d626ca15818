//! What binds a message of the Signal profile to its session's two ends.

use crate::profile::{Parties, Signal, SignalIdentityKey};
use crate::wire::Address;
use crate::wire::signal::{PUBLIC_KEY, ServiceId};

/// The length of the addresses field: service id and device of the sender, then of the receiver.
const ADDRESSES: usize = 2 * ADDRESS;
const ADDRESS: usize = ServiceId::FIXED_WIDTH + 1;

/// The identity keys and addresses of both ends, as they stand in either direction.
pub struct SignalBinding {
    sending: Direction,
    receiving: Direction,
}

/// From one end to the other.
pub struct Direction {
    /// The identity keys under the MAC, before anything else: the sender's, then the receiver's (X3-6, X3-11, PQ-25: a message for one pair of
    /// identities is none for another).
    pub identities: [u8; 2 * PUBLIC_KEY],
    /// The addresses field, if both names are service ids.
    pub addresses: Option<[u8; ADDRESSES]>,
}

impl SignalBinding {
    /// The binding of a session.
    pub fn new(parties: &Parties<'_, Signal>) -> Self {
        let local = (parties.local_identity, parties.local);
        let remote = (parties.remote_identity, parties.remote);
        Self { sending: Direction::new(local, remote), receiving: Direction::new(remote, local) }
    }

    /// From this device to the peer.
    pub const fn sending(&self) -> &Direction {
        &self.sending
    }

    /// From the peer to this device.
    pub const fn receiving(&self) -> &Direction {
        &self.receiving
    }
}

impl Direction {
    fn new(sender: (&SignalIdentityKey, &Address), receiver: (&SignalIdentityKey, &Address)) -> Self {
        let addresses = address(sender.1).zip(address(receiver.1));
        Self {
            identities: concatenation(sender.0.wire_bytes(), receiver.0.wire_bytes()),
            addresses: addresses.map(|(sender, receiver)| concatenation(sender, receiver)),
        }
    }
}

/// The fixed-width service id and the device, if the name is a service id.
fn address(address: &Address) -> Option<[u8; ADDRESS]> {
    let id: ServiceId = address.name().parse().ok()?;
    Some(concatenation(id.to_fixed_width(), [address.device()]))
}

fn concatenation<const A: usize, const B: usize, const N: usize>(head: [u8; A], tail: [u8; B]) -> [u8; N] {
    const { assert!(A + B == N, "the parts fill the whole") };
    let mut out = [0; N];
    for (slot, byte) in out.iter_mut().zip(head.into_iter().chain(tail)) {
        *slot = byte;
    }
    out
}
