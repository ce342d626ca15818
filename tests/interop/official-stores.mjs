// The stores that the official client asks for, in memory. They keep serialized records only, so that saving a party
// is copying them out, and nothing the client changes in a live object can slip past a save.

import {
  Direction,
  IdentityChange,
  IdentityKeyStore,
  KyberPreKeyRecord,
  KyberPreKeyStore,
  PreKeyRecord,
  PreKeyStore,
  PrivateKey,
  PublicKey,
  SenderKeyRecord,
  SenderKeyStore,
  SessionRecord,
  SessionStore,
  SignedPreKeyRecord,
  SignedPreKeyStore,
} from '@signalapp/libsignal-client';
import { Refusal } from './party.mjs';

const SHELVES = ['sessions', 'identities', 'prekeys', 'signedPrekeys', 'kyberPrekeys', 'usedBaseKeys', 'senderKeys'];

/** Every record of one party: named shelves of serialized records. */
export class Shelves {
  /** @param {PrivateKey} identityPrivate @param {number} registrationId */
  constructor(identityPrivate, registrationId) {
    this.identityPrivate = identityPrivate;
    this.registrationId = registrationId;
    for (const shelf of SHELVES) this[shelf] = new Map();
  }

  /** Plain data, in one fixed order. */
  toPlain() {
    const plain = {
      identityPrivate: Buffer.from(this.identityPrivate.serialize()).toString('base64'),
      registrationId: this.registrationId,
    };
    for (const shelf of SHELVES) {
      const entries = [...this[shelf]].map(([key, record]) => [key, record.toString('base64')]);
      plain[shelf] = entries.sort(([a], [b]) => (a < b ? -1 : 1));
    }
    return plain;
  }

  static fromPlain(plain) {
    const identityPrivate = PrivateKey.deserialize(Buffer.from(plain.identityPrivate, 'base64'));
    const shelves = new Shelves(identityPrivate, plain.registrationId);
    for (const shelf of SHELVES) {
      for (const [key, record] of plain[shelf]) shelves[shelf].set(key, Buffer.from(record, 'base64'));
    }
    return shelves;
  }
}

const addressKey = (address) => `${address.name()}.${address.deviceId()}`;
const serialized = (record) => Buffer.from(record.serialize());

/** Reads a record or refuses: the client passes a store's own error on to its caller. */
function found(shelf, key, kind) {
  const record = shelf.get(String(key));
  if (record === undefined) throw new Refusal(kind, `nothing under ${key}`);
  return record;
}

export class ShelvedSessions extends SessionStore {
  constructor(shelves) {
    super();
    this.shelves = shelves;
  }

  async saveSession(address, record) {
    this.shelves.sessions.set(addressKey(address), serialized(record));
  }

  async getSession(address) {
    const record = this.shelves.sessions.get(addressKey(address));
    return record === undefined ? null : SessionRecord.deserialize(record);
  }

  async getExistingSessions(addresses) {
    return addresses.map((address) =>
      SessionRecord.deserialize(found(this.shelves.sessions, addressKey(address), 'no_session')),
    );
  }
}

/** Trust on first use, in both directions. */
export class ShelvedIdentities extends IdentityKeyStore {
  constructor(shelves) {
    super();
    this.shelves = shelves;
  }

  async getIdentityKey() {
    return this.shelves.identityPrivate;
  }

  async getLocalRegistrationId() {
    return this.shelves.registrationId;
  }

  async saveIdentity(address, key) {
    const known = this.shelves.identities.get(addressKey(address));
    const fresh = serialized(key);
    this.shelves.identities.set(addressKey(address), fresh);
    return known === undefined || known.equals(fresh) ? IdentityChange.NewOrUnchanged : IdentityChange.ReplacedExisting;
  }

  async isTrustedIdentity(address, key, direction) {
    if (direction !== Direction.Sending && direction !== Direction.Receiving) throw new Error('no such direction');
    const known = this.shelves.identities.get(addressKey(address));
    return known === undefined || known.equals(serialized(key));
  }

  async getIdentity(address) {
    const known = this.shelves.identities.get(addressKey(address));
    return known === undefined ? null : PublicKey.deserialize(known);
  }
}

export class ShelvedPrekeys extends PreKeyStore {
  constructor(shelves) {
    super();
    this.shelves = shelves;
  }

  async savePreKey(id, record) {
    this.shelves.prekeys.set(String(id), serialized(record));
  }

  async getPreKey(id) {
    return PreKeyRecord.deserialize(found(this.shelves.prekeys, id, 'unknown_prekey'));
  }

  async removePreKey(id) {
    this.shelves.prekeys.delete(String(id));
  }
}

export class ShelvedSignedPrekeys extends SignedPreKeyStore {
  constructor(shelves) {
    super();
    this.shelves = shelves;
  }

  async saveSignedPreKey(id, record) {
    this.shelves.signedPrekeys.set(String(id), serialized(record));
  }

  async getSignedPreKey(id) {
    return SignedPreKeyRecord.deserialize(found(this.shelves.signedPrekeys, id, 'unknown_prekey'));
  }
}

/** Last-resort keys: they stay, and remember the base keys that they were used with. */
export class ShelvedKyberPrekeys extends KyberPreKeyStore {
  constructor(shelves) {
    super();
    this.shelves = shelves;
  }

  async saveKyberPreKey(id, record) {
    this.shelves.kyberPrekeys.set(String(id), serialized(record));
  }

  async getKyberPreKey(id) {
    return KyberPreKeyRecord.deserialize(found(this.shelves.kyberPrekeys, id, 'unknown_prekey'));
  }

  async markKyberPreKeyUsed(kyberId, signedId, baseKey) {
    const use = `${kyberId}.${signedId}.${serialized(baseKey).toString('hex')}`;
    if (this.shelves.usedBaseKeys.has(use)) throw new Refusal('duplicate', 'a base key came twice');
    this.shelves.usedBaseKeys.set(use, Buffer.alloc(0));
  }
}

export class ShelvedSenderKeys extends SenderKeyStore {
  constructor(shelves) {
    super();
    this.shelves = shelves;
  }

  async saveSenderKey(sender, distributionId, record) {
    this.shelves.senderKeys.set(`${addressKey(sender)}/${distributionId}`, serialized(record));
  }

  async getSenderKey(sender, distributionId) {
    const record = this.shelves.senderKeys.get(`${addressKey(sender)}/${distributionId}`);
    return record === undefined ? null : SenderKeyRecord.deserialize(record);
  }
}
