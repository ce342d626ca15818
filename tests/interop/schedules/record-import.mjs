// A device moves from the official client to this project in the middle of a conversation: its session record, with
// whatever is pending, skipped, archived or half done in the post-quantum ratchet, is taken over and goes on.

import { Conversation } from '../conversation.mjs';
import { DELIVERED } from '../session-model.mjs';
import { check } from '../party.mjs';

const EPOCHS_AFTER_IMPORT = 1;
const MOST_ROUNDS_AFTER_IMPORT = 130;

export async function importSchedule({ random, trace, newParty, pairing }) {
  const [ours, theirs] = pairing;
  const mover = await newParty('official');
  const peer = await newParty(random.chance(0.8) ? theirs : ours);
  const side = random.below(2);
  const talk = new Conversation(side === 0 ? [mover, peer] : [peer, mover], random, trace);

  const moment = random.weighted({ unacknowledged: 2, inMidConversation: 8, withArchive: 2 });
  trace(`the ${side === 0 ? 'left' : 'right'} side will move: ${moment}`);
  await MOMENTS[moment](talk, side);

  const late = await leaveSomethingLate(talk, side);
  await move(talk, side, mover, await newParty(ours, mover));

  // What was on its way to the old device reaches the new one; what the old one read is a duplicate for the new one.
  for (const message of random.shuffled(late)) {
    if (random.chance(0.2)) await talk.deliverFlipped(message);
    else await talk.deliver(message);
  }
  const read = talk.arrived[side].slice(-10);
  if (read.length > 0) await talk.deliver(random.pick(read));

  await talk.deliverAll(1 - side);
  if (random.chance(0.4)) await completeAnEpoch(talk, side);
  else for (let i = 0; i < 20; i += 1) await talk.exchange((side + i) % 2);
  if (random.chance(0.5)) await talk.restart(side);
  await talk.heal();
}

const MOMENTS = {
  /** The mover has started a session and never heard back. */
  async unacknowledged(talk, side) {
    await talk.initiate(side);
    const messages = talk.random.below(4);
    for (let i = 0; i < messages; i += 1) await talk.send(side);
  },

  /** Any point of the post-quantum ratchet, in either role. */
  async inMidConversation(talk, side) {
    await talk.initiate(talk.random.below(2) === 0 ? side : 1 - side);
    await converse(talk, talk.random.between(1, 140));
  },

  /** Older sessions lie in the archive, with messages still on their way. */
  async withArchive(talk, side) {
    const sessions = talk.random.between(2, 4);
    for (let i = 0; i < sessions; i += 1) {
      const starter = talk.random.below(2);
      await talk.initiate(starter);
      await talk.exchange(starter);
      await converse(talk, talk.random.between(1, 10));
      await talk.send(1 - side);
    }
  },
};

/** Round trips with a few losses, the initiator first. */
async function converse(talk, rounds) {
  const { random } = talk;
  const first = talk.model.canSend(0) ? 0 : 1;
  for (let i = 0; i < rounds; i += 1) {
    for (const side of [first, 1 - first]) {
      if (i > 0 && random.chance(0.05)) talk.lose(await talk.send(side));
      await talk.exchange(side);
    }
  }
}

/** Messages to the mover that are delayed across the move; some later ones have already arrived. */
async function leaveSomethingLate(talk, side) {
  const { random } = talk;
  if (talk.model.canSend(1 - side)) {
    const messages = random.between(1, 6);
    for (let i = 0; i < messages; i += 1) await talk.send(1 - side);
    if (random.chance(0.7)) await talk.deliver(talk.onTheWay[side].at(-1));
  }
  return [...talk.onTheWay[side]];
}

/** The record changes hands. Nothing else does: the new device has the identity key, the address, and the record. */
async function move(talk, side, mover, newcomer) {
  const peer = talk.parties[1 - side];
  const record = await mover.exportSession(peer);
  talk.trace(`the record of ${record.length} bytes moves`);
  await newcomer.importSession(peer, record);
  talk.parties[side] = newcomer;
  const session = await newcomer.session(peer);
  if (session === null) return;
  check(session.established === true, 'the imported session is not established');
  check(session.handshake === 'pqxdh', `the imported session says its handshake was ${session.handshake}`);
}

/** Ping-pong until both sides have completed the epoch that was under way and one more. */
async function completeAnEpoch(talk, side) {
  const goal = Math.max(...talk.epochs) + EPOCHS_AFTER_IMPORT;
  for (let i = 0; Math.min(...talk.epochs) < goal; i += 1) {
    check(i < MOST_ROUNDS_AFTER_IMPORT, `epochs ${talk.epochs} after ${i} round trips, expected ${goal}`);
    for (const speaker of [side, 1 - side]) {
      const fate = await talk.deliver(await talk.send(speaker));
      check(fate === DELIVERED, 'a message that arrives at once is delivered');
    }
  }
}
