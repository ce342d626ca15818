// What two devices should do with the messages between them, without any cryptography: which session each side uses,
// which chain a message belongs to, and so whether it is delivered, a duplicate, or refused.
//
// The rules are those of the wire format. A session is known to a side from processing a bundle (initiator) or a first
// message (responder). The newest session that anything was received in is current; the others are archived. A side
// begins a new sending chain when it first receives something of the peer's new chain. Five receiving chains are kept.

const KEPT_RECEIVING_CHAINS = 5;
const KEPT_SKIPPED_KEYS = 2000;

/** Fates of a message. */
export const DELIVERED = 'delivered';
export const DUPLICATE = 'duplicate';
export const REFUSED = 'refused';

/** One side's view of one session. */
class SessionView {
  constructor(session) {
    this.session = session;
    this.pending = false;
    this.sendingChain = null;
    this.sent = 0;
    this.receivingChains = [];
  }

  archive() {
    this.pending = false;
  }

  /** Follows the peer into a chain that is new to this side: the classical ratchet turns. */
  turn(chain, freshChain) {
    this.receivingChains.unshift({ chain, next: 0, skipped: new Set() });
    this.receivingChains.splice(KEPT_RECEIVING_CHAINS);
    this.sendingChain = freshChain;
    this.sent = 0;
  }
}

export class SessionModel {
  #nextSession = 1;
  #nextChain = 1;
  #chainsMet = [new Set(), new Set()];
  #sessionsWithoutPrekey = new Set();

  /** views[side]: the sessions of that side, current one first. */
  views = [[], []];

  /** A side processed a bundle of the other. With `prekeyIsGone` the responder can no longer follow. */
  initiate(side, { prekeyIsGone = false } = {}) {
    const session = this.#nextSession++;
    const view = new SessionView(session);
    view.pending = true;
    view.sendingChain = this.#freshChain();
    this.#adopt(side, view);
    if (prekeyIsGone) this.#sessionsWithoutPrekey.add(session);
    return session;
  }

  /** Whether a side has a session to send in. */
  canSend(side) {
    return this.views[side].length > 0;
  }

  /** Whether a side's current session is one that the peer can never enter. */
  isDoomed(side) {
    return this.canSend(side) && this.#sessionsWithoutPrekey.has(this.views[side][0].session);
  }

  /** Whether both sides send in the same session. */
  converged() {
    return this.canSend(0) && this.canSend(1) && this.views[0][0].session === this.views[1][0].session;
  }

  /** The place of the next message that a side sends. */
  place(side) {
    const view = this.views[side][0];
    return {
      type: view.pending ? 'prekey' : 'message',
      session: view.session,
      chain: view.sendingChain,
      index: view.sent++,
    };
  }

  /** What becomes of a message when it reaches a side now. */
  fate(side, { type, session, chain, index }) {
    const view = this.#view(side, session);
    if (view === undefined) {
      return type === 'prekey' && !this.#sessionsWithoutPrekey.has(session) ? DELIVERED : REFUSED;
    }
    const known = view.receivingChains.find((receiving) => receiving.chain === chain);
    if (known !== undefined) {
      return index >= known.next || known.skipped.has(index) ? DELIVERED : DUPLICATE;
    }
    return this.#chainsMet[side].has(chain) ? REFUSED : DELIVERED;
  }

  /** A message reached a side and was delivered. */
  accept(side, { session, chain, index }) {
    let view = this.#view(side, session);
    if (view === undefined) {
      view = new SessionView(session);
      this.#adopt(side, view);
    } else if (view !== this.views[side][0]) {
      this.views[side].splice(this.views[side].indexOf(view), 1);
      this.#adopt(side, view);
    }
    view.pending = false;
    if (!view.receivingChains.some((receiving) => receiving.chain === chain)) {
      view.turn(chain, this.#freshChain());
      this.#chainsMet[side].add(chain);
    }
    const receiving = view.receivingChains.find((one) => one.chain === chain);
    receiving.skipped.delete(index);
    for (; receiving.next < index; receiving.next += 1) receiving.skipped.add(receiving.next);
    receiving.next = Math.max(receiving.next, index + 1);
    for (const oldest of receiving.skipped) {
      if (receiving.skipped.size <= KEPT_SKIPPED_KEYS) break;
      receiving.skipped.delete(oldest);
    }
  }

  #adopt(side, view) {
    this.views[side][0]?.archive();
    this.views[side].unshift(view);
  }

  #view(side, session) {
    return this.views[side].find((view) => view.session === session);
  }

  #freshChain() {
    return this.#nextChain++;
  }
}
