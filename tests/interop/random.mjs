// A small seeded generator (xoshiro128**, seeded through splitmix32), so that a seed names one schedule for good.

const UINT32 = 0x1_0000_0000;

/** Words from splitmix32: spreads neighbouring seeds over the whole state space of the generator. */
function* seedWords(seed) {
  let low = seed >>> 0;
  let high = Math.floor(seed / UINT32) >>> 0;
  for (;;) {
    low = (low + 0x9e3779b9) >>> 0;
    let word = (low ^ high) >>> 0;
    word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    high = Math.imul(high, 0x2c1b3c6d) >>> 0;
    yield (word ^ (word >>> 15)) >>> 0;
  }
}

const rotateLeft = (word, count) => ((word << count) | (word >>> (32 - count))) >>> 0;

export class Random {
  #state;

  /** @param {number} seed any integer from 0 to 2^53 - 1 */
  constructor(seed) {
    const words = seedWords(seed);
    this.#state = Array.from({ length: 4 }, () => words.next().value);
    if (this.#state.every((word) => word === 0)) this.#state[0] = 1;
  }

  /** A uniform 32-bit word. */
  word() {
    const s = this.#state;
    const result = Math.imul(rotateLeft(Math.imul(s[1], 5) >>> 0, 7), 9) >>> 0;
    const shifted = (s[1] << 9) >>> 0;
    s[2] = (s[2] ^ s[0]) >>> 0;
    s[3] = (s[3] ^ s[1]) >>> 0;
    s[1] = (s[1] ^ s[2]) >>> 0;
    s[0] = (s[0] ^ s[3]) >>> 0;
    s[2] = (s[2] ^ shifted) >>> 0;
    s[3] = rotateLeft(s[3], 11);
    return result;
  }

  /** A whole number from 0 to `bound - 1`. */
  below(bound) {
    return Math.floor((this.word() / UINT32) * bound);
  }

  /** A whole number from `low` to `high`, both included. */
  between(low, high) {
    return low + this.below(high - low + 1);
  }

  /** True with the given probability. */
  chance(probability) {
    return this.word() / UINT32 < probability;
  }

  /** One element of a list. */
  pick(list) {
    return list[this.below(list.length)];
  }

  /** One key of an object whose values are weights. */
  weighted(weights) {
    const entries = Object.entries(weights);
    let left = this.below(entries.reduce((sum, [, weight]) => sum + weight, 0));
    for (const [key, weight] of entries) {
      if (left < weight) return key;
      left -= weight;
    }
    throw new Error('weights add up to nothing');
  }

  /** Removes one random element from a list and returns it. */
  take(list) {
    return list.splice(this.below(list.length), 1)[0];
  }

  /** A shuffled copy. */
  shuffled(list) {
    const copy = [...list];
    for (let i = copy.length - 1; i > 0; i -= 1) {
      const j = this.below(i + 1);
      [copy[i], copy[j]] = [copy[j], copy[i]];
    }
    return copy;
  }

  /** `length` random bytes. */
  bytes(length) {
    return Buffer.from(Array.from({ length }, () => this.word() & 0xff));
  }

  /** A random version 4 UUID. */
  uuid() {
    const bytes = this.bytes(16);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = bytes.toString('hex');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  }

  /** A plaintext: often around a cipher block boundary, sometimes empty, rarely a few kilobytes. */
  plaintext() {
    const length = this.chance(0.3) ? this.pick([0, 1, 15, 16, 17, 31, 32, 33]) : this.below(this.chance(0.05) ? 6000 : 200);
    return this.bytes(length);
  }

  /** A copy of `bytes` with one bit flipped at a place in [from, to). */
  flipped(bytes, from = 0, to = bytes.length) {
    const copy = Buffer.from(bytes);
    copy[this.between(from, to - 1)] ^= 1 << this.below(8);
    return copy;
  }
}
