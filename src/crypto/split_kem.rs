//! ML-KEM-768 in two halves, for the braid: the encapsulator answers a 64-byte header with the larger part of the
//! ciphertext before it has seen the key itself.
//!
//! BR-1: the public key is `header` = rho || SHA3-256(ek) and `vector`, where ek = vector || rho is the plain FIPS 203
//! encapsulation key; `ct1 || ct2` is a plain FIPS 203 ciphertext under it.

use crate::crypto::secret::Secret;
use crate::error::{Fault, Result};
use crate::rule::{self, Rule};
use libcrux_ml_kem::mlkem768::incremental;
use zeroize::Zeroize;

/// Bytes of the header: rho and the hash of the whole public key.
pub const HEADER: usize = 64;
/// Bytes of the public key without rho.
pub const VECTOR: usize = 1152;
/// Bytes of the first part of a ciphertext, which needs the header only.
pub const CT1: usize = 960;
/// Bytes of the second part of a ciphertext, which needs the vector.
pub const CT2: usize = 128;
/// Bytes of an expanded decapsulation key.
pub const EXPANDED: usize = 2400;
/// Bytes of what the encapsulator keeps between the two parts.
pub const STATE: usize = incremental::encaps_state_len();

/// The decapsulator's side.
pub struct SplitKeyPair {
    source: Source,
    /// FIPS 203: dk || vector || rho || SHA3-256(ek) || z. Boxed, so that a session that moves leaves no copies.
    expanded: Box<Secret<EXPANDED>>,
    header: [u8; HEADER],
    vector: Box<[u8; VECTOR]>,
}

impl SplitKeyPair {
    /// Derives the key pair of the seed d || z, which must come from a random generator or a stored record.
    #[must_use]
    pub fn from_seed(seed: Secret<64>) -> Self {
        let mut expanded = Box::new([0; EXPANDED]);
        incremental::generate_key_pair_compressed(*seed.expose(), &mut expanded);
        Self::assemble(Source::Seed(seed), expanded)
    }

    /// What a record stores (BR-13); absent if the key pair was imported from an official record.
    #[must_use]
    pub fn seed(&self) -> Option<&Secret<64>> {
        match &self.source {
            Source::Seed(seed) => Some(seed),
            #[cfg(feature = "signal")]
            Source::Imported => None,
        }
    }

    /// rho || SHA3-256(ek).
    #[must_use]
    pub fn header(&self) -> &[u8; HEADER] {
        &self.header
    }

    /// The encoded t-hat: the FIPS 203 encapsulation key without rho.
    #[must_use]
    pub fn vector(&self) -> &[u8; VECTOR] {
        &self.vector
    }

    /// The shared secret; for a forged ciphertext a pseudorandom one (K-5: implicit rejection, no error and no branch).
    #[must_use]
    pub fn decapsulate(&self, ct1: &[u8; CT1], ct2: &[u8; CT2]) -> Secret<32> {
        let ct1 = incremental::Ciphertext1 { value: *ct1 };
        let ct2 = incremental::Ciphertext2 { value: *ct2 };
        Secret::new(incremental::decapsulate_compressed_key(self.expanded.expose(), &ct1, &ct2))
    }

    /// Takes over the expanded key of an official client's record.
    ///
    /// K-2, K-4, B24, B25: checks that the public key inside hashes to H(ek), is reduced, and belongs to the private one; a record of somebody else's making
    /// may hold a key crafted otherwise.
    ///
    /// # Errors
    /// `key.mismatch`.
    #[cfg(feature = "signal")]
    pub fn from_expanded(expanded: &[u8; EXPANDED]) -> Result<Self> {
        let key_pair = Self::assemble(Source::Imported, Box::new(*expanded));
        let (encapsulation, ct1, shared) = SplitEncapsulation::begin(&key_pair.header, Secret::new([0x2A; 32]));
        let ct2 = encapsulation.finish(&key_pair.vector).map_err(|_| Fault::KeyMismatch)?;
        if rule::on(Rule::K4) && key_pair.decapsulate(&ct1, &ct2) != shared {
            return Err(Fault::KeyMismatch.into());
        }
        Ok(key_pair)
    }

