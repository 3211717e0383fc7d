import { describe, expect, test } from 'vitest';
import { jsBackend } from '../../../ts/backends/js/index.ts';
import { GruError } from '../../../ts/base/errors.ts';
import { readOnnx } from '../../../ts/formats/onnx.ts';
import { onnxModel, tensor, type Graph, type Node } from './build.ts';
import { random } from '../../random.ts';
import { runGraph } from './run.ts';

/**
 * Bodies of loops that are one change away from a cell: another operator, another input, a factor or a term more. Each is computed here too,
 * operator by operator: it is refused, or it is right. What is taken for a cell and is none would give wrong numbers.
 */

const H = 2;
const STEPS = 3;
/** Of bodies with two changes. */
const TWICE = 300;
const numbers = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * 2.3 + seed) * 0.9);

const MATRICES = ['Wz', 'Wr', 'Wn', 'Wo', 'Uz', 'Ur', 'Un', 'Uo'];
const VECTORS = ['bz', 'br', 'bn', 'bo', 'pz', 'pr', 'po'];
const CONSTANTS = new Map<string, Float32Array>([
  ...MATRICES.map((name, i) => [name, numbers(H * H, i)] as const),
  ...VECTORS.map((name, i) => [name, numbers(H, 20 + i)] as const),
  ['one', Float32Array.of(1)],
  ['half', Float32Array.of(0.5)],
]);

/** `name = op(inputs)` in one line: `z = Sigmoid(az)`. */
const parse = (text: string): Node[] =>
  text
    .trim()
    .split(/\s*[;\n]\s*/)
    .map((line) => {
      const [, output, op, inputs] = /^(\w+) = (\w+)\((.*)\)$/.exec(line)!;
      return { op: op!, inputs: inputs!.split(/,\s*/), outputs: [output!], name: output! };
    });

/** f(W v + U h + b). */
const gate = (k: string, f = 'Sigmoid', h = 'h') =>
  `x${k} = MatMul(v, W${k}); u${k} = MatMul(${h}, U${k}); s${k} = Add(x${k}, u${k}); a${k} = Add(s${k}, b${k}); ${k} = ${f}(a${k})`;

/** The same with a peephole: p c more. */
const peephole = (k: string, c: string) =>
  gate(k).replace(
    `${k} = Sigmoid(a${k})`,
    `q${k} = Mul(p${k}, ${c}); g${k} = Add(a${k}, q${k}); ${k} = Sigmoid(g${k})`,
  );

const BODIES: Record<string, { nodes: Node[]; states: string[] }> = {
  'a simple RNN': { states: ['h'], nodes: parse(`${gate('n', 'Tanh')}; hnext = Identity(n)`) },
  'a GRU': {
    states: ['h'],
    nodes: parse(`${gate('z')}; ${gate('r')}; rh = Mul(r, h); ${gate('n', 'Tanh', 'rh')}
      zh = Mul(z, h); m = Sub(one, z); mn = Mul(m, n); hnext = Add(zh, mn)`),
  },
  'a GRU that resets after the product, with the roles of its gate changed': {
    states: ['h'],
    nodes: parse(`${gate('z')}; ${gate('r')}; un = MatMul(h, Un); wn = Add(un, bo); rn = Mul(r, wn); xn = MatMul(v, Wn); sn = Add(xn, rn); an = Add(sn, bn)
      n = Tanh(an); m = Sub(one, z); kept = Mul(m, h); taken = Mul(z, n); hnext = Add(kept, taken)`),
  },
  'a GRU whose candidate is no function': {
    states: ['h'],
    nodes: parse(`${gate('z')}; ${gate('r')}; un = MatMul(h, Un); wn = Add(un, bo); rn = Mul(r, wn); xn = MatMul(v, Wn); sn = Add(xn, rn); n = Add(sn, bn)
      m = Sub(one, z); zh = Mul(z, h); mn = Mul(m, n); hnext = Add(zh, mn)`),
  },
  'an LSTM': {
    states: ['h', 'c'],
    nodes: parse(`${gate('z')}; ${gate('r')}; ${gate('n', 'Tanh')}; ${gate('o')}
      fc = Mul(r, c); ig = Mul(z, n); cnext = Add(fc, ig); k = Tanh(cnext); hnext = Mul(o, k)`),
  },
  'an LSTM with peepholes': {
    states: ['h', 'c'],
    nodes: parse(`${peephole('z', 'c')}; ${peephole('r', 'c')}; ${gate('n', 'Tanh')}; fc = Mul(r, c); ig = Mul(z, n); cnext = Add(fc, ig)
      ${peephole('o', 'cnext')}; k = Tanh(cnext); hnext = Mul(o, k)`),
  },
  'an LSTM whose forget gate is the rest of the input gate': {
    states: ['h', 'c'],
    nodes: parse(`${peephole('z', 'c')}; ${gate('n', 'Tanh')}; ${gate('o')}; m = Sub(one, z); mc = Mul(m, c); ig = Mul(z, n); cnext = Add(mc, ig)
      k = Tanh(cnext); hnext = Mul(o, k)`),
  },
}; // prettier-ignore

