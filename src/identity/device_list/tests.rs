use super::*;
use crate::profile::{IdentityKeyPair, UndertoneIdentityKeyPair};
use rand::{SeedableRng, rngs::StdRng};

const NOW: u64 = 1_800_000_000;

fn account(seed: u8) -> AccountKeyPair {
    AccountKeyPair::from_bytes(&[seed; 32]).unwrap()
}

fn identity(seed: u8) -> UndertoneIdentityKeyPair {
    UndertoneIdentityKeyPair::from_bytes(&[seed; 32]).unwrap()
}

fn device(account: &AccountKeyPair, number: u8) -> NewDevice {
    NewDevice::new(&identity(100 + number), account.public(), "alice", number, &mut StdRng::seed_from_u64(1)).unwrap()
}

fn list_of_three() -> DeviceList {
    let account = account(1);
    let mut list = DeviceList::create(&account, "alice", device(&account, 1), NOW).unwrap();
    list.add(&account, device(&account, 2), NOW + 1).unwrap();
    list.add(&account, device(&account, 3), NOW + 2).unwrap();
    list
}

/// A statement signed by `account`, whatever it says.
fn statement(account: &AccountKeyPair, list: &DeviceList, number: u64, operation: Operation) -> Vec<u8> {
    DeviceStatement::sign(account, "alice", number, &list.hash, list.time, &operation).unwrap()
}

fn refusal(list: &DeviceList, statement: Vec<u8>) -> &'static str {
    let mut longer = list.clone();
    let code = longer.extend(&[statement]).unwrap_err().code();
    assert!(longer == *list, "a refused statement changes nothing");
    code
}

#[test]
fn devices_come_and_go() {
    let account = account(1);
    let mut list = list_of_three();
    let mut seen = DeviceList::verify("alice", &list.statements_after(0)).unwrap();
    assert!(seen == list);
    list.remove(&account, 2, NOW + 3).unwrap();
    list.add(&account, device(&account, 4), NOW + 4).unwrap();
    assert_eq!(list.next_device(), Ok(5));
    let changes = seen.extend(&list.statements_after(1)).unwrap();
    assert_eq!(changes, [DeviceChange::Removed(2), DeviceChange::Added(4)]);
    assert!(seen == list);
    assert_eq!(
        seen.devices().map(|one| (one.device, one.added)).collect::<Vec<_>>(),
        [(1, NOW), (3, NOW + 2), (4, NOW + 4)]
    );
    assert!(seen.was_removed(2) && !seen.was_removed(3) && !seen.was_removed(5) && !seen.was_removed(0));
    assert_eq!(seen.device(4).unwrap().identity, *identity(104).public());
    assert_eq!((seen.number(), seen.name(), seen.account()), (5, "alice", account.public()));
    assert_eq!(seen.extend(&list.statements_after(0)), Ok(Vec::new()));
    assert!(seen.statements_after(5).is_empty() && seen.statements_after(u64::MAX).is_empty());
}

/// SE-11, B47: a device that the account did not sign does not come on the list.
#[test]
fn a_device_that_the_account_did_not_sign_is_refused() {
    let (list, thief) = (list_of_three(), account(9));
    let add = || Operation::Add(Box::new(device(&account(1), 4)));
    let mut forged = statement(&account(1), &list, 4, add());
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(refusal(&list, forged.clone()), "devices.signature");
    assert_eq!(refusal(&list, statement(&thief, &list, 4, add())), "devices.account");
    let mut unsigned = forged.clone();
    let end = unsigned.len() - 64;
    unsigned[end..].fill(0);
    assert_eq!(refusal(&list, unsigned), "devices.signature");
    #[cfg(feature = "__internals")]
    rule::without(Rule::Se11, || assert_eq!(list.clone().extend(&[forged.clone()]), Ok(vec![DeviceChange::Added(4)])));
    // Control: the same statement, signed, is taken.
    let signed = statement(&account(1), &list, 4, add());
    assert_eq!(list.clone().extend(&[signed]), Ok(vec![DeviceChange::Added(4)]));
}

