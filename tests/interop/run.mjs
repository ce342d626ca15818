// Runs random seeded schedules between two implementations and counts how many went as the model foretells.
//
//   node run.mjs --schedules 200 --seed 1 [--only KIND] [--pair agent-official|official-official|agent-agent]
//                [--agent PATH] [--verbose]

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { AgentParty } from './agent-party.mjs';
import { AgentPool } from './agent-process.mjs';
import { OfficialParty } from './official-party.mjs';
import { check } from './party.mjs';
import { Random } from './random.mjs';
import { epochSchedule } from './schedules/epochs.mjs';
import { fingerprintSchedule } from './schedules/fingerprint.mjs';
import { flightSchedule } from './schedules/flights.mjs';
import { groupSchedule } from './schedules/group.mjs';
import { importSchedule } from './schedules/record-import.mjs';
import { malformedSchedule } from './schedules/malformed.mjs';
import { sealedSchedule } from './schedules/sealed.mjs';
import { sessionSchedule } from './schedules/session.mjs';

const BUILT_AGENT = fileURLToPath(new URL('../../target/release/examples/conformance', import.meta.url));
const LARGEST_REGISTRATION_ID = 0x3fff;
const TRACE_LINES = 30;

const PAIRS = {
  'agent-official': ['agent', 'official'],
  'official-official': ['official', 'official'],
  'agent-agent': ['agent', 'agent'],
};

const KINDS = {
  session: sessionSchedule,
  epochs: epochSchedule,
  flights: flightSchedule,
  group: groupSchedule,
  sealed: sealedSchedule,
  fingerprint: fingerprintSchedule,
  import: importSchedule,
  malformed: malformedSchedule,
};

/** The kind of a seed: twenty seeds in a row hold them in these proportions. */
const ROTA = [
  'session', 'group', 'session', 'sealed', 'session', 'import', 'group', 'session', 'flights', 'malformed',
  'session', 'epochs', 'group', 'session', 'sealed', 'import', 'session', 'group', 'fingerprint', 'session',
];

const { values: options } = parseArgs({
  options: {
    schedules: { type: 'string', default: '200' },
    seed: { type: 'string' },
    only: { type: 'string' },
    pair: { type: 'string', default: 'agent-official' },
    agent: { type: 'string', default: process.env.UNDERTONE_AGENT ?? BUILT_AGENT },
    verbose: { type: 'boolean', default: false },
  },
});

process.exitCode = await main();

async function main() {
  const schedules = wholeNumber(options.schedules, '--schedules');
  const firstSeed = options.seed === undefined ? Date.now() % 1_000_000_000 : wholeNumber(options.seed, '--seed');
  const pairing = PAIRS[options.pair];
  if (pairing === undefined) return usage(`--pair is one of ${Object.keys(PAIRS).join(', ')}`);
  if (options.only !== undefined && !(options.only in KINDS)) return usage(`--only is one of ${Object.keys(KINDS).join(', ')}`);
  console.log(`${schedules} schedules from seed ${firstSeed}, ${options.pair}`);

  const pool = new AgentPool(options.agent);
  const counts = new Map();
  for (let i = 0; i < schedules; i += 1) {
    const seed = firstSeed + i;
    const kind = options.only ?? ROTA[seed % ROTA.length];
    if (!appliesTo(kind, pairing)) continue;
    const count = counts.get(kind) ?? { passed: 0, failed: 0, events: 0, milliseconds: 0 };
    counts.set(kind, count);
    const begun = performance.now();
    const { passed, events } = await runSchedule(kind, seed, pairing, pool);
    count[passed ? 'passed' : 'failed'] += 1;
    count.events += events;
    count.milliseconds += performance.now() - begun;
  }
  const endedWell = await pool.close();
  return report(counts, endedWell);
}

/** Malformed requests concern the agent alone. */
function appliesTo(kind, pairing) {
  return kind !== 'malformed' || pairing.includes('agent');
}

/** Runs one schedule; returns whether it passed, and how many events it had. A schedule without any proves nothing. */
async function runSchedule(kind, seed, pairing, pool) {
  const lines = [];
  const parties = [];
  const random = new Random(seed);
  const world = {
    random,
    pairing: random.chance(0.5) ? pairing : [...pairing].reverse(),
    trace: (line) => lines.push(line),
    newParty: async (implementation, given = {}) => {
      const party = await createParty(implementation, given, random, pairing, pool);
      parties.push(party);
      return party;
    },
    agents: () => pool.processes(),
  };
  try {
    await KINDS[kind](world);
    check(lines.length > 0, 'nothing happened in this schedule');
    await Promise.all(parties.map((party) => party.end()));
    return { passed: true, events: lines.length };
  } catch (error) {
    console.log(`FAILED ${kind}: ${error.message}`);
    console.log(`  again: node run.mjs --pair ${options.pair} --only ${kind} --seed ${seed} --schedules 1 --verbose`);
    if (options.verbose) {
      for (const line of lines.slice(-TRACE_LINES)) console.log(`    ${line}`);
      console.log(error.stack.split('\n').slice(1).join('\n'));
    }
    return { passed: false, events: lines.length };
  }
}

/** A party of an implementation; in a pairing without agents the official client plays every part. */
async function createParty(implementation, given, random, pairing, pool) {
  const account = {
    name: given.name ?? random.uuid(),
    device: given.device ?? random.between(1, 127),
    registrationId: given.registrationId ?? random.between(1, LARGEST_REGISTRATION_ID),
    identityPrivate: given.identityPrivate,
    profile: given.profile,
  };
  const byAgent = implementation === 'agent' && pairing.includes('agent');
  return byAgent ? AgentParty.create(await pool.processes(), account) : OfficialParty.create(account);
}

function report(counts, endedWell) {
  let passed = 0;
  let failed = 0;
  console.log('');
  row('kind', 'passed', 'failed', 'events', 'seconds');
  for (const kind of Object.keys(KINDS)) {
    const count = counts.get(kind);
    if (count === undefined) continue;
    passed += count.passed;
    failed += count.failed;
    row(kind, count.passed, count.failed, count.events, (count.milliseconds / 1000).toFixed(1));
  }
  if (!endedWell) {
    console.log('FAILED: the agent did not exit with code 0 at the end of its input');
    failed += 1;
  }
  if (passed + failed === 0) {
    console.log('FAILED: no schedule was run');
    failed += 1;
  }
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function row(kind, ...columns) {
  console.log(kind.padEnd(12) + columns.map((column) => String(column).padStart(9)).join(''));
}

function wholeNumber(text, option) {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`${option} takes a whole number, not ${text}`);
  return number;
}

function usage(message) {
  console.error(message);
  return 2;
}