const UNARY: Record<string, (x: number) => number> = {
  Sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  Tanh: Math.tanh,
  Relu: (x) => Math.max(x, 0),
  Neg: (x) => -x,
  Identity: (x) => x,
};
const BINARY: Record<string, (x: number, y: number) => number> = {
  Add: (x, y) => x + y,
  Sub: (x, y) => x - y,
  Mul: (x, y) => x * y,
};

function compute({ op, inputs }: Node, values: ReadonlyMap<string, ArrayLike<number>>): number[] {
  const [x, y] = inputs.map((name) => values.get(name)!) as [ArrayLike<number>, ArrayLike<number>];
  const at = (of: ArrayLike<number>, i: number) => of[of.length === 1 ? 0 : i]!;
  return Array.from({ length: H }, (_, i) => {
    if (op === 'MatMul') return Array.from(x, (value, k) => value * y[k * H + i]!).reduce((a, b) => a + b);
    return BINARY[op] ? BINARY[op](at(x, i), at(y, i)) : UNARY[op]!(at(x, i));
  });
}

const X = numbers(STEPS * H, 40);
const INITIAL: Record<string, Float32Array> = { h: numbers(H, 50), c: numbers(H, 51) };

/** The hidden state of each step. */
function expected(nodes: readonly Node[], states: readonly string[]): number[] {
  const values = new Map<string, ArrayLike<number>>(CONSTANTS);
  for (const name of states) values.set(name, INITIAL[name]!);
  return Array.from({ length: STEPS }, (_, t) => {
    values.set('v', X.subarray(t * H, (t + 1) * H));
    for (const node of nodes) values.set(node.outputs[0]!, compute(node, values));
    for (const name of states) values.set(name, values.get(`${name}next`)!);
    return [...(values.get('h') as number[])];
  }).flat();
}

/** The same of the file; undefined: refused. */
async function got(nodes: readonly Node[], states: readonly string[]): Promise<ArrayLike<number> | undefined> {
  const body: Graph = {
    nodes: [...nodes, { op: 'Identity', inputs: ['hnext'], outputs: ['out'], name: 'out' }],
    inputs: [...states, 'v'].map((name) => ({ name, shape: ['b', H] })),
    outputs: [...states.map((name) => `${name}next`), 'out'],
  };
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  const bytes = onnxModel({
    nodes: [{ op: 'Scan', inputs: [...states.map((name) => `${name}0`), 'x'], outputs: [...states.map((name) => `${name}last`), 'y'], name: 'loop', attributes: { num_scan_inputs: 1, body: { graph: body } } }], // prettier-ignore
    inputs: [{ name: 'x', shape: ['t', 'b', H] }, ...states.map((name) => ({ name: `${name}0`, shape: ['b', H] }))],
    outputs: ['y'],
    initializers: [...CONSTANTS].filter(([name]) => read.has(name)).map(([name, data]) => tensor(name, data.length === 1 ? [] : data.length === H ? [H] : [H, H], [...data])), // prettier-ignore
  });
  try {
    const given = states.map((name) => [`${name}0`, { data: INITIAL[name]!, shape: [1, H] }] as const);
    const tensors = { x: { data: X, shape: [STEPS, 1, H] }, ...Object.fromEntries(given) };
    return runGraph(jsBackend, await readOnnx(bytes), tensors)['y']!.data;
  } catch (error) {
    if (error instanceof GruError && error.code !== 'internal') return undefined;
    throw error;
  }
}

