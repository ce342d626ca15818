//! Safety numbers: how two people make sure, by reading aloud or by scanning, that they hold each other's real identity keys.

use super::fingerprint_form::{FingerprintProfile, FingerprintVersion};
use crate::crypto::ConstantTimeEq;
use crate::error::{Fault, Result};
use crate::rule::{self, Rule};
use core::fmt;
use core::marker::PhantomData;

/// One of the two parties of a safety number.
///
/// ```
/// use undertone::FingerprintParty;
#[doc = include_str!("../../docs/examples/two_devices.txt")]
///
/// let party = FingerprintParty::<Undertone> { account_id: b"alice", identity_key: alices_key.public() };
/// assert_eq!(party.identity_key.as_bytes().len(), 32);
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct FingerprintParty<'a, P: FingerprintProfile> {
    /// A stable id of the account. Never a phone number, which may pass to somebody else (SN-3).
    pub account_id: &'a [u8],
    /// The account's identity key.
    pub identity_key: &'a P::IdentityKey,
}

/// The safety number of two parties, to be read or to be scanned.
///
/// Both sides see the same 60 digits; each side's scan fits the other's. The comparison is part of what protects a
/// conversation: until it is made, the keys are those that the server told. The account ids of both are in it as well as their keys, so that
/// the number of a key which somebody else passes off as his own is another one (X3-11, PQ-25).
///
/// ```
/// use undertone::{Fingerprint, FingerprintParty, FingerprintVersion, Undertone};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
///
/// let alice = FingerprintParty::<Undertone> { account_id: b"alice", identity_key: alices_key.public() };
/// let bob = FingerprintParty::<Undertone> { account_id: b"bob", identity_key: bobs_key.public() };
/// let on_alices_screen = Fingerprint::new(FingerprintVersion::Two, &alice, &bob);
/// let on_bobs_screen = Fingerprint::new(FingerprintVersion::Two, &bob, &alice);
///
/// // They read it to each other, in twelve groups of five digits, or one of them scans the other's.
/// assert_eq!(on_alices_screen.to_string(), on_bobs_screen.to_string());
/// assert_eq!((on_alices_screen.digits().len(), on_alices_screen.to_string().len()), (60, 71));
/// assert!(on_alices_screen.matches_scan(&on_bobs_screen.to_scan())?);
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone)]
pub struct Fingerprint<P> {
    version: FingerprintVersion,
    local: [u8; 64],
    remote: [u8; 64],
    profile: PhantomData<P>,
}

impl<P: FingerprintProfile> Fingerprint<P> {
    /// The safety number of this account and another. It takes some milliseconds, by design: 5 200 hashes for each party.
    #[must_use]
    pub fn new(version: FingerprintVersion, local: &FingerprintParty<'_, P>, remote: &FingerprintParty<'_, P>) -> Self {
        Self::iterated(P::FINGERPRINT_ITERATIONS, version, local, remote)
    }

    /// The 60 digits, the same on both sides (SN-1).
    #[must_use]
    pub fn digits(&self) -> String {
        let (local, remote) = (party_digits(&self.local), party_digits(&self.remote));
        if local <= remote { local + &remote } else { remote + &local }
    }

    /// The bytes to show as a QR code.
    #[must_use]
    pub fn to_scan(&self) -> Vec<u8> {
        P::encode_scan(self.version, front(&self.local), front(&self.remote))
    }

    /// Whether the bytes that the other side shows belong to the same two keys.
    ///
    /// `Ok(false)` is an alarm: the keys differ. Another version is an error and no alarm (SN-2): one of the two has to update.
    ///
    /// # Errors
    /// `fingerprint.version`, `fingerprint.field`.
    ///
    /// # Example
    /// ```
    #[doc = include_str!("../../docs/examples/two_devices.txt")]
    /// # let mallorys_key = UndertoneIdentityKeyPair::generate(&mut rng)?;
    /// # let party = |account_id, identity_key| FingerprintParty::<Undertone> { account_id, identity_key };
    /// # let of = |local, remote| Fingerprint::new(FingerprintVersion::Two, local, remote);
    /// # let (alice, bob) = (party(b"alice", alices_key.public()), party(b"bob", bobs_key.public()));
    /// # let bob_as_alice_was_told = party(b"bob", mallorys_key.public());
    /// let on_alices_screen = of(&alice, &bob_as_alice_was_told);
    /// let on_bobs_screen = of(&bob, &alice);
    /// assert_eq!(on_alices_screen.matches_scan(&on_bobs_screen.to_scan()), Ok(false));
    /// # Ok::<(), undertone::Error>(())
    /// ```
    pub fn matches_scan(&self, scanned: &[u8]) -> Result<bool> {
        // SN-2: the version is looked at before anything else.
        if rule::on(Rule::Sn2) && P::scan_version(scanned)? != u32::from(self.version.number()) {
            return Err(Fault::FingerprintVersion.into());
        }
        let (theirs, ours) = P::decode_scan(scanned)?;
        Ok((theirs.ct_eq(front(&self.remote)) & ours.ct_eq(front(&self.local))).into())
    }

