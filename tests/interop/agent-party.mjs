// A device run by this project's conformance agent.

import { Refusal, check } from './party.mjs';

const base64 = (bytes) => Buffer.from(bytes).toString('base64');
const addressOf = ({ name, device }) => ({ name, device });

/** Decodes strictly: an answer in anything but standard base64 with padding is a defect of the agent. */
export function fromBase64(text, what) {
  check(typeof text === 'string', `${what}: expected base64, found ${JSON.stringify(text)}`);
  const bytes = Buffer.from(text, 'base64');
  check(base64(bytes) === text, `${what}: not standard base64: ${text.slice(0, 60)}`);
  return bytes;
}

export class AgentParty {
  isAgent = true;

  /**
   * Creates a party in the first process of the pool.
   *
   * @param {AgentProcess[]} pool a restart moves the party from one process to the next one
   * @param {{ name: string, device: number, registrationId: number, identityPrivate?: Buffer }} account
   */
  static async create(pool, { name, device, registrationId, identityPrivate, profile = 'signal' }) {
    const party = new AgentParty(pool, 0, { name, device, registrationId, profile });
    const answer = await party.ask('create', {
      profile,
      name,
      device,
      registration_id: registrationId,
      ...(identityPrivate ? { identity_private: base64(identityPrivate) } : {}),
    });
    party.identity = fromBase64(answer.identity, 'identity');
    return party;
  }

  constructor(pool, slot, { name, device, registrationId, profile }) {
    this.pool = pool;
    this.slot = slot;
    this.name = name;
    this.device = device;
    this.registrationId = registrationId;
    this.profile = profile;
    this.label = `${name}/${device}`;
  }

  /** One request about this party. */
  async ask(op, fields = {}) {
    return this.pool[this.slot].request({ op, party: this.label, ...fields });
  }

  async bundle(oneTime) {
    const { bundle } = await this.ask('bundle', { one_time: oneTime });
    const key = (fields, what) => (fields === null ? null : decodedKey(fields, what));
    check((bundle.one_time_prekey !== null) === oneTime, 'the bundle has a one-time prekey only when it was asked for');
    check(bundle.device === this.device, `the bundle names device ${bundle.device}`);
    check(bundle.registration_id === this.registrationId, `the bundle names registration id ${bundle.registration_id}`);
    return {
      registration_id: bundle.registration_id,
      device: bundle.device,
      identity: fromBase64(bundle.identity, 'bundle.identity'),
      signed_prekey: key(bundle.signed_prekey, 'bundle.signed_prekey'),
      one_time_prekey: key(bundle.one_time_prekey, 'bundle.one_time_prekey'),
      kem_prekey: key(bundle.kem_prekey, 'bundle.kem_prekey'),
    };
  }

  async processBundle(peer, bundle) {
    await this.ask('process_bundle', { peer: addressOf(peer), bundle: encodedBundle(bundle) });
  }

  async encrypt(peer, plaintext) {
    const answer = await this.ask('encrypt', { peer: addressOf(peer), plaintext: base64(plaintext) });
    check(answer.type === 'prekey' || answer.type === 'message', `encrypt answered type ${answer.type}`);
    return { type: answer.type, bytes: fromBase64(answer.bytes, 'encrypt.bytes') };
  }

  async decrypt(peer, { type, bytes }) {
    const answer = await this.ask('decrypt', { peer: addressOf(peer), type, bytes: base64(bytes) });
    return fromBase64(answer.plaintext, 'decrypt.plaintext');
  }

  async distribution(group) {
    return fromBase64((await this.ask('distribution', { group })).bytes, 'distribution.bytes');
  }

  async processDistribution(peer, bytes) {
    await this.ask('process_distribution', { peer: addressOf(peer), bytes: base64(bytes) });
  }

  async groupEncrypt(group, plaintext) {
    const answer = await this.ask('group_encrypt', { group, plaintext: base64(plaintext) });
    return fromBase64(answer.bytes, 'group_encrypt.bytes');
  }

  async groupDecrypt(peer, bytes) {
    const answer = await this.ask('group_decrypt', { peer: addressOf(peer), bytes: base64(bytes) });
    return fromBase64(answer.plaintext, 'group_decrypt.plaintext');
  }

