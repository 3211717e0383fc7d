/** Bytes of protobuf: varints and fields with a length, all that these graphs need. */
function varint(/** @type {number} */ value) {
  const out = [];
  for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
    if (rest < 128n) return Buffer.from([...out, Number(rest)]);
    out.push(Number(rest & 127n) | 128);
  }
}
const number = (/** @type {number} */ field, /** @type {number} */ value) =>
  Buffer.concat([varint(field << 3), varint(value)]);
function put(/** @type {number} */ field, /** @type {Buffer | string} */ content) {
  const bytes = Buffer.from(content);
  return Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes]);
}

const attribute = (/** @type {string} */ name, /** @type {number | number[]} */ value) =>
  typeof value === 'number'
    ? Buffer.concat([put(1, name), number(3, value), number(20, 2)])
    : Buffer.concat([put(1, name), ...value.map((v) => number(8, v)), number(20, 7)]);

const node = (
  /** @type {string} */ op,
  /** @type {string[]} */ inputs,
  output = 'y',
  /** @type {Record<string, number | number[]>} */ attributes = {},
) =>
  Buffer.concat([
    ...inputs.map((input) => put(1, input)),
    put(2, output),
    put(3, output),
    put(4, op),
    ...Object.entries(attributes).map(([name, value]) => put(5, attribute(name, value))),
  ]);

/** A tensor of float32 (1) or int64 (7). */
function tensor(/** @type {string} */ name, /** @type {number[]} */ shape, /** @type {number[]} */ values, dtype = 7) {
  const data = dtype === 7 ? BigInt64Array.from(values, BigInt) : Float32Array.from(values);
  return Buffer.concat([
    ...shape.map((d) => number(1, d)),
    number(2, dtype),
    put(8, name),
    put(9, Buffer.from(data.buffer)),
  ]);
}

function model(/** @type {Buffer[]} */ nodes, /** @type {Buffer[]} */ tensors = [], more = Buffer.alloc(0)) {
  const dimension = (/** @type {string | number} */ d) => put(1, typeof d === 'number' ? number(1, d) : put(2, d));
  const type = put(1, Buffer.concat([number(1, 1), put(2, Buffer.concat(['t', 'b', 2].map(dimension)))]));
  const graph = [...nodes.map((n) => put(1, n)), put(2, 'g'), ...tensors.map((t) => put(5, t))];
  graph.push(put(11, Buffer.concat([put(1, 'x'), put(2, type)])), put(12, put(1, 'y')), more);
  const opset = put(8, Buffer.concat([put(1, ''), number(2, 17)]));
  return Buffer.concat([number(1, 8), put(2, 'test'), put(7, Buffer.concat(graph)), opset]);
}

const chain = (/** @type {number} */ n, /** @type {(from: string, to: string) => Buffer} */ make, first = 'c') =>
  Array.from({ length: n }, (_, i) => make(i === 0 ? first : `c${i}`, `c${i + 1}`));
const twice = (/** @type {number} */ axis) => (/** @type {string} */ from, /** @type {string} */ to) =>
  node('Concat', [from, from], to, { axis });

/** Messages inside of each other. */
function nested(/** @type {number} */ depth, /** @type {(inner: Buffer) => Buffer} */ wrap) {
  let bytes = Buffer.alloc(0);
  for (let i = 0; i < depth; i++) bytes = wrap(bytes);
  return bytes;
}
const subgraph = (/** @type {Buffer} */ inner) =>
  Buffer.concat([put(4, 'If'), put(5, Buffer.concat([put(1, 'then_branch'), put(6, put(1, inner)), number(20, 5)]))]);

