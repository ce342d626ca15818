// Two devices talk over a bad network: loss, reordering, replay, damage, restarts, sessions begun anew and from both
// ends at once. Every message meets the fate that the model foretells, and the sides agree after the network heals.

import { Conversation } from '../conversation.mjs';
import { check, expectRefusal } from '../party.mjs';

// Late messages stay within one post-quantum epoch and five chains as long as bursts are this short: what is older is
// refused by design, and the schedule about long flights looks at that.
const LONGEST_BURST = 8;
const MOST_ON_THE_WAY = 24;
const REPLAY_REACH = 40;

const EVENTS = {
  send: 40,
  alternate: 6,
  deliver: 42,
  deliverLate: 8,
  lose: 5,
  holdBack: 5,
  deliverHeldBack: 5,
  replay: 6,
  flip: 6,
  truncate: 2,
  mislabel: 1,
  restart: 4,
  startAnew: 2,
  startFromBothEnds: 1,
  startFromSpentPrekey: 1,
  strangeIdentity: 1,
};

export async function sessionSchedule({ random, trace, newParty, pairing }) {
  const parties = [await newParty(pairing[0]), await newParty(pairing[1])];
  const talk = new Conversation(parties, random, trace);
  const events = new SessionEvents(talk, newParty, pairing);
  await events.begin();
  const length = random.chance(0.2) ? random.between(150, 300) : random.between(20, 90);
  for (let i = 0; i < length; i += 1) await events.happen();
  await talk.heal();
}

class SessionEvents {
  /** The bundle with a one-time prekey that started a session which its owner has certainly entered. */
  #spentBundle = null;
  /** Messages that arrive very late: their chain may be gone by then, and they are refused. */
  #heldBack = [];

  constructor(talk, newParty, pairing) {
    this.talk = talk;
    this.newParty = newParty;
    this.pairing = pairing;
    this.random = talk.random;
  }

  /** The first session: from one end or from both; nothing can be sent or read before. */
  async begin() {
    const { talk, random } = this;
    const first = random.below(2);
    await this.#refuseToSendWithoutSession(first);
    await this.startAnew(first);
    if (random.chance(0.3)) await this.startAnew(1 - first);
  }

  /** One random event, if it makes sense now. */
  async happen() {
    const { talk, random } = this;
    const side = random.below(2);
    const event = random.weighted(EVENTS);
    const waiting = talk.onTheWay[side];
    const needsWaiting = ['deliver', 'deliverLate', 'lose', 'holdBack', 'flip', 'truncate', 'mislabel'];
    if (needsWaiting.includes(event) && waiting.length === 0) return;
    switch (event) {
      case 'send':
        return this.#sendBurst(side);
      case 'deliver':
        return void (await talk.deliver(waiting[0]));
      case 'deliverLate':
        return void (await talk.deliver(random.pick(waiting)));
      case 'lose':
        return talk.lose(random.pick(waiting));
      case 'holdBack':
        return this.#holdBack(random.pick(waiting));
      case 'replay':
        return this.#replay(side);
      case 'flip':
        return this.#damaged(waiting, (message) => talk.deliverFlipped(message));
      case 'truncate':
        return this.#damaged(waiting, (message) => talk.deliverTruncated(message));
      case 'mislabel':
        return this.#damaged(waiting, (message) => talk.deliverMislabelled(message));
      case 'restart':
        return talk.restart(side);
      default:
        return this[event](side);
    }
  }

  async startAnew(side) {
    const oneTime = this.random.chance(0.5);
    const bundle = await this.talk.initiate(side, oneTime);
    if (!oneTime) return;
    const message = await this.talk.send(side);
    this.#spentBundle = { side, bundle, message };
  }

  async startFromBothEnds(side) {
    await this.startAnew(side);
    await this.startAnew(1 - side);
  }

  /** A session from a bundle whose one-time prekey is gone: its messages are refused, and a fresh bundle mends it. */
  async startFromSpentPrekey() {
    const { talk } = this;
    const spent = this.#spentBundle;
    if (spent === null || !talk.arrived[1 - spent.side].includes(spent.message)) return;
    await talk.initiateWithSpentPrekey(spent.side, spent.bundle);
    const message = await talk.send(spent.side);
    talk.lose(message);
    await talk.expectRefused(message, 'a first message to a spent one-time prekey', ['unknown_prekey']);
    await this.startAnew(spent.side);
  }

  /** Someone else answers to the peer's address: the known identity stands. */
  async strangeIdentity(side) {
    const { talk } = this;
    const peer = talk.parties[1 - side];
    if (!talk.model.canSend(side)) return;
    const stranger = await this.newParty(this.pairing[1 - side]);
    const bundle = await stranger.bundle(true);
    bundle.device = peer.device;
    talk.trace('a stranger offers a bundle under the address of the peer');
    await expectRefusal(
      talk.parties[side],
      () => talk.parties[side].processBundle(peer, bundle),
      'the bundle of a stranger',
      ['untrusted_identity'],
    );
  }

  /** The sides speak in turn: every message opens a new chain, and older chains fall out of reach. */
  async alternate(side) {
    if (!this.talk.model.canSend(side)) return;
    const turns = this.random.between(1, 10);
    for (let i = 0; i < turns; i += 1) await this.talk.exchange((side + i) % 2);
  }

  async deliverHeldBack() {
    if (this.#heldBack.length > 0) await this.talk.deliver(this.random.take(this.#heldBack));
  }

  #holdBack(message) {
    this.talk.lose(message);
    this.#heldBack.push(message);
  }

  async #sendBurst(side) {
    const { talk, random } = this;
    if (!talk.model.canSend(side)) return;
    const room = MOST_ON_THE_WAY - talk.onTheWay[1 - side].length;
    const burst = random.chance(0.8) ? 1 : random.between(2, LONGEST_BURST);
    for (let i = 0; i < Math.min(burst, room); i += 1) await talk.send(side);
  }

  async #replay(side) {
    const arrived = this.talk.arrived[side].slice(-REPLAY_REACH);
    if (arrived.length > 0) await this.talk.deliver(this.random.pick(arrived));
  }

  /** Something damaged comes first, the true message right after it. */
  async #damaged(waiting, deliverDamaged) {
    const message = this.random.pick(waiting);
    await deliverDamaged(message);
    await this.talk.deliver(message);
  }

  async #refuseToSendWithoutSession(side) {
    const [party, peer] = [this.talk.parties[side], this.talk.parties[1 - side]];
    await expectRefusal(party, () => party.encrypt(peer, Buffer.from('too early')), 'encrypting without a session', [
      'no_session',
    ]);
    const session = await party.session(peer);
    if (session !== null) check(session.established === false, 'a session is said to be established before any');
  }
}
