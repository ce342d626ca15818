//! What one writer finds again.

use super::{Broken, Outcome, Place, batch, expect, put, read_one, remove};
use crate::error::Result;
use crate::store::{Scan, Store};

pub(super) async fn new<S: Store>(place: &Place<'_, impl AsyncFn(&str) -> Result<S>>) -> Outcome {
    let store = place.open().await?;
    let reading = store.read(&[b"a".to_vec()]).await?;
    expect(reading.generation == 0, "a new store is not at generation 0")?;
    expect(reading.values == [None], "a new store has a value")?;
    expect(store.scan(&[], None, 10).await? == Scan::default(), "a scan of a new store finds something")
}

pub(super) async fn read_your_writes<S: Store>(place: &Place<'_, impl AsyncFn(&str) -> Result<S>>) -> Outcome {
    let store = place.open().await?;
    store.commit(&batch([put("a", "first"), put("b", "second")]), 0).await?;
    let names = [b"b".to_vec(), b"x".to_vec(), b"a".to_vec(), b"b".to_vec()];
    let values = store.read(&names).await?.values;
    let second = Some(b"second".to_vec());
    expect(
        values == [second.clone(), None, Some(b"first".to_vec()), second],
        "a read gave other values, or another order",
    )?;
    store.commit(&batch([put("a", "1")]), 1).await?;
    expect(read_one(&store, "a").await?.as_deref() == Some(b"1"), "a value that was replaced is not the new one")?;
    expect(read_one(&store, "b").await?.as_deref() == Some(b"second"), "a commit changed what it did not name")?;
    expect(store.read(&[]).await?.values.is_empty(), "a read of nothing gave something")
}

pub(super) async fn removal<S: Store>(place: &Place<'_, impl AsyncFn(&str) -> Result<S>>) -> Outcome {
    let store = place.open().await?;
    store.commit(&batch([put("a", "1"), put("ab", "2"), put("b", "3")]), 0).await?;
    store.commit(&batch([remove("a"), remove("never there")]), 1).await?;
    expect(read_one(&store, "a").await?.is_none(), "a removed value is read")?;
    let left = names(store.scan(&[], None, 10).await?);
    expect(left == [b"ab".to_vec(), b"b".to_vec()], "after a removal a scan finds other names than those left")
}

pub(super) async fn empty<S: Store>(place: &Place<'_, impl AsyncFn(&str) -> Result<S>>) -> Outcome {
    let store = place.open().await?;
    store.commit(&batch([put("", "of the empty name"), put("a", "")]), 0).await?;
    expect(read_one(&store, "").await?.as_deref() == Some(b"of the empty name"), "the empty name was not kept")?;
    expect(read_one(&store, "a").await?.as_deref() == Some(b""), "an empty value was not kept, or taken for none")?;
    let found = store.scan(&[], None, 10).await?.entries.len();
    expect(found == 2, "a scan left out an empty name or value")?;
    let behind = names(store.scan(&[], Some(&[]), 10).await?);
    expect(behind == [b"a".to_vec()], "a scan after the empty name is wrong")
}

pub(super) async fn order<S: Store>(place: &Place<'_, impl AsyncFn(&str) -> Result<S>>) -> Outcome {
    let store = place.open().await?;
    // As bytes, not as text, not as numbers, the shorter first.
    let sorted: [&[u8]; 11] = [b"\0", b"\0\0", b"\0\xFF", b"10", b"9", b"B", b"a", b"a\0", b"\x7F", b"\x80", b"\xFF"];
    let scattered = sorted.iter().rev().step_by(2).chain(sorted.iter().rev().skip(1).step_by(2));
    store.commit(&batch(scattered.map(|name| put(name, name))), 0).await?;
    let found = store.scan(&[], None, usize::MAX).await?;
    expect(found.entries.iter().all(|(name, value)| name == value), "a scan gave a value to another name")?;
    expect(names(found) == sorted, "a scan is not in the order of bytes")?;
    for (index, after) in sorted.iter().enumerate() {
        let behind = names(store.scan(&[], Some(after), usize::MAX).await?);
        expect(behind.iter().eq(sorted.iter().skip(index + 1)), "a scan after a name begins at the wrong place")?;
    }
    let between = names(store.scan(&[], Some(b"5"), 1).await?);
    expect(between == [b"9"], "a scan after a name that is not there begins at the wrong place")
}

