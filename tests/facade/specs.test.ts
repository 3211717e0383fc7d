import { describe, expect, test } from 'vitest';
import { resolveGraph } from '../../ts/graph.ts';
import type { LayerSpec, ModelSpec } from '../../ts/spec.ts';
import { expectError } from './helpers.ts';

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
];

describe.each(ODD.map((odd) => [odd]))('odd values: %o', (odd) => {
  const refused = (given: ModelSpec) => {
    expect(() => resolveGraph(given)).toThrow(
      expect.objectContaining({
        name: 'GruError',
        code: expect.stringMatching(/^(invalid_spec|unsupported)$/) as string,
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
