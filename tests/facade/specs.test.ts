import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { resolveGraph } from '../../ts/spec/graph.ts';
import { LAYERS, useAllKinds } from '../../ts/layers/full.ts';
import { flavourOf } from '../../ts/layers/index.ts';
import type { LayerKind } from '../../ts/layers/kind.ts';
import type { LayerSpec, ModelSpec } from '../../ts/spec/spec.ts';
import { createModel, GruError, loadModel } from '../../ts/index.ts';
import { copySpec } from '../../ts/spec/structure.ts';
import { describe as describeValue } from '../../ts/base/tensor.ts';
import { expectError, oneGru } from './helpers.ts';

useAllKinds();

const input = (name: string, size = 1) => ({ name, dtype: 'float32' as const, size });
const spec = (layers: unknown[], rest: Record<string, unknown> = {}) =>
  ({ inputs: [input('x', 4)], layers, ...rest }) as unknown as ModelSpec;
const tanh = (name: string, rest = {}) => ({ name, type: 'activation', activation: 'tanh', ...rest });
const concat = (name: string, from: string, times: number) => ({
  name,
  type: 'merge',
  merge: 'concat',
  inputs: Array<string>(times).fill(from),
});

describe('widths', () => {
  test('a concatenation of 2^24 values is the widest; one more is refused by name', async () => {
    const layers = [concat('a', 'x', 2 ** 11), concat('b', 'a', 2 ** 11)];
    expect(resolveGraph(spec(layers)).outputs[0]!.size).toBe(2 ** 24);
    const wider = [...layers, { ...concat('c', 'b', 1), inputs: ['b', 'x'] }];
    await expectError(() => resolveGraph(spec(wider)), 'invalid_spec', `merge layer 'c'`, String(2 ** 24 + 4));
    // 2^32 columns, which wrap to none in 32 bits
    await expectError(() => resolveGraph(spec([...layers, concat('c', 'b', 256)])), 'invalid_spec', `merge layer 'c'`);
  });

  test('all layers together give at most 2^26 values a row', async () => {
    const wide = [concat('a', 'x', 2 ** 11), concat('b', 'a', 2 ** 11)];
    const layers = [...wide, tanh('c'), tanh('d'), tanh('e')];
    await expectError(() => resolveGraph(spec(layers)), 'invalid_spec', `layer 'e'`, 'all layers together');
    resolveGraph(spec(layers.slice(0, -1)));
  });

  test('two directions of 2^23 + 1 units each are too wide', async () => {
    const size = 2 ** 23 + 1;
    const gru = {
      name: 'g',
      type: 'gru',
      inputSize: 4,
      hiddenSize: size,
      resetAfter: true,
      direction: 'bidirectional',
    };
    await expectError(() => resolveGraph(spec([{ ...gru, weights: {} }])), 'invalid_spec', `gru layer 'g'`);
  });
});

const ODD: unknown[] = [
  null,
  5,
  NaN,
  5n,
  true,
  Symbol('s'),
  [],
  ['x'],
  {},
  { toString: 1, valueOf: 1 },
  () => 'x',
  new Date(0),
  new Map([['name', 'x']]),
  Promise.resolve('x'),
  revoked({}),
  revoked([]),
];

function revoked(of: object): unknown {
  const { proxy, revoke } = Proxy.revocable(of, {});
  revoke();
  return proxy;
}

