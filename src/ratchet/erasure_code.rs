//! The erasure code that spreads a key or a ciphertext over messages: Reed–Solomon over GF(2^16), 32-byte chunks
//! (docs/protocol.md, section 8.2; BR-7).
//!
//! Lane `j` of chunk `c` is the value at `x = c` of a polynomial of degree below `N`; chunk `i` carries the values at
//! `x = i`. Chunks below `N` are thus the message itself, and any `N` distinct chunks give it back. Nothing here is
//! secret, but no step branches on data either: that is what lets the compiler work on all lanes at once.

use crate::error::{Fault, Result};
use crate::profile::Chunk;
use crate::rule::{self, Rule};
use crate::wire::{Reader, Writer};

/// Bytes of one chunk.
pub const CHUNK: usize = 32;

/// A message of `N` chunks.
pub type Message<const N: usize> = [[u8; CHUNK]; N];

/// Chunk `index` of a message of `N` chunks.
pub fn chunk<const N: usize>(message: &Message<N>, index: u16) -> Chunk {
    let bytes = match message.get(usize::from(index)) {
        Some(chunk) => *chunk,
        None => combine(&coefficients(&Systematic::<N>::NODES, &Systematic::<N>::WEIGHTS, index), message),
    };
    Chunk { index, bytes }
}

/// What has arrived of a message of `N` chunks, fewer than `N` of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoder<const N: usize> {
    /// In rising order of their indices, all distinct.
    held: Vec<Chunk>,
}

/// What taking in a chunk leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress<const N: usize> {
    /// The chunk was held already.
    Unchanged,
    /// It was new, and more are needed.
    Partial(Decoder<N>),
    /// It was the last one needed.
    Complete(Box<Message<N>>),
}

impl<const N: usize> Decoder<N> {
    /// Nothing has arrived.
    pub const fn empty() -> Self {
        Self { held: Vec::new() }
    }

    /// Takes in a chunk. The decoder itself stays as it is, for the chunk's message is not authenticated yet.
    ///
    /// # Errors
    /// BR-7, B30: `braid.conflict` if the chunk contradicts one that is held.
    pub fn with(&self, chunk: &Chunk) -> Result<Progress<N>> {
        let place = match self.held.binary_search_by_key(&chunk.index, |held| held.index) {
            Ok(place) => {
                let agrees = self.held.get(place) == Some(chunk);
                if rule::on(Rule::Br7) && !agrees {
                    return Err(Fault::BraidConflict.into());
                }
                return Ok(Progress::Unchanged);
            }
            Err(place) => place,
        };
        let (before, behind) = self.held.split_at_checked(place).unwrap_or((&self.held, &[]));
        let mut held = Vec::with_capacity(self.held.len() + 1);
        held.extend_from_slice(before);
        held.push(chunk.clone());
        held.extend_from_slice(behind);
        if held.len() < N { Ok(Progress::Partial(Self { held })) } else { Ok(Progress::Complete(reassemble(&held))) }
    }

    /// What an official client's record says has arrived: points of each lane.
    ///
    /// # Errors
    /// `record.corrupt` if the lanes disagree or are complete.
    #[cfg(feature = "signal")]
    pub fn imported(lanes: &[Vec<u8>]) -> Result<Self> {
        let mut chunks = std::collections::BTreeMap::<u16, Vec<u8>>::new();
        for lane in lanes {
            for [x0, x1, value @ ..] in lane.as_chunks::<4>().0 {
                chunks.entry(u16::from_be_bytes([*x0, *x1])).or_default().extend_from_slice(value);
            }
        }
        let held = chunks.into_iter().map(|(index, bytes)| Some(Chunk { index, bytes: bytes.try_into().ok()? }));
        let held: Vec<Chunk> = held.collect::<Option<_>>().ok_or(Fault::RecordCorrupt)?;
        let points: usize = lanes.iter().map(|lane| lane.len() / 4).sum();
        if points != held.len() * LANES || held.len() >= N {
            Err(Fault::RecordCorrupt.into())
        } else {
            Ok(Self { held })
        }
    }

