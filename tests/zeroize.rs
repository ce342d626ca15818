//! B74, T-ZEROIZE: what a secret leaves behind in the heap.
//!
//! The allocator of this binary looks through every block that is given back for a pattern of 16 bytes, which a test
//! takes from the secret that it is about to drop.
#![allow(unsafe_code, reason = "an allocator cannot be written without")]

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_core::{TryCryptoRng, TryRng};
use std::alloc::{GlobalAlloc, Layout, System};
use std::convert::Infallible;
use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::SeqCst};
use undertone::crypto::agreement::AgreementSecret;
use undertone::crypto::ed25519::SigningSecret;
use undertone::crypto::kem::{KemSecret, Kyber1024, MlKem768, MlKem1024};
use undertone::crypto::secret::Secret;
use undertone::crypto::split_kem::{SplitEncapsulation, SplitKeyPair};
use undertone::crypto::xeddsa::XeddsaSecret;
use undertone::handshake::{FirstMessage, HandshakePolicy, HandshakeProfile, LocalDevice, accept, initiate};
use undertone::{Address, IdentityKey, IdentityKeyPair, Prekeys, Undertone, UndertoneIdentityKeyPair};

struct Watcher;

static WATCHING: AtomicBool = AtomicBool::new(false);
static PATTERN: [AtomicU8; 16] = [const { AtomicU8::new(0) }; 16];
static FOUND: AtomicUsize = AtomicUsize::new(0);
/// One test at a time: they share the allocator.
static TURN: Mutex<()> = Mutex::new(());

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

/// B74, DR-9: every type that holds a secret wipes it.
#[test]
fn dropped_secrets_leave_nothing() {
    let _turn = TURN.lock();
    // Control: a plain array is found.
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

/// What the initiator of a handshake draws: the base key, then the randomness of the encapsulation.
struct Drawn {
    base: [u8; 32],
    left: Vec<u8>,
}

impl Drawn {
    fn new() -> Self {
        let drawn: [u8; 64] = core::array::from_fn(|i| (i * 73 + 5) as u8);
        Self { base: *drawn.first_chunk().unwrap(), left: drawn.to_vec() }
    }
}

impl TryRng for Drawn {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("the engine draws bytes only")
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("the engine draws bytes only")
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let rest = self.left.split_off(out.len());
        out.copy_from_slice(&self.left);
        self.left.fill(0);
        self.left = rest;
        Ok(())
    }
}

impl TryCryptoRng for Drawn {}

/// Gives back the block of `value` as it is. The optimizer is told that someone reads the block, or it would not write it.
fn give_back<T>(value: T) {
    drop(black_box(Box::new(ManuallyDrop::new(value))));
}

/// PQ-15, X3-5: once the secrets of a session are derived, neither side has the ephemeral key, an agreement or the KEM's secret: not in a block that it gave
/// back on the way, and not in what it returns. The blocks are given back here without any wiping, so that a kept secret would be found.
#[test]
fn a_handshake_leaves_its_inputs_nowhere() {
    let _turn = TURN.lock();
    let rng = &mut StdRng::seed_from_u64(15);
    let (alices_key, bobs_key) =
        (UndertoneIdentityKeyPair::generate(rng).unwrap(), UndertoneIdentityKeyPair::generate(rng).unwrap());
    let (alices, bobs) = (Address::new("alice", 1).unwrap(), Address::new("bob", 1).unwrap());
    let alice = LocalDevice { identity: &alices_key, address: &alices, registration_id: 1 };
    let bob = LocalDevice { identity: &bobs_key, address: &bobs, registration_id: 2 };
    let mut prekeys = Prekeys::<Undertone>::generate(&bob, 0, rng).unwrap();
    prekeys.add_one_time(&bob, 1, 0, rng).unwrap();
    let bundle = prekeys.bundle(&bob, true).unwrap();
    let policy = HandshakePolicy::default();
    let begin = || initiate(&alice, &bobs, &bundle, policy, 0, &mut Drawn::new()).unwrap();

    let drawn = Drawn::new();
    let base = AgreementSecret::from_bytes(Secret::new(drawn.base));
    let signed = Undertone::parse_signed_prekey(&bundle.signed_prekey().public).unwrap().0;
    let one_time = Undertone::parse_one_time_prekey(&bundle.one_time_prekey().unwrap().public).unwrap().0;
    let kem = Undertone::parse_kem_prekey(&bundle.kem_prekey().unwrap().public).unwrap().0;
    let (_, shared) = kem.encapsulate_deterministic(drawn.left[32..].try_into().unwrap());
    let inputs = [
        ("the base key", *base.expose()),
        ("DH1", *alices_key.agreement_secret().agree(&signed).unwrap().expose()),
        ("DH2", *base.agree(bobs_key.public().agreement_key()).unwrap().expose()),
        ("DH3", *base.agree(&signed).unwrap().expose()),
        ("DH4", *base.agree(&one_time).unwrap().expose()),
        ("the KEM's secret", *shared.expose()),
    ];
    // Control: what the handshake is made for is found in what it returns.
    let root = *begin().secrets.root.expose();
    assert_eq!(leaks(&root, || give_back(begin())), 1);

    let begun = begin();
    let wrapped = Undertone::wrap_first(&alice, &bobs, bobs_key.public(), &begun.offer, Vec::new(), rng).unwrap();
    let first = FirstMessage::open(&bob, &wrapped, &prekeys).unwrap();
    let found = prekeys.lookup(&first).unwrap();
    let answer = || accept(&bob, &first, &found, policy).unwrap();
    assert_eq!(leaks(&root, || give_back(answer())), 1, "both sides have the same root");
    for (name, input) in inputs {
        assert_eq!(leaks(&input, || give_back(begin())), 0, "{name}, the initiator");
        assert_eq!(leaks(&input, || give_back(answer())), 0, "{name}, the responder");
    }
}
