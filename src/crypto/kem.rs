//! Key encapsulation: ML-KEM-768 and -1024 (FIPS 203), and Kyber-1024 of round 3 for the Signal profile.

use crate::crypto::random;
use crate::crypto::secret::Secret;
use crate::error::{Fault, Result};
use crate::rule::{self, Rule};
use core::fmt;
use rand_core::TryCryptoRng;
use zeroize::Zeroize;

/// A key encapsulation mechanism. Sealed: [`MlKem768`], [`MlKem1024`] and, with the feature `signal`, `Kyber1024`.
pub trait KemScheme: sealed::Primitive {
    /// Bytes of a public key.
    const PUBLIC: usize;
    /// Bytes of a ciphertext.
    const CIPHERTEXT: usize;
}

/// ML-KEM-768 of FIPS 203.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MlKem768;

/// ML-KEM-1024 of FIPS 203.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MlKem1024;

/// Kyber-1024 of the third NIST round, as official Signal clients speak it.
///
/// PQ-7: its keys and ciphertexts are as long as those of [`MlKem1024`], and the secrets differ. Only the type tells them apart, so it is one of its own.
#[cfg(feature = "signal")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kyber1024;

/// A decapsulation key.
///
/// K-6, B25: stored as its 64-byte seed d || z, which resists mangling: an expanded key from outside could be made such that two ciphertexts give one
/// secret. The expanded key is a cache in memory.
pub struct KemSecret<K: KemScheme> {
    seed: Secret<64>,
    expanded: Box<K::Private>,
    public: KemPublic<K>,
}

impl<K: KemScheme> KemSecret<K> {
    /// Draws a seed and derives the key pair.
    ///
    /// # Errors
    /// `random.failed`; K-2: `key.mismatch` if the fresh pair does not agree with itself.
    pub fn generate(rng: &mut impl TryCryptoRng) -> Result<Self> {
        let secret = Self::from_seed(Secret::random(rng)?);
        let (ciphertext, shared) = K::encapsulate(&secret.public.0, [0x2A; 32]);
        if K::decapsulate(&secret.expanded, &ciphertext) != shared {
            return Err(Fault::KeyMismatch.into());
        }
        Ok(secret)
    }

    /// Derives the key pair of a seed.
    #[must_use]
    pub fn from_seed(seed: Secret<64>) -> Self {
        let (expanded, public) = K::expand(*seed.expose());
        Self { seed, expanded: Box::new(expanded), public: KemPublic(Box::new(public)) }
    }

    /// What a record stores.
    #[must_use]
    pub fn seed(&self) -> &Secret<64> {
        &self.seed
    }

    /// The encapsulation key.
    #[must_use]
    pub fn public(&self) -> &KemPublic<K> {
        &self.public
    }

    /// The shared secret; for a forged ciphertext a pseudorandom one (K-5, B28: implicit rejection, no error and no branch, so nothing to ask a question with).
    #[must_use]
    pub fn decapsulate(&self, ciphertext: &KemCiphertext<K>) -> Secret<32> {
        Secret::new(K::decapsulate(&self.expanded, &ciphertext.0))
    }
}

impl<K: KemScheme> Drop for KemSecret<K> {
    fn drop(&mut self) {
        K::wipe(&mut self.expanded);
    }
}

impl<K: KemScheme> fmt::Debug for KemSecret<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KemSecret(..)")
    }
}

/// An encapsulation key that was admitted.
pub struct KemPublic<K: KemScheme>(Box<K::Public>);

impl<K: KemScheme> KemPublic<K> {
    /// Admits raw bytes, without any type byte of a wire format.
    ///
    /// # Errors
    /// K-3, PQ-5, B24: `key.length`, or `key.modulus` if a coefficient is not reduced, since the backend encapsulates to such a key without complaint.
    /// Kyber knows no modulus check, and official clients make none: for it the length alone counts.
    pub fn admit(bytes: &[u8]) -> Result<Self> {
        let public = K::Public::try_from(bytes).map_err(|_| Fault::KeyLength)?;
        if rule::on(Rule::K3) && !K::is_reduced(&public) {
            return Err(Fault::KeyModulus.into());
        }
        Ok(Self(Box::new(public)))
    }

