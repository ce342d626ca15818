//! Token buckets, for connections and for network addresses.

use crate::options::Rate;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use undertone::transport::protocol::Call;

/// Addresses that are remembered before full buckets are forgotten.
const ADDRESSES: usize = 10_000;

/// One bucket.
pub struct Bucket {
    rate: Rate,
    tokens: f64,
    since: Instant,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, tokens: rate.burst, since: now }
    }

    /// Takes `cost` tokens if there are as many.
    pub fn take(&mut self, cost: f64, now: Instant) -> bool {
        let back = now.saturating_duration_since(self.since).as_secs_f64() * self.rate.per_second;
        self.tokens = (self.tokens + back).min(self.rate.burst);
        self.since = now;
        let is_enough = self.tokens >= cost;
        if is_enough {
            self.tokens -= cost;
        }
        is_enough
    }

    fn is_full(&self, now: Instant) -> bool {
        let back = now.saturating_duration_since(self.since).as_secs_f64() * self.rate.per_second;
        self.tokens + back >= self.rate.burst
    }
}

/// The buckets of network addresses.
pub struct Addresses {
    rate: Rate,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

impl Addresses {
    /// Buckets of this rate.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, buckets: Mutex::default() }
    }

    /// Takes `cost` tokens of this address.
    pub fn take(&self, address: IpAddr, cost: f64, now: Instant) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() > ADDRESSES {
            buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        buckets.entry(address).or_insert_with(|| Bucket::new(self.rate, now)).take(cost, now)
    }
}

/// What a call costs. B14: fetching a bundle costs most, because it takes a one-time prekey away.
#[must_use]
pub fn cost(call: &Call) -> f64 {
    let count = |items: usize| f64::from(u32::try_from(items).unwrap_or(u32::MAX));
    match call {
        Call::Send(envelopes) => count(envelopes.len()).max(1.0),
        Call::Fetch { devices, .. } => 5.0 * count(devices.len()).max(1.0),
        Call::Publish(_) => 10.0,
        Call::Leave { .. } | Call::Collect { .. } | Call::DeviceList { .. } => 2.0,
        Call::SignIn { .. } | Call::Acknowledge(_) | Call::Witness(_) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_bucket_empties_and_fills() {
        let (start, rate) = (Instant::now(), Rate { per_second: 2.0, burst: 3.0 });
        let mut bucket = Bucket::new(rate, start);
        assert!([true, true, true, false].into_iter().all(|expected| bucket.take(1.0, start) == expected));
        assert!(!bucket.take(1.5, start + Duration::from_millis(500)));
        assert!(bucket.take(1.0, start + Duration::from_millis(500)));
        assert!(bucket.take(3.0, start + Duration::from_secs(60)));
        assert!(!bucket.take(0.5, start + Duration::from_secs(60)));
    }

    #[test]
    fn one_address_does_not_empty_the_bucket_of_another() {
        let addresses = Addresses::new(Rate { per_second: 0.0, burst: 1.0 });
        let now = Instant::now();
        let taken = [[1, 1, 1, 1], [1, 1, 1, 1], [2, 2, 2, 2]].map(|address| addresses.take(address.into(), 1.0, now));
        assert_eq!(taken, [true, false, true]);
    }
}
