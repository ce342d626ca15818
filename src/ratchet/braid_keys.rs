//! The KEM keys that a braid holds between its messages. A record stores seeds; what they expand to is computed when
//! it is first used (BR-12, BR-13, SP-12).

use crate::crypto::Secret;
#[cfg(feature = "signal")]
use crate::crypto::split_kem::EXPANDED;
use crate::crypto::split_kem::{CT1, CT2, HEADER, SplitEncapsulation, SplitKeyPair, VECTOR};
use crate::error::Result;
use crate::wire::{Reader, Writer};
use std::sync::OnceLock;

/// The decapsulator's key pair of one epoch.
pub enum DecapsulationKey {
    /// From a seed.
    Seeded {
        /// d ‖ z of FIPS 203.
        seed: Secret<64>,
        /// Empty until it is needed.
        key_pair: OnceLock<SplitKeyPair>,
    },
    /// From an official client's record, which has no seed.
    #[cfg(feature = "signal")]
    Imported(SplitKeyPair),
}

impl DecapsulationKey {
    /// The key pair of a fresh or stored seed.
    pub const fn from_seed(seed: Secret<64>) -> Self {
        Self::Seeded { seed, key_pair: OnceLock::new() }
    }

    /// The key pair of an official client's record.
    ///
    /// # Errors
    /// `key.mismatch`.
    #[cfg(feature = "signal")]
    pub fn from_expanded(expanded: &[u8; EXPANDED]) -> Result<Self> {
        SplitKeyPair::from_expanded(expanded).map(Self::Imported)
    }

    /// rho ‖ SHA3-256(ek).
    pub fn header(&self) -> &[u8; HEADER] {
        self.key_pair().header()
    }

    /// The encapsulation key without rho.
    pub fn vector(&self) -> &[u8; VECTOR] {
        self.key_pair().vector()
    }

    /// The shared secret.
    pub fn decapsulate(&self, ct1: &[u8; CT1], ct2: &[u8; CT2]) -> Secret<32> {
        self.key_pair().decapsulate(ct1, ct2)
    }

    /// Writes the seed for a record, or the whole key where there is no seed.
    pub fn encode(&self, out: &mut Writer) {
        match self {
            Self::Seeded { seed, .. } => out.flag(false).bytes(seed.expose()),
            #[cfg(feature = "signal")]
            Self::Imported(key_pair) => {
                out.flag(true).bytes(key_pair.expanded().map_or(&[], |expanded| expanded.as_slice()))
            }
        };
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// The reader's fault.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self> {
        if !input.flag()? {
            return Ok(Self::from_seed(input.secret()?));
        }
        let fault = input.fault();
        #[cfg(feature = "signal")]
        {
            SplitKeyPair::from_expanded(input.array()?).map(Self::Imported).map_err(|_| fault.into())
        }
        #[cfg(not(feature = "signal"))]
        Err(fault.into())
    }

    fn key_pair(&self) -> &SplitKeyPair {
        match self {
            Self::Seeded { seed, key_pair } => {
                key_pair.get_or_init(|| SplitKeyPair::from_seed(Secret::new(*seed.expose())))
            }
            #[cfg(feature = "signal")]
            Self::Imported(key_pair) => key_pair,
        }
    }
}

/// The encapsulator's half-made ciphertext of one epoch.
pub struct Encapsulation {
    header: [u8; HEADER],
    message: Secret<32>,
    begun: OnceLock<(SplitEncapsulation, Box<[u8; CT1]>)>,
}

impl Encapsulation {
    /// Encapsulates to an authentic header with the random `message` (m of FIPS 203): the state, and the shared secret.
    pub fn begin(header: &[u8; HEADER], message: Secret<32>) -> (Self, Secret<32>) {
        let (split, ct1, shared) = SplitEncapsulation::begin(header, Secret::new(*message.expose()));
        (Self { header: *header, message, begun: OnceLock::from((split, Box::new(ct1))) }, shared)
    }

    /// The encapsulation that was once begun with these, without its shared secret.
    pub const fn resume(header: [u8; HEADER], message: Secret<32>) -> Self {
        Self { header, message, begun: OnceLock::new() }
    }

    /// The first part of the ciphertext.
    pub fn ct1(&self) -> &[u8; CT1] {
        &self.begun().1
    }

    /// The second part of the ciphertext.
    ///
    /// # Errors
    /// BR-2: `braid.key` if the vector is not the one that the header names.
    pub fn finish(&self, vector: &[u8; VECTOR]) -> Result<[u8; CT2]> {
        self.begun().0.finish(vector)
    }

    /// Writes what the encapsulation is made from.
    pub fn encode(&self, out: &mut Writer) {
        out.bytes(&self.header).bytes(self.message.expose());
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// The reader's fault.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self> {
        Ok(Self::resume(*input.array()?, input.secret()?))
    }

    fn begun(&self) -> &(SplitEncapsulation, Box<[u8; CT1]>) {
        self.begun.get_or_init(|| {
            let (split, ct1, _) = SplitEncapsulation::begin(&self.header, Secret::new(*self.message.expose()));
            (split, Box::new(ct1))
        })
    }
}
