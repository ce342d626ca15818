// What a schedule may ask of a device, whichever implementation stands behind it, and how that device says no.
//
// A *party* is one device of one user with its own state. `AgentParty` and `OfficialParty` have the same methods, all
// asynchronous, bytes as Buffers:
//
//   identity, name, device, registrationId       public identity key (33 bytes) and address, as plain properties
//   bundle(oneTime)                              a prekey bundle (as the agent's requests have it, its keys as Buffers)
//   processBundle(peer, bundle)                  starts a session with a peer
//   encrypt(peer, plaintext)                     -> { type: 'prekey' | 'message', bytes }
//   decrypt(peer, { type, bytes })               -> plaintext
//   distribution(group)                          -> the sender-key distribution message
//   processDistribution(peer, bytes)
//   groupEncrypt(group, plaintext)               -> bytes
//   groupDecrypt(peer, bytes)                    -> plaintext
//   fingerprint({ localId, remoteId, remoteIdentity, version })   -> { display, scannable }
//   certificate({ trustRootPrivate, serverPrivate, serverId, expires })   -> bytes
//   sealedEncrypt({ peer, plaintext, certificate, groupId, version })     -> bytes
//   sealedGroupEncrypt({ accounts, excluded, group, plaintext, certificate, groupId })
//                                                -> bytes: a group message in the form in which it goes to the server.
//                                                An account is { name, devices }, its devices are parties
//   sealedDecrypt({ bytes, trustRoot, timestamp })   -> { plaintext, sender: { name, device }, groupId }
//   session(peer)                                what the current session is (the agent only; null elsewhere)
//   importSession(peer, record)                  takes over a session record of the official client
//   save()                                       the whole state; the same state always gives the same bytes
//   restarted()                                  a party that goes on from the saved state, and ends this one
//   end()                                        forgets the party
//
// A peer is anything with `name` and `device`.

/** A device declined an operation, as it should when the input is bad. Everything else that is thrown is a defect. */
export class Refusal extends Error {
  /**
   * @param {string} kind an error kind of the agent, or `refused` where the implementation does not say which
   * @param {string} detail
   */
  constructor(kind, detail) {
    super(`${kind}: ${detail}`);
    this.name = 'Refusal';
    this.kind = kind;
    this.detail = detail;
  }
}

/** The kinds of errors that the agent answers, as the header of `examples/conformance.rs` names them. */
export const ERROR_KINDS = new Set([
  'bad_request',
  'no_session',
  'untrusted_identity',
  'duplicate',
  'invalid_message',
  'invalid_key',
  'invalid_signature',
  'unknown_prekey',
  'no_sender_key',
  'too_far_ahead',
  'unsupported_version',
  'expired',
  'internal',
]);

/** The kinds that the official client tells apart as well; of the others it only says that it refused. */
const ALWAYS_TOLD_APART = new Set(['duplicate', 'untrusted_identity']);

/** Fails the schedule unless `condition` holds. */
export function check(condition, message) {
  if (!condition) throw new Error(message);
}

/** Fails the schedule unless two byte strings are the same. */
export function checkBytes(actual, expected, what) {
  const same = Buffer.compare(Buffer.from(actual), Buffer.from(expected)) === 0;
  check(same, `${what}: expected ${hexStart(expected)}, found ${hexStart(actual)}`);
}

/**
 * Runs an operation that must be refused, and must leave the party exactly as it was.
 *
 * `kinds`: the kinds that are right where the implementation tells them apart; empty when any typed refusal will do.
 */
export async function expectRefusal(party, operation, what, kinds = []) {
  const before = await party.save();
  let answer;
  try {
    answer = await operation();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    check(error.kind !== 'internal', `${what}: refused as internal (${error.detail})`);
    check(error.kind !== 'bad_request', `${what}: a well-formed request was refused as bad_request (${error.detail})`);
    check(isRightKind(error.kind, kinds), `${what}: expected ${kinds.join(' or ')}, refused as ${error.message}`);
    checkBytes(await party.save(), before, `${what}: the refused operation changed the state`);
    return error;
  }
  throw new Error(`${what}: accepted, though it had to be refused; answer ${describe(answer)}`);
}

function isRightKind(kind, kinds) {
  if (kinds.length === 0 || kinds.includes(kind)) return true;
  return kind === 'refused' && !kinds.every((expected) => ALWAYS_TOLD_APART.has(expected));
}

function hexStart(bytes) {
  const buffer = Buffer.from(bytes);
  const hex = buffer.subarray(0, 24).toString('hex');
  return `${buffer.length} bytes ${hex}${buffer.length > 24 ? '…' : ''}`;
}

function describe(answer) {
  return Buffer.isBuffer(answer) ? hexStart(answer) : String(JSON.stringify(answer)).slice(0, 200);
}
