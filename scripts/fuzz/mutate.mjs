/** @typedef {import('./random.mjs').Random} Random */
/** @typedef {(bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array} Mutator */

/** Most that one input may grow to, as a multiple of its seed. */
const MOST_GROWTH = 4;
const NUMBERS = [
  ...['0', '1', '-1', '2', '7', '0.5', '-0', '1e400', '-1e308', '1e9', '65535', '65536', '2147483647', '2147483648'],
  ...['4294967295', '4294967296', '9007199254740991', '9007199254740993', '18446744073709551616', 'null', '[]', '{}'],
];
const TOKENS = [
  '[',
  ']',
  '{',
  '}',
  ',',
  ':',
  '"',
  '\\',
  'null',
  'true',
  '"__proto__"',
  '"constructor"',
  '\0',
  '\n.',
  '\\u0000',
];

const text = (/** @type {string} */ s) => Uint8Array.from(s, (c) => c.charCodeAt(0));

/** Puts `part` in the place of the bytes from `start` to `end`. */
function splice(
  /** @type {Uint8Array} */ bytes,
  /** @type {number} */ start,
  /** @type {number} */ end,
  /** @type {Uint8Array} */ part,
) {
  const out = new Uint8Array(start + part.length + Math.max(0, bytes.length - end));
  out.set(bytes.subarray(0, start));
  out.set(part, start);
  out.set(bytes.subarray(end), start + part.length);
  return out;
}

/** A length: mostly short. */
const stretch = (/** @type {Random} */ random, /** @type {number} */ most) =>
  1 + random.below(Math.max(1, Math.min(most, 2 ** (1 + random.below(12)))));

function integer(/** @type {Random} */ random, /** @type {number} */ length) {
  const bits = BigInt(random.below(65));
  switch (random.below(6)) {
    case 0:
      return BigInt(random.pick([0, 1, -1, 2, 255, 256, 65535, length, length - 1, length + 1, length * 2]));
    case 1:
      return (1n << bits) - 1n;
    case 2:
      return 1n << bits;
    case 3:
      return -(1n << bits);
    case 4:
      return BigInt(random.below(length + 1));
    default:
      return BigInt(Math.floor(random.next() * 2 ** 53)) << BigInt(random.below(12));
  }
}

function write(
  /** @type {Uint8Array} */ bytes,
  /** @type {number} */ at,
  /** @type {bigint} */ value,
  /** @type {number} */ size,
  little = true,
) {
  for (let i = 0; i < size; i++) {
    const place = at + (little ? i : size - 1 - i);
    if (place < bytes.length) bytes[place] = Number((value >> BigInt(8 * i)) & 255n);
  }
}

function varint(/** @type {bigint} */ value) {
  const out = [];
  let rest = BigInt.asUintN(64, value);
  do {
    out.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(out);
}

/** The stretch of digits at or behind a random place. */
function digits(/** @type {Uint8Array} */ bytes, /** @type {Random} */ random) {
  const isDigit = (/** @type {number} */ i) => bytes[i] >= 0x30 && bytes[i] <= 0x39;
  let start = random.below(bytes.length);
  for (let tries = 0; tries < 2000 && !isDigit(start); tries++) start = (start + 1) % bytes.length;
  if (!isDigit(start)) return undefined;
  while (start > 0 && isDigit(start - 1)) start--;
  let end = start;
  while (isDigit(end)) end++;
  return [start, end];
}

/** @type {Mutator[]} */
const MUTATORS = [
  (bytes, random) => {
    bytes[random.below(bytes.length)] ^= 1 << random.below(8);
    return bytes;
  },
  (bytes, random) => {
    bytes[random.below(bytes.length)] = random.below(256);
    return bytes;
  },
  (bytes, random) => {
    const at = random.below(bytes.length);
    return bytes.fill(random.pick([0, 0x7f, 0x80, 0xff, 0x20, 0x5b]), at, at + stretch(random, 64));
  },
  (bytes, random) => {
    const size = random.pick([1, 2, 4, 8]);
    // Fields of most formats are aligned.
    const at = random.next() < 0.5 ? random.below(bytes.length) : random.below(bytes.length / size + 1) * size;
    write(bytes, at, integer(random, bytes.length), size, random.next() < 0.7);
    return bytes;
  },
  (bytes, random) => {
    const size = random.pick([1, 2, 4, 8]);
    const [a, b] = [random.below(bytes.length / size) * size, random.below(bytes.length / size) * size];
    const kept = bytes.slice(a, a + size);
    bytes.copyWithin(a, b, b + size);
    bytes.set(kept.subarray(0, bytes.length - b), b);
    return bytes;
  },
  (bytes, random) => {
    bytes[random.below(bytes.length)] += random.pick([1, -1, 2, -2, 16, 128]);
    return bytes;
  },
  (bytes, random) => bytes.slice(0, random.below(bytes.length)),
  (bytes, random) => {
    const at = random.below(bytes.length);
    const part = bytes.slice(at, at + stretch(random, bytes.length));
    const to = random.below(bytes.length);
    return splice(bytes, to, random.next() < 0.5 ? to : to + part.length, part);
  },
  (bytes, random) => {
    const at = random.below(bytes.length);
    return splice(bytes, at, at + stretch(random, bytes.length / 2), new Uint8Array());
  },
  (bytes, random) => {
    const at = random.below(bytes.length);
    const part = bytes.slice(at, at + stretch(random, 64));
    const times = stretch(random, 512);
    const all = new Uint8Array(part.length * times);
    for (let i = 0; i < times; i++) all.set(part, i * part.length);
    return splice(bytes, at, at, all);
  },
  (bytes, random, other) => {
    const at = random.below(other.length);
    const part = other.subarray(at, random.next() < 0.3 ? other.length : at + stretch(random, other.length));
    // Half of the time to the same place: files of one program are alike.
    const to = random.next() < 0.5 ? Math.min(at, bytes.length) : random.below(bytes.length);
    return splice(bytes, to, random.next() < 0.3 ? bytes.length : to + part.length, part);
  },
  (bytes, random) => {
    const found = digits(bytes, random);
    return found ? splice(bytes, found[0], found[1], text(random.pick(NUMBERS))) : bytes;
  },
  (bytes, random) => {
    const token = text(random.pick(TOKENS).repeat(random.next() < 0.1 ? stretch(random, 2000) : 1));
    const at = random.below(bytes.length);
    return splice(bytes, at, random.next() < 0.5 ? at : at + token.length, token);
  },
  (bytes, random) => {
    const part = varint(integer(random, bytes.length));
    const at = random.below(bytes.length);
    return splice(bytes, at, random.next() < 0.3 ? at : at + random.pick([1, part.length]), part);
  },
];

/**
 * A damaged copy.
 *
 * @type {Mutator}
 */
export function mutate(bytes, random, other) {
  let out = bytes.slice();
  const most = Math.max(4096, bytes.length * MOST_GROWTH);
  for (let n = 1 + Math.floor(random.next() ** 3 * 8); n > 0 && out.length > 0; n--) {
    out = random.pick(MUTATORS)(out, random, other);
  }
  return out.length > most ? out.slice(0, most) : out;
}
