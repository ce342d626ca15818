// Ways to spoil a request: fields that are missing, of the wrong type or out of range, bytes that are badly encoded,
// too short, too long or damaged. A *shape* names each field of a request by its path and says what it holds.

const OVERSIZE = 70_000;

/** What the answer to a spoilt request has to be. */
export const EXPECT = {
  /** The request is not of the agreed form. */
  badRequest: 'badRequest',
  /** Any typed error. */
  refusal: 'refusal',
  /** A typed error, or the same answer as to the request as it was. */
  sameOrRefusal: 'sameOrRefusal',
  /** A typed error or an answer: the value is as good as another. */
  anything: 'anything',
};

const WRONG_TYPES = {
  text: [7, null, true, [], {}],
  number: ['7', null, true, [], {}, 1.5, -1, 1e300],
  flag: ['true', 1, 0, null, [], {}],
  object: ['text', 7, null, true, []],
  list: ['text', 7, null, true, {}, [7], [null]],
};

/**
 * The kinds of fields. `flip`, `cut` and `extend` say what may become of damaged, shortened and lengthened bytes.
 */
export const FIELD = {
  text: { type: 'text' },
  choice: { type: 'text', wrong: ['', 'nonsense', 'PREKEY'] },
  uuid: { type: 'text', wrong: ['', 'nonsense', '00000000-0000-0000-0000-00000000000g'] },
  number: { type: 'number' },
  device: { type: 'number', wrong: [0, 128, 256, 4_294_967_297] },
  uint32: { type: 'number', wrong: [4_294_967_296] },
  version: { type: 'number', wrong: [0, 3, 256, 257] },
  flag: { type: 'flag' },
  object: { type: 'object' },
  list: { type: 'list' },
  optionalList: { type: 'list', optional: true },
  /** An entry of a list, which may as well not be there. */
  entry: { type: 'object', absent: EXPECT.anything },
  optionalUuid: { type: 'text', optional: true, wrong: ['', 'nonsense', '00000000-0000-0000-0000-00000000000g'] },
  registrationId: { type: 'number', wrong: [0x4000, 65_536, 4_294_967_296] },
  /** An object without which the request is well formed, but asks for what nobody allows. */
  neededObject: { type: 'object', absent: EXPECT.refusal },
  optionalObject: { type: 'object', optional: true },
  /** Bytes of which any are good: a plaintext, an id. */
  freeBytes: { type: 'text', bytes: { flip: EXPECT.anything, cut: EXPECT.anything, extend: EXPECT.anything } },
  optionalFreeBytes: {
    type: 'text',
    optional: true,
    bytes: { flip: EXPECT.anything, cut: EXPECT.anything, extend: EXPECT.anything },
  },
  /** A key of one length that nothing vouches for. */
  looseKey: { type: 'text', bytes: { flip: EXPECT.anything, cut: EXPECT.refusal, extend: EXPECT.refusal } },
  /** A key or signature that a signature covers. */
  boundKey: { type: 'text', bytes: { flip: EXPECT.refusal, cut: EXPECT.refusal, extend: EXPECT.refusal } },
  /** An authenticated message: damaged, it is refused, or it is read right where a bit means nothing. */
  message: { type: 'text', bytes: { flip: EXPECT.sameOrRefusal, cut: EXPECT.refusal, extend: EXPECT.sameOrRefusal } },
  /** Structured bytes that nothing authenticates: a distribution message, a stored state. */
  record: { type: 'text', bytes: { flip: EXPECT.anything, cut: EXPECT.refusal, extend: EXPECT.anything } },
};

/**
 * All the ways to spoil one request.
 *
 * @param {object} request
 * @param {Record<string, object>} shape paths such as `bundle.identity` or `peers.0.name`, each with one of `FIELD`
 * @param {Random} random
 * @param {number} flips how many random bits to flip in each field of bytes
 * @returns {Generator<{ request: object, how: string, expect: string }>}
 */
export function* spoilt(request, shape, random, flips) {
  for (const [path, field] of Object.entries(shape)) {
    const left = field.optional ? EXPECT.anything : (field.absent ?? EXPECT.badRequest);
    yield { request: without(request, path), how: `without ${path}`, expect: left };
    yield* wrongValues(request, path, field);
    if (field.bytes !== undefined) yield* wrongBytes(request, path, field.bytes, random, flips);
  }
}

function* wrongValues(request, path, field) {
  for (const value of WRONG_TYPES[field.type]) {
    const absent = field.optional ? EXPECT.anything : (field.absent ?? EXPECT.badRequest);
    const expect = value === null ? absent : EXPECT.badRequest;
    yield { request: withValue(request, path, value), how: `${path} is ${JSON.stringify(value)}`, expect };
  }
  for (const value of field.wrong ?? []) {
    yield { request: withValue(request, path, value), how: `${path} is ${JSON.stringify(value)}`, expect: EXPECT.refusal };
  }
}

function* wrongBytes(request, path, { flip, cut, extend }, random, flips) {
  const text = valueAt(request, path);
  const bytes = Buffer.from(text, 'base64');
  const replaced = (value, how, expect) => ({ request: withValue(request, path, value), how: `${path} ${how}`, expect });
  const encoded = (value, how, expect) => replaced(value.toString('base64'), how, expect);

  for (const broken of [`${text.slice(0, -1)}!`, `${text}=`, `*${text.slice(1)}`, `${text}A`, 'not base64']) {
    yield replaced(broken, `is no base64 (${broken.slice(-8)})`, EXPECT.badRequest);
  }
  if (bytes.length > 0) {
    yield encoded(Buffer.alloc(0), 'is empty', cut);
    yield encoded(bytes.subarray(0, 1), 'is one byte', bytes.length > 1 ? cut : EXPECT.anything);
    yield encoded(bytes.subarray(0, -1), 'lacks its last byte', cut);
    yield encoded(bytes.subarray(1), 'lacks its first byte', cut);
    yield encoded(bytes.subarray(0, random.below(bytes.length)), 'is cut', cut);
    for (let i = 0; i < flips; i += 1) yield encoded(random.flipped(bytes), 'has a flipped bit', flip);
  }
  yield encoded(Buffer.concat([bytes, Buffer.from([0])]), 'has a byte too many', extend);
  yield encoded(Buffer.concat([bytes, Buffer.alloc(OVERSIZE)]), 'is oversized', extend);
  const randomExpect = flip === EXPECT.anything ? EXPECT.anything : EXPECT.refusal;
  yield encoded(random.bytes(random.between(1, 3000)), 'is random', randomExpect);
}

function valueAt(request, path) {
  return path.split('.').reduce((value, key) => value[key], request);
}

function withValue(request, path, value) {
  const [key, ...rest] = path.split('.');
  const changed = rest.length === 0 ? value : withValue(request[key], rest.join('.'), value);
  return Array.isArray(request) ? request.with(Number(key), changed) : { ...request, [key]: changed };
}

function without(request, path) {
  const [key, ...rest] = path.split('.');
  if (rest.length > 0) return withValue(request, key, without(request[key], rest.join('.')));
  if (Array.isArray(request)) return request.toSpliced(Number(key), 1);
  const { [key]: _, ...others } = request;
  return others;
}