  async fingerprint({ localId, remoteId, remoteIdentity, version }) {
    const answer = await this.ask('fingerprint', {
      local_id: base64(localId),
      remote_id: base64(remoteId),
      remote_identity: base64(remoteIdentity),
      version,
    });
    return { display: answer.display, scannable: fromBase64(answer.scannable, 'fingerprint.scannable') };
  }

  async certificate({ trustRootPrivate, serverPrivate, serverId, expires }) {
    const answer = await this.ask('certificate', {
      trust_root_private: base64(trustRootPrivate),
      server_private: base64(serverPrivate),
      server_id: serverId,
      expires,
    });
    return fromBase64(answer.bytes, 'certificate.bytes');
  }

  async sealedEncrypt({ peer, plaintext, certificate, groupId, version }) {
    const answer = await this.ask('sealed_encrypt', {
      peer: addressOf(peer),
      plaintext: base64(plaintext),
      sender_certificate: base64(certificate),
      ...(groupId ? { group_id: base64(groupId) } : {}),
      version,
    });
    return fromBase64(answer.bytes, 'sealed_encrypt.bytes');
  }

  async sealedGroupEncrypt({ accounts, excluded, group, plaintext, certificate, groupId }) {
    const answer = await this.ask('sealed_encrypt_many', {
      peers: accounts.map(accountFields),
      excluded,
      group,
      plaintext: base64(plaintext),
      sender_certificate: base64(certificate),
      ...(groupId ? { group_id: base64(groupId) } : {}),
    });
    return fromBase64(answer.bytes, 'sealed_encrypt_many.bytes');
  }

  async sealedDecrypt({ bytes, trustRoot, timestamp }) {
    const answer = await this.ask('sealed_decrypt', {
      bytes: base64(bytes),
      trust_root: base64(trustRoot),
      timestamp,
    });
    return {
      plaintext: fromBase64(answer.plaintext, 'sealed_decrypt.plaintext'),
      sender: answer.sender,
      groupId: answer.group_id === null ? null : fromBase64(answer.group_id, 'sealed_decrypt.group_id'),
    };
  }

  async session(peer) {
    return this.ask('session', { peer: addressOf(peer) });
  }

  async importSession(peer, record) {
    await this.ask('import_session', { peer: addressOf(peer), record: base64(record) });
  }

  async save() {
    return fromBase64((await this.ask('save')).state, 'save.state');
  }

  /** The same device in another process that knows nothing of it but the saved state. */
  async restarted() {
    const state = await this.save();
    await this.ask('forget');
    const next = new AgentParty(this.pool, (this.slot + 1) % this.pool.length, this);
    next.identity = this.identity;
    await next.ask('load', { state: base64(state) });
    const again = await next.save();
    check(again.equals(state), `a loaded state saves differently: ${state.length} bytes became ${again.length}`);
    return next;
  }

  async end() {
    try {
      await this.ask('forget');
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
  }
}

/** An account with the devices that a message goes to, as it stands in a request. */
export function accountFields({ name, devices }) {
  return {
    name,
    identity: base64(devices[0].identity),
    devices: devices.map(({ device, registrationId }) => ({ device, registration_id: registrationId })),
  };
}

/** A bundle as it stands in a request. */
export function encodedBundle(bundle) {
  const key = (fields) => (fields === null ? null : { ...fields, ...encodedParts(fields) });
  return {
    ...bundle,
    identity: base64(bundle.identity),
    signed_prekey: key(bundle.signed_prekey),
    one_time_prekey: key(bundle.one_time_prekey),
    kem_prekey: key(bundle.kem_prekey),
  };
}

function encodedParts(fields) {
  const parts = { public: base64(fields.public) };
  if (fields.signature !== undefined) parts.signature = base64(fields.signature);
  return parts;
}

function decodedKey(fields, what) {
  const parts = { id: fields.id, public: fromBase64(fields.public, `${what}.public`) };
  if (fields.signature !== undefined) parts.signature = fromBase64(fields.signature, `${what}.signature`);
  return parts;
}
