// Sealed sender, versions 1 and 2, in both directions: certificates of either side, first and later messages, group
// ids, one ciphertext for several recipients that the official client fans out; and everything that must be refused.

import { OfficialParty, freshKeyPair, officialCertificate } from '../official-party.mjs';
import { check, checkBytes, expectRefusal } from '../party.mjs';
import { SealedGroup } from '../sealed-group.mjs';

const NOW = 1_700_000_000_000;
const DAY = 86_400_000;

export async function sealedSchedule({ random, trace, newParty, pairing }) {
  const parties = [await newParty(pairing[0]), await newParty(pairing[1])];
  const service = new Service(random, newParty);
  const post = new SealedPost(parties, service, random, trace);
  await post.establish(random.below(2));
  const length = random.between(8, 25);
  for (let i = 0; i < length; i += 1) {
    const event = random.weighted({ exchange: 10, refuse: 6, group: 4, restart: 1 });
    await post[event]();
  }
}

/** The service that vouches for senders: a trust root and a server key. */
class Service {
  root = freshKeyPair();
  server = freshKeyPair();

  constructor(random, newParty) {
    this.random = random;
    this.newParty = newParty;
  }

  /** A certificate for a party, made by the party itself or by the official client. */
  async certificate(party, expires) {
    const order = this.#order(expires);
    return this.random.chance(0.5) ? party.certificate(order) : officialCertificate(party, order);
  }

  /** A certificate for a party by a twin of it in another implementation: same address, same identity key. */
  async certificateByTwin(party, expires) {
    const { name, device, registrationId, identityPrivate } = party;
    const twin = await this.newParty('agent', { name, device, registrationId, identityPrivate });
    const certificate = await twin.certificate(this.#order(expires));
    checkBytes(twin.identity, party.identity, 'the identity key of the twin');
    return certificate;
  }

  #order(expires) {
    return {
      trustRootPrivate: this.root.private,
      serverPrivate: this.server.private,
      serverId: this.random.between(10, 1_000_000),
      expires,
    };
  }
}

class SealedPost {
  constructor(parties, service, random, trace) {
    this.parties = parties;
    this.service = service;
    this.random = random;
    this.trace = trace;
  }

  async establish(side) {
    const bundle = await this.parties[1 - side].bundle(this.random.chance(0.5));
    await this.parties[side].processBundle(this.parties[1 - side], bundle);
    // The first message of the session goes sealed as well: a PreKey message inside.
    await this.#checkDelivery(await this.#seal(side));
  }

