// What the members of a group should do with sender-key messages: who holds whose key, from which iteration on, and
// which messages were read.

const KEPT_SKIPPED_KEYS = 2000;

/** What one member holds of one sender's key. */
class HeldKey {
  constructor(start) {
    this.next = start;
    this.skipped = new Set();
  }

  fate(iteration) {
    return iteration >= this.next || this.skipped.has(iteration) ? 'delivered' : 'duplicate';
  }

  accept(iteration) {
    this.skipped.delete(iteration);
    for (; this.next < iteration; this.next += 1) this.skipped.add(this.next);
    this.next = Math.max(this.next, iteration + 1);
    for (const oldest of this.skipped) {
      if (this.skipped.size <= KEPT_SKIPPED_KEYS) break;
      this.skipped.delete(oldest);
    }
  }
}

export class GroupModel {
  #iterations;
  #held;

  constructor(members) {
    this.#iterations = Array.from({ length: members }, () => new Map());
    this.#held = Array.from({ length: members }, () => new Map());
  }

  /** A sender has a key for the group from now on; returns the iteration that its next message will have. */
  created(from, group) {
    if (!this.#iterations[from].has(group)) this.#iterations[from].set(group, 0);
    return this.#iterations[from].get(group);
  }

  /** A sender encrypts one message; returns its iteration. */
  sent(from, group) {
    const iteration = this.#iterations[from].get(group);
    this.#iterations[from].set(group, iteration + 1);
    return iteration;
  }

  /** A member processes a sender's key as it stood at `start`; a key that is held already stays as it is. */
  distributed(from, group, to, start) {
    const key = `${from}/${group}`;
    if (!this.#held[to].has(key)) this.#held[to].set(key, new HeldKey(start));
  }

  /** `delivered`, or the error kind with which the message is refused. */
  fate(from, group, to, iteration) {
    return this.#held[to].get(`${from}/${group}`)?.fate(iteration) ?? 'no_sender_key';
  }

  /** A member has read a message. */
  accepted(from, group, to, iteration) {
    this.#held[to].get(`${from}/${group}`).accept(iteration);
  }
}