    /// Writes what has arrived: a bitmap of the chunks that are the message itself, these chunks, then the others.
    pub fn encode(&self, out: &mut Writer) {
        let (own, parity) = self.held.split_at(self.held.partition_point(|chunk| usize::from(chunk.index) < N));
        out.u64(own.iter().fold(0, |bitmap, chunk| bitmap | 1 << chunk.index));
        for chunk in own {
            out.bytes(&chunk.bytes);
        }
        out.u8(u8::try_from(parity.len()).unwrap_or(u8::MAX));
        for chunk in parity {
            out.u16(chunk.index).bytes(&chunk.bytes);
        }
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// The reader's fault.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self> {
        const { assert!(N <= 64, "the bitmap has 64 bits") };
        let fault = input.fault();
        let bitmap = input.u64()?;
        let mut held = Vec::with_capacity(N);
        for index in 0..64 {
            if bitmap >> index & 1 == 1 {
                held.push(Chunk { index, bytes: *input.array()? });
            }
        }
        for _ in 0..input.u8()? {
            let chunk = Chunk { index: input.u16()?, bytes: *input.array()? };
            if usize::from(chunk.index) < N || held.last().is_some_and(|last| last.index >= chunk.index) {
                return Err(fault.into());
            }
            held.push(chunk);
        }
        let out_of_range = N < 64 && bitmap >> N != 0;
        if out_of_range || held.len() >= N { Err(fault.into()) } else { Ok(Self { held }) }
    }
}

/// A message from an official client's record: the values of each lane at 0, 1, 2, ..., or the coefficients of its polynomial.
///
/// # Errors
/// `record.corrupt` if they are not `N` in each of the 16 lanes.
#[cfg(feature = "signal")]
pub fn imported_message<const N: usize>(values: &[Vec<u8>], polynomials: &[Vec<u8>]) -> Result<Message<N>> {
    let lanes = if values.is_empty() { polynomials } else { values };
    if lanes.len() != LANES || lanes.iter().any(|lane| lane.len() != N * 2) {
        return Err(Fault::RecordCorrupt.into());
    }
    let mut message = [[0; CHUNK]; N];
    for (chunk, x) in message.iter_mut().zip(0u16..) {
        for (slot, lane) in chunk.as_chunks_mut::<2>().0.iter_mut().zip(lanes) {
            let numbers = lane.as_chunks::<2>().0.iter().map(|number| u16::from_be_bytes(*number));
            let value = if values.is_empty() {
                numbers.rev().fold(0, |value, coefficient| multiply(value, x) ^ coefficient)
            } else {
                numbers.zip(0u16..).fold(0, |value, (number, at)| if at == x { number } else { value })
            };
            *slot = value.to_be_bytes();
        }
    }
    Ok(message)
}

/// x^12 + x^3 + x + 1, which is x^16 in this field.
const REDUCTION: u16 = 0x100B;
const LANES: usize = CHUNK / 2;
const WORDS: usize = CHUNK / 8;

/// The message from `N` chunks: those that are the message itself are copied, the others interpolated.
fn reassemble<const N: usize>(held: &[Chunk]) -> Box<Message<N>> {
    let mut nodes = [0; N];
    let mut values = [[0; CHUNK]; N];
    for ((node, value), chunk) in nodes.iter_mut().zip(&mut values).zip(held) {
        *node = chunk.index;
        *value = chunk.bytes;
    }
    let weights = if nodes == Systematic::<N>::NODES { Systematic::<N>::WEIGHTS } else { weights(&nodes) };
    let mut message = Box::new([[0; CHUNK]; N]);
    for (chunk, index) in message.iter_mut().zip(0u16..) {
        *chunk = match held.iter().find(|held| held.index == index) {
            Some(held) => held.bytes,
            None => combine(&coefficients(&nodes, &weights, index), &values),
        };
    }
    message
}

/// The nodes 0 to `N - 1` and their barycentric weights.
struct Systematic<const N: usize>;