  async exchange() {
    const mail = await this.#seal(this.random.below(2));
    const atTheLastMoment = this.random.chance(0.2);
    await this.#checkDelivery(mail, atTheLastMoment ? mail.expires : NOW);
    if (this.random.chance(0.3)) {
      await expectRefusal(mail.to, () => this.#open(mail), `${mail.what} comes again`, ['duplicate']);
    }
  }

  /** Sealed mail that must be refused in one way, and is then delivered as it should be. */
  async refuse() {
    const { random } = this;
    const mail = await this.#seal(random.below(2));
    const way = random.pick(['expired', 'wrongRoot', 'wrongServerKey', 'wrongRecipient', 'flipped', 'truncated', 'strangeSender']);
    await this[way](mail);
    await this.#checkDelivery(mail);
  }

  async expired(mail) {
    const timestamp = mail.expires + this.random.pick([1, 1000, DAY]);
    await this.#expectRefusedBy(mail.to, { ...mail, timestamp }, 'expired', ['expired']);
  }

  async wrongRoot(mail) {
    const trustRoot = freshKeyPair().public;
    await this.#expectRefusedBy(mail.to, { ...mail, trustRoot }, 'under another trust root');
  }

  /** The certificate is signed by a key that the server certificate does not name. */
  async wrongServerKey({ from, to }) {
    const genuine = await this.service.certificate(from, NOW + DAY);
    const forgedService = new Service(this.random, this.service.newParty);
    const certificate = await forgedService.certificate(from, NOW + DAY);
    check(!genuine.equals(certificate), 'two services make two certificates');
    const mail = await this.#sealWith(from, to, certificate);
    await this.#expectRefusedBy(to, mail, 'with a certificate of another service');
  }

  /** The certificate names somebody else: the key that sealed is not the key that the certificate names. */
  async strangeSender({ from, to }) {
    const stranger = await OfficialParty.create({ name: from.name, device: from.device, registrationId: 7 });
    const certificate = await officialCertificate(stranger, this.#officialOrder());
    if (from.isAgent) {
      // The agent does not even seal under somebody else's name.
      const seal = () => this.#sealWith(from, to, certificate);
      await expectRefusal(from, seal, 'sealing with the certificate of somebody else', ['invalid_message']);
      return;
    }
    const mail = await this.#sealWith(from, to, certificate);
    await this.#expectRefusedBy(to, mail, 'with the certificate of somebody else');
  }

  async wrongRecipient(mail) {
    const stranger = await this.service.newParty(this.random.pick(['agent', 'official']));
    await this.#expectRefusedBy(stranger, mail, 'read by a stranger');
  }

  async flipped(mail) {
    // A flip in the low half of the version byte stays without effect by definition: it is not part of the message.
    const bytes = this.random.flipped(mail.bytes, 1);
    await this.#expectRefusedBy(mail.to, { ...mail, bytes }, 'with a flipped bit');
  }

  async truncated(mail) {
    const bytes = mail.bytes.subarray(0, this.random.below(mail.bytes.length));
    await this.#expectRefusedBy(mail.to, { ...mail, bytes }, `cut to ${bytes.length} bytes`);
  }

  /** Sender-key messages from a newcomer to both parties and an account with several devices, each sealed once for all. */
  async group() {
    const { random, service, parties } = this;
    const sender = await service.newParty(random.pick(['agent', 'official']));
    const group = await SealedGroup.create({ random, newParty: service.newParty, sender, members: parties });
    const certificate = sender.isAgent
      ? await service.certificate(sender, NOW + DAY)
      : await service.certificateByTwin(sender, NOW + DAY);
    if (sender.isAgent && random.chance(0.3)) await this.strangeGroupSender(sender, group);
    const messages = random.between(1, 3);
    for (let i = 0; i < messages; i += 1) {
      const sent = await group.seal(certificate);
      this.trace(sent.what);
      for (const { to, bytes, astray } of random.shuffled(group.deliveries(sent.bytes))) {
        const mail = { ...sent, from: sender, to, bytes, expires: NOW + DAY };
        await this.#expectRefusedBy(to, { ...mail, bytes: astray }, 'with the share of another account');
        await this.#checkDelivery(mail);
        await expectRefusal(to, () => this.#open(mail), `${sent.what} comes again`, ['duplicate']);
      }
    }
  }

  /** The agent does not seal under somebody else's name for many recipients either. */
  async strangeGroupSender(sender, group) {
    const stranger = await OfficialParty.create({ name: sender.name, device: sender.device, registrationId: 7 });
    const certificate = await officialCertificate(stranger, this.#officialOrder());
    const seal = () => group.seal(certificate);
    await expectRefusal(sender, seal, 'sealing for a group with the certificate of somebody else', ['invalid_message']);
  }

  async restart() {
    const side = this.random.below(2);
    this.trace(`${side} restarts`);
    this.parties[side] = await this.parties[side].restarted();
  }

  async #seal(side) {
    const [from, to] = [this.parties[side], this.parties[1 - side]];
    const expires = NOW + this.random.between(0, 1000);
    const byTwin = !from.isAgent && this.random.chance(0.2);
    const certificate = byTwin
      ? await this.service.certificateByTwin(from, expires)
      : await this.service.certificate(from, expires);
    return { ...(await this.#sealWith(from, to, certificate)), expires };
  }

  async #sealWith(from, to, certificate) {
    const { random } = this;
    const plaintext = random.plaintext();
    const groupId = random.chance(0.5) ? random.bytes(random.pick([16, 32])) : null;
    const version = random.pick([1, 2]);
    const bytes = await from.sealedEncrypt({ peer: to, plaintext, certificate, groupId, version });
    const what = `sealed v${version} from the ${from.isAgent ? 'agent' : 'official client'}, ${plaintext.length} bytes`;
    this.trace(what);
    check(bytes[0] === (version === 1 ? 0x11 : 0x22), `${what}: begins with ${bytes[0]}`);
    return { from, to, bytes, plaintext, groupId, what };
  }

  #open({ to, bytes, trustRoot = this.service.root.public, timestamp = NOW }) {
    return to.sealedDecrypt({ bytes, trustRoot, timestamp });
  }

  async #checkDelivery(mail, timestamp = NOW) {
    const opened = await this.#open({ ...mail, timestamp });
    checkBytes(opened.plaintext, mail.plaintext, mail.what);
    check(
      opened.sender.name === mail.from.name && opened.sender.device === mail.from.device,
      `${mail.what}: the sender is said to be ${JSON.stringify(opened.sender)}`,
    );
    check((opened.groupId === null) === (mail.groupId === null), `${mail.what}: a group id came or went`);
    if (mail.groupId !== null) checkBytes(opened.groupId, mail.groupId, `${mail.what}: the group id`);
  }

  async #expectRefusedBy(reader, mail, how, kinds = []) {
    this.trace(`${mail.what} ${how}: to be refused`);
    await expectRefusal(reader, () => this.#open({ ...mail, to: reader }), `${mail.what} ${how}`, kinds);
  }

  #officialOrder() {
    const { root, server } = this.service;
    return { trustRootPrivate: root.private, serverPrivate: server.private, serverId: 99, expires: NOW + DAY };
  }
}
