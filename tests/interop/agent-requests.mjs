// One good request of every operation of the agent, in a small world of three parties: what there is to spoil.

import { FIELD } from './mutations.mjs';
import { AgentParty, accountFields, encodedBundle } from './agent-party.mjs';
import { OfficialParty, freshKeyPair } from './official-party.mjs';

const NOW = 1_700_000_000_000;
const EXPIRES = 4_000_000_000_000;
const base64 = (bytes) => Buffer.from(bytes).toString('base64');
const addressOf = ({ name, device }) => ({ name, device });

const PEER = { peer: FIELD.object, 'peer.name': FIELD.text, 'peer.device': FIELD.device };

/**
 * Three parties of one profile: `alice` has a session, a sender key and certificates; `bob` is her peer; `carol` is
 * nobody to them. They live in the first process of the pool.
 */
export class World {
  static async create(pool, random, profile) {
    const world = new World();
    Object.assign(world, { pool, random, profile, group: random.uuid() });
    for (const who of ['alice', 'bob', 'carol']) world[who] = await world.newcomer(who);
    world.parties = [world.alice, world.bob, world.carol];
    return world;
  }

  /** A party with a fresh account. */
  async newcomer(who, identityPrivate) {
    const { random, profile } = this;
    const name = profile === 'signal' ? random.uuid() : `${who}-${random.below(1_000_000)}`;
    const account = { name, device: random.between(1, 127), registrationId: random.between(1, 16_000) };
    return AgentParty.create(this.pool, { ...account, profile, identityPrivate });
  }

  /**
   * The public half of a private identity key, in the form of the profile: learnt from a party that is created with it.
   */
  async publicOf(privateKey) {
    const holder = await this.newcomer('root', privateKey);
    await holder.end();
    return holder.identity;
  }
}

/**
 * The good requests. Each has the request, the shape of its fields, and `optional` where the profile may have no such
 * operation: then a typed error is a good answer to the request as it is, too.
 */
export async function goodRequests(world) {
  return [
    ...(await sessionRequests(world)),
    ...(await groupRequests(world)),
    ...(await sealedRequests(world)),
    ...(await stateRequests(world)),
  ];
}

async function sessionRequests({ alice, bob, carol, random, profile }) {
  const peer = addressOf(bob);
  await alice.processBundle(bob, await bob.bundle(true));
  const first = await alice.encrypt(bob, random.bytes(20));
  await bob.decrypt(alice, first);
  await alice.decrypt(bob, await bob.encrypt(alice, random.bytes(20)));
  const reply = await bob.encrypt(alice, random.bytes(20));
  await carol.processBundle(alice, await alice.bundle(true));
  const firstOfCarol = await carol.encrypt(alice, random.bytes(20));
  const bundle = encodedBundle(await carol.bundle(true));
  const decryption = (type, bytes, from) => ({
    request: { op: 'decrypt', party: alice.label, peer: addressOf(from), type, bytes: base64(bytes) },
    shape: { party: FIELD.text, ...PEER, type: FIELD.choice, bytes: FIELD.message },
  });
  const account = { name: profile === 'signal' ? random.uuid() : 'dave', device: 5, registration_id: 77 };
  return [
    {
      request: { op: 'create', party: 'newcomer', profile, ...account },
      shape: {
        party: FIELD.text,
        profile: FIELD.choice,
        name: profile === 'signal' ? FIELD.uuid : FIELD.text,
        device: FIELD.device,
        registration_id: FIELD.uint32,
      },
      leaves: ['newcomer'],
    },
    {
      request: { op: 'bundle', party: alice.label, one_time: true },
      shape: { party: FIELD.text, one_time: FIELD.flag },
    },
    {
      request: { op: 'process_bundle', party: alice.label, peer: addressOf(carol), bundle },
      shape: { party: FIELD.text, ...PEER, ...BUNDLE_SHAPE },
    },
    {
      request: { op: 'encrypt', party: alice.label, peer, plaintext: base64(random.bytes(30)) },
      shape: { party: FIELD.text, ...PEER, plaintext: FIELD.freeBytes },
    },
    decryption('prekey', firstOfCarol.bytes, carol),
    decryption('message', reply.bytes, bob),
    {
      request: { op: 'session', party: alice.label, peer },
      shape: { party: FIELD.text, ...PEER },
    },
    {
      request: { op: 'bench', party: alice.label, peer, what: 'encrypt', bytes: 32, n: 3 },
      shape: { party: FIELD.text, ...PEER, what: FIELD.choice, bytes: FIELD.number, n: FIELD.number },
    },
  ];
}

