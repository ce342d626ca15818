//! B18: the random number generator fails, returns zeros, repeats itself, at any of its calls (RUSTSEC-2026-0075 and others).

use crate::handshake_world::{DAY, Device, NOW, code, fresh_rng};
use rand::rngs::StdRng;
use rand::{Rng, TryCryptoRng, TryRng};
use undertone::Result;
use undertone::handshake::{HandshakePolicy, HandshakeProfile, LocalDevice, Prekeys, initiate};
use undertone::profile::{IdentityKeyPair, Signal, Undertone};
use undertone::rule::{Rule, without};

/// How a draw goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Defect {
    Error,
    Zeros,
    OneByte,
    HalfTwice,
    /// The end of the draw is not written.
    Short,
}

/// Is honest until the draw of number `breaks_at`, and broken from then on.
struct Breaking {
    honest: StdRng,
    draws: usize,
    breaks_at: usize,
    defect: Defect,
}

#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Broken {}

impl TryRng for Breaking {
    type Error = Broken;

    fn try_next_u32(&mut self) -> std::result::Result<u32, Broken> {
        unreachable!("the engine draws bytes only")
    }

    fn try_next_u64(&mut self) -> std::result::Result<u64, Broken> {
        unreachable!("the engine draws bytes only")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> std::result::Result<(), Broken> {
        self.draws += 1;
        self.honest.fill_bytes(out);
        if self.draws <= self.breaks_at {
            return Ok(());
        }
        match self.defect {
            Defect::Error => return Err(Broken),
            Defect::Short => {
                let third = out.len() / 3;
                out[third..].fill(0);
                return Err(Broken);
            }
            Defect::Zeros => out.fill(0),
            Defect::OneByte => out.fill(0x5A),
            Defect::HalfTwice => {
                let (first, second) = out.split_at_mut(out.len() / 2);
                second.copy_from_slice(first);
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for Breaking {}

const DEFECTS: [Defect; 5] = [Defect::Error, Defect::Zeros, Defect::OneByte, Defect::HalfTwice, Defect::Short];

/// Runs `operation` with a generator that breaks at each of its draws in turn, and returns how many there are.
fn break_everywhere(name: &str, mut operation: impl FnMut(&mut Breaking) -> Result<()>) -> usize {
    let rng = |breaks_at, defect| Breaking { honest: fresh_rng(), draws: 0, breaks_at, defect };
    let mut honest = rng(usize::MAX, Defect::Error);
    operation(&mut honest).unwrap();
    for defect in DEFECTS {
        for breaks_at in 0..honest.draws {
            let mut broken = rng(breaks_at, defect);
            assert_eq!(code(operation(&mut broken)), "random.failed", "{name}: {defect:?} at draw {breaks_at}");
            assert_eq!(broken.draws, breaks_at + 1, "{name}: nothing is drawn after a failure");
        }
    }
    honest.draws
}

fn every_operation<P: HandshakeProfile>(alice: &str, bob: &str) -> [usize; 5] {
    let alice: Device<P> = Device::new(alice, 1, 0, 1);
    let mut bob: Device<P> = Device::new(bob, 1, 1, 2);
    let bundle = bob.bundle();
    let policy = HandshakePolicy::default();
    let identity = break_everywhere("identity", |rng| P::IdentityKeyPair::generate(rng).map(|_| ()));
    let begin = break_everywhere("initiate", |rng| {
        initiate(&alice.local(), &bob.address, &bundle, policy, NOW, rng).map(|_| ())
    });
    let initiation = initiate(&alice.local(), &bob.address, &bundle, policy, NOW, &mut fresh_rng()).unwrap();
    let wrap = break_everywhere("wrap", |rng| {
        let message = b"message".to_vec();
        P::wrap_first(&alice.local(), &bob.address, bob.identity.public(), &initiation.offer, message, rng).map(|_| ())
    });
    let stored = bob.prekeys.to_bytes();
    let Device { identity: key, address, prekeys, .. } = &mut bob;
    let local = LocalDevice { identity: key, address, registration_id: 77 };
    let add = break_everywhere("add_one_time", |rng| {
        *prekeys = Prekeys::from_bytes(&stored)?;
        let result = prekeys.add_one_time(&local, 2, NOW, rng);
        assert!(result.is_ok() || prekeys.to_bytes() == stored, "a failure changes nothing");
        result
    });
    let rotate = break_everywhere("rotate", |rng| {
        *prekeys = Prekeys::from_bytes(&stored)?;
        let result = prekeys.rotate(&local, NOW + DAY, rng);
        assert!(result.is_ok() || prekeys.to_bytes() == stored, "a failure changes nothing");
        result
    });
    [identity, begin, wrap, add, rotate]
}

/// PQ-26, B18: whichever draw goes wrong, in whichever way, the operation ends in an error and nothing has changed. The numbers say that no draw
/// was missed.
#[test]
fn no_key_of_a_broken_generator() {
    assert_eq!(every_operation::<Undertone>("alice", "bob"), [1, 2, 2, 4, 4]);
    let (alice, bob) = ("9d0652a3-dcc3-4d11-975f-74d61598733f", "796abedb-ca4e-4f18-8803-1fde5b921f9f");
    assert_eq!(every_operation::<Signal>(alice, bob), [1, 2, 0, 6, 4]);
}

/// PQ-26, B18: without the check, a dead generator makes the key that everyone knows.
#[test]
fn without_the_check_the_key_is_known() {
    let generate = || {
        let mut dead = Breaking { honest: fresh_rng(), draws: 0, breaks_at: 0, defect: Defect::Zeros };
        <Undertone as undertone::profile::Profile>::IdentityKeyPair::generate(&mut dead).map(|pair| *pair.to_bytes())
    };
    assert_eq!(code(generate()), "random.failed");
    assert_eq!(without(Rule::Pq26, generate), Ok([0; 32]));
}