    /// The expanded key, if the key pair was imported: there is no seed to store then.
    #[cfg(feature = "signal")]
    #[must_use]
    pub fn expanded(&self) -> Option<&[u8; EXPANDED]> {
        matches!(self.source, Source::Imported).then(|| self.expanded.expose())
    }

    fn assemble(source: Source, mut expanded: Box<[u8; EXPANDED]>) -> Self {
        let mut header = [0; HEADER];
        let mut vector = Box::new([0; VECTOR]);
        let public = expanded.iter().skip(PRIVATE_VECTOR);
        vector.iter_mut().chain(header.iter_mut()).zip(public).for_each(|(slot, byte)| *slot = *byte);
        let key_pair = Self { source, expanded: Box::new(Secret::new(*expanded)), header, vector };
        expanded.zeroize();
        key_pair
    }
}

/// The encapsulator's side, between the two parts of a ciphertext.
///
/// BR-12, B27: its internal form depends on the processor and is never stored. A record holds the header and
/// [`message`](Self::message), from which [`begin`](Self::begin) regenerates everything.
pub struct SplitEncapsulation {
    header: [u8; HEADER],
    message: Secret<32>,
    state: Box<Secret<STATE>>,
}

impl SplitEncapsulation {
    /// Encapsulates to a header with the random `message` (m of FIPS 203): the state, ct1 and the shared secret.
    ///
    /// The header must be authentic. The secret must not be used before the decapsulator's vector was checked by
    /// [`finish`](Self::finish), except inside what fails together with it.
    #[must_use]
    pub fn begin(header: &[u8; HEADER], message: Secret<32>) -> (Self, [u8; CT1], Secret<32>) {
        let mut state = Box::new([0; STATE]);
        let mut shared = [0; 32];
        let Ok(ct1) = incremental::encapsulate1(header, *message.expose(), state.as_mut_slice(), &mut shared) else {
            unreachable!("encapsulate1 refuses wrong lengths only, and every length here is a constant");
        };
        let encapsulation = Self { header: *header, message, state: Box::new(Secret::new(*state)) };
        state.zeroize();
        (encapsulation, ct1.value, Secret::new(shared))
    }

    /// ct2 for the decapsulator's vector.
    ///
    /// # Errors
    /// BR-2, B24, B30: `braid.key` if SHA3-256(vector || rho) is not the hash in the header, or a coefficient is not reduced.
    pub fn finish(&self, vector: &[u8; VECTOR]) -> Result<[u8; CT2]> {
        if rule::on(Rule::Br2) {
            incremental::validate_pk_bytes(&self.header, vector).map_err(|_| Fault::BraidKey)?;
        }
        Ok(incremental::encapsulate2(self.state.expose(), vector).value)
    }

    /// ct2 from the `state` in an official client's record, whose header is gone: the vector was checked when it was complete.
    ///
    /// B27: old releases wrote the state in the other byte order, which shows in its noise, whose coefficients are small.
    ///
    /// # Errors
    /// `record.corrupt` if no byte order makes sense of the state.
    #[cfg(feature = "signal")]
    pub fn finish_official(state: &[u8; STATE], vector: &[u8; VECTOR]) -> Result<[u8; CT2]> {
        let (own, _, _) = Self::begin(&[0; HEADER], Secret::new([0; 32]));
        let order =
            |state| [false, true].into_iter().find(|&swapped| is_state(state, swapped)).ok_or(Fault::RecordCorrupt);
        let mut state = Box::new(Secret::new(*state));
        let is_swapped = order(state.expose())? != order(own.state.expose())?;
        if is_swapped && rule::on(Rule::Br12) {
            let mut swapped = *state.expose();
            let (coefficients, _) = swapped.split_at_mut(COEFFICIENTS * 2);
            coefficients.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.reverse());
            *state = Secret::new(swapped);
            swapped.zeroize();
        }
        Ok(incremental::encapsulate2(state.expose(), vector).value)
    }

    /// m of FIPS 203, for the record.
    #[must_use]
    pub fn message(&self) -> &Secret<32> {
        &self.message
    }
}

