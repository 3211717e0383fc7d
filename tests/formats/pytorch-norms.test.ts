import { describe, expect, test } from 'vitest';
import { inspect, loadModel } from '../../ts/api/js.ts';
import { computeNorms } from '../../ts/formats/pytorch/norms.ts';
import type { SourceTensor, StateDict } from '../../ts/formats/pytorch/source.ts';
import { readPytorch, type PytorchOptions } from '../../ts/formats/pytorch.ts';
import { writeSafetensors } from '../../ts/formats/safetensors.ts';
import { refusal, refusalOf } from './refusal.ts';

/** State dicts whose tensors are not those that the layers take: computed, shared, ignored. */

type Named = Record<string, [shape: number[], data: number[]]>;
const dictOf = (named: Named): StateDict =>
  new Map(
    Object.entries(named).map(([name, [shape, data]]): [string, SourceTensor] => [
      name,
      { shape, dtype: 'float32', floats: () => Promise.resolve(Float32Array.from(data)) },
    ]),
  );

describe('weight_norm and spectral_norm', () => {
  /** w = g v / |v| with rows (3, 4), (6, 8): norms 5, 10; columns (3, 6), (4, 8). */
  const V: Named[string] = [
    [2, 2],
    [3, 4, 6, 8],
  ];
  const W: Named[string] = [
    [2, 2],
    [1, 2, 3, 4],
  ];
  test.each<[string, Named, string, number[]]>([
    ['rows', { 'l.weight_g': [[2, 1], [10, 5]], 'l.weight_v': V }, 'l.weight', [6, 8, 3, 4]],
    ['columns', { 'l.weight_g': [[1, 2], [Math.sqrt(45), Math.sqrt(80)]], 'l.weight_v': V }, 'l.weight', [3, 4, 6, 8]],
    ['all', { weight_g: [[1, 1], [Math.sqrt(125) * 2]], weight_v: V }, 'weight', [6, 8, 12, 16]],
    ['all, of no axes', { weight_g: [[], [Math.sqrt(125)]], weight_v: V }, 'weight', [3, 4, 6, 8]],
    ['a recurrent matrix', { 'g.weight_hh_l0_g': [[2, 1], [5, 10]], 'g.weight_hh_l0_v': V }, 'g.weight_hh_l0', [3, 4, 6, 8]],
    ['a parametrization', { 'l.parametrizations.weight.original0': [[2, 1], [10, 5]], 'l.parametrizations.weight.original1': V }, 'l.weight', [6, 8, 3, 4]],
    ['a parametrization of the root', { 'parametrizations.weight.original0': [[2, 1], [10, 5]], 'parametrizations.weight.original1': V }, 'weight', [6, 8, 3, 4]],
    ['a kernel of three axes', { weight_g: [[1, 1, 2], [5, 10]], weight_v: [[2, 1, 2], [3, 6, 4, 8]] }, 'weight', [3, 6, 4, 8]],
    // u^T W v = (0.5 + 0.25 * 3) + 2 (0.5 * 2 + 0.25 * 4) with u = (0.5, 0.25), v = (1, 2)
    ['the spectrum', { weight_orig: W, weight_u: [[2], [0.5, 0.25]], weight_v: [[2], [1, 2]] }, 'weight', [1, 2, 3, 4].map((x) => x / 5.25)],
    ['the spectrum, as a parametrization', { 'l.parametrizations.weight.original': W, 'l.parametrizations.weight.0._u': [[2], [0.5, 0.25]], 'l.parametrizations.weight.0._v': [[2], [1, 2]] }, 'l.weight', [1, 2, 3, 4].map((x) => x / 5.25)],
    // The axis of u is the second: M = W with rows (1, 2, 3), (4, 5, 6) as columns.
    ['the spectrum of another axis', { weight_orig: [[3, 2], [1, 4, 2, 5, 3, 6]], weight_u: [[2], [1, 0]], weight_v: [[3], [1, 1, 2]] }, 'weight', [1, 4, 2, 5, 3, 6].map((x) => x / 9)],
    // W^T v = (4, 6) is 52^0.5 u, W v = (3, 7) is not.
    ['the spectrum of another axis of as many', { weight_orig: W, weight_u: [[2], [4 / Math.sqrt(52), 6 / Math.sqrt(52)]], weight_v: [[2], [1, 1]] }, 'weight', [1, 2, 3, 4].map((x) => x / Math.sqrt(52))],
  ])('of %s', async (_, named, name, wanted) => {
    const dict = dictOf(named);
    expect(computeNorms(dict)).toEqual([`'${name}' is computed from ${Object.keys(named).map((n) => `'${n}'`).join(', ')}`]);
    expect([...dict.keys()]).toEqual([name]);
    const values = await (dict.get(name) as SourceTensor).floats();
    for (const [i, value] of wanted.entries()) expect(values[i]).toBeCloseTo(value, 5);
  }); // prettier-ignore

  test.each<[string, Named]>([
    ['without its other half', { weight_g: [[2, 1], [1, 1]] }],
    ['beside the weight', { weight_g: [[2, 1], [1, 1]], weight_v: V, weight: V }],
    ['of another parametrization', { 'parametrizations.weight.original': W, 'parametrizations.weight.0.base': W }],
    ['deeper', { 'parametrizations.a.b.original0': [[2, 1], [1, 1]], 'parametrizations.a.b.original1': V }],
  ])('is none: %s', (_, named) => {
    const dict = dictOf(named);
    expect(computeNorms(dict)).toEqual([]);
    expect([...dict.keys()]).toEqual(Object.keys(named));
  }); // prettier-ignore

  test.each<[string, Named]>([
    ['gains of two axes', { weight_g: [[2, 2], [1, 1, 1, 1]], weight_v: V }],
    ['gains of another number', { weight_g: [[3, 1], [1, 1, 1]], weight_v: V }],
    ['a vector of another size', { weight_orig: W, weight_u: [[3], [1, 1, 1]], weight_v: [[2], [1, 2]] }],
  ])('is refused: %s', (_, named) => {
    expect(refusal(() => computeNorms(dictOf(named)))).toMatch(/unsupported: '.*' \[.*\] and '.*' \[.*\] are those of no/);
  }); // prettier-ignore
});