const BUNDLE_SHAPE = {
  bundle: FIELD.object,
  'bundle.registration_id': FIELD.uint32,
  'bundle.device': FIELD.device,
  'bundle.identity': FIELD.boundKey,
  'bundle.signed_prekey': FIELD.object,
  'bundle.signed_prekey.id': FIELD.uint32,
  'bundle.signed_prekey.public': FIELD.boundKey,
  'bundle.signed_prekey.signature': FIELD.boundKey,
  'bundle.one_time_prekey': FIELD.optionalObject,
  'bundle.one_time_prekey.id': FIELD.uint32,
  'bundle.one_time_prekey.public': FIELD.looseKey,
  'bundle.kem_prekey': FIELD.neededObject,
  'bundle.kem_prekey.id': FIELD.uint32,
  'bundle.kem_prekey.public': FIELD.boundKey,
  'bundle.kem_prekey.signature': FIELD.boundKey,
};

async function groupRequests({ alice, bob, group, random }) {
  await alice.distribution(group);
  await alice.processDistribution(bob, await bob.distribution(group));
  const fresh = random.uuid();
  const distribution = await bob.distribution(fresh);
  const message = await bob.groupEncrypt(group, random.bytes(20));
  return [
    {
      request: { op: 'distribution', party: alice.label, group },
      shape: { party: FIELD.text, group: FIELD.uuid },
    },
    {
      request: { op: 'process_distribution', party: alice.label, peer: addressOf(bob), bytes: base64(distribution) },
      shape: { party: FIELD.text, ...PEER, bytes: FIELD.record },
    },
    {
      request: { op: 'group_encrypt', party: alice.label, group, plaintext: base64(random.bytes(30)) },
      shape: { party: FIELD.text, group: FIELD.uuid, plaintext: FIELD.freeBytes },
    },
    {
      request: { op: 'group_decrypt', party: alice.label, peer: addressOf(bob), bytes: base64(message) },
      shape: { party: FIELD.text, ...PEER, bytes: FIELD.message },
    },
    {
      request: {
        op: 'fingerprint',
        party: alice.label,
        local_id: base64(random.bytes(16)),
        remote_id: base64(random.bytes(16)),
        remote_identity: base64(bob.identity),
        version: 2,
      },
      shape: {
        party: FIELD.text,
        local_id: FIELD.freeBytes,
        remote_id: FIELD.freeBytes,
        remote_identity: FIELD.looseKey,
        version: FIELD.version,
      },
    },
  ];
}

async function sealedRequests(world) {
  const { alice, bob, random, profile } = world;
  const root = freshKeyPair();
  const server = freshKeyPair();
  const order = { trust_root_private: base64(root.private), server_private: base64(server.private) };
  const certificate = {
    request: { op: 'certificate', party: alice.label, ...order, server_id: 44, expires: EXPIRES },
    shape: {
      party: FIELD.text,
      trust_root_private: FIELD.looseKey,
      server_private: FIELD.looseKey,
      server_id: FIELD.uint32,
      expires: FIELD.number,
    },
    optional: profile !== 'signal',
  };
  const made = await bob.pool[bob.slot].rawRequest(JSON.stringify({ ...certificate.request, party: bob.label }));
  if ('error' in made) return [certificate];
  const trustRoot = base64(await world.publicOf(root.private));
  const own = await alice.pool[alice.slot].request(certificate.request);
  const requests = [certificate, sealingForMany(world, own.bytes, made.bytes)];
  for (const version of [1, 2]) {
    const sealing = {
      op: 'sealed_encrypt',
      peer: addressOf(bob),
      plaintext: base64(random.bytes(20)),
      group_id: base64(random.bytes(32)),
      version,
    };
    const back = { ...sealing, party: bob.label, peer: addressOf(alice), sender_certificate: made.bytes };
    const sealed = await bob.pool[bob.slot].rawRequest(JSON.stringify(back));
    requests.push({
      request: { ...sealing, party: alice.label, sender_certificate: own.bytes },
      shape: {
        party: FIELD.text,
        ...PEER,
        plaintext: FIELD.freeBytes,
        sender_certificate: FIELD.record,
        group_id: FIELD.optionalFreeBytes,
        version: FIELD.version,
      },
      optional: profile !== 'signal',
    });
    if ('error' in sealed) continue;
    requests.push({
      request: { op: 'sealed_decrypt', party: alice.label, bytes: sealed.bytes, trust_root: trustRoot, timestamp: NOW },
      shape: { party: FIELD.text, bytes: FIELD.message, trust_root: FIELD.boundKey, timestamp: FIELD.number },
    });
  }
  return requests;
}

