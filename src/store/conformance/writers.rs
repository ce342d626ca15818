//! What several writers may rely on, and what is left of one that stopped in the middle.

use super::{Broken, Outcome, Place, batch, expect, give_way, put, read_one};
use crate::error::{Error, Fault, Result};
use crate::store::{Batch, Store};
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use futures_util::future::{join, join_all};

pub(super) async fn generation<S: Store>(place: &Place<'_, impl AsyncFn(&str) -> Result<S>>) -> Outcome {
    let (store, other) = (place.open().await?, place.open().await?);
    for expected in 0..5 {
        let answered = store.commit(&batch([put("a", expected.to_string())]), expected).await?;
        expect(answered == expected + 1, "a commit did not answer the next generation")?;
        expect(other.read(&[]).await?.generation == answered, "a read tells another generation than the last commit")?;
        let told = other.scan(b"none", None, 1).await?.generation;
        expect(told == answered, "a scan tells another generation than the last commit")?;
    }
    let nothing = store.commit(&Batch::default(), 5).await?;
    expect(nothing == 6, "a commit of no changes did not answer the next generation")
}

pub(super) async fn stale_writer<S: Store>(place: &Place<'_, impl AsyncFn(&str) -> Result<S>>) -> Outcome {
    let store = place.open().await?;
    store.commit(&batch([put("a", "1")]), 0).await?;
    store.commit(&batch([put("a", "2")]), 1).await?;
    for stale in [0, 1, 3, u64::MAX] {
        let answer = store.commit(&batch([put("a", "stale"), put("b", "stale")]), stale).await;
        expect_conflict(answer, "a commit with another generation than the store's was taken")?;
        let reading = store.read(&[b"a".to_vec(), b"b".to_vec()]).await?;
        expect(reading.values == [Some(b"2".to_vec()), None], "a refused commit changed something")?;
        expect(reading.generation == 2, "a refused commit counted")?;
    }
    Ok(())
}

pub(super) async fn one_of_two<S: Store>(place: &Place<'_, impl AsyncFn(&str) -> Result<S>>) -> Outcome {
    let (one, two) = (place.open().await?, place.open().await?);
    for round in 0..50 {
        let (ones, twos) = (batch([put("a", "one")]), batch([put("a", "two")]));
        let (first, second) = join(one.commit(&ones, round), two.commit(&twos, round)).await;
        let winner = match (&first, &second) {
            (Ok(_), Err(_)) => "one",
            (Err(_), Ok(_)) => "two",
            (Ok(_), Ok(_)) => return Err(Broken("two commits with one generation were both taken".to_owned())),
            (Err(_), Err(_)) => return Err(Broken("two commits with one generation were both refused".to_owned())),
        };
        expect_conflict(first.and(second), "the commit that came second was taken")?;
        let found = read_one(&one, "a").await?;
        expect(found.as_deref() == Some(winner.as_bytes()), "the value is not that of the commit that was taken")?;
    }
    Ok(())
}

pub(super) async fn increments<S: Store>(place: &Place<'_, impl AsyncFn(&str) -> Result<S>>) -> Outcome {
    const WRITERS: usize = 8;
    const EACH: usize = 125;
    let mut stores = Vec::new();
    for _ in 0..WRITERS {
        stores.push(place.open().await?);
    }
    let writers = stores.iter().map(async |store| {
        for _ in 0..EACH {
            while !increment(store).await? {}
        }
        Ok::<_, Broken>(())
    });
    join_all(writers).await.into_iter().collect::<core::result::Result<Vec<()>, Broken>>()?;
    let last = place.open().await?;
    let total = (WRITERS * EACH) as u64;
    expect(counter(&last).await?.1 == total, "of 1 000 increments by 8 writers some were lost or counted twice")?;
    expect(counter(&last).await?.0 == total, "the generation did not count every commit")
}

pub(super) async fn whole_batches<S: Store>(place: &Place<'_, impl AsyncFn(&str) -> Result<S>>) -> Outcome {
    const ROUNDS: u64 = 40;
    let (writer, reader) = (place.open().await?, place.open().await?);
    let write = async {
        for round in 0..ROUNDS {
            writer.commit(&rows(round + 1), round).await?;
            give_way().await;
        }
        Ok::<_, Broken>(())
    };
    let read = async {
        while expect_whole(&reader).await? < ROUNDS {
            give_way().await;
        }
        Ok::<_, Broken>(())
    };
    // A writer that fails never comes to the last round; the reader must not wait for it.
    futures_util::future::try_join(write, read).await.map(|_| ())
}