const floats = (...shape: number[]) => ({
  dtype: 'F32' as const,
  shape,
  data: Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => i / 10),
});
const MODEL = {
  'e.weight': floats(5, 3),
  'g.weight_ih_l0': floats(9, 3),
  'g.weight_hh_l0': floats(9, 3),
  'o.bias': floats(5),
};
const LAYERS = [{ embedding: 'e' }, { gru: 'g' }, { linear: 'o' }];

describe('tied tensors of safetensors', () => {
  const file = (metadata: Record<string, string>) => writeSafetensors(MODEL, metadata);
  const read = (metadata: Record<string, string>, pytorch: PytorchOptions) =>
    readPytorch(file(metadata), { options: { pytorch } });

  test('are found by their metadata', async () => {
    const { spec, report } = await read({ format: 'pt', 'o.weight': 'e.weight' }, { layers: LAYERS });
    expect(spec.layers.at(-1)).toMatchObject({ weights: { kernel: MODEL['e.weight'].data } });
    expect(report.conventions).toContain("'o.weight' is 'e.weight' (tied)");
  });

  test('need not be used', async () => {
    const made = await read({ 'x.weight': 'e.weight' }, { layers: LAYERS.slice(0, 2), ignore: ['o'] });
    expect(made.spec.layers).toHaveLength(2);
  });

  test('are not others than those that are there', async () => {
    const message = /no tensor 'o\.weight'/;
    for (const metadata of [{ 'o.weight': 'y' }, { 'o.weight': 'x', x: 'o.weight' }, {}]) {
      expect(await refusalOf(read(metadata as Record<string, string>, { layers: LAYERS }))).toMatch(message);
    }
  });
});

test('a layer uses what is ignored', async () => {
  const pytorch = { layers: LAYERS.slice(0, 2), ignore: ['*'] };
  const { spec } = await readPytorch(writeSafetensors(MODEL), { options: { pytorch } });
  expect(spec.layers).toHaveLength(2);
});

describe('a state dict without wiring', () => {
  test('is described by inspect', async () => {
    const found = await inspect(writeSafetensors(MODEL));
    expect(found).toMatchObject({ layers: [], inputs: [], outputs: [], states: [], streamable: false, parameters: 0 });
    expect(found.modules).toEqual([
      { name: 'e', kind: 'Embedding or Linear without bias' },
      { name: 'g', kind: 'GRU' },
      { name: 'o', kind: 'other' },
    ]);
    expect(found.tensors).toContainEqual({ source: 'o.bias', shape: [5], dtype: 'float32', target: '' });
    expect(found.conventions.join()).toContain("{ pytorch: { layers: [{ embedding: 'e' }, { gru: 'g' }] } }");
  });

  test('is no model', async () => {
    expect(await refusalOf(loadModel(writeSafetensors(MODEL)))).toMatch(/unsupported: .*how its modules are connected/);
  });
});