    pub(super) fn iterated(
        iterations: u32,
        version: FingerprintVersion,
        local: &FingerprintParty<'_, P>,
        remote: &FingerprintParty<'_, P>,
    ) -> Self {
        let hash = |party: &FingerprintParty<'_, P>| {
            P::fingerprint_hash(iterations, version, party.account_id, party.identity_key)
        };
        Self { version, local: hash(local), remote: hash(remote), profile: PhantomData }
    }
}

/// In groups of five digits, as it is read aloud.
impl<P: FingerprintProfile> fmt::Display for Fingerprint<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, digit) in self.digits().chars().enumerate() {
            if at > 0 && at % 5 == 0 {
                f.write_str(" ")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// Shows the version only: a safety number tells who talks to whom.
impl<P> fmt::Debug for Fingerprint<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({:?}, …)", self.version)
    }
}

/// Six integers of five bytes, each modulo 100 000.
fn party_digits(hash: &[u8; 64]) -> String {
    let (groups, _) = hash.as_chunks::<5>();
    let number = |group: &[u8; 5]| group.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte)) % 100_000;
    groups.iter().take(6).map(|group| format!("{:05}", number(group))).collect()
}

/// The part of a party's hash that is scanned.
fn front(hash: &[u8; 64]) -> &[u8; 32] {
    hash.first_chunk().unwrap_or(&[0; 32])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{IdentityKeyPair, Undertone, UndertoneIdentityKey, UndertoneIdentityKeyPair};
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn key(seed: u64) -> UndertoneIdentityKey {
        UndertoneIdentityKeyPair::generate(&mut StdRng::seed_from_u64(seed)).unwrap().public().clone()
    }

    fn fingerprint(version: FingerprintVersion, local: (&[u8], u64), remote: (&[u8], u64)) -> Fingerprint<Undertone> {
        let (local_key, remote_key) = (key(local.1), key(remote.1));
        Fingerprint::new(
            version,
            &FingerprintParty { account_id: local.0, identity_key: &local_key },
            &FingerprintParty { account_id: remote.0, identity_key: &remote_key },
        )
    }

    const VERSION: FingerprintVersion = FingerprintVersion::Two;

    /// SN-1: both sides read the same number and accept each other's scan.
    #[test]
    fn both_sides_agree() {
        let alice = fingerprint(VERSION, (b"alice", 1), (b"bob", 2));
        let bob = fingerprint(VERSION, (b"bob", 2), (b"alice", 1));
        assert_eq!(alice.digits(), bob.digits());
        assert_eq!(alice.digits().len(), 60);
        assert!(alice.digits().bytes().all(|digit| digit.is_ascii_digit()));
        assert_eq!(alice.to_string().split(' ').map(str::len).collect::<Vec<_>>(), [5; 12]);
        assert_eq!(alice.to_string().replace(' ', ""), alice.digits());
        assert!(alice.matches_scan(&bob.to_scan()).unwrap());
        assert!(bob.matches_scan(&alice.to_scan()).unwrap());
        assert!(!alice.matches_scan(&alice.to_scan()).unwrap());
    }

    /// SN-1: another key or another account is another number.
    #[test]
    fn a_wrong_key_or_id_is_a_mismatch() {
        let alice = fingerprint(VERSION, (b"alice", 1), (b"bob", 2));
        for other in [
            fingerprint(VERSION, (b"bob", 3), (b"alice", 1)),
            fingerprint(VERSION, (b"bob", 2), (b"alice", 3)),
            fingerprint(VERSION, (b"bo", 2), (b"alice", 1)),
            fingerprint(VERSION, (b"bob", 2), (b"alicf", 1)),
        ] {
            assert_ne!(alice.digits(), other.digits());
            assert!(!alice.matches_scan(&other.to_scan()).unwrap());
        }
    }

    /// SN-2: "update" and "mismatch" are told apart, whatever stands behind the version.
    #[test]
    fn another_version_is_no_mismatch() {
        let alice = fingerprint(VERSION, (b"alice", 1), (b"bob", 2));
        let old = fingerprint(FingerprintVersion::One, (b"bob", 2), (b"alice", 1));
        assert_ne!(alice.digits(), old.digits());
        for scan in [old.to_scan(), vec![3], vec![0, 1, 2]] {
            assert_eq!(alice.matches_scan(&scan).unwrap_err().code(), "fingerprint.version");
        }
    }

    #[test]
    fn a_malformed_scan_is_an_error() {
        let alice = fingerprint(VERSION, (b"alice", 1), (b"bob", 2));
        let scan = fingerprint(VERSION, (b"bob", 2), (b"alice", 1)).to_scan();
        for length in 0..scan.len() {
            assert_eq!(alice.matches_scan(&scan[..length]).unwrap_err().code(), "fingerprint.field");
        }
        assert_eq!(alice.matches_scan(&[&scan[..], &[0]].concat()).unwrap_err().code(), "fingerprint.field");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// SN-1: no bit of a scan is idle.
        #[test]
        fn a_flipped_bit_never_matches(bit in 0usize..65 * 8) {
            let alice = Fingerprint::<Undertone> { version: VERSION, local: [7; 64], remote: [9; 64], profile: PhantomData };
            let bob = Fingerprint::<Undertone> { version: VERSION, local: [9; 64], remote: [7; 64], profile: PhantomData };
            let mut scan = bob.to_scan();
            prop_assert!(alice.matches_scan(&scan).unwrap());
            scan[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!alice.matches_scan(&scan).unwrap_or(false));
        }
    }
}