describe.each(ODD.map((odd) => [describeValue(odd), () => odd]))('odd values: %s', (_, make) => {
  const odd = make();
  const refused = (given: ModelSpec) => {
    expect(() => resolveGraph(copySpec(given))).toThrow(
      expect.objectContaining({
        name: 'GruError',
        code: expect.stringMatching(/^(invalid_spec|unsupported|dtype_mismatch)$/) as string,
      }) as Error,
    );
  };
  const layer = (rest: Record<string, unknown>) => ({ ...tanh('a'), ...rest });
  const gru = { name: 'g', type: 'gru', inputSize: 4, hiddenSize: 2, resetAfter: true, weights: {} };

  test.each<[string, ModelSpec]>([
    ['the name of an input', { inputs: [{ ...input('x'), name: odd }], layers: [tanh('a')] } as never],
    ['the dtype of an input', { inputs: [{ ...input('x'), dtype: odd }], layers: [tanh('a')] } as never],
    ['the kind of an input', { inputs: [{ ...input('x'), kind: odd }], layers: [tanh('a')] } as never],
    ['the name of a layer', spec([layer({ name: odd })])],
    ['the type of a layer', spec([layer({ type: odd })])],
    ['a reference', spec([layer({ inputs: [odd] })])],
    ['the activation', spec([layer({ activation: odd })])],
    ['the name of an activation', spec([layer({ activation: { name: odd } })])],
    ['maskValue', spec([{ name: 'm', type: 'masking', maskValue: odd === 5 ? '5' : odd }])],
    ['the index of a step', spec([{ name: 's', type: 'step', index: odd }])],
    ['the start of a slice', spec([{ name: 's', type: 'slice', start: odd, size: 1 }])],
    ['clip', spec([{ ...gru, clip: odd === 5 ? '5' : odd }])],
    ['mask', spec([{ ...gru, mask: odd }])],
    ['initialState', spec([{ ...gru, initialState: [odd] }])],
    ['weights', spec([{ ...gru, weights: odd }])],
    ['a weight', spec([{ ...gru, weights: { 'forward.input': odd } }])],
    ['the name of an output', spec([tanh('a')], { outputs: [{ name: odd, from: 'a' }] })],
    ['the source of an output', spec([tanh('a')], { outputs: [{ name: 'y', from: odd }] })],
    ['an output', spec([tanh('a')], { outputs: [odd] })],
    ['the spec', odd as ModelSpec],
    ['the inputs', { inputs: odd, layers: [tanh('a')] } as never],
    ['an input', { inputs: [odd], layers: [tanh('a')] } as never],
    ['the layers', spec(odd as unknown[])],
    ['a layer', spec([odd])],
  ])('as %s', (_, given) => {
    refused(given);
  });
});

test('weights that say they are longer or shorter than they are', async () => {
  class Liar extends Float32Array {
    override get length(): number {
      return 24;
    }
  }
  const gru = (weights: Record<string, unknown>) =>
    spec([{ name: 'g', type: 'gru', inputSize: 4, hiddenSize: 2, resetAfter: true, weights }]);
  const recurrent = new Float32Array(12);
  await expectError(
    () => resolveGraph(gru({ 'forward.input': new Liar(3), 'forward.recurrent': recurrent })),
    'invalid_spec',
    'forward.input',
    'got 3',
  );
});

/** One layer of each type, valid. */
const VALID: Record<keyof typeof LAYERS, Record<string, unknown>> = {
  argmax: {},
  activation: { activation: 'tanh' },
  conv1d: {
    inputSize: 4,
    outputSize: 2,
    kernelSize: 3,
    padding: 'same',
    weights: { kernel: new Float32Array(24), bias: new Float32Array(2) },
  },
  dense: { inputSize: 4, outputSize: 1, weights: { kernel: new Float32Array(4) } },
  embedding: { inputs: ['ids'], vocabularySize: 2, outputSize: 1, weights: { embeddings: new Float32Array(2) } },
  flatten: { steps: 1 },
  gru: {
    inputSize: 4,
    hiddenSize: 1,
    resetAfter: true,
    weights: { 'forward.input': new Float32Array(12), 'forward.recurrent': new Float32Array(3) },
  },
  lstm: {
    inputSize: 4,
    hiddenSize: 1,
    weights: { 'forward.input': new Float32Array(16), 'forward.recurrent': new Float32Array(4) },
  },
  masking: { maskValue: 0 },
  merge: {
    merge: 'sum',
    inputs: ['x', 'x'],
    constantSize: 1,
    constantFirst: true,
    weights: { constant: new Float32Array(1) },
  },
  oneHot: { inputs: ['ids'], size: 2 },
  reduceFeatures: { reduce: 'sum' },
  norm: { inputSize: 4, norm: 'standard', epsilon: 1e-5, weights: {} },
  pad: { before: 1 },
  pool: { pool: 'max', window: 1 },
  reduce: { reduce: 'mean' },
  reverse: {},
  ids: {},
  repeat: { inputs: ['v'], like: 'x' },
  rnn: {
    inputSize: 4,
    hiddenSize: 1,
    weights: { 'forward.input': new Float32Array(4), 'forward.recurrent': new Float32Array(1) },
  },
  scale: { inputSize: 4, weights: { scale: new Float32Array(4) } },
  sine: { cosine: true },
  slice: { start: 0, size: 1 },
  step: { index: 0 },
  timeSoftmax: {},
  weightedSum: { inputs: ['x', 'x'] },
  attention: { inputs: ['x', 'x', 'x'], inputSize: 4 },
  unflatten: { inputs: ['v'], like: 'x', steps: 1 },
  upsample: { factor: 2 },
};

