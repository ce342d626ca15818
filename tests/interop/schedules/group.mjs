// A group of devices with sender keys: distribution, messages out of order, lost, repeated, damaged, under the wrong
// sender's name, before their key; keys distributed again, rotated; members that restart.

import { check, checkBytes, expectRefusal } from '../party.mjs';
import { GroupModel } from '../group-model.mjs';

const EVENTS = {
  send: 40,
  deliver: 45,
  deliverLate: 12,
  lose: 4,
  replay: 7,
  flip: 5,
  truncate: 2,
  wrongSender: 3,
  distribute: 8,
  distributeAgain: 3,
  rotate: 2,
  restart: 4,
};

export async function groupSchedule({ random, trace, newParty, pairing }) {
  const members = [await newParty(pairing[0]), await newParty(pairing[1])];
  const others = random.between(1, 2);
  for (let i = 0; i < others; i += 1) members.push(await newParty(random.pick(pairing)));
  const group = new GroupEvents(members, random, trace);
  const length = random.chance(0.2) ? random.between(150, 300) : random.between(40, 120);
  for (let i = 0; i < length; i += 1) await group.happen();
  await group.heal();
}

class GroupEvents {
  /** onTheWay[member]: messages that have not reached that member. */
  #onTheWay;
  #arrived;
  /** Distribution messages as they were made: { from, group, bytes, start }. */
  #distributions = [];

  constructor(members, random, trace) {
    this.members = members;
    this.random = random;
    this.trace = trace;
    this.model = new GroupModel(members.length);
    this.groups = members.map(() => null);
    this.shared = random.uuid();
    this.#onTheWay = members.map(() => []);
    this.#arrived = members.map(() => []);
  }

  async happen() {
    const { random } = this;
    const event = random.weighted(EVENTS);
    const member = random.below(this.members.length);
    const waiting = this.#onTheWay[member];
    switch (event) {
      case 'send':
        return this.#send(member);
      case 'distribute':
        return this.#distribute(member, this.#someoneElse(member));
      case 'distributeAgain':
        return this.#distributeAgain();
      case 'rotate':
        return this.#rotate(member);
      case 'restart':
        this.trace(`${member} restarts`);
        this.members[member] = await this.members[member].restarted();
        return undefined;
      case 'replay':
        return this.#arrived[member].length > 0 ? this.#deliver(random.pick(this.#arrived[member])) : undefined;
      default:
        return waiting.length > 0 ? this.#withWaiting(event, waiting) : undefined;
    }
  }

  /** Everyone distributes to everyone; what is on its way arrives; then each one is heard by all. */
  async heal() {
    this.trace('the network heals');
    for (const [from] of this.members.entries()) {
      for (const [to] of this.members.entries()) if (to !== from) await this.#distribute(from, to);
    }
    for (const waiting of this.#onTheWay) {
      for (const message of this.random.shuffled(waiting)) await this.#deliver(message);
    }
    for (const [from] of this.members.entries()) {
      await this.#send(from);
      for (const waiting of this.#onTheWay) {
        for (const message of [...waiting]) {
          check((await this.#deliver(message)) === 'delivered', 'after healing everyone hears everyone');
        }
      }
    }
  }

  #withWaiting(event, waiting) {
    const message = event === 'deliver' ? waiting[0] : this.random.pick(waiting);
    switch (event) {
      case 'lose':
        this.trace(`lost: ${describe(message)}`);
        return this.#forgetWaiting(message);
      case 'flip':
        return this.#damaged(message, this.random.flipped(message.bytes), 'with a flipped bit');
      case 'truncate': {
        const length = this.random.below(message.bytes.length);
        return this.#damaged(message, message.bytes.subarray(0, length), `cut to ${length} bytes`);
      }
      case 'wrongSender':
        return this.#underWrongName(message);
      default:
        return this.#deliver(message);
    }
  }

  async #send(from) {
    if (this.groups[from] === null) await this.#distribute(from, this.#someoneElse(from));
    const group = this.groups[from];
    const plaintext = this.random.plaintext();
    const bytes = await this.members[from].groupEncrypt(group, plaintext);
    const iteration = this.model.sent(from, group);
    for (const [to] of this.members.entries()) {
      if (to !== from) this.#onTheWay[to].push({ from, to, group, iteration, bytes, plaintext });
    }
    this.trace(`${from} sends ${iteration}, ${plaintext.length} bytes`);
  }

  /** A member's current sender key reaches another member: made on first use, later sent as it stands then. */
  async #distribute(from, to) {
    if (this.groups[from] === null) this.groups[from] = this.random.chance(0.5) ? this.shared : this.random.uuid();
    const group = this.groups[from];
    const bytes = await this.members[from].distribution(group);
    const distribution = { from, group, bytes, start: this.model.created(from, group) };
    this.#distributions.push(distribution);
    await this.#hand(distribution, to);
  }

  /** An old distribution message comes once more, to whom it may. */
  async #distributeAgain() {
    if (this.#distributions.length === 0) return;
    const distribution = this.random.pick(this.#distributions);
    await this.#hand(distribution, this.#someoneElse(distribution.from));
  }

  async #hand({ from, group, bytes, start }, to) {
    this.trace(`${to} gets the key of ${from} from ${start} on`);
    await this.members[to].processDistribution(this.members[from], bytes);
    this.model.distributed(from, group, to, start);
  }

  async #rotate(member) {
    this.trace(`${member} rotates`);
    this.groups[member] = this.random.uuid();
    await this.#distribute(member, this.#someoneElse(member));
  }

  async #deliver(message) {
    const { from, to, group, iteration, bytes, plaintext } = message;
    const fate = this.model.fate(from, group, to, iteration);
    const what = `${to} gets ${describe(message)}`;
    this.trace(`${what}: to be ${fate}`);
    this.#forgetWaiting(message);
    const decrypting = () => this.members[to].groupDecrypt(this.members[from], bytes);
    if (fate === 'delivered') {
      checkBytes(await decrypting(), plaintext, what);
      this.model.accepted(from, group, to, iteration);
      this.#arrived[to].push(message);
    } else {
      await expectRefusal(this.members[to], decrypting, what, [fate]);
    }
    return fate;
  }

  /** A damaged copy comes first and is refused; the message itself right after it. */
  async #damaged(message, bytes, how) {
    const { from, to } = message;
    const what = `${to} gets ${describe(message)} ${how}`;
    this.trace(what);
    await expectRefusal(this.members[to], () => this.members[to].groupDecrypt(this.members[from], bytes), what);
    await this.#deliver(message);
  }

  async #underWrongName(message) {
    const { from, to, bytes } = message;
    const wrong = this.random.pick([...this.members.keys()].filter((member) => member !== from && member !== to));
    const what = `${to} gets ${describe(message)} as if from ${wrong}`;
    this.trace(what);
    await expectRefusal(this.members[to], () => this.members[to].groupDecrypt(this.members[wrong], bytes), what, [
      'no_sender_key',
      'invalid_message',
      'invalid_signature',
    ]);
  }

  #someoneElse(member) {
    return this.random.pick([...this.members.keys()].filter((other) => other !== member));
  }

  #forgetWaiting(message) {
    const waiting = this.#onTheWay[message.to];
    const at = waiting.indexOf(message);
    if (at >= 0) waiting.splice(at, 1);
  }
}

function describe({ from, group, iteration }) {
  return `message ${iteration} of ${from} in ${group.slice(0, 8)}`;
}
