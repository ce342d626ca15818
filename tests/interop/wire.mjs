// Just enough of the Signal wire format to aim a fault and to watch the post-quantum epoch go by: where the fields of a
// PreKey message lie, and which epoch a message negotiates. Written from the published facts, not a decoder.

const LENGTH_DELIMITED = 2;
const MAC_LENGTH = 8;

/**
 * The top-level fields of a protobuf: number, and where the value lies.
 *
 * @returns {{ number: number, start: number, end: number, value?: number }[]}
 */
export function protobufFields(bytes, start, end) {
  const fields = [];
  let at = start;
  while (at < end) {
    const [tag, afterTag] = readVarint(bytes, at);
    const number = Math.floor(tag / 8);
    const [value, afterValue] = readVarint(bytes, afterTag);
    if (tag % 8 === LENGTH_DELIMITED) {
      fields.push({ number, start: afterValue, end: afterValue + value });
      at = afterValue + value;
    } else {
      fields.push({ number, start: afterTag, end: afterValue, value });
      at = afterValue;
    }
  }
  return fields;
}

/** Where the inner message and the base key lie in a PreKey message: the parts that no flipped bit may survive in. */
export function guardedRanges(preKeyMessage) {
  const fields = protobufFields(preKeyMessage, 1, preKeyMessage.length);
  return fields.filter(({ number }) => number === 2 || number === 4).map(({ start, end }) => ({ start, end }));
}

/** The post-quantum epoch that a message negotiates: field 5 of the SignalMessage, after its version byte. */
export function negotiatedEpoch({ type, bytes }) {
  let message = bytes;
  if (type === 'prekey') {
    const inner = protobufFields(bytes, 1, bytes.length).find(({ number }) => number === 4);
    message = bytes.subarray(inner.start, inner.end);
  }
  const fields = protobufFields(message, 1, message.length - MAC_LENGTH);
  const postQuantum = fields.find(({ number }) => number === 5);
  return readVarint(message, postQuantum.start + 1)[0];
}

/** Reads a varint that fits a JavaScript number; returns it and the place after it. */
function readVarint(bytes, at) {
  let value = 0;
  let scale = 1;
  for (let i = at; i < bytes.length; i += 1) {
    value += (bytes[i] & 0x7f) * scale;
    if (bytes[i] < 0x80) return [value, i + 1];
    scale *= 128;
  }
  throw new Error('a varint without an end');
}