const PRIVATE_VECTOR: usize = 1152;

/// The coefficients in an encapsulation state: three polynomials r-hat, then the noise polynomial e2.
#[cfg(feature = "signal")]
const COEFFICIENTS: usize = 4 * 256;

/// Whether a state read in one byte order has coefficients in their ranges: reduced ones, then noise.
#[cfg(feature = "signal")]
fn is_state(state: &[u8; STATE], swapped: bool) -> bool {
    let pairs = state.as_chunks::<2>().0.iter().take(COEFFICIENTS);
    let coefficients = pairs.map(|pair| if swapped { i16::from_be_bytes(*pair) } else { i16::from_le_bytes(*pair) });
    coefficients.enumerate().all(|(i, value)| value.unsigned_abs() <= if i < COEFFICIENTS - 256 { 3328 } else { 2 })
}

enum Source {
    Seed(Secret<64>),
    #[cfg(feature = "signal")]
    Imported,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hash::sha256;

    fn counting<const N: usize>(from: u8) -> Secret<N> {
        Secret::new(core::array::from_fn(|i| from + i as u8))
    }

    /// BR-1, BR-2: the known answers of an independent implementation; a shared secret that FIPS 203 gives too.
    #[test]
    fn known_answers() {
        let key_pair = SplitKeyPair::from_seed(counting::<64>(0));
        assert_eq!(
            hex::encode(key_pair.header()),
            "5e43481c3eeb397eb192505229b67a201ea893c3e2cb32da8bc342fa4dea0578a24e16d8f8f9383a95b77050f4d9fd2f5733eec1d63ef3c23ebf9918173669a7"
        );
        assert_eq!(
            hex::encode(sha256(&[key_pair.vector()])),
            "61a9c583b9edb3b603c61b0da52a5014a5dfafe2df6174924882c508e419b532"
        );
        assert_eq!(
            hex::encode(sha256(&[key_pair.expanded.expose()])),
            "dac268bde6a8dd238e9887117d6b664e7a7a9350ad6b7c08a948e504809572a5"
        );
        let (encapsulation, ct1, shared) = SplitEncapsulation::begin(key_pair.header(), counting::<32>(0x40));
        let ct2 = encapsulation.finish(key_pair.vector()).unwrap();
        assert_eq!(hex::encode(shared.expose()), "9cddd089ffe70e3996e76f7c8d06746df34d07e8657bc0fcf2bb0e1c3084aea1");
        assert_eq!(hex::encode(sha256(&[&ct1])), "c74ff62fbf0d33c4b45296912986c4d767f1ec60f2730b6caaf0bc8b36fd55d0");
        assert_eq!(hex::encode(sha256(&[&ct2])), "fca96fa358ed1da84e0c23f4e2b21c3bf3d62a2b11b6252aee28828b303ef109");
        assert_eq!(key_pair.decapsulate(&ct1, &ct2), shared);
    }

    /// BR-12, BR-13: a key pair and an encapsulation regenerated from what a record stores are the same.
    #[test]
    fn both_sides_regenerate() {
        let key_pair = SplitKeyPair::from_seed(counting::<64>(7));
        let again = SplitKeyPair::from_seed(Secret::new(*key_pair.seed().unwrap().expose()));
        let (encapsulation, ct1, shared) = SplitEncapsulation::begin(key_pair.header(), counting::<32>(9));
        let message = Secret::new(*encapsulation.message().expose());
        let (regenerated, ct1_again, shared_again) = SplitEncapsulation::begin(again.header(), message);
        assert_eq!((ct1, &shared), (ct1_again, &shared_again));
        let ct2 = regenerated.finish(again.vector()).unwrap();
        assert_eq!(ct2, encapsulation.finish(key_pair.vector()).unwrap());
        assert_eq!(again.decapsulate(&ct1, &ct2), shared);
    }

