// A device run by the official Signal client.

import * as signal from '@signalapp/libsignal-client';
import { Refusal } from './party.mjs';
import {
  ShelvedIdentities,
  ShelvedKyberPrekeys,
  ShelvedPrekeys,
  ShelvedSenderKeys,
  ShelvedSessions,
  ShelvedSignedPrekeys,
  Shelves,
} from './official-stores.mjs';

const FINGERPRINT_ITERATIONS = 5200;
const NOW = 1_700_000_000_000;
const { CiphertextMessageType, ContentHint, ErrorCode, PublicKey, PrivateKey, ServiceId } = signal;

const KINDS_BY_CODE = new Map([
  [ErrorCode.DuplicatedMessage, 'duplicate'],
  [ErrorCode.UntrustedIdentity, 'untrusted_identity'],
]);

/** Runs a call of the client and turns its errors into refusals. */
async function asking(call) {
  try {
    return await call();
  } catch (error) {
    if (error instanceof Refusal) throw error;
    if (error instanceof signal.LibSignalErrorBase) {
      throw new Refusal(KINDS_BY_CODE.get(error.code) ?? 'refused', error.message);
    }
    throw error;
  }
}

const addressOf = (peer) => signal.ProtocolAddress.new(peer.name, peer.device);
const buffer = (bytes) => Buffer.from(bytes);

export class OfficialParty {
  isAgent = false;

  /** @param {{ name: string, device: number, registrationId: number, identityPrivate?: Buffer }} account */
  static async create({ name, device, registrationId, identityPrivate }) {
    const key = identityPrivate ? PrivateKey.deserialize(identityPrivate) : PrivateKey.generate();
    return new OfficialParty(name, device, new Shelves(key, registrationId));
  }

  constructor(name, device, shelves) {
    this.name = name;
    this.device = device;
    this.registrationId = shelves.registrationId;
    this.identity = buffer(shelves.identityPrivate.getPublicKey().serialize());
    this.shelves = shelves;
    this.address = addressOf(this);
    this.sessions = new ShelvedSessions(shelves);
    this.identities = new ShelvedIdentities(shelves);
    this.prekeys = new ShelvedPrekeys(shelves);
    this.signedPrekeys = new ShelvedSignedPrekeys(shelves);
    this.kyberPrekeys = new ShelvedKyberPrekeys(shelves);
    this.senderKeys = new ShelvedSenderKeys(shelves);
  }

  /** The private identity key: only a test that moves an account between implementations may ask. */
  get identityPrivate() {
    return buffer(this.shelves.identityPrivate.serialize());
  }

  async bundle(oneTime) {
    const identity = this.shelves.identityPrivate;
    const id = this.shelves.signedPrekeys.size + 1;
    const signedKey = PrivateKey.generate();
    const signedPublic = signedKey.getPublicKey();
    const signature = identity.sign(signedPublic.serialize());
    const signedRecord = signal.SignedPreKeyRecord.new(id, NOW, signedPublic, signedKey, signature);
    await this.signedPrekeys.saveSignedPreKey(id, signedRecord);

    const kemPair = signal.KEMKeyPair.generate();
    const kemPublic = kemPair.getPublicKey().serialize();
    const kemSignature = identity.sign(kemPublic);
    await this.kyberPrekeys.saveKyberPreKey(id, signal.KyberPreKeyRecord.new(id, NOW, kemPair, kemSignature));

    let oneTimePrekey = null;
    if (oneTime) {
      const key = PrivateKey.generate();
      const oneTimeId = 1000 + id;
      await this.prekeys.savePreKey(oneTimeId, signal.PreKeyRecord.new(oneTimeId, key.getPublicKey(), key));
      oneTimePrekey = { id: oneTimeId, public: buffer(key.getPublicKey().serialize()) };
    }
    return {
      registration_id: this.registrationId,
      device: this.device,
      identity: this.identity,
      signed_prekey: { id, public: buffer(signedPublic.serialize()), signature: buffer(signature) },
      one_time_prekey: oneTimePrekey,
      kem_prekey: { id, public: buffer(kemPublic), signature: buffer(kemSignature) },
    };
  }

