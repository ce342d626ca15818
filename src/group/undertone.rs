//! Native sender keys (docs/protocol.md, section 10).

use super::context::{ChainOwner, GroupContext};
use super::form::{Distribution, GroupHeader, GroupProfile, Held};
use crate::crypto::aead::{self, TAG};
use crate::crypto::chain;
use crate::crypto::ed25519::{SigningSecret, VerifyingKey};
use crate::crypto::kdf::hkdf;
use crate::crypto::{ConstantTimeEq, Secret, hash, random};
use crate::error::{Fault, Result};
use crate::profile::{MAX_PLAINTEXT, Undertone, check_type, prefix};
use crate::rule::{self, Rule};
use crate::wire::{Address, Reader, Writer};
use rand_core::TryCryptoRng;

/// The first byte of a group message: version 1, type 3.
const GROUP_MESSAGE: u8 = 0x13;
/// The first byte of a distribution message: version 1, type 4.
const DISTRIBUTION: u8 = 0x14;
/// The header, `u32 n ‖ guard`.
const HEADER: usize = 16;
/// Everything before the body.
const BODY_START: usize = 1 + 16 + 24 + HEADER + TAG;
const SIGNATURE: usize = 64;
const SIGNATURE_LABEL: &[u8] = b"Undertone_1_group_signature";

const CHAIN: chain::Label = *b"U1_group";

/// What the readers of a native chain know of it.
pub struct UndertoneChain {
    context: GroupContext,
    id: [u8; 16],
    header_key: Secret<32>,
    cipher: Secret<32>,
    tag: [u8; 16],
    signing_key: VerifyingKey,
    binding: [u8; 32],
}

impl UndertoneChain {
    fn new(
        context: GroupContext,
        id: [u8; 16],
        header_key: Secret<32>,
        signing_key: VerifyingKey,
        owner: &ChainOwner,
    ) -> Self {
        // P-11, HE-1: tag and key come out of one derivation, so that a message's tag commits to its key.
        let okm: Secret<48> = hkdf(&[], &[header_key.expose()], &[b"Undertone_1_group_header"]);
        let (cipher, tag) = okm.split::<32, 16>();
        let binding = if rule::on(Rule::B45) { binding(&context, &id, owner) } else { [0; 32] };
        Self { context, id, header_key, cipher, tag: *tag.expose(), signing_key, binding }
    }

    /// Key and nonce of one message; the guard keeps a state that was rolled back from repeating a nonce (M-2, B33).
    fn message_key(&self, seed: &Secret<32>, guard: &[u8; 12]) -> (Secret<32>, [u8; 12]) {
        let okm: Secret<44> = hkdf(&self.binding, &[seed.expose()], &[b"Undertone_1_group_message_key"]);
        let (key, base_nonce) = okm.split::<32, 12>();
        let mut nonce = *base_nonce.expose();
        nonce.iter_mut().zip(guard).for_each(|(byte, guard)| *byte ^= guard);
        (key, nonce)
    }
}

/// A group message cut into its parts.
pub struct UndertoneGroupMessage<'a> {
    tag: &'a [u8; 16],
    nonce: &'a [u8; 24],
    header: &'a [u8; HEADER],
    header_tag: &'a [u8; TAG],
    body: &'a [u8],
    /// Everything before the body.
    front: &'a [u8],
    /// Everything before the signature.
    signed: &'a [u8],
    signature: &'a [u8; SIGNATURE],
}

impl GroupProfile for Undertone {
    type Chain = UndertoneChain;
    type Signer = SigningSecret;
    type GroupMessage<'a> = UndertoneGroupMessage<'a>;

    const REPLACES_CHAINS: bool = false;

    fn create(
        context: GroupContext,
        owner: &ChainOwner,
        rng: &mut impl TryCryptoRng,
    ) -> Result<(UndertoneChain, SigningSecret)> {
        let (id, header_key) = (random::array(rng)?, Secret::random(rng)?);
        let signer = SigningSecret::generate(rng)?;
        Ok((UndertoneChain::new(context, id, header_key, *signer.verifying_key(), owner), signer))
    }

    fn context(chain: &UndertoneChain) -> &GroupContext {
        &chain.context
    }

