// Two devices, the messages on their way between them, and the model that says what must become of each.

import { DELIVERED, DUPLICATE, SessionModel } from './session-model.mjs';
import { Refusal, check, checkBytes, expectRefusal } from './party.mjs';
import { guardedRanges, negotiatedEpoch } from './wire.mjs';

const SIDES = ['left', 'right'];
const ALTERNATIONS_TO_CONVERGE = 10;

export class Conversation {
  /** The highest post-quantum epoch that each side has put on the wire. */
  epochs = [0, 0];
  /** onTheWay[side]: messages that have not reached that side yet, oldest first. */
  onTheWay = [[], []];
  /** arrived[side]: messages that were delivered to that side. */
  arrived = [[], []];

  /** @param {[Party, Party]} parties @param {Random} random @param {(line: string) => void} trace */
  constructor(parties, random, trace) {
    this.parties = parties;
    this.random = random;
    this.trace = trace;
    this.model = new SessionModel();
  }

  /** A side fetches a fresh bundle of the other and starts a session with it. */
  async initiate(side, oneTime = this.random.chance(0.5)) {
    const bundle = await this.parties[1 - side].bundle(oneTime);
    this.trace(`${SIDES[side]} starts a session, ${oneTime ? 'with' : 'without'} one-time prekey`);
    await this.parties[side].processBundle(this.parties[1 - side], bundle);
    this.model.initiate(side);
    return bundle;
  }

  /** A side starts a session from a bundle whose one-time prekey the other has used up: nothing sent in it arrives. */
  async initiateWithSpentPrekey(side, bundle) {
    this.trace(`${SIDES[side]} starts a session from a bundle with a spent one-time prekey`);
    await this.parties[side].processBundle(this.parties[1 - side], bundle);
    this.model.initiate(side, { prekeyIsGone: true });
  }

  /** A side encrypts one message; it is on its way from now on. */
  async send(side, plaintext = this.random.plaintext()) {
    const sent = await this.parties[side].encrypt(this.parties[1 - side], plaintext);
    const place = this.model.place(side);
    this.trace(`${SIDES[side]} sends ${describe(place)}, ${plaintext.length} bytes`);
    check(sent.type === place.type, `${SIDES[side]} sent a message of type ${sent.type}, expected ${place.type}`);
    this.epochs[side] = Math.max(this.epochs[side], negotiatedEpoch(sent));
    const message = { ...sent, to: 1 - side, place, plaintext };
    this.onTheWay[message.to].push(message);
    return message;
  }

