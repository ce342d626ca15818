use super::link_keys::LinkKeys;
use super::link_messages::{self, ANSWER, OFFER};
use super::*;
use crate::crypto::Secret;
use crate::crypto::agreement::{AgreementKey, AgreementSecret};
use crate::identity::{AccountKeyPair, DeviceList, NewDevice};
use crate::profile::{IdentityKeyPair, UndertoneIdentityKeyPair};
#[cfg(feature = "__internals")]
use crate::rule::{self, Rule};
use rand::{SeedableRng, rngs::StdRng};

const NOW: u64 = 1_800_000_000;

struct Phone {
    account: AccountKeyPair,
    devices: DeviceList,
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(7)
}

fn phone(name: &str, seed: u8) -> Phone {
    let account = AccountKeyPair::from_bytes(&[seed; 32]).unwrap();
    let identity = UndertoneIdentityKeyPair::from_bytes(&[seed + 1; 32]).unwrap();
    let device = NewDevice::new(&identity, account.public(), name, 1, &mut rng()).unwrap();
    let devices = DeviceList::create(&account, name, device, NOW).unwrap();
    Phone { account, devices }
}

fn code_of<T: core::fmt::Debug>(result: crate::Result<T>) -> &'static str {
    result.unwrap_err().code()
}

#[test]
fn a_device_is_linked_over_restarts() {
    let (mut rng, mut alice) = (rng(), phone("alice", 1));
    let request = LinkRequest::new(NOW, &mut rng).unwrap();
    let code: LinkCode = request.code().to_string().parse().unwrap();
    let mut request = LinkRequest::from_bytes(&request.to_bytes()).unwrap();
    assert_eq!(request.code().to_string(), code.to_string());
    assert_ne!(code.place(), [0; 16]);

    let (mut invitation, offer) = Invitation::answer(&code, &alice.devices, 2, NOW + 1, &mut rng).unwrap();
    assert_eq!(invitation.confirmation_code(), None);
    let (acceptance, answer) = request.accept(&offer, NOW + 2, &mut rng).unwrap();
    let acceptance = LinkAcceptance::from_bytes(&acceptance.to_bytes()).unwrap();
    assert_eq!((acceptance.name(), acceptance.account()), ("alice", alice.account.public()));
    assert_eq!((acceptance.device(), acceptance.device_list()), (2, &alice.devices));

    let laptop = invitation.finish(&answer, NOW + 3).unwrap();
    assert_eq!(invitation.confirmation_code(), Some(acceptance.confirmation_code()));
    assert_eq!(acceptance.confirmation_code().len(), 6);
    alice.devices.add(&alice.account, laptop, NOW + 4).unwrap();
    let completion = invitation.complete(&alice.devices, &mut rng).unwrap();
    let devices = acceptance.confirm(&completion).unwrap();
    assert_eq!(devices, alice.devices);
    assert_eq!(devices.device(2).unwrap().identity, *acceptance.identity().public());
    assert_eq!(acceptance.confirm_statements(&alice.devices.statements_after(0)), Ok(devices));
}

/// B53: who did not see the code cannot answer it, and an answer does for its own code only.
#[test]
fn only_who_saw_the_code_can_answer() {
    let (mut rng, alice) = (rng(), phone("alice", 1));
    let mut request = LinkRequest::new(NOW, &mut rng).unwrap();
    let other = LinkRequest::new(NOW, &mut rng).unwrap();
    // A thief who knows all of the code but its secret: it is the public part that a screen might show again.
    let mut guessed: LinkCode = request.code().to_string().parse().unwrap();
    guessed.secret = Secret::new([9; 32]);
    for code in [&guessed, other.code()] {
        let (_, offer) = Invitation::answer(code, &alice.devices, 2, NOW, &mut rng).unwrap();
        assert_eq!(code_of(request.accept(&offer, NOW, &mut rng)), "link.authentication");
    }
    // Control: the code itself is answered, even after those attempts.
    let (_, offer) = Invitation::answer(request.code(), &alice.devices, 2, NOW, &mut rng).unwrap();
    assert!(request.accept(&offer, NOW, &mut rng).is_ok());
}