/** Graphs made to hurt. @returns {[name: string, bytes: Uint8Array][]} */
export function graphs() {
  const huge = 2 ** 40;
  const ints = (/** @type {string} */ name, /** @type {number[]} */ values) => tensor(name, [values.length], values);
  const c = tensor('c', [1, 2], [1, 2], 1);
  /** @type {Record<string, Buffer>} */
  const all = {
    'a circle': model([node('Add', ['x', 'b'], 'a'), node('Add', ['x', 'a'], 'b'), node('Identity', ['b'])]),
    itself: model([node('Add', ['x', 'y'])]),
    'a huge shape': model([node('Add', ['x', 'c'])], [tensor('c', [huge, huge], [], 1)]),
    'a huge range': model(
      [node('Range', ['s', 'e', 'd'], 'r'), node('Add', ['x', 'r'])],
      [tensor('s', [], [0]), tensor('e', [], [huge]), tensor('d', [], [1])],
    ),
    'a large range': model(
      [node('Range', ['s', 'e', 'd'], 'r'), node('Add', ['x', 'r'])],
      [tensor('s', [], [0]), tensor('e', [], [3e6]), tensor('d', [], [1])],
    ),
    'a huge constant': model(
      [node('ConstantOfShape', ['s'], 'z'), node('Add', ['z', 'z'], 'w'), node('Add', ['x', 'w'])],
      [ints('s', [huge, huge])],
    ),
    'a large constant': model(
      [node('ConstantOfShape', ['s'], 'z'), node('Add', ['z', 'z'], 'w'), node('Add', ['x', 'w'])],
      [ints('s', [3000, 1000])],
    ),
    'large constants': model(
      [
        node('ConstantOfShape', ['s'], 'c'),
        ...chain(40, (from, to) => node('Add', [from, from], to)),
        node('Add', ['x', 'c40']),
      ],
      [ints('s', [1000, 1000])],
    ),
    'constants that double': model([...chain(60, twice(0)), node('Add', ['x', 'c60'])], [c]),
    'features that double': model([...chain(60, twice(2), 'x'), node('Relu', ['c60'])]),
    'an outer product': model(
      [
        ...chain(16, twice(0)),
        node('Unsqueeze', ['c16', 'a'], 'r'),
        node('Unsqueeze', ['c16', 'b'], 's'),
        node('Add', ['r', 's'], 'q'),
        node('Add', ['x', 'q']),
      ],
      [tensor('c', [1], [1], 1), ints('a', [0]), ints('b', [1])],
    ),
    'a huge expansion': model([node('Expand', ['c', 's'], 'e'), node('Add', ['x', 'e'])], [c, ints('s', [huge, 1, 2])]),
    'a large expansion': model([node('Expand', ['c', 's'], 'e'), node('Add', ['x', 'e'])], [c, ints('s', [2e6, 1, 2])]),
    'a huge tile': model([node('Tile', ['c', 's'], 'e'), node('Add', ['x', 'e'])], [c, ints('s', [huge, huge])]),
    'a huge reshape': model([node('Reshape', ['x', 's'])], [ints('s', [huge, huge, -1])]),
    'a far slice': model(
      [node('Slice', ['x', 's', 'e', 'a'])],
      [ints('s', [-huge]), ints('e', [huge]), ints('a', [2])],
    ),
    'a far index': model([node('Gather', ['x', 'i'], 'y', { axis: 2 })], [ints('i', [huge])]),
    'a long chain': model([
      ...chain(20_000, (from, to) => node('Identity', [from], to), 'x'),
      node('Relu', ['c20000']),
    ]),
    'a long chain of constants': model(
      [...chain(20_000, (from, to) => node('Identity', [from], to)), node('Add', ['x', 'c20000'])],
      [c],
    ),
    'a short chain': model([...chain(20, (from, to) => node('Relu', [from], to), 'x'), node('Relu', ['c20'])]),
    'a long chain backwards': model([
      ...chain(20_000, (from, to) => node('Identity', [from], to), 'x').reverse(),
      node('Relu', ['c20000']),
    ]),
    'pools upon each other': model(
      chain(400, (from, to) => node('MaxPool', [from], to, { kernel_shape: [2], strides: [2] }), 'x').concat(
        node('Relu', ['c400']),
      ),
    ),
    'steps that double': model(
      chain(400, (from, to) => node('Resize', [from, '', 's'], to), 'x').concat(node('Relu', ['c400'])),
      [tensor('s', [3], [2, 1, 1], 1)],
    ),
    'huge padding': model([node('Pad', ['x', 'p'])], [ints('p', [huge, 0, 0, huge, 0, 0])]),
    'a branch in itself': model([node('If', ['y'])]),
    'an order of an order': model([node('TopK', ['x', 'x'], 'a'), node('ScatterElements', ['a', 'a', 'a'])]),
    'many nodes': model(Array.from({ length: 100_000 }, () => node('A', []))),
    'many outputs': model([
      Buffer.concat([
        put(1, 'x'),
        put(2, 'y'),
        ...Array.from({ length: 5000 }, (_, i) => put(2, `o${i}`)),
        put(4, 'Split'),
      ]),
    ]),
    subgraphs: model([nested(3000, subgraph)]),
    'a few subgraphs': model([nested(20, subgraph)]),
    'messages of no meaning': Buffer.concat([model([node('Relu', ['x'])]), nested(5000, (inner) => put(7, inner))]),
    groups: Buffer.concat([number(1, 8), put(2, 't'), Buffer.alloc(200_000, ((100 << 3) & 127) | 3)]),
    'a few groups': Buffer.concat([number(1, 8), put(2, 't'), Buffer.alloc(500, 0x1b), Buffer.alloc(500, 0x1c)]),
    'a group in the graph': model([node('Relu', ['x'])], [], Buffer.alloc(100_000, 0x1b)),
    'external data elsewhere': model(
      [node('Add', ['x', 'c'])],
      [
        Buffer.concat([
          number(1, 2),
          number(2, 1),
          put(8, 'c'),
          number(14, 1),
          put(13, Buffer.concat([put(1, 'location'), put(2, '../../etc/passwd')])),
        ]),
      ],
    ),
  };
  return Object.entries(all).map(([name, bytes]) => [name, new Uint8Array(bytes)]);
}