  /** A message reaches its side: the first, second or any later time. */
  async deliver(message) {
    const { to, place } = message;
    const fate = this.model.fate(to, place);
    this.trace(`${SIDES[to]} gets ${describe(place)}: to be ${fate}`);
    this.#remove(message);
    const what = `${SIDES[to]} gets ${describe(place)}`;
    if (fate === DELIVERED) {
      checkBytes(await this.#decrypt(message, what), message.plaintext, what);
      this.#delivered(message);
    } else {
      const kinds = fate === DUPLICATE ? ['duplicate'] : [];
      await this.expectRefused(message, what, kinds);
    }
    return fate;
  }

  /** Every message that a side is owed arrives, oldest first unless `shuffle` says otherwise. */
  async deliverAll(side, shuffle = false) {
    const waiting = shuffle ? this.random.shuffled(this.onTheWay[side]) : [...this.onTheWay[side]];
    for (const message of waiting) await this.deliver(message);
  }

  /** A side sends, and the message arrives at once. */
  async exchange(side) {
    const fate = await this.deliver(await this.send(side));
    check(fate === DELIVERED, 'a message that arrives at once is delivered');
  }

  /** A message is lost. */
  lose(message) {
    this.trace(`lost: ${describe(message.place)}`);
    this.#remove(message);
  }

  /**
   * A damaged copy of a message arrives before the message itself. It must be refused and leave no trace; a bit of a
   * PreKey message that nothing binds (its registration id, or what an existing session has no more use for) may
   * also be ignored, and then the plaintext must be right.
   */
  async deliverFlipped(message) {
    const { to, place } = message;
    const bytes = this.random.flipped(message.bytes);
    const at = bytes.findIndex((byte, i) => byte !== message.bytes[i]);
    const what = `${SIDES[to]} gets ${describe(place)} with a bit of byte ${at} flipped`;
    this.trace(what);
    const bound = place.type === 'message' || guardedRanges(message.bytes).some(({ start, end }) => at >= start && at < end);
    if (bound || this.model.fate(to, place) !== DELIVERED) {
      await this.expectRefused({ ...message, bytes }, what);
      return;
    }
    const before = await this.parties[to].save();
    try {
      checkBytes(await this.#decrypt({ ...message, bytes }, what, true), message.plaintext, what);
      this.#remove(message);
      this.#delivered(message);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      check(error.kind !== 'internal' && error.kind !== 'bad_request', `${what}: ${error.message}`);
      checkBytes(await this.parties[to].save(), before, `${what}: the refused message changed the state`);
    }
  }

  /** A shortened copy of a message arrives. */
  async deliverTruncated(message) {
    const length = this.random.below(message.bytes.length);
    const what = `${SIDES[message.to]} gets ${describe(message.place)} cut to ${length} bytes`;
    this.trace(what);
    await this.expectRefused({ ...message, bytes: message.bytes.subarray(0, length) }, what);
  }

  /** A message arrives under the other type's name. */
  async deliverMislabelled(message) {
    const type = message.type === 'prekey' ? 'message' : 'prekey';
    const what = `${SIDES[message.to]} gets ${describe(message.place)} as a ${type}`;
    this.trace(what);
    await this.expectRefused({ ...message, type }, what);
  }

  /** Offers a message that must be refused. */
  async expectRefused(message, what, kinds = []) {
    const receiver = this.parties[message.to];
    const sender = this.parties[1 - message.to];
    await expectRefusal(receiver, () => receiver.decrypt(sender, message), what, kinds);
  }

  /** A side goes on from its saved state in a new place. */
  async restart(side) {
    this.trace(`${SIDES[side]} restarts`);
    this.parties[side] = await this.parties[side].restarted();
  }

  /**
   * The network heals: what is still on its way arrives, then the sides speak in turn. Every message must be
   * delivered, and within ten exchanges both sides use one session.
   */
  async heal() {
    this.trace('the network heals');
    for (const side of this.random.shuffled([0, 1])) await this.deliverAll(side, this.random.chance(0.5));
    for (const side of [0, 1]) {
      if (!this.model.canSend(side) || this.model.isDoomed(side)) await this.initiate(side);
    }
    const first = this.random.below(2);
    for (let i = 0; i < ALTERNATIONS_TO_CONVERGE; i += 1) await this.exchange((first + i) % 2);
    check(this.model.converged(), 'the sides did not converge on one session');
    for (const side of [0, 1]) {
      const session = await this.parties[side].session(this.parties[1 - side]);
      if (session === null) continue;
      check(session.established === true, `${SIDES[side]} says that no session is established`);
      check(session.handshake === 'pqxdh', `${SIDES[side]} says that the handshake was ${session.handshake}`);
    }
  }

  async #decrypt(message, what, mayRefuse = false) {
    const receiver = this.parties[message.to];
    try {
      return await receiver.decrypt(this.parties[1 - message.to], message);
    } catch (error) {
      if (mayRefuse || !(error instanceof Refusal)) throw error;
      throw new Error(`${what}: refused as ${error.message}`);
    }
  }

  #delivered(message) {
    this.model.accept(message.to, message.place);
    this.arrived[message.to].push(message);
  }

  #remove(message) {
    const queue = this.onTheWay[message.to];
    const at = queue.indexOf(message);
    if (at >= 0) queue.splice(at, 1);
  }
}

function describe({ type, session, chain, index }) {
  return `${type} ${session}/${chain}/${index}`;
}