    fn compare(held: &UndertoneChain, offered: &UndertoneChain) -> Held {
        let same_keys = held.header_key == offered.header_key && held.signing_key == offered.signing_key;
        if held.id == offered.id && same_keys && held.context == offered.context {
            Held::Same
        } else if held.id == offered.id || held.tag == offered.tag {
            // A tag that stood for two chains would make the choice between them depend on the order of their arrival.
            Held::Contradicts
        } else {
            Held::Other
        }
    }

    fn is_signer(chain: &UndertoneChain, signer: &SigningSecret) -> bool {
        chain.signing_key == *signer.verifying_key()
    }

    fn group_step(key: &Secret<32>, n: u32) -> (Secret<32>, Secret<32>) {
        chain::step(key, CHAIN, n)
    }

    fn group_walk(key: &Secret<32>, n: u32) -> Secret<32> {
        Self::group_step(key, n).0
    }

    fn encode_distribution(chain: &UndertoneChain, owner: &ChainOwner, key: &Secret<32>, n: u32) -> Vec<u8> {
        let mut out = Writer::with_capacity(512);
        out.u8(DISTRIBUTION);
        chain.context.encode(&mut out);
        owner.address.encode(&mut out);
        out.bytes(&chain.id).u32(n).bytes(key.expose()).bytes(chain.header_key.expose());
        out.bytes(chain.signing_key.as_bytes());
        out.into_vec()
    }

    fn decode_distribution(bytes: &[u8], owner: &ChainOwner) -> Result<Distribution<Self>> {
        let mut input = Reader::new(bytes, Fault::MessageTruncated);
        check_type(input.u8()?, DISTRIBUTION)?;
        let context = GroupContext::decode(&mut input)?;
        let named = Address::decode(&mut input)?;
        let (id, n, key) = (*input.array()?, input.u32()?, input.secret()?);
        let header_key = input.secret()?;
        let signing_key = VerifyingKey::admit(input.array::<32>()?)?;
        if !input.is_empty() {
            return Err(Fault::MessageTrailing.into());
        }
        // DR-15: a chain ends before its last number, so none stands there.
        if n == u32::MAX {
            return Err(Fault::MessageField.into());
        }
        // B48: the session's peer is the owner, or nobody.
        if rule::on(Rule::B48) && named != owner.address {
            return Err(Fault::GroupForwarded.into());
        }
        Ok(Distribution { chain: UndertoneChain::new(context, id, header_key, signing_key, owner), key, n })
    }

    fn seal_group(
        chain: &UndertoneChain,
        signer: &SigningSecret,
        seed: &Secret<32>,
        n: u32,
        plaintext: &[u8],
        rng: &mut impl TryCryptoRng,
    ) -> Result<Vec<u8>> {
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(Fault::PlaintextTooLarge.into());
        }
        let randomness: [u8; 36] = random::array(rng)?;
        let mut randomness = Reader::new(&randomness, Fault::Rng);
        // HE-1: one header key serves many messages, so its nonce is long and random.
        let (nonce, guard): (&[u8; 24], &[u8; 12]) = (randomness.array()?, randomness.array()?);

        let mut header = [0; HEADER];
        header.iter_mut().zip(n.to_be_bytes().iter().chain(guard)).for_each(|(slot, byte)| *slot = *byte);
        let mut sealed_header = [0; HEADER];
        let header_data = header_data(&chain.tag, &chain.binding);
        let header_tag = aead::xseal_detached(&chain.cipher, nonce, &header_data, &header, &mut sealed_header);

