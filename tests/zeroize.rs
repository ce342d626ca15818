//! B74, T-ZEROIZE: what a secret leaves behind in the heap.
//!
//! The allocator of this binary looks through every block that is given back for a pattern of 16 bytes, which a test
//! takes from the secret that it is about to drop.
#![allow(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::SeqCst};
use undertone::crypto::agreement::AgreementSecret;
use undertone::crypto::ed25519::SigningSecret;
use undertone::crypto::kem::{KemSecret, Kyber1024, MlKem768, MlKem1024};
use undertone::crypto::secret::Secret;
use undertone::crypto::split_kem::{SplitEncapsulation, SplitKeyPair};
use undertone::crypto::xeddsa::XeddsaSecret;

struct Watcher;

static WATCHING: AtomicBool = AtomicBool::new(false);
static PATTERN: [AtomicU8; 16] = [const { AtomicU8::new(0) }; 16];
static FOUND: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Watcher {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is the system allocator's. Zeroed, so that every byte may be read later.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if WATCHING.load(SeqCst) && layout.size() >= PATTERN.len() {
            for start in 0..=layout.size() - PATTERN.len() {
                let here = |offset: usize| {
                    // SAFETY: within the block, which was zeroed when it was allocated.
                    let byte = unsafe { block.add(start + offset).read_volatile() };
                    byte == PATTERN[offset].load(SeqCst)
                };
                if (0..PATTERN.len()).all(here) {
                    FOUND.fetch_add(1, SeqCst);
                }
            }
        }
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static WATCHER: Watcher = Watcher;

/// How often the pattern was in a freed block while `work` ran.
fn leaks<const N: usize>(secret: &[u8; N], work: impl FnOnce()) -> usize {
    for (slot, byte) in PATTERN.iter().zip(&secret[N - 20..]) {
        slot.store(*byte, SeqCst);
    }
    FOUND.store(0, SeqCst);
    WATCHING.store(true, SeqCst);
    work();
    WATCHING.store(false, SeqCst);
    FOUND.load(SeqCst)
}

fn bytes<const N: usize>() -> [u8; N] {
    core::array::from_fn(|i| (i * 37 + 11) as u8)
}

/// B74: every type that holds a secret wipes it; one test, because the allocator is shared.
#[test]
fn dropped_secrets_leave_nothing() {
    // The control: a plain array is found.
    let plain: Box<[u8; 32]> = Box::new(bytes());
    assert_eq!(leaks(&bytes::<32>(), || drop(plain)), 1);

    let secret = Box::new(Secret::<32>::new(bytes()));
    assert_eq!(leaks(&bytes::<32>(), || drop(secret)), 0);
    let pieces = Box::new(Secret::<64>::new(bytes()).pieces::<2>());
    assert_eq!(leaks(&bytes::<64>(), || drop(pieces)), 0);
    let long = Box::new(Secret::<2400>::new(bytes()));
    assert_eq!(leaks(&bytes::<2400>(), || drop(long)), 0);

    let agreement = Box::new(AgreementSecret::from_bytes(Secret::new(bytes())));
    let scalar = *agreement.expose();
    assert_eq!(leaks(&scalar, || drop(agreement)), 0);

    let signing = Box::new(SigningSecret::from_seed(Secret::new(bytes())));
    assert_eq!(leaks(&bytes::<32>(), || drop(signing)), 0);
    let signing = Box::new(SigningSecret::from_seed(Secret::new(bytes())));
    let scalar = *signing.agreement_secret().expose();
    assert_eq!(leaks(&scalar, || drop(signing)), 0);
    assert_eq!(leaks(&scalar, || drop(Box::new(SigningSecret::from_seed(Secret::new(bytes()))))), 0);

    let xeddsa = Box::new(XeddsaSecret::new(AgreementSecret::from_bytes(Secret::new(bytes()))));
    let scalar = *xeddsa.agreement_secret().expose();
    assert_eq!(leaks(&scalar, || drop(xeddsa)), 0);

    // The end of the seed is z, which stands at the end of the expanded key too.
    assert_eq!(leaks(&bytes::<64>(), || drop(Box::new(KemSecret::<MlKem768>::from_seed(Secret::new(bytes()))))), 0);
    assert_eq!(leaks(&bytes::<64>(), || drop(Box::new(KemSecret::<MlKem1024>::from_seed(Secret::new(bytes()))))), 0);
    assert_eq!(leaks(&bytes::<64>(), || drop(Box::new(KemSecret::<Kyber1024>::from_seed(Secret::new(bytes()))))), 0);
    assert_eq!(leaks(&bytes::<64>(), || drop(Box::new(SplitKeyPair::from_seed(Secret::new(bytes()))))), 0);

    let header = *SplitKeyPair::from_seed(Secret::new(bytes())).header();
    let encapsulation = || drop(Box::new(SplitEncapsulation::begin(&header, Secret::new(bytes())).0));
    assert_eq!(leaks(&bytes::<32>(), encapsulation), 0);
}