/// SE-11: a list goes on where it ended, and tells one story.
#[test]
fn gaps_and_forks_are_refused() {
    let (account, list) = (account(1), list_of_three());
    let older = DeviceList::verify("alice", &list.statements_after(0)[..2]).unwrap();
    let next = Operation::Add(Box::new(device(&account, 4)));
    assert_eq!(refusal(&list, statement(&account, &list, 5, next.clone())), "devices.chain");
    assert_eq!(refusal(&list, statement(&account, &older, 4, next.clone())), "devices.chain");
    assert_eq!(refusal(&list, statement(&account, &older, 3, next.clone())), "devices.forked");
    assert_eq!(refusal(&list, statement(&account, &list, 0, next.clone())), "devices.field");
    let backwards = DeviceStatement::sign(&account, "alice", 4, &list.hash, NOW, &next).unwrap();
    assert_eq!(refusal(&list, backwards), "devices.chain");
    let of_another = DeviceStatement::sign(&account, "bob", 4, &list.hash, NOW + 9, &next).unwrap();
    assert_eq!(refusal(&list, of_another), "devices.field");

    // A forgery under a known number is no evidence against the account.
    let mut forged = list.statements_after(1).remove(0);
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(refusal(&list, forged), "devices.signature");
    assert_eq!(DeviceList::verify("alice", &list.statements_after(1)).unwrap_err().code(), "devices.chain");
    assert_eq!(DeviceList::verify("bob", &list.statements_after(0)).unwrap_err().code(), "devices.field");
    assert_eq!(DeviceList::verify("alice", &[]).unwrap_err().code(), "devices.field");
    // Control: what follows is taken.
    assert_eq!(list.clone().extend(&[statement(&account, &list, 4, next)]), Ok(vec![DeviceChange::Added(4)]));
}

/// SE-11: even the account cannot say everything.
#[test]
fn statements_that_make_no_sense_are_refused() {
    let (account, mut list) = (account(1), list_of_three());
    list.remove(&account, 3, NOW).unwrap();
    for operation in [
        Operation::Add(Box::new(device(&account, 2))),
        Operation::Add(Box::new(device(&account, 3))),
        Operation::Remove(1),
        Operation::Remove(3),
        Operation::Remove(4),
        Operation::Remove(0),
        Operation::Remove(255),
    ] {
        assert_eq!(refusal(&list, statement(&account, &list, 5, operation)), "devices.field");
    }
    let empty = DeviceList::empty(account.public().clone(), "alice".to_owned());
    let second_first = statement(&account, &empty, 1, Operation::Add(Box::new(device(&account, 2))));
    assert_eq!(DeviceList::verify("alice", &[second_first]).unwrap_err().code(), "devices.field");
}

/// B50: an account cannot claim a device that belongs to another, a number that it did not ask for, or a key that is another one's.
#[test]
fn a_device_joins_by_its_own_will() {
    let (account, other, list) = (account(1), account(2), list_of_three());
    let mut rng = StdRng::seed_from_u64(1);
    let mut asked = |account: &AccountKeyPair, name: &str, number: u8, key: u8| {
        NewDevice::new(&identity(key), account.public(), name, number, &mut rng).unwrap()
    };
    let mut renumbered = asked(&account, "alice", 5, 50).to_bytes();
    renumbered[0] = 4;
    for (device, code) in [
        (asked(&other, "alice", 4, 50), "devices.signature"),
        (asked(&account, "bob", 4, 50), "devices.signature"),
        (NewDevice::from_bytes(&renumbered).unwrap(), "devices.signature"),
        (asked(&account, "alice", 4, 102), "devices.field"),
        // The seed of the account key.
        (asked(&account, "alice", 4, 1), "devices.field"),
    ] {
        assert_eq!(refusal(&list, statement(&account, &list, 4, Operation::Add(Box::new(device.clone())))), code);
        assert_eq!(list.clone().add(&account, device, NOW).unwrap_err().code(), code);
    }
    // Control: a device of this account is taken.
    assert_eq!(list.clone().add(&account, asked(&account, "alice", 4, 50), NOW), Ok(()));
}

