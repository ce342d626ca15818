//! A network that misbehaves as it is told to, and the same way every time.

/// How the way between one device and the server misbehaves. Every choice follows from `seed` and the count of calls; no clock is involved.
///
/// ```
/// use undertone::transport::{Faults, MemoryServer};
///
/// let server = MemoryServer::new();
/// server.set_faults(Faults { seed: 7, loss: 20, duplication: 5, reordering: 30, delay: 3, ..Faults::none() });
/// server.set_faults(Faults::none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// What all choices follow from.
    pub seed: u64,
    /// Of a hundred calls, how many fail with `transport.unreachable`: half of them before the server hears of it, half after it has done what was asked.
    pub loss: u8,
    /// Of a hundred acknowledgements, how many are followed by one more delivery of the same envelope; and of a hundred envelopes that are handed out, how many
    /// are there twice.
    pub duplication: u8,
    /// Of a hundred answers of `receive`, how many are shuffled.
    pub reordering: u8,
    /// For how many calls of `receive`, at most, an envelope stays under way while there are others to hand out.
    pub delay: u32,
    /// Of a thousand calls, how many begin an outage.
    pub outages: u16,
    /// The calls, at most, that fail in an outage.
    pub outage_length: u32,
    /// One call that fails, counted from 1 on each connection since the faults were set.
    pub failed_call: Option<FailedCall>,
}

/// One call that fails with `transport.unreachable`.
///
/// ```
/// use undertone::transport::{FailedCall, Faults};
///
/// let lost_answer = Faults { failed_call: Some(FailedCall { number: 3, after_effect: true }), ..Faults::none() };
/// assert_eq!(lost_answer.loss, 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedCall {
    /// Which call, from 1.
    pub number: u64,
    /// Whether the server has done what was asked: then only the answer is lost.
    pub after_effect: bool,
}

impl Faults {
    /// A network without faults.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            seed: 0,
            loss: 0,
            duplication: 0,
            reordering: 0,
            delay: 0,
            outages: 0,
            outage_length: 0,
            failed_call: None,
        }
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::none()
    }
}

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    Through,
    RequestLost,
    AnswerLost,
}

/// The state of one connection's faults.
pub(super) struct Weather {
    faults: Faults,
    dice: Dice,
    calls: u64,
    outage: u32,
}

impl Weather {
    /// `connection` tells the connections of one server apart.
    pub(super) fn new(faults: Faults, connection: u64) -> Self {
        let dice = Dice(faults.seed ^ connection.wrapping_mul(0xD134_2543_DE82_EF95));
        Self { faults, dice, calls: 0, outage: 0 }
    }

    pub(super) fn next_call(&mut self) -> Passage {
        self.calls += 1;
        if let Some(failed) = self.faults.failed_call.filter(|failed| failed.number == self.calls) {
            return if failed.after_effect { Passage::AnswerLost } else { Passage::RequestLost };
        }
        if self.outage > 0 {
            self.outage -= 1;
            return Passage::RequestLost;
        }
        if self.dice.one_in(u32::from(self.faults.outages), 1_000) {
            self.outage = self.dice.below(self.faults.outage_length.max(1));
            return Passage::RequestLost;
        }
        if self.dice.percent(self.faults.loss) {
            return if self.dice.below(2) == 0 { Passage::RequestLost } else { Passage::AnswerLost };
        }
        Passage::Through
    }

    pub(super) fn duplicates(&mut self) -> bool {
        self.dice.percent(self.faults.duplication)
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        if self.dice.percent(self.faults.reordering) {
            for last in (1..items.len()).rev() {
                let other = self.dice.below(u32::try_from(last).unwrap_or(u32::MAX).saturating_add(1));
                items.swap(last, other as usize);
            }
        }
    }

    /// For how many calls of `receive` the envelope of this id stays under way: the same whoever asks first.
    pub(super) fn delay(&self, id: &[u8; 16]) -> u32 {
        let mut dice = Dice(self.faults.seed ^ u64::from_le_bytes(*id.first_chunk().unwrap_or(&[0; 8])));
        dice.below(self.faults.delay.saturating_add(1))
    }
}

/// SplitMix64: a sequence to misbehave by, no source of secrets.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 for 0.
    fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.next().checked_rem(u64::from(bound)).unwrap_or(0)).unwrap_or(0)
    }

    fn one_in(&mut self, chances: u32, of: u32) -> bool {
        chances > 0 && self.below(of) < chances
    }

    fn percent(&mut self, chances: u8) -> bool {
        self.one_in(u32::from(chances), 100)
    }
}