    /// BR-2, B30: a vector that is not the header's, or not reduced, is refused.
    #[test]
    fn a_wrong_vector_is_refused() {
        let key_pair = SplitKeyPair::from_seed(counting::<64>(0));
        let (encapsulation, _, _) = SplitEncapsulation::begin(key_pair.header(), counting::<32>(0));
        let mut vector = *key_pair.vector();
        vector[500] ^= 1;
        assert_eq!(encapsulation.finish(&vector), Err(Fault::BraidKey.into()));
        let other = SplitKeyPair::from_seed(counting::<64>(1));
        assert_eq!(encapsulation.finish(other.vector()), Err(Fault::BraidKey.into()));

        // The first 12-bit coefficient becomes 4095 > 3328, and the header is made to match.
        let mut vector = *key_pair.vector();
        vector[0] = 0xFF;
        vector[1] |= 0x0F;
        let rho: [u8; 32] = *key_pair.header().first_chunk().unwrap();
        let mut header = *key_pair.header();
        header[32..].copy_from_slice(&sha3_256(&vector, &rho));
        let (encapsulation, _, _) = SplitEncapsulation::begin(&header, counting::<32>(0));
        assert_eq!(encapsulation.finish(&vector), Err(Fault::BraidKey.into()));
    }

    fn sha3_256(vector: &[u8; VECTOR], rho: &[u8; 32]) -> [u8; 32] {
        use sha3::Digest;
        sha3::Sha3_256::new().chain_update(vector).chain_update(rho).finalize().into()
    }

    /// B27, BR-12: a state in either byte order gives the same ct2; another one is refused.
    #[cfg(feature = "signal")]
    #[test]
    fn an_imported_state_is_finished() {
        let key_pair = SplitKeyPair::from_seed(counting::<64>(0));
        let (encapsulation, _, _) = SplitEncapsulation::begin(key_pair.header(), counting::<32>(0x40));
        let ct2 = encapsulation.finish(key_pair.vector()).unwrap();
        let mut state = *encapsulation.state.expose();
        assert_eq!(SplitEncapsulation::finish_official(&state, key_pair.vector()), Ok(ct2));
        state[..COEFFICIENTS * 2].as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.reverse());
        assert_eq!(SplitEncapsulation::finish_official(&state, key_pair.vector()), Ok(ct2));
        #[cfg(feature = "__internals")]
        {
            let misread = || SplitEncapsulation::finish_official(&state, key_pair.vector());
            assert_ne!(rule::without(Rule::Br12, misread), Ok(ct2));
        }
        state[COEFFICIENTS * 2 - 1] = 0x55;
        let corrupt = Err(Fault::RecordCorrupt.into());
        assert_eq!(SplitEncapsulation::finish_official(&state, key_pair.vector()), corrupt);
    }

    /// K-2, K-4: an expanded key round-trips, and one that contradicts itself is refused.
    #[cfg(feature = "signal")]
    #[test]
    fn an_imported_key_is_checked() {
        let key_pair = SplitKeyPair::from_seed(counting::<64>(3));
        assert!(key_pair.expanded().is_none());
        let expanded = *key_pair.expanded.expose();
        let imported = SplitKeyPair::from_expanded(&expanded).unwrap();
        assert!(imported.seed().is_none());
        assert_eq!(imported.expanded(), Some(&expanded));
        assert_eq!((imported.header(), imported.vector()), (key_pair.header(), key_pair.vector()));
        for position in [0, 1152, 2304, 2336] {
            let mut broken = expanded;
            broken[position] ^= 1;
            assert_eq!(SplitKeyPair::from_expanded(&broken).err(), Some(Fault::KeyMismatch.into()), "{position}");
        }
    }
}
