//! What differs between the two profiles' safety numbers.

use crate::crypto::hash::sha512;
use crate::error::{Fault, Result};
use crate::profile::{Profile, Undertone};
use crate::wire::{Reader, Writer};

/// The hash of one party, and the bytes that are scanned.
///
/// ```
/// use undertone::identity::{FingerprintParty, FingerprintProfile};
/// use undertone::{Fingerprint, FingerprintVersion, Undertone};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
///
/// // An application that speaks both profiles writes its own functions once.
/// fn to_show<P: FingerprintProfile>(ours: (&[u8], &P::IdentityKey), theirs: (&[u8], &P::IdentityKey)) -> String {
///     let [local, remote] = [ours, theirs].map(|(account_id, identity_key)| FingerprintParty { account_id, identity_key });
///     Fingerprint::<P>::new(FingerprintVersion::Two, &local, &remote).to_string()
/// }
/// let shown = to_show::<Undertone>((b"alice", alices_key.public()), (b"bob", bobs_key.public()));
/// assert_eq!(shown.split(' ').count(), 12);
/// # Ok::<(), undertone::Error>(())
/// ```
pub trait FingerprintProfile: Profile {
    /// How many hashes stand between a key and its digits.
    const FINGERPRINT_ITERATIONS: u32;

    /// The hash of one party.
    fn fingerprint_hash(
        iterations: u32,
        version: FingerprintVersion,
        account_id: &[u8],
        identity_key: &Self::IdentityKey,
    ) -> [u8; 64];

    /// The bytes to be scanned.
    fn encode_scan(version: FingerprintVersion, own: &[u8; 32], other: &[u8; 32]) -> Vec<u8>;

    /// The version of scanned bytes, read without regard to what stands behind it.
    ///
    /// # Errors
    /// `fingerprint.field`.
    fn scan_version(scanned: &[u8]) -> Result<u32>;

    /// The two parts of scanned bytes: first that of the side which showed them.
    ///
    /// # Errors
    /// `fingerprint.field`.
    fn decode_scan(scanned: &[u8]) -> Result<([u8; 32], [u8; 32])>;
}

/// Which kind of account id a safety number is made from. Both sides must use the same.
///
/// ```
/// use undertone::FingerprintVersion;
///
/// assert_eq!(FingerprintVersion::from_number(2)?, FingerprintVersion::Two);
/// assert_eq!(FingerprintVersion::from_number(3).unwrap_err().code(), "fingerprint.version");
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FingerprintVersion {
    /// Version 1: official clients used phone numbers with it.
    One,
    /// Version 2: account ids.
    Two,
}

impl FingerprintVersion {
    /// The version of a number.
    ///
    /// # Errors
    /// `fingerprint.version` for another number than 1 and 2.
    pub fn from_number(number: u8) -> Result<Self> {
        match number {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            _ => Err(Fault::FingerprintVersion.into()),
        }
    }

    /// 1 or 2.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }
}

impl FingerprintProfile for Undertone {
    const FINGERPRINT_ITERATIONS: u32 = 5200;

    fn fingerprint_hash(
        iterations: u32,
        version: FingerprintVersion,
        account_id: &[u8],
        identity_key: &Self::IdentityKey,
    ) -> [u8; 64] {
        let key = identity_key.as_bytes();
        let length = u32::try_from(account_id.len()).unwrap_or(u32::MAX).to_be_bytes();
        let label = b"Undertone_1_safety_number".as_slice();
        let first = sha512(&[label, &[version.number()], &length, account_id, key]);
        (1..iterations).fold(first, |hash, _| sha512(&[&hash, key]))
    }

    fn encode_scan(version: FingerprintVersion, own: &[u8; 32], other: &[u8; 32]) -> Vec<u8> {
        let mut out = Writer::with_capacity(65);
        out.u8(version.number()).bytes(own).bytes(other);
        out.into_vec()
    }

    fn scan_version(scanned: &[u8]) -> Result<u32> {
        scanned.first().map(|version| u32::from(*version)).ok_or_else(|| Fault::FingerprintField.into())
    }

    fn decode_scan(scanned: &[u8]) -> Result<([u8; 32], [u8; 32])> {
        let mut input = Reader::new(scanned, Fault::FingerprintField);
        input.u8()?;
        let parts = (*input.array()?, *input.array()?);
        input.finish()?;
        Ok(parts)
    }
}

#[cfg(feature = "signal")]
mod signal {
    use super::{Fault, FingerprintProfile, FingerprintVersion, Result, sha512};
    use crate::error::Error;
    use crate::identity::{Fingerprint, FingerprintParty};
    use crate::profile::{IdentityKey, Signal};
    use crate::wire::signal::ScannableFingerprint;

    impl FingerprintProfile for Signal {
        const FINGERPRINT_ITERATIONS: u32 = 5200;

        fn fingerprint_hash(
            iterations: u32,
            _version: FingerprintVersion,
            account_id: &[u8],
            identity_key: &Self::IdentityKey,
        ) -> [u8; 64] {
            let key = identity_key.to_bytes();
            let first = sha512(&[&[0, 0], &key, account_id, &key]);
            (1..iterations).fold(first, |hash, _| sha512(&[&hash, &key]))
        }

