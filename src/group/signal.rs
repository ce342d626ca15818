//! Sender keys in the wire format of official clients. A group is a distribution's UUID; nothing binds a message to an epoch, a
//! membership or an owner but the signing key of its chain.

use super::context::{ChainOwner, GroupContext};
use super::form::{Distribution, GroupHeader, GroupProfile, Held};
use crate::crypto::agreement::AgreementSecret;
use crate::crypto::kdf::{hkdf, hmac_pair};
use crate::crypto::xeddsa::{XeddsaKey, XeddsaSecret};
use crate::crypto::{Secret, cbc, random};
use crate::error::{Error, Fault, Result};
use crate::profile::Signal;
use crate::rule::{self, Rule};
use crate::wire::signal::{SenderKeyDistributionMessage, SenderKeyMessage, SenderKeyMessageFields};
use crate::wire::{Reader, Writer};
use rand_core::TryCryptoRng;

/// What the readers of a chain know of it.
pub struct SignalChain {
    context: GroupContext,
    distribution_id: [u8; 16],
    id: u32,
    signing_key: XeddsaKey,
}

impl SignalChain {
    /// Refuses a context that says more than this profile can bind.
    fn new(context: GroupContext, id: u32, signing_key: XeddsaKey) -> Result<Self> {
        let distribution_id = context.id().as_bytes().try_into().map_err(|_| Error::from(Fault::Argument))?;
        if context != GroupContext::distribution(distribution_id) {
            return Err(Fault::Argument.into());
        }
        Ok(Self { context, distribution_id, id, signing_key })
    }
}

impl GroupProfile for Signal {
    type Chain = SignalChain;
    type Signer = XeddsaSecret;
    type GroupMessage<'a> = SenderKeyMessage<'a>;

    const REPLACES_CHAINS: bool = true;

    fn create(
        context: GroupContext,
        _owner: &ChainOwner,
        rng: &mut impl TryCryptoRng,
    ) -> Result<(SignalChain, XeddsaSecret)> {
        // Official clients draw 31 bits.
        let id = u32::from_be_bytes(random::array(rng)?) >> 1;
        let signer = XeddsaSecret::generate(rng)?;
        Ok((SignalChain::new(context, id, *signer.verifying_key())?, signer))
    }

    fn context(chain: &SignalChain) -> &GroupContext {
        &chain.context
    }

    fn compare(held: &SignalChain, offered: &SignalChain) -> Held {
        if held.distribution_id != offered.distribution_id || held.id != offered.id {
            Held::Other
        } else if held.signing_key == offered.signing_key {
            Held::Same
        } else {
            Held::Contradicts
        }
    }

    fn is_signer(chain: &SignalChain, signer: &XeddsaSecret) -> bool {
        chain.signing_key == *signer.verifying_key()
    }

    fn group_step(key: &Secret<32>, _n: u32) -> (Secret<32>, Secret<32>) {
        hmac_pair(key, &[&[2]], &[&[1]])
    }

    fn group_walk(key: &Secret<32>, n: u32) -> Secret<32> {
        Self::group_step(key, n).0
    }

    fn encode_distribution(chain: &SignalChain, _owner: &ChainOwner, key: &Secret<32>, n: u32) -> Vec<u8> {
        SenderKeyDistributionMessage {
            distribution_id: chain.distribution_id,
            chain_id: chain.id,
            iteration: n,
            chain_key: Secret::new(*key.expose()),
            signing_key: chain.signing_key.agreement_key(),
        }
        .encode()
    }

    fn decode_distribution(bytes: &[u8], _owner: &ChainOwner) -> Result<Distribution<Self>> {
        let message = SenderKeyDistributionMessage::parse(bytes)?;
        let context = GroupContext::distribution(message.distribution_id);
        let chain = SignalChain::new(context, message.chain_id, XeddsaKey::new(&message.signing_key)?)?;
        Ok(Distribution { chain, key: message.chain_key, n: message.iteration })
    }

    fn seal_group(
        chain: &SignalChain,
        signer: &XeddsaSecret,
        seed: &Secret<32>,
        n: u32,
        plaintext: &[u8],
        rng: &mut impl TryCryptoRng,
    ) -> Result<Vec<u8>> {
        let (iv, key) = message_key(seed);
        let fields = SenderKeyMessageFields {
            distribution_id: chain.distribution_id,
            chain_id: chain.id,
            iteration: n,
            ciphertext: cbc::encrypt(&key, iv.expose(), plaintext),
        };
        fields.encode(|message| signer.sign(&[message], rng))
    }

