const PROTO = '\x80\x02';
const GLOBAL = 'ctorch._utils\n_rebuild_tensor_v2\n';
const STORAGE = '(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ';
const int = (/** @type {number} */ n) => `J${String.fromCharCode(n & 255, (n >> 8) & 255, (n >> 16) & 255, n >>> 24)}`;
const key = (/** @type {string} */ name) => `X${String.fromCharCode(name.length)}\x00\x00\x00${name}`;
const tensor = (/** @type {string} */ offset, /** @type {string} */ size, /** @type {string} */ stride) =>
  `${GLOBAL}(${STORAGE}${offset}${size}${stride}\x89NtR`;
const dict = (/** @type {string} */ entries) => `${PROTO}}(${entries}u.`;

/** Dicts each of which holds the one before it twice. */
const doubling = (/** @type {number} */ n) =>
  `}q\x00${'0}(X\x01\x00\x00\x00ah\x00X\x01\x00\x00\x00bh\x00uq\x00'.repeat(n)}.`;

/** The state dict of a GRU(1000, 1000) in float16, two storages of 6 MB each. */
export function halfGru() {
  const half = (/** @type {string} */ id) =>
    `${GLOBAL}((X\x07\x00\x00\x00storagectorch\nHalfStorage\nX\x01\x00\x00\x00${id}X\x03\x00\x00\x00cpu${int(3e6)}tQK\x00${int(3000)}${int(1000)}\x86${int(1000)}K\x01\x86\x89NtR`;
  const text = dict(key('weight_ih_l0') + half('0') + key('weight_hh_l0') + half('1'));
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/** Pickles made to hurt. @returns {[name: string, bytes: Uint8Array][]} */
export function pickles() {
  /** @type {Record<string, string>} */
  const all = {
    'a state dict': dict(key('fc.weight') + tensor('K\x00', 'K\x02K\x02\x86', 'K\x02K\x01\x86')),
    'strides of 0': dict(key('fc.weight') + tensor('K\x00', `${int(100_000)}${int(100_000)}\x86`, 'K\x00K\x00\x86')),
    'strides of 0, less': dict(key('fc.weight') + tensor('K\x00', `${int(3000)}${int(1000)}\x86`, 'K\x00K\x00\x86')),
    'many views of strides of 0': dict(
      Array.from(
        { length: 60 },
        (_, i) => key(`weight_hh_l${i}`) + tensor('K\x00', `${int(3000)}${int(1000)}\x86`, 'K\x00K\x00\x86'),
      ).join(''),
    ),
    'a negative stride': dict(key('fc.weight') + tensor('K\x00', 'K\x02K\x02\x86', `K\x02${int(-1)}\x86`)),
    'many axes': dict(key('fc.weight') + tensor('K\x00', `(${int(0x7fffffff).repeat(60)}t`, `(${'K\x00'.repeat(60)}t`)),
    'a list in itself': `${PROTO}]q\x00h\x00a.`,
    'a dict in itself': `${PROTO}}q\x00X\x01\x00\x00\x00ah\x00s.`,
    'a tuple in itself by a list': `${PROTO}]q\x00h\x00\x85a.`,
    'a huge integer': `${PROTO}\x8b\x00\x00\x10\x00${'\xff'.repeat(0x100000)}.`,
    'a huge text': `${PROTO}X\xff\xff\xff\x7f.`,
    'a decimal integer': `${PROTO}L${'9'.repeat(100_000)}L\n.`,
    'a short decimal integer': `${PROTO}L${'9'.repeat(300)}L\n.`,
    'lists in lists': `${PROTO}${']'.repeat(1e6)}${'a'.repeat(1e6 - 1)}.`,
    'a few lists in lists': `${PROTO}${']'.repeat(2000)}${'a'.repeat(1999)}.`,
    'tuples in tuples': `${PROTO})${'\x85'.repeat(1e6)}.`,
    'many dicts': `${PROTO}(${'}'.repeat(1e6)}t.`,
    'many marks': `${PROTO}${'('.repeat(1e6)}`,
    'many memos': `${PROTO}${'N\x94'.repeat(1e6)}.`,
    'a far memo': `${PROTO}Nr\xff\xff\xff\x7f.`,
    'a value many times': `${PROTO}]${'2'.repeat(1e6)}`,
    'dicts that double': PROTO + doubling(60_000),
    'a few dicts that double': PROTO + doubling(40),
    'a dict copied': `${PROTO}](N\x85\x85${'NN\x86'.repeat(1e5)}eq\x00${'0ccollections\nOrderedDict\nh\x00\x85R'.repeat(20_000)}.`,
    frames: `\x80\x04${'\x95\x00\x00\x00\x00\x00\x00\x00\x00'.repeat(1e5)}N.`,
    'a long frame': '\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.',
    'a function': `${PROTO}cos\nsystem\nX\x02\x00\x00\x00ls\x85R.`,
    'a prototype': `${PROTO}}X\x09\x00\x00\x00__proto__}X\x01\x00\x00\x00aNss.`,
  };
  return Object.entries(all).map(([name, text]) => [name, Uint8Array.from(text, (c) => c.charCodeAt(0))]);
}

/** Programs whose modules hold each other. @returns {[name: string, bytes: Uint8Array][]} */
export function programs() {
  const module = 'c__torch__.M\nM\nq\x01)\x81';
  const two = '}(X\x01\x00\x00\x00ah\x00X\x01\x00\x00\x00bh\x00ub';
  const name = (/** @type {number} */ n) => `X${String.fromCharCode(n & 255, n >> 8)}\x00\x00${'n'.repeat(n)}`;
  const pickled = {
    'a module in itself': `${module}q\x00}X\x01\x00\x00\x00ah\x00sb.`,
    'modules that share': `${module}q\x00${`0h\x01)\x81${two}q\x00`.repeat(60)}.`,
    'many modules that share': `${module}q\x00${`0h\x01)\x81${two}q\x00`.repeat(20_000)}.`,
    'long names': `${module}q\x00${`0h\x01)\x81}${name(60_000)}h\x00sbq\x00`.repeat(40)}.`,
    'a module of a list': `${module}]b.`,
    'a program of nothing': `${module}}b.`,
    'a script of another': 'c__torch__.torch.nn\nM\n)\x81}X\x06\x00\x00\x00weightcos\nsystem\nsb.',
  };
  return Object.entries(pickled).map(([title, text]) => [title, Uint8Array.from(PROTO + text, (c) => c.charCodeAt(0))]);
}
