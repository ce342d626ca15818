//! Two operations measured in turns, in one process: the machine's moods meet both alike.

use std::time::{Duration, Instant};

/// Runs an operation so many times and says how long what counts of it took.
pub type Batch<'a> = Box<dyn FnMut(usize) -> Duration + 'a>;

/// How often and how much to measure.
#[derive(Clone, Copy)]
pub struct Effort {
    /// How often each side takes its turn.
    pub turns: usize,
    /// How long one turn is to last.
    pub turn: Duration,
    /// How many operations are prepared for one turn at most.
    pub most: usize,
}

impl Effort {
    /// For operations of microseconds: turns so short that few are interrupted.
    pub const SHORT: Self = Self { turns: 301, turn: Duration::from_micros(300), most: 2_000 };
    /// For operations of milliseconds, or with a costly preparation.
    pub const LONG: Self = Self { turns: 41, turn: Duration::from_millis(2), most: 50 };
}

/// Nanoseconds that one operation takes: the median over the turns of each side.
pub fn in_turns(effort: Effort, sides: &mut [Batch<'_>]) -> Vec<f64> {
    let counts: Vec<usize> = sides.iter_mut().map(|side| operations_per_turn(effort, side)).collect();
    let mut times = vec![Vec::with_capacity(effort.turns); sides.len()];
    for _ in 0..effort.turns {
        for ((side, count), times) in sides.iter_mut().zip(&counts).zip(&mut times) {
            times.push(side(*count).as_secs_f64() * 1e9 / *count as f64);
        }
    }
    times.into_iter().map(median).collect()
}

/// A side that repeats `operation` as it is.
pub fn repeated<'a, T>(mut operation: impl FnMut() -> T + 'a) -> Batch<'a> {
    Box::new(move |count| {
        let start = Instant::now();
        for _ in 0..count {
            std::hint::black_box(operation());
        }
        start.elapsed()
    })
}

/// A side that uses up what `prepare` makes; only `operation` counts.
pub fn prepared<'a, I, T>(
    mut prepare: impl FnMut() -> I + 'a,
    mut operation: impl FnMut(&mut I) -> T + 'a,
) -> Batch<'a> {
    Box::new(move |count| {
        let mut inputs: Vec<I> = (0..count).map(|_| prepare()).collect();
        let mut outputs = Vec::with_capacity(count);
        let start = Instant::now();
        for input in &mut inputs {
            outputs.push(std::hint::black_box(operation(input)));
        }
        start.elapsed()
    })
}

fn operations_per_turn(effort: Effort, side: &mut Batch<'_>) -> usize {
    let mut count = 1;
    loop {
        let time = side(count);
        if time >= effort.turn || count >= effort.most {
            let fitting = count as f64 * effort.turn.as_secs_f64() / time.as_secs_f64().max(1e-9);
            return (fitting as usize).clamp(1, effort.most);
        }
        count *= 2;
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}