pub(super) async fn abandoned_commit<S: Store>(place: &Place<'_, impl AsyncFn(&str) -> Result<S>>) -> Outcome {
    // One step more each time, until a commit needs no more. A store with a thread of its own may need any number.
    for steps in 0..100 {
        let store = place.open().await?;
        let generation = expect_whole(&store).await?;
        let changes = rows(generation + 1);
        let answer = {
            let mut commit = pin!(store.commit(&changes, generation));
            let mut context = Context::from_waker(Waker::noop());
            (0..=steps).find_map(|_| match commit.as_mut().poll(&mut context) {
                Poll::Ready(answer) => Some(answer),
                Poll::Pending => None,
            })
        };
        drop(store);
        expect_whole(&place.open().await?).await?;
        match answer {
            Some(Ok(_)) => break,
            // The commit that was abandoned before may have come after all.
            Some(Err(error)) if error == Fault::StoreConflict.into() => {}
            Some(Err(error)) => return Err(error.into()),
            None => {}
        }
    }
    Ok(())
}

pub(super) async fn reopened<S: Store>(place: &Place<'_, impl AsyncFn(&str) -> Result<S>>) -> Outcome {
    for round in 0..6 {
        let store = place.open().await?;
        expect(expect_whole(&store).await? == round, "a commit is gone after opening the store again")?;
        store.commit(&rows(round + 1), round).await?;
        if round % 2 == 0 {
            store.close().await?;
        }
    }
    Ok(())
}

pub(super) async fn closed<S: Store>(place: &Place<'_, impl AsyncFn(&str) -> Result<S>>) -> Outcome {
    let (store, other) = (place.open().await?, place.open().await?);
    store.close().await?;
    let closed = |error: Option<Error>| {
        expect(error == Some(Fault::StoreClosed.into()), "a closed store does not answer with store.closed")
    };
    closed(store.read(&[]).await.err())?;
    closed(store.scan(&[], None, 1).await.err())?;
    closed(store.commit(&Batch::default(), 0).await.err())?;
    expect(other.commit(&Batch::default(), 0).await? == 1, "closing one store closed another at the same place")?;
    // A second time is no failure, or `store.closed`.
    store.close().await.or_else(|error| closed(Some(error)))
}

fn expect_conflict(answer: Result<u64>, otherwise: &str) -> Outcome {
    match answer {
        Ok(_) => Err(Broken(otherwise.to_owned())),
        Err(error) if error == Fault::StoreConflict.into() => Ok(()),
        Err(error) => Err(Broken(format!("a conflict was answered with {} instead of store.conflict", error.code()))),
    }
}

/// The generation, and the number that the writers count with.
async fn counter(store: &impl Store) -> core::result::Result<(u64, u64), Broken> {
    let reading = store.read(&[b"counter".to_vec()]).await?;
    let value = reading.values.into_iter().next().flatten().unwrap_or_else(|| vec![0; 8]);
    let number = value.try_into().map_err(|_| Broken("a value of 8 bytes came back with another length".to_owned()))?;
    Ok((reading.generation, u64::from_be_bytes(number)))
}

/// Whether it was taken.
async fn increment(store: &impl Store) -> core::result::Result<bool, Broken> {
    let (generation, number) = counter(store).await?;
    // Between reading and writing the others have their turn.
    give_way().await;
    match store.commit(&batch([put("counter", (number + 1).to_be_bytes())]), generation).await {
        Ok(_) => Ok(true),
        Err(error) if error == Fault::StoreConflict.into() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Rows that all say which generation they belong to. Every second one is there in every second generation only.
fn rows(generation: u64) -> Batch {
    batch((0..ROWS).map(|row| {
        let there = row % 2 == 0 || generation.is_multiple_of(2);
        (row_name(row), there.then(|| generation.to_be_bytes().to_vec()))
    }))
}

/// The generation, if the rows are those of that generation.
async fn expect_whole(store: &impl Store) -> core::result::Result<u64, Broken> {
    let names: Vec<_> = (0..ROWS).map(row_name).collect();
    let reading = store.read(&names).await?;
    let scan = store.scan(b"row", None, names.len()).await?;
    let whole = |generation: u64| if generation == 0 { Vec::new() } else { rows(generation).changes };
    let expected: Vec<_> = whole(reading.generation).into_iter().map(|(_, value)| value).collect();
    let found = if reading.generation == 0 {
        reading.values.into_iter().filter(Option::is_some).collect()
    } else {
        reading.values
    };
    expect(found == expected, "a read found a part of a commit, or the generation of another")?;
    let expected: Vec<_> =
        whole(scan.generation).into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    expect(scan.entries == expected, "a scan found a part of a commit, or the generation of another")?;
    Ok(reading.generation)
}

const ROWS: u8 = 40;

fn row_name(row: u8) -> Vec<u8> {
    [b"row".as_slice(), &[row]].concat()
}