impl<const N: usize> Systematic<N> {
    const NODES: [u16; N] = {
        let mut nodes = [0; N];
        let mut i = 0;
        #[allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated when compiling")]
        while i < N {
            nodes[i] = i as u16;
            i += 1;
        }
        nodes
    };
    const WEIGHTS: [u16; N] = weights(&Self::NODES);
}

/// For each node the inverse of the product of its distances from the others.
#[allow(clippy::indexing_slicing, reason = "both counters stay below N, the length of every array here")]
const fn weights<const N: usize>(nodes: &[u16; N]) -> [u16; N] {
    let mut products = [1; N];
    let mut i = 0;
    while i < N {
        let mut j = 0;
        while j < N {
            if i != j {
                products[i] = multiply(products[i], nodes[i] ^ nodes[j]);
            }
            j += 1;
        }
        i += 1;
    }
    // One inversion for all: the inverse of the running product, unwound from its end.
    let mut running = [1; N];
    let mut product = 1;
    i = 0;
    while i < N {
        running[i] = product;
        product = multiply(product, products[i]);
        i += 1;
    }
    let mut inverse = invert(product);
    while i > 0 {
        i -= 1;
        running[i] = multiply(running[i], inverse);
        inverse = multiply(inverse, products[i]);
    }
    running
}

/// The Lagrange coefficients at `x`, which is none of the `nodes`: for each node its weight times the product of the
/// distances of `x` from all others.
fn coefficients<const N: usize>(nodes: &[u16; N], weights: &[u16; N], x: u16) -> [u16; N] {
    let (mut before, mut behind) = ([1; N], [1; N]);
    let (mut from_front, mut from_back) = (1, 1);
    let both_ends = nodes.iter().zip(nodes.iter().rev());
    for ((before, behind), (front, back)) in before.iter_mut().zip(behind.iter_mut().rev()).zip(both_ends) {
        *before = from_front;
        from_front = multiply(from_front, x ^ front);
        *behind = from_back;
        from_back = multiply(from_back, x ^ back);
    }
    for ((slot, behind), weight) in before.iter_mut().zip(&behind).zip(weights) {
        *slot = multiply(multiply(*slot, *behind), *weight);
    }
    before
}

/// The sum of the chunks, each times its coefficient, in every lane: bit by bit of the coefficients, from the highest.
fn combine<const N: usize>(coefficients: &[u16; N], chunks: &Message<N>) -> [u8; CHUNK] {
    let words: [[u64; WORDS]; N] = core::array::from_fn(|i| words_of(chunks.get(i).unwrap_or(&[0; CHUNK])));
    let mut lanes = [0u16; LANES];
    for bit in (0..16).rev() {
        let mut sum = [0u64; WORDS];
        for (coefficient, words) in coefficients.iter().zip(&words) {
            let mask = 0u64.wrapping_sub(u64::from(coefficient >> bit & 1));
            for (sum, word) in sum.iter_mut().zip(words) {
                *sum ^= word & mask;
            }
        }
        for (lanes, sum) in lanes.as_chunks_mut::<4>().0.iter_mut().zip(sum) {
            for (lane, sum) in lanes.iter_mut().zip(sum.to_ne_bytes().as_chunks().0) {
                let carry = 0u16.wrapping_sub(*lane >> 15);
                *lane = *lane << 1 ^ carry & REDUCTION ^ u16::from_be_bytes(*sum);
            }
        }
    }
    let mut out = [0; CHUNK];
    out.as_chunks_mut().0.iter_mut().zip(lanes).for_each(|(slot, lane)| *slot = lane.to_be_bytes());
    out
}

/// A chunk as machine words, in whatever order of bytes the machine has: they are only added.
fn words_of(chunk: &[u8; CHUNK]) -> [u64; WORDS] {
    let mut words = [0; WORDS];
    words.iter_mut().zip(chunk.as_chunks().0).for_each(|(word, bytes)| *word = u64::from_ne_bytes(*bytes));
    words
}

