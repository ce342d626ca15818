// Safety numbers: the same sixty digits on both sides, and scannable codes that each side's reader accepts.

import { officialScan, OfficialParty } from '../official-party.mjs';
import { check, checkBytes } from '../party.mjs';

const ROUNDS = 4;

export async function fingerprintSchedule({ random, trace, newParty, pairing }) {
  for (let i = 0; i < ROUNDS; i += 1) {
    const [left, right] = [await newParty(pairing[0]), await newParty(pairing[1])];
    const [leftId, rightId] = [stableId(random), stableId(random)];
    const version = random.pick([1, 2]);
    trace(`version ${version}, ids of ${leftId.length} and ${rightId.length} bytes`);

    const ofLeft = await numberOf(left, leftId, right, rightId, version);
    const ofRight = await numberOf(right, rightId, left, leftId, version);
    check(/^[0-9]{60}$/.test(ofLeft.display), `not sixty digits: ${ofLeft.display}`);
    check(ofLeft.display === ofRight.display, `the sides show ${ofLeft.display} and ${ofRight.display}`);
    check(await officialScan(ofLeft.scannable, ofRight.scannable), 'left does not accept the code of right');
    check(await officialScan(ofRight.scannable, ofLeft.scannable), 'right does not accept the code of left');

    await checkAgainstOfficial(left, leftId, right, rightId, version, ofLeft);
    await checkAgainstOfficial(right, rightId, left, leftId, version, ofRight);

    const other = await numberOf(left, leftId, right, stableId(random), version);
    check(other.display !== ofLeft.display, 'another id gives the same safety number');
    check(!(await officialScan(other.scannable, ofRight.scannable)), 'a code for another id is accepted');
  }
}

const numberOf = (party, localId, peer, remoteId, version) =>
  party.fingerprint({ localId, remoteId, remoteIdentity: peer.identity, version });

/** Byte for byte what the official client makes of the same keys and ids. */
async function checkAgainstOfficial(party, localId, peer, remoteId, version, made) {
  if (!party.isAgent) return;
  const reference = await OfficialParty.create({ ...party, identityPrivate: undefined });
  reference.identity = party.identity;
  const expected = await numberOf(reference, localId, peer, remoteId, version);
  check(made.display === expected.display, `the agent shows ${made.display}, the official client ${expected.display}`);
  checkBytes(made.scannable, expected.scannable, 'the scannable code');
}

/** A phone number, the bytes of an account id, or anything. */
function stableId(random) {
  const shape = random.below(3);
  if (shape === 0) return Buffer.from(`+${random.between(1_000_000, 99_999_999_999)}`);
  return random.bytes(shape === 1 ? 16 : random.between(1, 64));
}