/// B53: messages that come twice, too late, in another order, or back to their sender are refused.
#[test]
fn messages_out_of_their_place_are_refused() {
    let (mut rng, mut alice) = (rng(), phone("alice", 1));
    let mut request = LinkRequest::new(NOW, &mut rng).unwrap();
    let code: LinkCode = request.code().to_string().parse().unwrap();
    assert_eq!(code_of(Invitation::answer(&code, &alice.devices, 2, NOW + 600, &mut rng)), "link.expired");
    let (mut invitation, offer) = Invitation::answer(&code, &alice.devices, 2, NOW, &mut rng).unwrap();
    assert_eq!(code_of(invitation.finish(&offer, NOW)), "link.authentication");
    assert_eq!(code_of(request.accept(&offer, NOW + 600, &mut rng)), "link.expired");

    let (acceptance, answer) = request.accept(&offer, NOW, &mut rng).unwrap();
    let mut restored = LinkRequest::from_bytes(&request.to_bytes()).unwrap();
    assert_eq!(code_of(restored.accept(&offer, NOW, &mut rng)), "link.state");
    assert_eq!(code_of(request.accept(&offer, NOW, &mut rng)), "link.state");
    for early in [&offer, &answer] {
        assert_eq!(code_of(acceptance.confirm(early)), "link.authentication");
    }
    assert_eq!(code_of(invitation.finish(&answer, NOW + 600)), "link.expired");
    let laptop = invitation.finish(&answer, NOW).unwrap();
    assert_eq!(code_of(invitation.finish(&answer, NOW)), "link.state");

    let (unanswered, _) = Invitation::answer(&code, &alice.devices, 2, NOW, &mut rng).unwrap();
    assert_eq!(code_of(unanswered.complete(&alice.devices, &mut rng)), "link.state");
    let without = alice.devices.clone();
    alice.devices.add(&alice.account, laptop, NOW).unwrap();
    let completion = invitation.complete(&alice.devices, &mut rng).unwrap();
    let mut other = LinkRequest::new(NOW, &mut rng).unwrap();
    let (mut second, offer) = Invitation::answer(other.code(), &without, 2, NOW, &mut rng).unwrap();
    let (other, answer) = other.accept(&offer, NOW, &mut rng).unwrap();
    assert_eq!(code_of(other.confirm(&completion)), "link.authentication");
    assert_eq!(code_of(other.confirm_statements(&alice.devices.statements_after(0))), "devices.number");
    assert_eq!(code_of(acceptance.confirm_statements(&without.statements_after(0))), "devices.number");
    second.finish(&answer, NOW).unwrap();
    assert_eq!(code_of(second.complete(&without, &mut rng)), "link.state");
    // Control: in its place each of them was read.
    assert!(acceptance.confirm(&completion).is_ok());
}

/// B53: no bit of a message can be changed, and none of it left out.
#[test]
fn every_byte_is_authenticated() {
    let (mut rng, mut alice) = (rng(), phone("alice", 1));
    let mut request = LinkRequest::new(NOW, &mut rng).unwrap();
    let (mut invitation, offer) = Invitation::answer(request.code(), &alice.devices, 2, NOW, &mut rng).unwrap();
    let bent = |message: &[u8], at: usize| {
        let mut bent = message.to_vec();
        bent[at] ^= 1;
        bent
    };
    for at in 0..offer.len() {
        assert_eq!(code_of(request.accept(&bent(&offer, at), NOW, &mut rng)), "link.authentication", "{at}");
        assert_eq!(code_of(request.accept(&offer[..at], NOW, &mut rng)), "link.authentication", "{at}");
    }
    let (acceptance, answer) = request.accept(&offer, NOW, &mut rng).unwrap();
    for at in 0..answer.len() {
        assert_eq!(code_of(invitation.finish(&bent(&answer, at), NOW)), "link.authentication", "{at}");
        assert_eq!(code_of(invitation.finish(&answer[..at], NOW)), "link.authentication", "{at}");
    }
    let laptop = invitation.finish(&answer, NOW).unwrap();
    alice.devices.add(&alice.account, laptop, NOW).unwrap();
    let completion = invitation.complete(&alice.devices, &mut rng).unwrap();
    for at in 0..completion.len() {
        assert_eq!(code_of(acceptance.confirm(&bent(&completion, at))), "link.authentication", "{at}");
        assert_eq!(code_of(acceptance.confirm(&completion[..at])), "link.authentication", "{at}");
    }
    // Control: as they were they are read.
    assert!(acceptance.confirm(&completion).is_ok());
}