    /// The raw bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        (*self.0).as_ref()
    }

    /// A fresh shared secret, and the ciphertext that carries it.
    ///
    /// # Errors
    /// `random.failed`.
    pub fn encapsulate(&self, rng: &mut impl TryCryptoRng) -> Result<(KemCiphertext<K>, Secret<32>)> {
        let mut message = random::array(rng)?;
        let (ciphertext, shared) = K::encapsulate(&self.0, message);
        message.zeroize();
        Ok((KemCiphertext(Box::new(ciphertext)), Secret::new(shared)))
    }

    /// K-1: encapsulation with a chosen message exists for test vectors only.
    #[cfg(any(test, feature = "__internals"))]
    #[must_use]
    pub fn encapsulate_deterministic(&self, message: [u8; 32]) -> (KemCiphertext<K>, Secret<32>) {
        let (ciphertext, shared) = K::encapsulate(&self.0, message);
        (KemCiphertext(Box::new(ciphertext)), Secret::new(shared))
    }
}

/// A ciphertext of the right length; nothing else about it can be wrong.
pub struct KemCiphertext<K: KemScheme>(Box<K::Ciphertext>);

impl<K: KemScheme> KemCiphertext<K> {
    /// Takes raw bytes, without any type byte of a wire format.
    ///
    /// # Errors
    /// K-4: `message.field` if the length is not the scheme's.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        K::Ciphertext::try_from(bytes)
            .map(|ciphertext| Self(Box::new(ciphertext)))
            .map_err(|_| Fault::MessageField.into())
    }

    /// The raw bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

/// Public bytes are compared, copied and shown like any others.
macro_rules! behave_like_bytes {
    ($($name:ident)*) => { $(
        impl<K: KemScheme> Clone for $name<K> {
            fn clone(&self) -> Self {
                Self(self.0.clone())
            }
        }

        impl<K: KemScheme> PartialEq for $name<K> {
            fn eq(&self, other: &Self) -> bool {
                self.as_bytes() == other.as_bytes()
            }
        }

        impl<K: KemScheme> Eq for $name<K> {}

        impl<K: KemScheme> fmt::Debug for $name<K> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.as_bytes().len())
            }
        }
    )* };
}

behave_like_bytes!(KemPublic KemCiphertext);

mod sealed {
    /// What a KEM computes, over the types of its implementation.
    pub trait Primitive {
        type Private;
        type Public: Clone + AsRef<[u8]> + for<'a> TryFrom<&'a [u8]>;
        type Ciphertext: Clone + AsRef<[u8]> + for<'a> TryFrom<&'a [u8]>;

        fn expand(seed: [u8; 64]) -> (Self::Private, Self::Public);
        fn is_reduced(public: &Self::Public) -> bool;
        fn encapsulate(public: &Self::Public, message: [u8; 32]) -> (Self::Ciphertext, [u8; 32]);
        fn decapsulate(private: &Self::Private, ciphertext: &Self::Ciphertext) -> [u8; 32];
        fn wipe(private: &mut Self::Private);
    }
}

macro_rules! scheme {
    ($scheme:ident, $module:ident, $private:ty, $public:ty, $ciphertext:ty, $is_reduced:expr) => {
        impl KemScheme for $scheme {
            const PUBLIC: usize = <$public>::len();
            const CIPHERTEXT: usize = <$ciphertext>::len();
        }

        impl sealed::Primitive for $scheme {
            type Private = $private;
            type Public = $public;
            type Ciphertext = $ciphertext;

            fn expand(seed: [u8; 64]) -> ($private, $public) {
                libcrux_ml_kem::$module::generate_key_pair(seed).into_parts()
            }

            fn is_reduced(public: &$public) -> bool {
                let is_reduced: fn(&$public) -> bool = $is_reduced;
                is_reduced(public)
            }

            fn encapsulate(public: &$public, message: [u8; 32]) -> ($ciphertext, [u8; 32]) {
                libcrux_ml_kem::$module::encapsulate(public, message)
            }

            fn decapsulate(private: &$private, ciphertext: &$ciphertext) -> [u8; 32] {
                libcrux_ml_kem::$module::decapsulate(private, ciphertext)
            }

            fn wipe(private: &mut $private) {
                private[0..].zeroize();
            }
        }
    };
}