pub(super) async fn prefixes<S: Store>(place: &Place<'_, impl AsyncFn(&str) -> Result<S>>) -> Outcome {
    let store = place.open().await?;
    let all: [&[u8]; 12] = [
        b"",
        b"\0",
        b"a",
        b"a\0",
        b"a\xFE",
        b"a\xFF",
        b"a\xFF\xFF",
        b"b",
        b"\xFE\xFF",
        b"\xFF",
        b"\xFF\0",
        b"\xFF\xFF",
    ];
    store.commit(&batch(all.iter().map(|name| put(name, "v"))), 0).await?;
    for prefix in all.iter().chain(&[b"\xFF\xFF\xFF".as_slice(), b"c"]) {
        let expected: Vec<_> = all.iter().filter(|name| name.starts_with(prefix)).collect();
        let found = names(store.scan(prefix, None, 100).await?);
        expect(found.iter().eq(expected.iter().copied()), "a scan gave other names than those with its prefix")?;
        for after in all {
            let expected = expected.iter().filter(|name| **name > &after);
            let found = names(store.scan(prefix, Some(after), 100).await?);
            expect(found.iter().eq(expected.copied()), "a scan with a prefix and a beginning gave other names")?;
        }
    }
    Ok(())
}

pub(super) async fn pages<S: Store>(place: &Place<'_, impl AsyncFn(&str) -> Result<S>>) -> Outcome {
    let store = place.open().await?;
    let all: Vec<Vec<u8>> = (0..100u32).map(|n| [b"p", n.to_be_bytes().as_slice()].concat()).collect();
    store.commit(&batch(all.iter().map(|name| put(name, name)).chain([put("q", ""), put("o", "")])), 0).await?;
    expect(store.scan(b"p", None, 0).await?.entries.is_empty(), "a scan of no entries gave some")?;
    for limit in [1, 7, 99, 100, 101, 1000] {
        let (mut found, mut after) = (Vec::new(), None::<Vec<u8>>);
        loop {
            let page = names(store.scan(b"p", after.as_deref(), limit).await?);
            let left = all.len() - found.len();
            expect(
                page.len() == limit.min(left),
                "a page has more entries than asked for, or fewer though there are more",
            )?;
            match page.last() {
                Some(last) => after = Some(last.clone()),
                None => break,
            }
            found.extend(page);
        }
        expect(found == all, "the pages together are not the whole")?;
    }
    Ok(())
}

pub(super) async fn large_batch<S: Store>(place: &Place<'_, impl AsyncFn(&str) -> Result<S>>) -> Outcome {
    const ROWS: u32 = 10_000;
    let store = place.open().await?;
    let name = |row: u32| row.wrapping_mul(2_654_435_761).to_be_bytes();
    store.commit(&batch((0..ROWS).map(|row| put(name(row), row.to_be_bytes()))), 0).await?;
    let wanted: Vec<_> = (0..ROWS).map(|row| name(row).to_vec()).collect();
    let values = store.read(&wanted).await?.values;
    let expected = (0..ROWS).map(|row| Some(row.to_be_bytes().to_vec()));
    expect(values.into_iter().eq(expected), "of 10 000 rows some are not as they were written")?;
    store.commit(&batch((0..ROWS).map(|row| remove(name(row)))), 1).await?;
    expect(store.scan(&[], None, 1).await?.entries.is_empty(), "of 10 000 rows some were not removed")
}

pub(super) async fn large_value<S: Store>(place: &Place<'_, impl AsyncFn(&str) -> Result<S>>) -> Outcome {
    let store = place.open().await?;
    let large: Vec<u8> = (0..16u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    store.commit(&batch([put("large", &large)]), 0).await?;
    let found = read_one(&store, "large").await?.ok_or_else(|| Broken("a value of 16 MiB is gone".to_owned()))?;
    expect(found == large, "a value of 16 MiB is not as it was written")
}

fn names(scan: Scan) -> Vec<Vec<u8>> {
    scan.entries.into_iter().map(|(name, _)| name).collect()
}