        let mut message = Vec::with_capacity(BODY_START + plaintext.len() + TAG + SIGNATURE);
        message.push(GROUP_MESSAGE);
        message.extend_from_slice(&chain.tag);
        message.extend_from_slice(nonce);
        message.extend_from_slice(&sealed_header);
        message.extend_from_slice(&header_tag);
        let (key, body_nonce) = chain.message_key(seed, guard);
        let body_data = [chain.binding.as_slice(), &message].concat();
        aead::seal(&key, &body_nonce, &body_data, plaintext, &mut message);
        // D5, B45: the signature covers group, epoch, membership, owner, chain, number and body.
        let signature = signer.sign(&[SIGNATURE_LABEL, &chain.binding, &message]);
        message.extend_from_slice(&signature);
        Ok(message)
    }

    fn parse_group(bytes: &[u8]) -> Result<UndertoneGroupMessage<'_>> {
        let mut input = Reader::new(bytes, Fault::MessageTruncated);
        check_type(input.u8()?, GROUP_MESSAGE)?;
        let (tag, nonce, header, header_tag) = (input.array()?, input.array()?, input.array()?, input.array()?);
        let (signed, signature) = bytes.split_last_chunk().ok_or(Fault::MessageTruncated)?;
        let (front, body) = signed.split_at_checked(BODY_START).ok_or(Fault::MessageTruncated)?;
        match body.len() {
            0..TAG => Err(Fault::MessageTruncated.into()),
            length if length > MAX_PLAINTEXT + TAG => Err(Fault::MessageTooLarge.into()),
            _ => Ok(UndertoneGroupMessage { tag, nonce, header, header_tag, body, front, signed, signature }),
        }
    }

    fn names(message: &UndertoneGroupMessage<'_>, chain: &UndertoneChain) -> bool {
        chain.tag.ct_eq(message.tag).into()
    }

    fn authenticate(message: &UndertoneGroupMessage<'_>, chain: &UndertoneChain) -> Result<GroupHeader> {
        // D5, B43: every member holds the chain key and the header key; only the owner can sign.
        if rule::on(Rule::D5) {
            chain.signing_key.verify(&[SIGNATURE_LABEL, &chain.binding, message.signed], message.signature)?;
        }
        let mut plain = [0; HEADER];
        let data = header_data(&chain.tag, &chain.binding);
        aead::xopen_detached(&chain.cipher, message.nonce, &data, message.header, message.header_tag, &mut plain)?;
        let mut input = Reader::new(&plain, Fault::MessageField);
        Ok(GroupHeader { n: input.u32()?, guard: *input.array()? })
    }

    fn open_group(
        message: &UndertoneGroupMessage<'_>,
        header: &GroupHeader,
        chain: &UndertoneChain,
        seed: &Secret<32>,
    ) -> Result<Vec<u8>> {
        let (key, nonce) = chain.message_key(seed, &header.guard);
        let data = [chain.binding.as_slice(), message.front].concat();
        aead::open(&key, &nonce, &data, message.body)
    }

    fn encode_chain(chain: &UndertoneChain, out: &mut Writer) {
        chain.context.encode(out);
        out.bytes(&chain.id).bytes(chain.header_key.expose()).bytes(chain.signing_key.as_bytes());
    }

    fn decode_chain(input: &mut Reader<'_>, owner: &ChainOwner) -> Result<UndertoneChain> {
        let context = GroupContext::decode(input)?;
        let (id, header_key) = (*input.array()?, input.secret()?);
        let signing_key = VerifyingKey::admit(input.array::<32>()?).map_err(|_| input.fault())?;
        Ok(UndertoneChain::new(context, id, header_key, signing_key, owner))
    }

    fn encode_signer(signer: &SigningSecret, out: &mut Writer) {
        out.bytes(signer.seed().expose());
    }

    fn decode_signer(input: &mut Reader<'_>) -> Result<SigningSecret> {
        input.secret().map(SigningSecret::from_seed)
    }
}

/// B45: what a message cannot be taken out of.
fn binding(context: &GroupContext, id: &[u8; 16], owner: &ChainOwner) -> [u8; 32] {
    let mut fields = Writer::with_capacity(512);
    prefix(&mut fields, b"Undertone_1_group_binding");
    prefix(&mut fields, context.id().as_bytes());
    fields.u64(context.epoch()).bytes(context.membership());
    prefix(&mut fields, &owner.identity);
    prefix(&mut fields, &owner.address.to_bytes());
    fields.bytes(id);
    hash::sha256(&[fields.as_slice()])
}

/// What the header's tag covers besides the header.
fn header_data(tag: &[u8; 16], binding: &[u8; 32]) -> [u8; 49] {
    let mut data = [GROUP_MESSAGE; 49];
    data.iter_mut().skip(1).zip(tag.iter().chain(binding)).for_each(|(slot, byte)| *slot = *byte);
    data
}