#[test]
fn wrong_calls_are_refused() {
    let (account, mut list) = (account(1), list_of_three());
    assert_eq!(DeviceList::create(&account, "", device(&account, 1), NOW).unwrap_err().code(), "address.name");
    assert_eq!(DeviceList::create(&account, "alice", device(&account, 2), NOW).unwrap_err().code(), "devices.number");
    for number in [1, 4, 0, 200] {
        assert_eq!(list.remove(&account, number, NOW).unwrap_err().code(), "devices.number");
    }
    list.remove(&account, 3, NOW).unwrap();
    assert_eq!(list.add(&account, device(&account, 3), NOW).unwrap_err().code(), "devices.number");
    let stranger = self::account(9);
    assert_eq!(list.add(&stranger, device(&account, 4), NOW).unwrap_err().code(), "devices.account_key");
    assert_eq!(list.remove(&stranger, 2, NOW).unwrap_err().code(), "devices.account_key");
    // A clock that was set back a year does not end the list.
    list.add(&account, device(&account, 4), NOW - 365 * 86_400).unwrap();
    assert_eq!(DeviceList::verify("alice", &list.statements_after(0)).unwrap().device(4).unwrap().added, NOW + 2);
}

#[test]
fn an_account_has_127_devices_in_all() {
    let account = account(1);
    let mut list = DeviceList::create(&account, "alice", device(&account, 1), NOW).unwrap();
    for number in 2..=127 {
        assert_eq!(list.next_device(), Ok(number));
        list.add(&account, device(&account, number), NOW).unwrap();
        list.remove(&account, number, NOW).unwrap();
    }
    assert_eq!(list.next_device().unwrap_err().code(), "devices.full");
    assert_eq!(list.number(), 253);
    assert!(DeviceList::verify("alice", &list.statements_after(0)).unwrap() == list);
}

#[test]
fn a_list_survives_its_record() {
    let list = list_of_three();
    let record = list.to_bytes();
    assert!(DeviceList::from_bytes(&record).unwrap() == list);
    for cut in 0..record.len() {
        let is_whole_list = (1..=3).any(|count| {
            DeviceList::verify("alice", &list.statements_after(0)[..count]).unwrap().to_bytes() == record[..cut]
        });
        assert_eq!(DeviceList::from_bytes(&record[..cut]).is_ok(), is_whole_list, "{cut}");
    }
    let mut newer = record.clone();
    newer[0] = 2;
    assert_eq!(DeviceList::from_bytes(&newer).unwrap_err().code(), "record.version");
    let mut hash_bent = record.clone();
    let second = 1 + 2 + list.statements[0].len() + 2;
    hash_bent[second + 1 + 2 + 5 + 32 + 8] ^= 1;
    assert_eq!(DeviceList::from_bytes(&hash_bent).unwrap_err().code(), "record.corrupt");
    let twice = [&record[..], &record[1..]].concat();
    assert_eq!(DeviceList::from_bytes(&twice).unwrap_err().code(), "record.corrupt");
}

/// SE-11, B47: no byte of a statement can be changed, cut off or added.
#[test]
fn every_byte_of_a_statement_is_signed() {
    let list = list_of_three();
    let older = DeviceList::verify("alice", &list.statements_after(0)[..2]).unwrap();
    let last = list.statements_after(2).remove(0);
    for at in 0..last.len() {
        let mut bent = last.clone();
        bent[at] ^= 4;
        assert!(older.clone().extend(&[bent]).is_err(), "{at}");
        assert!(older.clone().extend(&[last[..at].to_vec()]).is_err(), "{at}");
    }
    assert_eq!(refusal(&older, [&last[..], &[0]].concat()), "devices.field");
    // Control: as it was, it is taken.
    assert_eq!(older.clone().extend(&[last]), Ok(vec![DeviceChange::Added(3)]));
}

#[test]
fn debug_shows_no_name() {
    assert!(!format!("{:?}", list_of_three()).contains("alice"));
}
