//! Each operation of the engine alone, with criterion's statistics over time: `cargo bench --bench engine [-- NAME]`.
#![allow(missing_docs, dead_code)]

#[path = "peers/undertone_side.rs"]
mod undertone_side;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use undertone::{
    GroupContext, GroupId, IdentityKeyPair, Prekeys, ReceivedSenderKeys, SenderKey, SessionRecord, Undertone,
};
use undertone_side::{Device, NOW, Pair, copy};

/// After so many rounds the post-quantum ratchet is in the midst of its longest phase.
const UNDER_WAY: usize = 20;

fn handshakes(criterion: &mut Criterion) {
    criterion.bench_function("key generation", |bencher| bencher.iter(|| Device::<Undertone>::new("alice", 1)));
    let (mut alice, mut bob) = (Device::<Undertone>::new("alice", 0), Device::<Undertone>::new("bob", 1));
    let bundle = bob.bundle();
    criterion.bench_function("initiate", |bencher| bencher.iter(|| alice.initiate(black_box(&bundle))));
    let mut record = alice.initiate(&bundle);
    let first = alice.encrypt(&mut record, &[7; 1024]);
    let stored = bob.prekeys.to_bytes();
    criterion.bench_function("accept", |bencher| {
        let fresh = || Prekeys::from_bytes(&stored).unwrap();
        let accept = |prekeys| {
            bob.prekeys = prekeys;
            bob.accept(&alice.address, None, &first)
        };
        bencher.iter_batched(fresh, accept, BatchSize::SmallInput);
    });
}

fn messages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one-way");
    for size in [32, 1 << 10, 64 << 10] {
        let plaintext = vec![7; size];
        group.throughput(Throughput::Bytes(size as u64));
        let Pair { mut alice, bob, mut with_bob, mut with_alice } = Pair::after_rounds(UNDER_WAY);
        group.bench_function(format!("encrypt/{size}"), |bencher| {
            let mut record = copy(&with_bob);
            bencher.iter(|| alice.encrypt(&mut record, black_box(&plaintext)));
        });
        group.bench_function(format!("decrypt/{size}"), |bencher| {
            let fresh = || alice.encrypt(&mut with_bob, &plaintext);
            bencher.iter_batched(fresh, |message| bob.decrypt(&mut with_alice, &message), BatchSize::SmallInput);
        });
    }
    group.finish();
    let mut pair = Pair::after_rounds(UNDER_WAY);
    criterion.bench_function("ping-pong round", |bencher| bencher.iter(|| pair.round(&[7; 1024])));
    let mut pair = Pair::after_rounds(UNDER_WAY);
    (0..2_000).for_each(|_| drop(pair.alice.encrypt(&mut pair.with_bob, b"lost")));
    let last = pair.alice.encrypt(&mut pair.with_bob, &[7; 1024]);
    criterion.bench_function("gap of 2 000", |bencher| {
        let fresh = || copy(&pair.with_alice);
        bencher.iter_batched(fresh, |mut record| pair.bob.decrypt(&mut record, &last), BatchSize::SmallInput);
    });
    let Pair { mut alice, with_bob, .. } = Pair::after_rounds(UNDER_WAY);
    let mut records: Vec<_> = (0..1_000).map(|_| copy(&with_bob)).collect();
    criterion.bench_function("fan-out to 1 000", |bencher| {
        bencher.iter(|| records.iter_mut().map(|record| alice.encrypt(record, &[7; 1024])).collect::<Vec<_>>());
    });
}

fn sender_keys(criterion: &mut Criterion) {
    let Device { identity, address, mut rng, .. } = Device::<Undertone>::new("alice", 0);
    let context = GroupContext::new(GroupId::new("group").unwrap(), 0, [0; 32]);
    let mut key = SenderKey::<Undertone>::create(context, &address, identity.public(), NOW, &mut rng).unwrap();
    let mut received = ReceivedSenderKeys::<Undertone>::new(&address, identity.public());
    received.process_distribution(&address, identity.public(), &key.distribution()).unwrap();
    criterion.bench_function("sender key decrypt", |bencher| {
        let fresh = || key.encrypt(&[7; 1024], &mut rng).unwrap();
        bencher.iter_batched(fresh, |message| received.decrypt(&message, NOW).unwrap(), BatchSize::SmallInput);
    });
    criterion.bench_function("sender key encrypt", |bencher| bencher.iter(|| key.encrypt(&[7; 1024], &mut rng)));
}

fn records(criterion: &mut Criterion) {
    let pair = Pair::after_rounds(UNDER_WAY);
    criterion.bench_function("record save", |bencher| bencher.iter(|| pair.with_bob.to_bytes()));
    let stored = pair.with_bob.to_bytes();
    criterion.bench_function("record load", |bencher| bencher.iter(|| SessionRecord::<Undertone>::from_bytes(&stored)));
}

criterion_group!(benches, handshakes, messages, sender_keys, records);
criterion_main!(benches);