/// Someone who answers the code as if he were the phone, and has the phone read a code of his own.
struct Between {
    ephemeral: AgreementSecret,
    keys: LinkKeys,
    offer: Vec<u8>,
}

impl Between {
    fn new(code: &LinkCode, ephemeral: AgreementSecret, offer: &[u8]) -> Self {
        let theirs = AgreementKey::admit(&offer[1..33]).unwrap();
        let keys = LinkKeys::derive(code, &ephemeral, &theirs, &theirs).unwrap();
        Self { ephemeral, keys, offer: offer.to_vec() }
    }

    /// His device's answer, with a reveal of his choice.
    fn answer(&self, alice: &Phone, reveal: &[u8; 32], rng: &mut StdRng) -> Vec<u8> {
        let identity = UndertoneIdentityKeyPair::generate(rng).unwrap();
        let device = NewDevice::new(&identity, alice.account.public(), "alice", 2, rng).unwrap();
        let plaintext = [&reveal[..], &device.to_bytes()].concat();
        link_messages::seal(&self.keys.answer, &[ANSWER], &plaintext, rng).unwrap()
    }
}

/// SN-4, B53: someone between the two devices cannot choose what he reveals so that both show the same digits.
#[test]
fn the_digits_cannot_be_fitted() {
    let (mut rng, alice, thief) = (rng(), phone("alice", 1), phone("alice", 31));
    // The laptop shows its code, and is answered by the thief.
    let mut request = LinkRequest::new(NOW, &mut rng).unwrap();
    let (_, his_offer) = Invitation::answer(request.code(), &thief.devices, 2, NOW, &mut rng).unwrap();
    let (laptop, _) = request.accept(&his_offer, NOW, &mut rng).unwrap();
    // The phone reads the thief's code.
    let his_request = LinkRequest::new(NOW, &mut rng).unwrap();
    let ephemeral = AgreementSecret::from_bytes(Secret::from_slice(&his_request.to_bytes()[1..33]).unwrap());
    let (mut invitation, offer) = Invitation::answer(his_request.code(), &alice.devices, 2, NOW, &mut rng).unwrap();
    let between = Between::new(his_request.code(), ephemeral, &offer);
    assert_eq!(between.ephemeral.public(), his_request.code().ephemeral);

    // He looks for a reveal whose digits begin as the laptop's do: three of them are enough to show it.
    let wanted = &laptop.confirmation_code()[..3];
    let reveals = (0_u64..).map(|tried| {
        let mut reveal = [0; 32];
        reveal[..8].copy_from_slice(&tried.to_be_bytes());
        reveal
    });
    let fitted = reveals.into_iter().find(|reveal| between.keys.digits(&between.offer, reveal).starts_with(wanted));
    let answer = between.answer(&alice, &fitted.unwrap(), &mut rng);
    assert_eq!(code_of(invitation.finish(&answer, NOW)), "link.authentication");
    #[cfg(feature = "__internals")]
    rule::without(Rule::Sn4, || {
        invitation.finish(&answer, NOW).unwrap();
        assert!(invitation.confirmation_code().unwrap().starts_with(wanted));
    });
    // Control: with the reveal that he promised he is answered, and the digits differ.
    let (mut invitation, offer) = Invitation::answer(his_request.code(), &alice.devices, 2, NOW, &mut rng).unwrap();
    let mut his_request = his_request;
    let (_, answer) = his_request.accept(&offer, NOW, &mut rng).unwrap();
    invitation.finish(&answer, NOW).unwrap();
    assert_ne!(invitation.confirmation_code(), Some(laptop.confirmation_code()));
}

