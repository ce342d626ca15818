// Tight ping-pong until five post-quantum epochs are complete on both sides, about 43 lossless round trips each.

import { Conversation } from '../conversation.mjs';
import { check } from '../party.mjs';

const EPOCHS = 5;
const MOST_LOSSLESS_ROUNDS = 5 * 46;
const MOST_ROUNDS = 400;
const STEADY_RECORD_BYTES = 2500;

export async function epochSchedule({ random, trace, newParty, pairing }) {
  const parties = [await newParty(pairing[0]), await newParty(pairing[1])];
  const talk = new Conversation(parties, random, trace);
  const first = random.below(2);
  const lossless = random.chance(0.5);
  await talk.initiate(first);
  let rounds = 0;
  // An epoch is complete when its successor is negotiated.
  while (Math.min(...talk.epochs) <= EPOCHS) {
    rounds += 1;
    const bound = lossless ? MOST_LOSSLESS_ROUNDS : MOST_ROUNDS;
    check(rounds <= bound, `only epochs ${talk.epochs} after ${bound} round trips`);
    for (const side of [first, 1 - first]) {
      if (lossless) await talk.exchange(side);
      else await faultyExchange(talk, side);
    }
    if (random.chance(0.01)) await talk.restart(random.below(2));
  }
  for (const side of [0, 1]) {
    const session = await talk.parties[side].session(talk.parties[1 - side]);
    if (session === null) continue;
    check(session.pq_epoch >= EPOCHS, `the agent is in post-quantum epoch ${session.pq_epoch} after ${rounds} round trips`);
    const small = session.record_bytes <= STEADY_RECORD_BYTES;
    check(!lossless || small, `the record has grown to ${session.record_bytes} bytes in steady ping-pong`);
  }
  await talk.heal();
}

/** One message, now and then lost (another follows), repeated, late or damaged on its way. */
async function faultyExchange(talk, side) {
  const { random } = talk;
  const message = await talk.send(side);
  if (random.chance(0.04)) {
    talk.lose(message);
    return talk.exchange(side);
  }
  if (random.chance(0.03)) {
    const overtaking = await talk.send(side);
    await talk.deliver(overtaking);
  }
  if (random.chance(0.03)) await talk.deliverFlipped(message);
  await talk.deliver(message);
  if (random.chance(0.03)) await talk.deliver(message);
  return undefined;
}
