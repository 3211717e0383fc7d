import { describe, expect, test } from 'vitest';
import { resolveGraph } from '../../ts/spec/graph.ts';
import type { LayerSpec, ModelSpec } from '../../ts/spec/spec.ts';
import { BACKENDS } from '../backends.ts';

const inputs: ModelSpec['inputs'] = [
  { name: 'x', dtype: 'float32', size: 3 },
  { name: 'v', dtype: 'float32', size: 3, kind: 'vector' },
  { name: 'one', dtype: 'float32', size: 1, kind: 'vector' },
];
const x = new Float32Array([1, -2, 3, 0.5, 4, -6]);
const v = new Float32Array([2, 4, -1]);
const one = new Float32Array([10]);

type Api = (typeof BACKENDS)[number]['api'];

/** What a layer gives for a sequence of two steps. */
async function give(api: Api, layer: LayerSpec) {
  const used = new Set(layer.inputs);
  using model = await api.createModel({ inputs: inputs.filter(({ name }) => used.has(name)), layers: [layer] });
  const given = { x, v, one } as Record<string, Float32Array>;
  const { output } = model.run(Object.fromEntries(model.inputs.map(({ name }) => [name, given[name]!])));
  return [output.shape, [...output.data]];
}

const merge = (op: string, names: string[], rest = {}) =>
  ({ type: 'merge', name: 'm', merge: op, inputs: names, ...rest }) as LayerSpec;
const constant = (...values: number[]) => ({
  constantSize: values.length,
  weights: { constant: new Float32Array(values) },
});

