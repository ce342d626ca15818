// Every operation of the agent, fed with requests that are spoilt in every way: the answer is a typed error, never
// `internal`, and no party changes.

import { World, goodRequests } from '../agent-requests.mjs';
import { EXPECT, spoilt } from '../mutations.mjs';
import { check, checkBytes } from '../party.mjs';

const FLIPS = 12;
const DEEP = 50_000;
const LONG = 2_000_000;

export async function malformedSchedule({ random, trace, agents }) {
  const pool = await agents();
  const world = await World.create(pool, random, random.pick(['signal', 'undertone']));
  trace(`profile ${world.profile}`);
  const requests = await goodRequests(world);
  for (const { party } of requests) if (party !== undefined) world.parties.push(party);
  const probe = new Probe(world, trace);
  await probe.remember();
  for (const line of linesThatAreNoRequests(random)) await probe.expectRefused(line, 'a line that is no request', EXPECT.badRequest);
  for (const good of requests) await probe.spoil(good);
  for (const party of world.parties) await party.end();
}

/** Sends requests to the agent and compares every party with what it was before. */
class Probe {
  #states = new Map();

  constructor(world, trace) {
    this.world = world;
    this.agent = world.pool[0];
    this.random = world.random;
    this.trace = trace;
  }

  /** Takes the states that no refused request may change; the same state must save to the same bytes. */
  async remember() {
    for (const party of this.world.parties) this.#states.set(party, await party.save());
    await this.#checkUnchanged('saving twice');
  }

  /** One good request: it is answered as it stands, and refused in every spoilt form. */
  async spoil({ request, shape, optional = false, leaves = [] }) {
    const good = await this.agent.rawRequest(JSON.stringify(request));
    if ('error' in good) {
      check(optional && good.error !== 'internal', `${request.op}: the good request is refused: ${good.error} ${good.detail}`);
    }
    await this.#putBack(leaves);
    for (const { request: bad, how, expect } of this.#variations(request, shape)) {
      await this.expectRefused(JSON.stringify(bad), `${request.op}, ${how}`, expect, good, leaves);
    }
  }

  *#variations(request, shape) {
    yield* spoilt(request, shape, this.random, FLIPS);
    if (shape.party === undefined || request.op === 'create') return;
    const expect = shape.party.free ? EXPECT.anything : EXPECT.badRequest;
    yield { request: { ...request, party: 'nobody' }, how: 'party is unknown', expect };
    if (request.peer === undefined) return;
    const stranger = { name: this.random.uuid(), device: 9 };
    yield { request: { ...request, peer: stranger }, how: 'peer is unknown', expect: EXPECT.anything };
  }

  async expectRefused(line, how, expect, good = {}, leaves = []) {
    this.trace(how);
    const answer = await this.agent.rawRequest(line);
    if ('error' in answer) {
      check(answer.error !== 'internal', `${how}: internal, ${answer.detail}`);
      const isRight = expect !== EXPECT.badRequest || answer.error === 'bad_request';
      check(isRight, `${how}: expected bad_request, found ${answer.error}, ${answer.detail}`);
      await this.#checkUnchanged(how);
      return;
    }
    check(expect === EXPECT.anything || expect === EXPECT.sameOrRefusal, `${how}: accepted`);
    const isSame = JSON.stringify(answer) === JSON.stringify(good);
    check(expect === EXPECT.anything || isSame, `${how}: answered differently: ${JSON.stringify(answer).slice(0, 200)}`);
    await this.#putBack([...leaves, 'nobody']);
  }

  async #checkUnchanged(how) {
    for (const [party, state] of this.#states) {
      checkBytes(await party.save(), state, `${how}: the state of a party changed`);
    }
  }

  /** After a request that was answered: every party as it was, and those that it made forgotten. */
  async #putBack(leaves) {
    for (const [party, state] of this.#states) {
      await party.ask('load', { state: state.toString('base64') });
    }
    for (const label of leaves) await this.agent.rawRequest(JSON.stringify({ op: 'forget', party: label }));
    await this.#checkUnchanged('loading a state');
  }
}

/** Lines that hold no request at all. */
function* linesThatAreNoRequests(random) {
  yield* ['{', '{}', '[]', 'null', '7', '"text"', 'true', '{"op":7}', '{"op":null}', '{"op":[]}', '{"op":""}'];
  yield* ['{"op":"nonsense"}', '{"op":"CREATE"}', '{"op":"save"}', '{"op":"save","party":"nobody"}', 'nonsense', '\u0000'];
  yield '['.repeat(DEEP);
  yield `${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}`;
  yield `{"op":"save","party":"${'x'.repeat(LONG)}"}`;
  yield `{"op":"${'x'.repeat(LONG)}"}`;
  yield '{"op":"save","party":"\\ud800"}';
  yield Buffer.from([0xff, 0xfe, 0x80]);
  yield Buffer.concat([Buffer.from('{"op":"save","party":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]);
  for (let i = 0; i < 20; i += 1) {
    const noise = random.bytes(random.between(1, 200)).map((byte) => (byte === 10 || byte === 13 ? 0 : byte));
    yield Buffer.concat([Buffer.from('~'), noise]);
  }
}