/// B47, SE-11: a device is offered a free number and asks for that one and no other.
#[test]
fn numbers_are_free_and_kept_to() {
    let (mut rng, mut alice) = (rng(), phone("alice", 1));
    let mut request = LinkRequest::new(NOW, &mut rng).unwrap();
    let code: LinkCode = request.code().to_string().parse().unwrap();
    assert_eq!(code_of(Invitation::answer(&code, &alice.devices, 1, NOW, &mut rng)), "devices.number");
    assert_eq!(code_of(Invitation::answer(&code, &alice.devices, 128, NOW, &mut rng)), "address.device");

    // A device that was offered number 2 asks for number 3.
    let (mut invitation, offer) = Invitation::answer(&code, &alice.devices, 2, NOW, &mut rng).unwrap();
    let ephemeral = AgreementSecret::from_bytes(Secret::from_slice(&request.to_bytes()[1..33]).unwrap());
    let reveal: [u8; 32] = request.to_bytes()[65..97].try_into().unwrap();
    let greedy = Between::new(&code, ephemeral, &offer);
    let identity = UndertoneIdentityKeyPair::generate(&mut rng).unwrap();
    for (number, account, expected) in
        [(3, &alice.account, "devices.number"), (2, &phone("bob", 51).account, "devices.signature")]
    {
        let device = NewDevice::new(&identity, account.public(), "alice", number, &mut rng).unwrap();
        let plaintext = [&reveal[..], &device.to_bytes()].concat();
        let answer = link_messages::seal(&greedy.keys.answer, &[ANSWER], &plaintext, &mut rng).unwrap();
        assert_eq!(code_of(invitation.finish(&answer, NOW)), expected);
    }
    // Control: what it was offered, it gets.
    let (_, answer) = request.accept(&offer, NOW, &mut rng).unwrap();
    let laptop = invitation.finish(&answer, NOW).unwrap();
    alice.devices.add(&alice.account, laptop, NOW).unwrap();

    // A first device that offers a number which is taken is not answered.
    let mut request = LinkRequest::new(NOW, &mut rng).unwrap();
    let ephemeral = AgreementSecret::generate(&mut rng).unwrap();
    let code = request.code();
    let keys = LinkKeys::derive(code, &ephemeral, &code.ephemeral, &ephemeral.public()).unwrap();
    let mut plaintext = crate::wire::Writer::with_capacity(512);
    plaintext.u8(2).prefixed(b"alice").unwrap();
    link_messages::write_statements(&alice.devices.statements_after(0), &mut plaintext).unwrap();
    let head = [&[OFFER][..], ephemeral.public().as_bytes()].concat();
    let offer = link_messages::seal(&keys.offer, &head, plaintext.as_slice(), &mut rng).unwrap();
    assert_eq!(code_of(request.accept(&offer, NOW, &mut rng)), "devices.number");
}

#[test]
fn other_texts_are_no_codes() {
    let request = LinkRequest::new(NOW, &mut rng()).unwrap();
    let text = request.code().to_string();
    assert!(format!(" {text}\n").parse::<LinkCode>().is_ok());
    let other_version = text.replacen(":1:", ":2:", 1);
    let mut low_order: LinkCode = text.parse().unwrap();
    low_order.ephemeral = AgreementSecret::from_bytes(Secret::new([1; 32])).public();
    let mut bytes = low_order.to_bytes().as_slice().to_vec();
    bytes[1..33].fill(0);
    let low_order = format!("undertone:link:1:{}", crate::identity::base58::encode(&bytes));
    for wrong in
        ["", "undertone:link:1:", &text[1..], &text[..text.len() - 1], &format!("{text}1"), &other_version, &low_order]
    {
        assert_eq!(code_of(wrong.parse::<LinkCode>()), "link.code", "{wrong}");
    }
    let record = request.to_bytes();
    for cut in 1..record.len() {
        assert_eq!(code_of(LinkRequest::from_bytes(&record[..cut])), "record.corrupt");
    }
    let shown = format!("{request:?} {:?}", request.code());
    assert!(!shown.contains(&text[17..40]), "{shown}");
}