describe.each(BACKENDS)('$name', ({ api }) => {
  test.each<[string, LayerSpec, number[], number[]]>([
    ['a vector counts for each step', merge('sum', ['x', 'v']), [2, 3], [3, 2, 2, 2.5, 8, -7]],
    ['whatever comes first', merge('sub', ['v', 'x']), [2, 3], [1, 6, -4, 1.5, 0, 5]],
    ['one number for all features', merge('mul', ['x', 'one']), [2, 3], [10, -20, 30, 5, 40, -60]],
    ['and first', merge('div', ['one', 'v']), [3], [5, 2.5, -10]],
    ['from the first to the last', merge('sub', ['x', 'v', 'one']), [2, 3], [-11, -16, -6, -11.5, -10, -15]],
    ['min', merge('min', ['x', 'v']), [2, 3], [1, -2, -1, 0.5, 4, -6]],
    ['max with a number', merge('max', ['x'], constant(0)), [2, 3], [1, 0, 3, 0.5, 4, 0]],
    ['a constant first', merge('sub', ['x'], { ...constant(1), constantFirst: true }), [2, 3], [0, 3, -2, 0.5, -3, 7]],
    ['a constant a feature', merge('prelu', ['x'], constant(2, 3, 0.5)), [2, 3], [1, -6, 3, 0.5, 4, -3]],
    [
      'mean of three',
      merge('ave', ['v', 'v'], constant(3)),
      [3],
      [7, 11, 1].map((sum) => Math.fround(sum * Math.fround(1 / 3))),
    ],
    [
      'side by side with a vector',
      merge('concat', ['one', 'x'], constant(7)),
      [2, 5],
      [10, 1, -2, 3, 7, 10, 0.5, 4, -6, 7],
    ],
    ['sum', { type: 'reduceFeatures', name: 'r', inputs: ['x'], reduce: 'sum' }, [2, 1], [2, -1.5]],
    ['mean', { type: 'reduceFeatures', name: 'r', inputs: ['x'], reduce: 'mean' }, [2, 1], [Math.fround(2 / 3), -0.5]],
    ['prod', { type: 'reduceFeatures', name: 'r', inputs: ['v'], reduce: 'prod' }, [1], [-8]],
    ['max', { type: 'reduceFeatures', name: 'r', inputs: ['x'], reduce: 'max' }, [2, 1], [3, 4]],
    ['min', { type: 'reduceFeatures', name: 'r', inputs: ['x'], reduce: 'min' }, [2, 1], [-2, -6]],
    ['l2', { type: 'reduceFeatures', name: 'r', inputs: ['v'], reduce: 'l2' }, [1], [Math.fround(Math.sqrt(21))]],
  ])('%s', async (_, layer, shape, values) => {
    expect(await give(api, layer)).toEqual([shape, values]);
  });

  test('powers: of whole exponents exact in sign, and near in value', async () => {
    const [, squares] = await give(api, merge('pow', ['x'], constant(2)));
    const want = [1, 4, 9, 0.25, 16, 36];
    squares!.forEach((y, i) => {
      expect(y).toBeCloseTo(want[i]!, 4);
    });
    const [, cubes] = await give(api, merge('pow', ['x'], constant(3, 3, 0)));
    expect(cubes).toEqual([
      expect.closeTo(1, 6),
      expect.closeTo(-8, 4),
      1,
      expect.closeTo(0.125, 5),
      expect.closeTo(64, 4),
      1,
    ]);
    const [, roots] = await give(api, merge('pow', ['x'], constant(0.5)));
    expect(roots).toEqual([
      expect.closeTo(1, 6),
      NaN,
      expect.closeTo(3 ** 0.5, 5),
      expect.closeTo(0.5 ** 0.5, 5),
      expect.closeTo(2, 5),
      NaN,
    ]);
  });

  test('ids that a model gives are int32: in a run, ragged, in out, in streams', async () => {
    using model = await api.createModel({
      inputs: [{ name: 'x', dtype: 'float32', size: 3 }],
      layers: [{ type: 'argmax', name: 'best' }],
    });
    expect(model.outputs).toEqual([{ name: 'best', dtype: 'int32', shape: ['batch', 'steps'] }]);
    const ids = (...values: number[]) => new Int32Array(values);
    const result = model.run<Record<string, never>, Int32Array>(x);
    expect(result.output).toEqual({ data: ids(2, 1), shape: [2] });
    const again = model.run(new Float32Array([5, 1, 1, 0, 0, 9]), { out: result });
    expect(again.output).toBe(result.output);
    expect(result.output.data).toEqual(ids(0, 2));
    expect(model.run([x, x.subarray(0, 3)]).output).toEqual({ data: ids(2, 1, 2, 0), shape: [2, 2] });
    const floats = {
      ...result,
      output: model.run(x).output,
      outputs: { best: { data: new Float32Array(2), shape: [2] } },
    };
    expect(() => model.run(x, { out: { ...floats, output: floats.outputs.best } })).toThrow('Int32Array');
    const stream = model.createStream();
    expect(stream.step(x.subarray(0, 3))).toEqual(ids(2));
    const out = ids(7);
    expect(stream.step(x.subarray(3), out)).toBe(out);
    expect(out).toEqual(ids(1));
    expect(stream.run(x)).toEqual(ids(2, 1));
    const named = { best: ids(0, 0) };
    stream.run(x, named);
    expect(named.best).toEqual(ids(2, 1));
    expect(() => stream.step(x.subarray(0, 3), new Float32Array(1))).toThrow('Int32Array');
    const streams = model.createStreams(2);
    expect(streams.stepMany([1, 0], x)).toEqual(ids(2, 1));
    expect(streams.runMany([0, 1], [x, x.subarray(0, 3)])).toEqual([ids(2, 1), ids(2)]);
  });

  test('ids of numbers: towards zero; what is none is refused', async () => {
    using model = await api.createModel({
      inputs: [{ name: 'x', dtype: 'float32', size: 1 }],
      layers: [
        { type: 'ids', name: 'whole' },
        { type: 'embedding', name: 'rows', vocabularySize: 3, outputSize: 1, weights: { embeddings: new Float32Array([7, 8, 9]) } }, // prettier-ignore
      ],
      outputs: ['whole', 'rows'],
    });
    const run = (...values: number[]) => model.run(new Float32Array(values)).outputs;
    expect(run(2, 0, 1.9, -0.5)).toMatchObject({
      whole: { data: new Int32Array([2, 0, 1, 0]) },
      rows: { data: new Float32Array([9, 7, 8, 7]) },
    });
    for (const none of [3, -1, NaN, Infinity, 2 ** 31, -(2 ** 40)])
      expect(() => run(0, none)).toThrow(expect.objectContaining({ code: 'id_out_of_range' }));
    expect(run(1)['rows']!.data).toEqual(new Float32Array([8]));
  });

  test('the last of equal values, and rows of ids', async () => {
    const layers: LayerSpec[] = [
      { type: 'argmax', name: 'best', last: true },
      { type: 'oneHot', name: 'hot', size: 4 },
    ];
    using model = await api.createModel({ inputs: [{ name: 'x', dtype: 'float32', size: 3 }], layers });
    const { output } = model.run(new Float32Array([1, 1, 0, -1, -1, -1]));
    expect([...output.data]).toEqual([0, 1, 0, 0, 0, 0, 1, 0]);
    using ids = await api.createModel({
      inputs: [{ name: 'ids', dtype: 'int32', size: 1 }],
      layers: [{ type: 'oneHot', name: 'hot', size: 3 }],
    });
    expect([...ids.run([[2, 0]]).output.data]).toEqual([0, 0, 1, 1, 0, 0]);
    expect(() => ids.run([[3]])).toThrow(expect.objectContaining({ code: 'id_out_of_range' }));
  });
});

test.each<[string, LayerSpec[]]>([
  ['rows of 3 and 2', [merge('mul', ['x'], constant(1, 2))]],
  ['one input alone', [merge('mul', ['x'])]],
  ['a constant that is not there', [merge('mul', ['x'], { constantFirst: true })]],
  ['an order of nothing', [merge('mul', ['x', 'x'], { constantFirst: false })]],
  [
    'ids up to 2',
    [
      { type: 'argmax', name: 'a', inputs: ['x'] },
      { type: 'oneHot', name: 'h', size: 2 },
    ],
  ],
  ['ids of 3 numbers a row', [{ type: 'ids', name: 'i', inputs: ['x'] }]],
  ['ids', [{ type: 'argmax', name: 'a', inputs: ['x'] }, merge('sum', ['a', 'a'])]],
])('refused: %s', (_, layers) => {
  expect(() => resolveGraph({ inputs: [inputs[0]!], layers })).toThrow(
    expect.objectContaining({ code: 'invalid_spec' }),
  );
});