test('parameters of layers are those that the core reads, in its order', async () => {
  const path = new URL('../../crate/src/layers/params.json', import.meta.url);
  const table = JSON.parse(await readFile(path, 'utf8')) as Record<
    string,
    { code: number; full?: true; params: object }
  >;
  expect(Object.keys(table).toSorted()).toEqual(Object.keys(LAYERS).toSorted());
  for (const [type, { code, full, params }] of Object.entries(table)) {
    const kind: LayerKind<LayerSpec> = LAYERS[type as keyof typeof LAYERS];
    const given = kind.params({ name: 'l', type, ...VALID[type as keyof typeof LAYERS] } as never, 1, [
      { kind: 'sequence', dtype: 'float32', size: 4 },
    ]);
    const words = Object.entries(given).map(([name, value]) => [name, [value].flat().length]);
    expect([type, kind.code, flavourOf([{ type }]), words]).toEqual([
      type,
      code,
      full ? 'full' : 'core',
      Object.entries(params),
    ]);
  }
});

describe.each(Object.entries(LAYERS))('every field of a %s layer', (type, kind) => {
  const fields = ['name', 'type', 'inputs', ...kind.fields, 'weights'];
  const odd = [...ODD, undefined, -1, 1.5, 2 ** 32 + 1, '4', Infinity, -0.5, new Float32Array(3), { then: 1 }];
  const ids = { name: 'ids', dtype: 'int32' as const, size: 1 };
  const base = { name: 'l', type, ...VALID[type as keyof typeof LAYERS] };
  const usesIds = type === 'embedding' || type === 'oneHot';
  const size = type === 'ids' ? 1 : 4;
  const before = { name: 'v', type: 'step', inputs: ['x'], index: 0 };
  const layers = 'like' in base ? [before, base] : [base];
  const valid = { inputs: [usesIds ? ids : input('x', size)], layers } as unknown as ModelSpec;

  test('is checked: a model is made, or a GruError is thrown', async () => {
    for (const backend of ['js', 'wasm'] as const) {
      (await createModel(valid, { backend })).dispose();
      for (const [field, value] of fields.flatMap((name) => odd.map((o) => [name, o] as const))) {
        const given = {
          ...valid,
          layers: [...layers.slice(0, -1), { ...base, [field]: value }],
        } as unknown as ModelSpec;
        try {
          const model = await createModel(given, { backend });
          model.run(usesIds ? new Int32Array(1) : new Float32Array(size));
          model.dispose();
        } catch (error) {
          expect(error, `${field}: ${describeValue(value)}`).toBeInstanceOf(GruError);
          expect((error as GruError).code, `${field}: ${describeValue(value)}`).toMatch(
            /^(invalid_spec|unsupported|shape_mismatch)$/,
          );
        }
      }
    }
  });
});

test('a spec is copied: what becomes of the given one does not matter', async () => {
  const given = spec([tanh('a'), tanh('b')]);
  const model = await createModel(given, { backend: 'js' });
  given.layers.length = 0;
  (given.inputs[0] as { size: number }).size = 7;
  expect(model.spec.layers).toHaveLength(2);
  expect(model.inputs[0]!.shape.at(-1)).toBe(4);
  expect((await createModel(model.spec)).run(new Float32Array(4)).output.data).toHaveLength(4);
});