scheme!(
    MlKem768,
    mlkem768,
    libcrux_ml_kem::mlkem768::MlKem768PrivateKey,
    libcrux_ml_kem::mlkem768::MlKem768PublicKey,
    libcrux_ml_kem::mlkem768::MlKem768Ciphertext,
    libcrux_ml_kem::mlkem768::validate_public_key
);
scheme!(
    MlKem1024,
    mlkem1024,
    libcrux_ml_kem::mlkem1024::MlKem1024PrivateKey,
    libcrux_ml_kem::mlkem1024::MlKem1024PublicKey,
    libcrux_ml_kem::mlkem1024::MlKem1024Ciphertext,
    libcrux_ml_kem::mlkem1024::validate_public_key
);
#[cfg(feature = "signal")]
scheme!(
    Kyber1024,
    kyber1024,
    libcrux_ml_kem::mlkem1024::MlKem1024PrivateKey,
    libcrux_ml_kem::mlkem1024::MlKem1024PublicKey,
    libcrux_ml_kem::mlkem1024::MlKem1024Ciphertext,
    |_| true
);

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::StdRng};

    fn round_trip<K: KemScheme>() {
        let rng = &mut StdRng::seed_from_u64(1);
        let secret = KemSecret::<K>::generate(rng).unwrap();
        let again = KemSecret::<K>::from_seed(Secret::new(*secret.seed().expose()));
        assert_eq!(secret.public(), again.public());
        assert_eq!(secret.public().as_bytes().len(), K::PUBLIC);

        let public = KemPublic::<K>::admit(secret.public().as_bytes()).unwrap();
        let (ciphertext, shared) = public.encapsulate(rng).unwrap();
        assert_eq!(ciphertext.as_bytes().len(), K::CIPHERTEXT);
        assert_eq!(again.decapsulate(&ciphertext), shared);

        let mut forged = ciphertext.as_bytes().to_vec();
        forged[17] ^= 1;
        let forged = KemCiphertext::<K>::from_slice(&forged).unwrap();
        assert_ne!(secret.decapsulate(&forged), shared);
        assert_eq!(secret.decapsulate(&forged), again.decapsulate(&forged));

        let short = &public.as_bytes()[1..];
        assert_eq!(KemPublic::<K>::admit(short).err(), Some(Fault::KeyLength.into()));
        assert_eq!(KemCiphertext::<K>::from_slice(&ciphertext.as_bytes()[1..]).err(), Some(Fault::MessageField.into()));
    }

    /// K-2, K-4, K-5, K-6: every scheme round-trips from its seed and rejects implicitly.
    #[test]
    fn round_trips() {
        round_trip::<MlKem768>();
        round_trip::<MlKem1024>();
        #[cfg(feature = "signal")]
        round_trip::<Kyber1024>();
    }

    /// K-3: a coefficient of 4095 is refused.
    #[test]
    fn an_unreduced_key_is_refused() {
        let secret = KemSecret::<MlKem1024>::generate(&mut StdRng::seed_from_u64(2)).unwrap();
        let mut bytes = secret.public().as_bytes().to_vec();
        bytes[0] = 0xFF;
        bytes[1] |= 0x0F;
        assert_eq!(KemPublic::<MlKem1024>::admit(&bytes).err(), Some(Fault::KeyModulus.into()));
    }

    /// K-1: a key is its 64 drawn bytes, an encapsulation its 32, and nothing else is drawn or used.
    #[test]
    fn randomness_is_the_callers() {
        use rand::Rng;
        fn check<K: KemScheme>() {
            let (mut rng, mut same) = (StdRng::seed_from_u64(3), StdRng::seed_from_u64(3));
            let (mut seed, mut message) = ([0; 64], [0; 32]);
            same.fill_bytes(&mut seed);
            let secret = KemSecret::<K>::generate(&mut rng).unwrap();
            assert_eq!(secret.seed().expose(), &seed);
            same.fill_bytes(&mut message);
            let (ciphertext, shared) = secret.public().encapsulate(&mut rng).unwrap();
            assert!(secret.public().encapsulate_deterministic(message) == (ciphertext, shared));
            assert_eq!(rng, same, "nothing more was drawn");
        }
        check::<MlKem768>();
        check::<MlKem1024>();
        #[cfg(feature = "signal")]
        check::<Kyber1024>();
    }
}
