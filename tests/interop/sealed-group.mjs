// A group whose messages are sealed once for many recipients, and the server that hands each account its share. The
// server's part is played by the official client, whichever implementation sealed the message.

import SealedSenderMultiRecipientMessage from '@signalapp/libsignal-client/dist/SealedSenderMultiRecipientMessage.js';
import { freshKeyPair } from './official-party.mjs';
import { check } from './party.mjs';

const LARGEST_REGISTRATION_ID = 0x3fff;
/** From here on the count of recipients takes two bytes. */
const LONG_COUNT = 128;

export class SealedGroup {
  /**
   * A group of a sender, the given members, each an account with one device, and an account with several devices of
   * both implementations; some accounts are of the group but excluded from the delivery.
   */
  static async create({ random, newParty, sender, members }) {
    const family = await accountOfSeveralDevices(random, newParty);
    const accounts = [...members.map((party) => ({ name: party.name, devices: [party] })), family];
    const group = new SealedGroup(random, sender, accounts, excludedNames(random));
    await group.#introduce();
    return group;
  }

  constructor(random, sender, accounts, excluded) {
    this.random = random;
    this.sender = sender;
    this.accounts = accounts;
    this.excluded = excluded;
    this.id = random.uuid();
  }

  /** A message as the sender hands it to the server. */
  async seal(certificate) {
    const { random, sender, excluded } = this;
    const plaintext = random.plaintext();
    const groupId = random.bytes(32);
    const accounts = random.shuffled(this.accounts.flatMap((account) => this.#named(account)));
    const order = { accounts, excluded, group: this.id, plaintext, certificate, groupId };
    const bytes = await sender.sealedGroupEncrypt(order);
    const by = sender.isAgent ? 'agent' : 'official client';
    const count = `${this.accounts.length} accounts, ${excluded.length} excluded`;
    return { bytes, plaintext, groupId, what: `sealed for many by the ${by}, ${plaintext.length} bytes, ${count}` };
  }

  /**
   * What the server delivers of a message to every device: `to`, the `bytes` for it, and the bytes `astray` that are for
   * the devices of another account. Before that, the server must find in the message the very recipients it was sealed for.
   */
  deliveries(sent) {
    const parsed = new SealedSenderMultiRecipientMessage(sent);
    const recipients = parsed.recipientsByServiceIdString();
    checkSame(Object.entries(recipients).flatMap(listed), this.accounts.flatMap(written), 'the recipients');
    checkSame(parsed.excludedRecipientServiceIdStrings(), this.excluded, 'the excluded');
    const shares = this.accounts.map(({ name }) => Buffer.from(parsed.messageForRecipient(recipients[name])));
    return this.accounts.flatMap(({ devices }, at) => {
      const astray = shares[(at + 1) % shares.length];
      return devices.map((to) => ({ to, bytes: shares[at], astray }));
    });
  }

  /** Everybody gets the sender key; a sender who takes registration ids from sessions gets these. */
  async #introduce() {
    const { sender, random } = this;
    const key = await sender.distribution(this.id);
    for (const party of this.accounts.flatMap(({ devices }) => devices)) {
      await party.processDistribution(sender, key);
      if (!sender.isAgent) await sender.processBundle(party, await party.bundle(random.chance(0.5)));
    }
  }

  /** An account as the sender names it: at once, or once for each of its devices. */
  #named({ name, devices }) {
    return this.random.chance(0.5) ? [{ name, devices }] : devices.map((device) => ({ name, devices: [device] }));
  }
}

async function accountOfSeveralDevices(random, newParty) {
  const name = random.chance(0.3) ? `PNI:${random.uuid()}` : random.uuid();
  const identityPrivate = freshKeyPair().private;
  const numbers = random.shuffled([1, 2, 127, random.between(3, 126)]).slice(0, random.between(2, 3));
  const implementations = ['official', 'agent', random.pick(['official', 'agent'])];
  const devices = [];
  for (const [at, device] of numbers.entries()) {
    const registrationId = random.pick([0, 1, LARGEST_REGISTRATION_ID, random.between(0x100, LARGEST_REGISTRATION_ID)]);
    devices.push(await newParty(implementations[at], { name, device, registrationId, identityPrivate }));
  }
  return { name, devices };
}

function excludedNames(random) {
  const count = random.chance(0.2) ? random.between(LONG_COUNT, 2 * LONG_COUNT) : random.between(1, 3);
  return Array.from({ length: count }, () => (random.chance(0.3) ? `PNI:${random.uuid()}` : random.uuid()));
}

/** The devices of a recipient as the server reads them. */
function listed([name, { deviceIds, registrationIds }]) {
  check(deviceIds.length === registrationIds.length, `${name}: as many devices as registration ids`);
  return deviceIds.map((device, at) => `${name} device ${device} registration ${registrationIds[at]}`);
}

/** The devices of an account as the sender wrote them. */
function written({ name, devices }) {
  return devices.map(({ device, registrationId }) => `${name} device ${device} registration ${registrationId}`);
}

function checkSame(found, expected, what) {
  const [theirs, ours] = [[...found].sort().join(', '), [...expected].sort().join(', ')];
  check(theirs === ours, `${what}: the server reads ${theirs}; written were ${ours}`);
}