        fn encode_scan(version: FingerprintVersion, own: &[u8; 32], other: &[u8; 32]) -> Vec<u8> {
            ScannableFingerprint { version: u32::from(version.number()), own: Some(*own), other: Some(*other) }.encode()
        }

        fn scan_version(scanned: &[u8]) -> Result<u32> {
            ScannableFingerprint::parse(scanned).map(|scan| scan.version)
        }

        fn decode_scan(scanned: &[u8]) -> Result<([u8; 32], [u8; 32])> {
            let scan = ScannableFingerprint::parse(scanned)?;
            scan.own.zip(scan.other).ok_or_else(|| Error::from(Fault::FingerprintField))
        }
    }

    impl Fingerprint<Signal> {
        /// As [`new`](Self::new) with another number of iterations than official clients use.
        ///
        /// # Errors
        /// `fingerprint.iterations` outside 2 to 1 000 000.
        ///
        /// # Example
        /// ```
        #[doc = include_str!("../../docs/examples/two_signal_devices.txt")]
        /// # let alice = FingerprintParty::<Signal> { account_id: b"+14152222222", identity_key: alices_key.public() };
        /// # let bob = FingerprintParty::<Signal> { account_id: b"+14153333333", identity_key: bobs_key.public() };
        /// let number = Fingerprint::with_iterations(1024, FingerprintVersion::One, &alice, &bob)?;
        /// assert_eq!(number.digits().len(), 60);
        /// # Ok::<(), undertone::Error>(())
        /// ```
        pub fn with_iterations(
            iterations: u32,
            version: FingerprintVersion,
            local: &FingerprintParty<'_, Signal>,
            remote: &FingerprintParty<'_, Signal>,
        ) -> Result<Self> {
            if !(2..=1_000_000).contains(&iterations) {
                return Err(Fault::FingerprintIterations.into());
            }
            Ok(Self::iterated(iterations, version, local, remote))
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const ALICE: (&[u8], &str) =
            (b"+14152222222", "0506863bc66d02b40d27b8d49ca7c09e9239236f9d7d25d6fcca5ce13c7064d868");
        const BOB: (&[u8], &str) =
            (b"+14153333333", "05f781b6fb32fed9ba1cf2de978d4d5da28dc34046ae814402b5c0dbd96fda907b");

        fn fingerprint(
            iterations: u32,
            version: FingerprintVersion,
            local: (&[u8], &str),
            remote: (&[u8], &str),
        ) -> Result<Fingerprint<Signal>> {
            let keys = [local, remote].map(|(_, key)| IdentityKey::admit(&hex::decode(key).unwrap()).unwrap());
            let [local, remote] = [(local.0, &keys[0]), (remote.0, &keys[1])]
                .map(|(account_id, identity_key)| FingerprintParty { account_id, identity_key });
            Fingerprint::with_iterations(iterations, version, &local, &remote)
        }

        /// SN-1: the known answer that official clients give.
        #[test]
        fn known_answer() {
            let alice = fingerprint(5200, FingerprintVersion::One, ALICE, BOB).unwrap();
            let bob = fingerprint(5200, FingerprintVersion::One, BOB, ALICE).unwrap();
            assert_eq!(alice.digits(), "300354477692869396892869876765458257569162576843440918079131");
            assert_eq!(bob.digits(), alice.digits());
            assert!(alice.matches_scan(&bob.to_scan()).unwrap());
            assert!(!alice.matches_scan(&alice.to_scan()).unwrap());
            let scan = alice.to_scan();
            assert_eq!(&scan[..6], [0x08, 1, 0x12, 34, 0x0a, 32]);
            assert_eq!(&scan[38..42], [0x1a, 34, 0x0a, 32]);
            assert_eq!(scan.len(), 74);
        }

        /// SN-2: another version is told from another key.
        #[test]
        fn versions_are_compared_first() {
            let alice = fingerprint(2, FingerprintVersion::Two, ALICE, BOB).unwrap();
            let bob = fingerprint(2, FingerprintVersion::One, BOB, ALICE).unwrap();
            assert_eq!(alice.digits(), bob.digits());
            assert_eq!(alice.matches_scan(&bob.to_scan()).unwrap_err().code(), "fingerprint.version");
            assert_eq!(alice.matches_scan(&[0x08, 3]).unwrap_err().code(), "fingerprint.version");
            assert_eq!(alice.matches_scan(&[0x08, 2]).unwrap_err().code(), "fingerprint.field");
            assert_eq!(alice.matches_scan(&[0xff]).unwrap_err().code(), "fingerprint.field");
            assert_eq!(alice.matches_scan(&[]).unwrap_err().code(), "fingerprint.field");
        }

        #[test]
        fn iterations_have_bounds() {
            for iterations in [0, 1, 1_000_001] {
                let refused = fingerprint(iterations, FingerprintVersion::One, ALICE, BOB);
                assert_eq!(refused.unwrap_err().code(), "fingerprint.iterations");
            }
        }
    }
}