/// The product of two field elements: a carry-less product, and Barrett's reduction.
///
/// The carry-less product comes from integer products of every fourth bit: at most four terms meet in one place, and the three
/// bits of room above each hold their carries.
#[allow(clippy::cast_possible_truncation, reason = "the remainder has 16 bits")]
const fn multiply(a: u16, b: u16) -> u16 {
    const EVERY_FOURTH: u32 = 0x1111_1111;
    let (a, b) = (a as u32, b as u32);
    let (a0, b0) = (a & EVERY_FOURTH, b & EVERY_FOURTH);
    let (a1, b1) = (a & EVERY_FOURTH << 1, b & EVERY_FOURTH << 1);
    let (a2, b2) = (a & EVERY_FOURTH << 2, b & EVERY_FOURTH << 2);
    let (a3, b3) = (a & EVERY_FOURTH << 3, b & EVERY_FOURTH << 3);
    let c0 = a0.wrapping_mul(b0) ^ a1.wrapping_mul(b3) ^ a2.wrapping_mul(b2) ^ a3.wrapping_mul(b1);
    let c1 = a0.wrapping_mul(b1) ^ a1.wrapping_mul(b0) ^ a2.wrapping_mul(b3) ^ a3.wrapping_mul(b2);
    let c2 = a0.wrapping_mul(b2) ^ a1.wrapping_mul(b1) ^ a2.wrapping_mul(b0) ^ a3.wrapping_mul(b3);
    let c3 = a0.wrapping_mul(b3) ^ a1.wrapping_mul(b2) ^ a2.wrapping_mul(b1) ^ a3.wrapping_mul(b0);
    let product = c0 & EVERY_FOURTH | c1 & EVERY_FOURTH << 1 | c2 & EVERY_FOURTH << 2 | c3 & EVERY_FOURTH << 3;
    let high = product >> 16;
    // The quotient: 1 + x^-4 + x^-8 + x^-12 + x^-13 is x^16 over the polynomial, as far as it matters for degree 14.
    let quotient = high ^ high >> 4 ^ high >> 8 ^ high >> 12 ^ high >> 13;
    (product ^ quotient ^ quotient << 1 ^ quotient << 3 ^ quotient << 12) as u16
}