/** All bodies that are one change away. */
function* changes(nodes: readonly Node[], states: readonly string[]): Generator<[string, Node[]]> {
  const rows = [...states, 'v'];
  for (const [k, node] of nodes.entries()) {
    const { op, inputs, outputs } = node;
    const [output] = outputs as [string];
    const replaced = (...by: Node[]) => [...nodes.slice(0, k), ...by, ...nodes.slice(k + 1)];
    const ops = Object.keys(op in BINARY ? BINARY : op in UNARY ? UNARY : {});
    for (const other of ops) if (other !== op) yield [`${output}: ${other}`, replaced({ ...node, op: other })];
    for (const i of inputs.keys()) {
      const others = op === 'MatMul' && i === 1 ? MATRICES : [...rows, ...VECTORS, 'one'];
      if (op !== 'MatMul' && !(op in UNARY) && i === 1) yield [`${output}: swapped`, replaced({ ...node, inputs: inputs.toReversed() })]; // prettier-ignore
      for (const other of others) {
        if (other === inputs[i] || (op === 'MatMul' && (VECTORS.includes(other) || other === 'one'))) continue;
        yield [`${output}: ${other} for ${inputs[i]!}`, replaced({ ...node, inputs: inputs.with(i, other) })];
      }
    }
    const before = { ...node, outputs: ['before'] };
    for (const [more, by] of [['Mul', 'half'], ['Mul', 'pz'], ['Add', 'po'], ['Add', 'one'], ['Sub', 'h'], ['Mul', 'v'], ['Neg', ''], ['Tanh', '']] as const) // prettier-ignore
      yield [`${output}: ${more} ${by}`, replaced(before, { op: more, inputs: by ? ['before', by] : ['before'], outputs: [output], name: output })]; // prettier-ignore
    rows.push(output);
  }
}

describe.each(Object.entries(BODIES))('%s', (_, { nodes, states }) => {
  test('itself is read, and right', async () => {
    const want = expected(nodes, states);
    const y = (await got(nodes, states))!;
    want.forEach((value, i) => {
      expect(y[i]).toBeCloseTo(value, 5);
    });
  });

  /** How these are read. */
  async function tried(all: Iterable<[string, Node[]]>): Promise<void> {
    const counts = { refused: 0, right: 0 };
    const wrong: string[] = [];
    for (const [what, changed] of all) {
      const y = await got(changed, states);
      if (!y) counts.refused++;
      else if (expected(changed, states).every((v, i) => Math.abs(y[i]! - v) < 1e-4 * (1 + Math.abs(v))))
        counts.right++;
      else wrong.push(what);
    }
    expect(wrong).toEqual([]);
    expect(counts.refused).toBeGreaterThan(20);
    expect(counts.right).toBeGreaterThan(20);
  }

  test('one change away from it: refused, or right', () => tried(changes(nodes, states)));

  test('two changes away from it, some of all', async () => {
    const next = random(nodes.length);
    const first = [...changes(nodes, states)];
    const pick = <T>(of: readonly T[]) => of[Math.floor(next() * of.length)]!;
    await tried(
      Array.from({ length: TWICE }, (): [string, Node[]] => {
        const [one, changed] = pick(first);
        const [other, twice] = pick([...changes(changed, states)]);
        return [`${one}; ${other}`, twice];
      }),
    );
  });
});

test.each<[string, (nodes: Node[]) => Node[]]>([
  ['gates of tanh, of which 1 - f(x) is not f(-x)', (nodes) => nodes.map((node) => (node.op === 'Sigmoid' ? { ...node, op: 'Tanh' } : node))],
  ['a state and its bias, reset by two gates', (nodes) => nodes.flatMap((node) => (node.outputs[0] === 'rn' ? parse('ru = Mul(r, un); zb = Mul(z, bo); rn = Add(ru, zb)') : node))],
  ['a sum without a matrix', () => parse('s = Add(h, v); hnext = Add(s, bn)')],
])('%s: refused, or right', async (_, change) => {
  const { nodes, states } = BODIES['a GRU that resets after the product, with the roles of its gate changed']!;
  const changed = change(nodes);
  const y = await got(changed, states);
  for (const [i, value] of expected(changed, states).entries()) if (y) expect(y[i]).toBeCloseTo(value, 4);
}); // prettier-ignore