/** A group message for two accounts, one of them with two devices, and two excluded ones. */
function sealingForMany({ alice, bob, carol, group, random, profile }, certificate, certificateOfBob) {
  const { registrationId } = bob;
  const other = { device: (bob.device % 127) + 1, registrationId, identity: bob.identity };
  const contradiction = [1, 2].map((id) => ({ device: bob.device, registration_id: id }));
  const accounts = [
    { name: bob.name, devices: [bob, other] },
    { name: carol.name, devices: [carol] },
  ];
  return {
    request: {
      op: 'sealed_encrypt_many',
      party: alice.label,
      peers: accounts.map(accountFields),
      excluded: [random.uuid(), `PNI:${random.uuid()}`],
      group,
      plaintext: base64(random.bytes(20)),
      sender_certificate: certificate,
      group_id: base64(random.bytes(32)),
    },
    shape: {
      party: FIELD.text,
      peers: FIELD.list,
      'peers.0': FIELD.entry,
      'peers.0.name': FIELD.uuid,
      'peers.0.identity': FIELD.looseKey,
      'peers.0.devices': { ...FIELD.list, wrong: [[], contradiction] },
      'peers.0.devices.0': FIELD.entry,
      'peers.0.devices.0.device': FIELD.device,
      'peers.0.devices.0.registration_id': FIELD.registrationId,
      excluded: { ...FIELD.optionalList, wrong: [[bob.name]] },
      'excluded.1': FIELD.optionalUuid,
      group: { ...FIELD.uuid, wrong: [...FIELD.uuid.wrong, random.uuid()] },
      plaintext: FIELD.freeBytes,
      sender_certificate: { ...FIELD.record, wrong: [certificateOfBob] },
      group_id: FIELD.optionalFreeBytes,
    },
    optional: profile !== 'signal',
  };
}

async function stateRequests({ alice, bob, random, profile }) {
  const requests = [
    { request: { op: 'save', party: alice.label }, shape: { party: FIELD.text } },
    {
      request: { op: 'load', party: alice.label, state: base64(await alice.save()) },
      shape: { party: { ...FIELD.text, free: true }, state: FIELD.record },
    },
    { request: { op: 'forget', party: bob.label }, shape: { party: { ...FIELD.text, free: true } } },
  ];
  if (profile !== 'signal') return requests;
  const identityPrivate = freshKeyPair().private;
  const account = { name: random.uuid(), device: 3, registrationId: 33, identityPrivate };
  const mover = await OfficialParty.create(account);
  const moved = await AgentParty.create(alice.pool, account);
  await mover.processBundle(bob, await bob.bundle(true));
  await bob.decrypt(mover, await mover.encrypt(bob, random.bytes(10)));
  await mover.decrypt(bob, await bob.encrypt(mover, random.bytes(10)));
  const record = base64(await mover.exportSession(bob));
  requests.push({
    request: { op: 'import_session', party: moved.label, peer: addressOf(bob), record },
    shape: { party: FIELD.text, ...PEER, record: FIELD.record },
    party: moved,
  });
  return requests;
}
