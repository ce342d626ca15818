// Long one-way flights: many messages in one chain, arriving shuffled, with holes, and around the limits of how far a
// chain may jump and how many skipped keys it keeps.

import { Conversation } from '../conversation.mjs';
import { DELIVERED } from '../session-model.mjs';
import { check } from '../party.mjs';

const KEPT_SKIPPED_KEYS = 2000;
const LARGEST_GAP = 24_999;

export async function flightSchedule({ random, trace, newParty, pairing }) {
  const parties = [await newParty(pairing[0]), await newParty(pairing[1])];
  const talk = new Conversation(parties, random, trace);
  const kind = random.weighted({ shuffledFlights: 16, keptSkippedKeys: 6, largestGap: 1 });
  trace(`flights: ${kind}`);
  await FLIGHTS[kind](talk);
}

const FLIGHTS = { shuffledFlights, keptSkippedKeys, largestGap };

/** Whole flights, alternating, each shuffled, with up to half of it lost for good. */
async function shuffledFlights(talk) {
  const { random } = talk;
  const first = random.below(2);
  await talk.initiate(first);
  const flights = random.between(3, 9);
  for (let i = 0; i < flights; i += 1) {
    const side = (first + i) % 2;
    const length = random.between(10, 80);
    const loss = random.chance(0.5) ? 0 : random.between(1, 5) / 10;
    for (let j = 0; j < length; j += 1) await talk.send(side, random.bytes(16));
    const last = talk.onTheWay[1 - side].at(-1);
    for (const message of random.shuffled(talk.onTheWay[1 - side])) {
      if (message !== last && random.chance(loss)) {
        talk.lose(message);
        continue;
      }
      if (random.chance(0.05)) await talk.deliverFlipped(message);
      await talk.deliver(message);
      if (random.chance(0.05)) await talk.deliver(message);
    }
    if (random.chance(0.3)) await talk.restart(1 - side);
  }
  await talk.heal();
}

/** A gap of more than the skipped keys that are kept: the newest 2 000 are delivered later, older ones never. */
async function keptSkippedKeys(talk) {
  const { random } = talk;
  const first = random.below(2);
  await talk.initiate(first);
  if (random.chance(0.5)) {
    await talk.exchange(first);
    await talk.exchange(1 - first);
  }
  const gap = KEPT_SKIPPED_KEYS + random.between(1, 300);
  const trimmed = gap - KEPT_SKIPPED_KEYS;
  const messages = [];
  for (let i = 0; i <= gap; i += 1) messages.push(await talk.send(first, random.bytes(16)));
  await talk.deliver(messages[gap]);
  const samples = [gap - 1, trimmed + 2, trimmed + 1 + random.below(KEPT_SKIPPED_KEYS - 3)];
  for (const index of new Set(samples)) {
    const fate = await talk.deliver(messages[index]);
    check(fate === DELIVERED, `skipped message ${index} of ${gap} is delivered late`);
  }
  for (const index of new Set([0, trimmed - 1])) {
    await talk.expectRefused(messages[index], `skipped message ${index}, which is more than 2 000 behind`);
  }
  talk.onTheWay[1 - first].length = 0;
  await talk.exchange(1 - first);
  await talk.heal();
}

/** 24 999 lost messages in a row are bridged; one more is refused, and refusing leaves the session usable. */
async function largestGap(talk) {
  const { random } = talk;
  const first = random.below(2);
  await talk.initiate(first);
  await talk.exchange(first);
  await talk.exchange(1 - first);
  const messages = [];
  for (let i = 0; i <= LARGEST_GAP + 1; i += 1) messages.push(await talk.send(first, Buffer.alloc(0)));
  await talk.expectRefused(messages.at(-1), 'a message after 25 000 lost ones', ['too_far_ahead', 'invalid_message']);
  check((await talk.deliver(messages.at(-2))) === DELIVERED, 'a message after 24 999 lost ones is delivered');
  check((await talk.deliver(messages.at(-1))) === DELIVERED, 'and then the next one is');
  talk.onTheWay[1 - first].length = 0;
  await talk.heal();
}