/// The inverse of a field element, by Fermat: its power 2^16 - 2. Zero gives zero.
const fn invert(a: u16) -> u16 {
    let mut square = a;
    let mut power = 1;
    let mut bit = 1;
    while bit < 16 {
        square = multiply(square, square);
        power = multiply(power, square);
        bit += 1;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hash::sha256;
    use proptest::prelude::*;

    /// The schoolbook product, as a check of the fast one.
    fn slow_multiply(a: u16, b: u16) -> u16 {
        let (mut a, mut sum) = (a, 0);
        for bit in 0..16 {
            if b >> bit & 1 == 1 {
                sum ^= a;
            }
            a = if a & 0x8000 == 0 { a << 1 } else { a << 1 ^ REDUCTION };
        }
        sum
    }

    fn message<const N: usize>(seed: u8) -> Message<N> {
        core::array::from_fn(|i| sha256(&[&[seed, u8::try_from(i).unwrap()]]))
    }

    /// BR-7: the field of an independent implementation.
    #[test]
    fn field_vectors() {
        assert_eq!(multiply(0x1234, 0x5678), 0x6324);
        assert_eq!(invert(2), 0x8805);
        for a in 0..=u16::MAX {
            let b = a.wrapping_mul(0x9E37) ^ 0x55AA;
            assert_eq!(multiply(a, b), slow_multiply(a, b));
            assert_eq!(multiply(a, 0xFFFF), slow_multiply(a, 0xFFFF));
            assert_eq!(multiply(a, invert(a)), u16::from(a != 0));
        }
    }

    /// BR-7: chunks of an independent implementation.
    #[test]
    fn chunk_vectors() {
        let message: Message<3> = core::array::from_fn(|i| sha256(&[&[u8::try_from(i).unwrap()]]));
        assert_eq!(chunk(&message, 1).bytes, message[1]);
        let expected = "fe00ad7acb09cad0f02037f8f192b9ce8c064a597cca999a19ababa2047d3c01";
        assert_eq!(hex::encode(chunk(&message, 3).bytes), expected);
        let expected = "f9d56c5428714245c8331bc43e022d52119826b7d8727398e4766eb57ed31cc2";
        assert_eq!(hex::encode(chunk(&message, 5).bytes), expected);
    }

    /// Takes in `indices` of `message`; every step is written and read back.
    fn receive<const N: usize>(message: &Message<N>, indices: &[u16]) -> Option<Message<N>> {
        let mut decoder = Decoder::<N>::empty();
        for &index in indices {
            match decoder.with(&chunk(message, index)).unwrap() {
                Progress::Unchanged => {}
                Progress::Complete(message) => return Some(*message),
                Progress::Partial(next) => {
                    let mut out = Writer::default();
                    next.encode(&mut out);
                    let mut input = Reader::new(out.as_slice(), Fault::RecordCorrupt);
                    decoder = Decoder::decode(&mut input).unwrap();
                    assert_eq!(decoder, next);
                    input.finish().unwrap();
                }
            }
        }
        None
    }

    proptest! {
        /// BR-7, BR-11: any N distinct chunks give the message, in any order, and N - 1 do not.
        #[test]
        fn any_n_chunks_give_the_message(indices in prop::collection::hash_set(any::<u16>(), 36), seed: u8, near: bool) {
            let indices: Vec<u16> = indices.into_iter().map(|i| if near { i } else { i % 64 }).collect();
            fn check<const N: usize>(indices: &[u16], seed: u8) {
                let message = message::<N>(seed);
                let mut distinct = indices.to_vec();
                distinct.sort_unstable();
                distinct.dedup();
                let received = receive(&message, indices);
                if distinct.len() >= N {
                    assert_eq!(received, Some(message));
                } else {
                    assert_eq!(received, None);
                }
                assert_eq!(receive(&message, &distinct[..distinct.len().min(N) - 1]), None);
            }
            check::<3>(&indices, seed);
            check::<5>(&indices, seed);
            check::<30>(&indices, seed);
            check::<36>(&indices, seed);
        }
    }

    /// BR-7, B30: a chunk that contradicts one held is refused, the same chunk again is not.
    #[test]
    fn a_contradicting_chunk_is_refused() {
        let message = message::<5>(1);
        let Progress::Partial(decoder) = Decoder::<5>::empty().with(&chunk(&message, 9)).unwrap() else { panic!() };
        assert_eq!(decoder.with(&chunk(&message, 9)), Ok(Progress::Unchanged));
        let mut wrong = chunk(&message, 9);
        wrong.bytes[31] ^= 1;
        assert_eq!(decoder.with(&wrong), Err(Fault::BraidConflict.into()));
    }

    /// A record with a chunk too many, out of order or out of range is refused.
    #[test]
    fn corrupt_records_are_refused() {
        let record = |bitmap: u64, own: usize, parity: &[u16]| {
            let mut out = Writer::default();
            out.u64(bitmap).bytes(&vec![0; own * CHUNK]).u8(u8::try_from(parity.len()).unwrap());
            for index in parity {
                out.u16(*index).bytes(&[0; CHUNK]);
            }
            Decoder::<3>::decode(&mut Reader::new(out.as_slice(), Fault::RecordCorrupt))
                .map(|decoder| decoder.held.len())
        };
        assert_eq!(record(0b101, 2, &[]), Ok(2));
        assert_eq!(record(0, 0, &[3, 9]), Ok(2));
        let corrupt = Err(Fault::RecordCorrupt.into());
        assert_eq!(record(0b111, 3, &[]), corrupt);
        assert_eq!(record(0b1000, 1, &[]), corrupt);
        assert_eq!(record(1 << 63, 1, &[]), corrupt);
        assert_eq!(record(0, 0, &[9, 3]), corrupt);
        assert_eq!(record(0, 0, &[9, 9]), corrupt);
        assert_eq!(record(0, 0, &[2]), corrupt);
        assert_eq!(record(1, 1, &[3, 4]), corrupt);
        assert_eq!(record(0b11, 1, &[]), corrupt);
    }
}