test('a spec is copied with the signs of its zeros', async () => {
  const shift = (name: string, beta: number): LayerSpec => ({
    type: 'activation',
    name,
    activation: { name: 'affine', alpha: -1, beta },
  });
  const outputs = ['a', 'b'].map((name) => ({ name, from: name }));
  for (const [a, b] of [
    [-0, 0],
    [0, -0],
  ] as const) {
    const layers = [shift('a', a), { ...shift('b', b), inputs: ['x'] }] as LayerSpec[];
    const { outputs: given } = (await createModel(spec(layers, { outputs }), { backend: 'js' })).run(
      new Float32Array(4),
    );
    expect([given['a']!.data[0], given['b']!.data[0]]).toEqual([a, b]);
  }
});

describe('twice as much is at most 2.5 times the work', () => {
  /** How often a spec's properties are read. */
  function reads(of: ModelSpec): number {
    let count = 0;
    const counted = <T extends object>(value: T): T =>
      new Proxy(value, {
        get(target, key) {
          count++;
          const inner: unknown = Reflect.get(target, key);
          return typeof inner === 'object' && inner !== null && !ArrayBuffer.isView(inner) ? counted(inner) : inner;
        },
      });
    resolveGraph(counted(of));
    return count;
  }
  const numbered = <T>(n: number, make: (i: number) => T) => Array.from({ length: n }, (_, i) => make(i));

  test.each<[string, (n: number) => ModelSpec]>([
    ['layers', (n) => spec(numbered(n, (i) => tanh(`a${i}`)))],
    ['outputs', (n) => spec([tanh('a')], { outputs: numbered(n, (i) => ({ name: `y${i}`, from: 'a' })) })],
    [
      'inputs',
      (n) => ({
        inputs: numbered(n, (i) => input(`x${i}`)),
        layers: [{ ...concat('m', 'x', 1), inputs: numbered(n, (i) => `x${i}`) } as LayerSpec],
      }),
    ],
    ['inputs of a merge', (n) => spec([concat('m', 'x', n)])],
  ])('%s', (_, make) => {
    expect(reads(make(2000))).toBeLessThanOrEqual(2.5 * reads(make(1000)));
    // Would take minutes, were anything quadratic that the Proxy does not see.
    resolveGraph(make(100_000));
  });
});

test('what lies in itself is refused', async () => {
  const dense = () => ({
    type: 'dense',
    name: 'd',
    inputSize: 2,
    outputSize: 2,
    weights: {} as Record<string, unknown>,
  });
  const inputs = [{ name: 'x', dtype: 'float32', size: 2 }];
  const itself = dense();
  itself.weights = itself;
  const kernel = dense();
  kernel.weights['kernel'] = { weights: kernel.weights };
  for (const layer of [itself, kernel])
    await expectError(() => createModel({ inputs, layers: [layer] } as never), 'invalid_spec', "weights['");
});

test('names have up to 4096 characters', async () => {
  const named = (name: string, output: string) =>
    spec([tanh(name, { inputs: [name + 'x'] })], {
      inputs: [input(name + 'x', 4)],
      outputs: [{ name: output, from: name }],
    });
  const long = 'n'.repeat(4095);
  resolveGraph(named(long, `${long}y`));
  const why = 'of 1 to 4096 characters';
  await expectError(() => resolveGraph(named(`${long}n`, 'y')), 'invalid_spec', 'input 0 needs a name', why);
  await expectError(() => resolveGraph(spec([tanh('t'.repeat(4097))])), 'invalid_spec', 'a layer of type', why);
  await expectError(() => resolveGraph(named('n', `${long}yy`)), 'invalid_spec', 'output 0 needs a name', why);
});

test('states that are left out of a list are missed', async () => {
  const spec = oneGru(2, 2, { initialState: [undefined as never] });
  await expectError(() => createModel(spec), 'invalid_spec', 'initialState needs 1 reference(s), one a state, got 0');
});

test.each([Infinity, -Infinity, NaN])('padding of %s is saved', async (value) => {
  const spec = {
    inputs: [{ name: 'x', dtype: 'float32' as const, size: 1 }],
    layers: [{ type: 'pad' as const, name: 'Infinity', before: 1, value }],
  };
  using model = await createModel(spec, { backend: 'js' });
  using again = await loadModel(model.save(), { backend: 'js' });
  expect([...again.run([1, 2]).output.data]).toEqual([value, 1, 2]);
  expect(again.outputs[0]!.name).toBe('Infinity');
});