  async processBundle(peer, bundle) {
    await asking(async () => {
      const oneTime = bundle.one_time_prekey;
      const parsed = signal.PreKeyBundle.new(
        bundle.registration_id,
        bundle.device,
        oneTime ? oneTime.id : null,
        oneTime ? PublicKey.deserialize(oneTime.public) : null,
        bundle.signed_prekey.id,
        PublicKey.deserialize(bundle.signed_prekey.public),
        bundle.signed_prekey.signature,
        PublicKey.deserialize(bundle.identity),
        bundle.kem_prekey.id,
        signal.KEMPublicKey.deserialize(bundle.kem_prekey.public),
        bundle.kem_prekey.signature,
      );
      await signal.processPreKeyBundle(parsed, addressOf(peer), this.address, this.sessions, this.identities);
    });
  }

  async encrypt(peer, plaintext) {
    const message = await asking(() => this.#encryptMessage(peer, plaintext));
    const type = message.type() === CiphertextMessageType.PreKey ? 'prekey' : 'message';
    return { type, bytes: buffer(message.serialize()) };
  }

  async decrypt(peer, { type, bytes }) {
    return buffer(await asking(() => this.#decryptMessage(addressOf(peer), type, bytes)));
  }

  async distribution(group) {
    const message = await asking(() => signal.SenderKeyDistributionMessage.create(this.address, group, this.senderKeys));
    return buffer(message.serialize());
  }

  async processDistribution(peer, bytes) {
    await asking(async () => {
      const message = signal.SenderKeyDistributionMessage.deserialize(bytes);
      await signal.processSenderKeyDistributionMessage(addressOf(peer), message, this.senderKeys);
    });
  }

  async groupEncrypt(group, plaintext) {
    const message = await asking(() => signal.groupEncrypt(this.address, group, this.senderKeys, plaintext));
    return buffer(message.serialize());
  }

  async groupDecrypt(peer, bytes) {
    return buffer(await asking(() => signal.groupDecrypt(addressOf(peer), this.senderKeys, bytes)));
  }

  async fingerprint({ localId, remoteId, remoteIdentity, version }) {
    return asking(() => {
      const ours = PublicKey.deserialize(this.identity);
      const theirs = PublicKey.deserialize(remoteIdentity);
      const made = signal.Fingerprint.new(FINGERPRINT_ITERATIONS, version, localId, ours, remoteId, theirs);
      return {
        display: made.displayableFingerprint().toString(),
        scannable: buffer(made.scannableFingerprint().toBuffer()),
      };
    });
  }

  async certificate({ trustRootPrivate, serverPrivate, serverId, expires }) {
    return officialCertificate(this, { trustRootPrivate, serverPrivate, serverId, expires });
  }

  async sealedEncrypt({ peer, plaintext, certificate, groupId, version }) {
    return asking(async () => {
      const message = await this.#encryptMessage(peer, plaintext);
      const content = this.#sealedContent(message, certificate, groupId);
      const address = addressOf(peer);
      if (version === 1) return buffer(await signal.sealedSenderEncrypt(content, address, this.identities));
      const sent = await signal.sealedSenderMultiRecipientEncrypt(content, [address], this.identities, this.sessions);
      return buffer(signal.sealedSenderMultiRecipientMessageForSingleRecipient(buffer(sent)));
    });
  }

  async sealedGroupEncrypt({ accounts, excluded, group, plaintext, certificate, groupId }) {
    return asking(async () => {
      const message = await signal.groupEncrypt(this.address, group, this.senderKeys, plaintext);
      const sent = await signal.sealedSenderMultiRecipientEncrypt({
        content: this.#sealedContent(message, certificate, groupId),
        recipients: accounts.flatMap(({ devices }) => devices.map(addressOf)),
        excludedRecipients: excluded.map((name) => ServiceId.parseFromServiceIdString(name)),
        identityStore: this.identities,
        sessionStore: this.sessions,
      });
      return buffer(sent);
    });
  }

  async sealedDecrypt({ bytes, trustRoot, timestamp }) {
    return asking(async () => {
      const root = PublicKey.deserialize(trustRoot);
      const content = await signal.sealedSenderDecryptToUsmc(bytes, this.identities);
      const groupId = content.groupId();
      const answer = (plaintext, sender) => ({
        plaintext: buffer(plaintext),
        sender,
        groupId: groupId === null || groupId.length === 0 ? null : buffer(groupId),
      });
      if (content.msgType() === CiphertextMessageType.SenderKey) {
        const certificate = content.senderCertificate();
        if (!certificate.validate(root, timestamp)) throw new Refusal('refused', 'the certificate is not valid');
        const sender = { name: certificate.senderUuid(), device: certificate.senderDeviceId() };
        return answer(await signal.groupDecrypt(addressOf(sender), this.senderKeys, content.contents()), sender);
      }
      const result = await signal.sealedSenderDecryptMessage(
        bytes,
        root,
        timestamp,
        null,
        this.name,
        this.device,
        this.sessions,
        this.identities,
        this.prekeys,
        this.signedPrekeys,
        this.kyberPrekeys,
      );
      return answer(result.message(), { name: result.senderUuid(), device: result.deviceId() });
    });
  }

  async session() {
    return null;
  }

  /** The stored session record with a peer, as another implementation would import it. */
  async exportSession(peer) {
    return buffer((await this.sessions.getSession(addressOf(peer))).serialize());
  }

  /** `peerIdentity` goes with the record, for the identity store of the party that takes it over. */
  async importSession(peer, record) {
    await asking(async () => {
      await this.sessions.saveSession(addressOf(peer), signal.SessionRecord.deserialize(record));
    });
  }

  async save() {
    const { name, device } = this;
    return Buffer.from(JSON.stringify({ name, device, ...this.shelves.toPlain() }));
  }

  async restarted() {
    const plain = JSON.parse((await this.save()).toString());
    return new OfficialParty(plain.name, plain.device, Shelves.fromPlain(plain));
  }

  async end() {}

  #sealedContent(message, certificate, groupId) {
    const sender = signal.SenderCertificate.deserialize(certificate);
    return signal.UnidentifiedSenderMessageContent.new(message, sender, ContentHint.Resendable, groupId ?? null);
  }

  #encryptMessage(peer, plaintext) {
    return signal.signalEncrypt(plaintext, addressOf(peer), this.address, this.sessions, this.identities);
  }

  #decryptMessage(from, type, bytes) {
    if (type === 'message') {
      const message = signal.SignalMessage.deserialize(bytes);
      return signal.signalDecrypt(message, from, this.address, this.sessions, this.identities);
    }
    return signal.signalDecryptPreKey(
      signal.PreKeySignalMessage.deserialize(bytes),
      from,
      this.address,
      this.sessions,
      this.identities,
      this.prekeys,
      this.signedPrekeys,
      this.kyberPrekeys,
    );
  }
}

/** A sender certificate for any party, made by the official client. */
export async function officialCertificate(party, { trustRootPrivate, serverPrivate, serverId, expires }) {
  return asking(() => {
    const root = PrivateKey.deserialize(trustRootPrivate);
    const server = PrivateKey.deserialize(serverPrivate);
    const serverCertificate = signal.ServerCertificate.new(serverId, server.getPublicKey(), root);
    const identity = PublicKey.deserialize(party.identity);
    const made = signal.SenderCertificate.new(party.name, null, party.device, identity, expires, serverCertificate, server);
    return buffer(made.serialize());
  });
}

/** Whether the official client finds that two scannable safety numbers match. */
export async function officialScan(ours, theirs) {
  return asking(() =>
    signal.ScannableFingerprint._fromBuffer(ours).compare(signal.ScannableFingerprint._fromBuffer(theirs)),
  );
}

/** A fresh key pair for a trust root or a server, both halves serialized. */
export function freshKeyPair() {
  const key = PrivateKey.generate();
  return { private: buffer(key.serialize()), public: buffer(key.getPublicKey().serialize()) };
}