    fn parse_group(bytes: &[u8]) -> Result<SenderKeyMessage<'_>> {
        SenderKeyMessage::parse(bytes)
    }

    fn names(message: &SenderKeyMessage<'_>, chain: &SignalChain) -> bool {
        message.fields.distribution_id == chain.distribution_id && message.fields.chain_id == chain.id
    }

    fn authenticate(message: &SenderKeyMessage<'_>, chain: &SignalChain) -> Result<GroupHeader> {
        // B43: every member holds the chain key; only the owner can sign.
        if rule::on(Rule::D5) {
            chain.signing_key.verify(&[message.signed], message.signature)?;
        }
        Ok(GroupHeader { n: message.fields.iteration, guard: [0; 12] })
    }

    fn open_group(
        message: &SenderKeyMessage<'_>,
        _header: &GroupHeader,
        _chain: &SignalChain,
        seed: &Secret<32>,
    ) -> Result<Vec<u8>> {
        let (iv, key) = message_key(seed);
        cbc::decrypt(&key, iv.expose(), &message.fields.ciphertext)
    }

    fn encode_chain(chain: &SignalChain, out: &mut Writer) {
        out.bytes(&chain.distribution_id).u32(chain.id).bytes(chain.signing_key.agreement_key().as_bytes());
    }

    fn decode_chain(input: &mut Reader<'_>, _owner: &ChainOwner) -> Result<SignalChain> {
        let (context, id) = (GroupContext::distribution(*input.array()?), input.u32()?);
        let signing_key = XeddsaKey::admit(input.array::<32>()?).map_err(|_| input.fault())?;
        SignalChain::new(context, id, signing_key)
    }

    fn encode_signer(signer: &XeddsaSecret, out: &mut Writer) {
        out.bytes(signer.agreement_secret().expose());
    }

    fn decode_signer(input: &mut Reader<'_>) -> Result<XeddsaSecret> {
        let bytes: Secret<32> = input.secret()?;
        let signer = XeddsaSecret::new(AgreementSecret::from_bytes(Secret::new(*bytes.expose())));
        // One record for one key: the scalar was clamped when it was made.
        if Secret::new(*signer.agreement_secret().expose()) != bytes {
            return Err(input.fault().into());
        }
        Ok(signer)
    }
}

/// The initialization vector stands first, the key behind it.
fn message_key(seed: &Secret<32>) -> (Secret<16>, Secret<32>) {
    let okm: Secret<48> = hkdf(&[], &[seed.expose()], &[b"WhisperGroup"]);
    okm.split::<16, 32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::{ReceivedSenderKeys, SenderKey};
    use crate::profile::{IdentityKeyPair, SignalIdentityKeyPair};
    use crate::wire::Address;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    const NOW: u64 = 1_800_000_000;

    /// The known answers that official clients give.
    #[test]
    fn known_answers() {
        let (_, seed) = Signal::group_step(&Secret::new([5; 32]), 0);
        assert_eq!(hex::encode(seed.expose()), "0d8b1b5bd928a4cfab6708b6af6fe15d5d41b3268e6dd8ed9c5b0ecde10ca4a2");
        let (iv, key) = message_key(&seed);
        assert_eq!(hex::encode(iv.expose()), "7cc83fb108387b9f09360ffc75dfc5b7");
        assert_eq!(hex::encode(key.expose()), "70f9c01051d780cdbace2f8003af041c0a5c28994e630cf9e184554b8dd1c4b1");
        let (next, seed) = Signal::group_step(&Secret::new([3; 32]), 0);
        assert_eq!(hex::encode(seed.expose()), "aa6fa3f949be2b2cc7de5a18e7f65fee5fb78488f588d53196a63e66ad67ad12");
        assert_eq!(hex::encode(next.expose()), "cfbf8f5595e5f186a92161efb3ebb946d3aa706c2df70eed5152741bdb1e7bde");
    }

    /// A context that says more than a distribution's UUID is refused, not silently left unbound.
    #[test]
    fn only_what_can_be_bound_is_accepted() {
        let mut rng = StdRng::seed_from_u64(1);
        let identity = SignalIdentityKeyPair::generate(&mut rng).unwrap();
        let owner = Address::new("alice", 1).unwrap();
        let id = |length| crate::group::GroupId::new(vec![1; length]).unwrap();
        for context in [
            GroupContext::new(id(15), 0, [0; 32]),
            GroupContext::new(id(16), 1, [0; 32]),
            GroupContext::new(id(16), 0, [1; 32]),
        ] {
            let result = SenderKey::<Signal>::create(context, &owner, identity.public(), NOW, &mut rng);
            assert_eq!(result.unwrap_err().code(), "request.argument");
        }
    }

    /// As official clients do: another signing key under the same chain id replaces the chain, the same one moves to the front.
    #[test]
    fn a_contradiction_replaces() {
        let mut rng = StdRng::seed_from_u64(2);
        let identity = SignalIdentityKeyPair::generate(&mut rng).unwrap();
        let owner = Address::new("alice", 1).unwrap();
        let mut reader = ReceivedSenderKeys::<Signal>::new(&owner, identity.public());
        let process = |reader: &mut ReceivedSenderKeys<Signal>, bytes: &[u8]| {
            reader.process_distribution(&owner, identity.public(), bytes).map(|_| ())
        };
        let context = GroupContext::distribution([7; 16]);
        let mut create =
            || SenderKey::<Signal>::create(context.clone(), &owner, identity.public(), NOW, &mut rng).unwrap();
        let (mut first, mut second, third) = (create(), create(), create());
        process(&mut reader, &first.distribution()).unwrap();
        process(&mut reader, &third.distribution()).unwrap();
        let oldest_last = reader.to_bytes();
        process(&mut reader, &first.distribution()).unwrap();
        assert_ne!(reader.to_bytes(), oldest_last);

        let parsed = SenderKeyDistributionMessage::parse(&first.distribution()).unwrap();
        let mut impostor = SenderKeyDistributionMessage::parse(&second.distribution()).unwrap();
        impostor.chain_id = parsed.chain_id;
        process(&mut reader, &impostor.encode()).unwrap();
        assert_eq!(reader.contexts().count(), 2);
        let mut rng = StdRng::seed_from_u64(3);
        let message = first.encrypt(b"of the chain replaced", &mut rng).unwrap();
        assert_eq!(reader.decrypt(&message, NOW).unwrap_err().code(), "signature.invalid");
        let message = second.encrypt(b"of another chain id", &mut rng).unwrap();
        assert_eq!(reader.decrypt(&message, NOW).unwrap_err().code(), "group.no_sender_key");
    }
}
