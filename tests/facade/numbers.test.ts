import { describe, expect, test } from 'vitest';
import { createGru, createLstm, createModel, createRnn, type Numbers } from '../../ts/index.ts';
import { compileForWorklet, createModelSync } from '../../ts/worklet.ts';
import { expectError, oneGru, textModel } from './helpers.ts';

/** Whole numbers, which every type here holds. */
const whole = (length: number) => Float32Array.from({ length }, (_, i) => ((i * 7) % 5) - 2);

const TYPES: [string, (values: Float32Array) => Numbers][] = [
  ['number[]', (values) => [...values]],
  ['bigint[]', (values) => [...values].map(BigInt)],
  ['Float64Array', (values) => Float64Array.from(values)],
  ['BigInt64Array', (values) => BigInt64Array.from([...values].map(BigInt))],
  ['Int8Array', (values) => Int8Array.from(values)],
];

describe.each(TYPES)('%s, where numbers are meant', (_, as) => {
  test('inputs and states of runs', async () => {
    using model = await createModel(oneGru(2, 3));
    const x = whole(8);
    const want = model.run({ data: x, shape: [2, 2, 2] }, { initialStates: whole(6) });
    const initialStates = { data: as(whole(6)), shape: [1, 2, 3] };
    expect(model.run({ data: as(x), shape: [2, 2, 2] }, { initialStates })).toEqual(want);
    expect(model.run([as(x.slice(0, 4)), as(x.slice(4))], { initialStates: { gru: as(whole(6)) } })).toEqual(want);
    expect(model.run(as(x))).toEqual(model.run(x));
  });

  test('steps, blocks and hidden states of streams', async () => {
    using model = await createModel(oneGru(2, 3));
    using stream = model.createStream();
    using other = model.createStream();
    stream.hiddenState = as(whole(3));
    other.hiddenState = whole(3);
    expect(stream.hiddenState).toEqual(other.hiddenState);
    expect(stream.step(as(whole(2)))).toEqual(other.step(whole(2)));
    expect(stream.run(as(whole(6)), new Float32Array(9))).toEqual(other.run(whole(6)));
    using streams = model.createStreams(2);
    streams.setHiddenState(1, as(whole(3)));
    const [first, second] = streams.runMany([0, 1], [as(whole(2)), as(whole(2))]);
    using fresh = model.createStream();
    expect(first).toEqual(fresh.step(whole(2)));
    fresh.hiddenState = whole(3);
    expect(second).toEqual(fresh.step(whole(2)));
  });

  test('weights', async () => {
    const config = { inputSize: 2, hiddenSize: 3 };
    const layout = (gates: number, to = as) => ({
      kernel: to(whole(6 * gates)),
      recurrentKernel: to(whole(9 * gates)),
    });
    const made = async (to: (values: Float32Array) => Numbers) => [
      await createGru({ ...config, resetAfter: true }, layout(3, to)),
      await createLstm(config, layout(4, to)),
      await createRnn(config, layout(1, to)),
    ];
    const [got, want] = [await made(as), await made((values) => values)];
    got.forEach((model, i) => {
      expect(model.run(whole(4))).toEqual(want[i]!.run(whole(4)));
    });
    const spec = (to: (values: Float32Array) => Numbers) => ({
      inputs: [{ name: 'x', dtype: 'float32' as const, size: 2 }],
      layers: [{ name: 'd', type: 'dense' as const, inputSize: 2, outputSize: 3, weights: { kernel: to(whole(6)) } }],
    });
    using exact = await createModel(spec((values) => values));
    using model = await createModel(spec(as));
    using sync = createModelSync(await compileForWorklet(), spec(as));
    for (const one of [model, sync]) expect(one.run(whole(4))).toEqual(exact.run(whole(4)));
  });

  test('ids, lengths and masks', async () => {
    using model = await createModel(textModel());
    const ids = Float32Array.of(1, 2, 3, 4, 5, 6);
    const shape = [2, 3];
    const given = { data: as(ids), shape };
    const want = model.run({ data: ids, shape }, { lengths: [3, 1] });
    expect(model.run(given, { lengths: as(Float32Array.of(3, 1)) })).toEqual(want);
    expect(model.run(given, { mask: as(Float32Array.of(1, 1, 1, 1, 0, 0)) })).toEqual(want);
    using stream = model.createStream();
    using other = model.createStream();
    expect(stream.step(as(Float32Array.of(7)))).toEqual(other.step(7));
    expect(stream.step(8n)).toEqual(other.step(8));
  });
});

test('a Float32Array of weights is not copied', async () => {
  const kernel = whole(6);
  using model = await createModel({
    inputs: [{ name: 'x', dtype: 'float32', size: 2 }],
    layers: [{ name: 'd', type: 'dense', inputSize: 2, outputSize: 3, weights: { kernel } }],
  });
  expect((model.spec.layers[0] as { weights: { kernel: unknown } }).weights.kernel).toBe(kernel);
});

test('numbers are rounded to float32; those beyond it, and what is none, are refused by place', async () => {
  using model = await createModel(oneGru(2, 3));
  expect(model.run([0.1, Number.MIN_VALUE])).toEqual(model.run(Float32Array.of(0.1, 0)));
  await expectError(() => model.run([0, 1e39]), 'dtype_mismatch', "input 'x'", '1e+39 at 1 is beyond float32');
  await expectError(() => model.run(Float64Array.of(-4e38, 0)), 'dtype_mismatch', '-4e+38 at 0');
  await expectError(() => model.run([0, 10n ** 40n] as never), 'dtype_mismatch', '1e+40 at 1');
  await expectError(() => model.run([0, '1'] as never), 'dtype_mismatch', "the string '1' at 1");
  await expectError(
    () =>
      model.run([
        [0, 1],
        [0, null],
      ] as never),
    'dtype_mismatch',
    'sequence 1',
    'null at 1',
  );
  expect(model.run([Infinity, 0]).output.data).toEqual(model.run(Float32Array.of(Infinity, 0)).output.data);
  const spec = {
    inputs: [{ name: 'x', dtype: 'float32', size: 1 }],
    layers: [{ name: 'd', type: 'dense', inputSize: 1, outputSize: 1, weights: { kernel: ['1'] } }],
  };
  await expectError(() => createModel(spec as never), 'dtype_mismatch', "weights['kernel'] of layer 'd'", "'1' at 0");
});

test('each value of an array is read once', async () => {
  using model = await createModel(oneGru(2, 3));
  const reads: string[] = [];
  const array = new Proxy([1, 2], {
    get(of, key) {
      if (/^\d$/.test(String(key))) reads.push(String(key));
      return Reflect.get(of, key) as unknown;
    },
  });
  expect(model.run(array)).toEqual(model.run([1, 2]));
  expect(reads).toEqual(['0', '1']);
});

test('outputs are typed by name where a run is told them', async () => {
  using model = await createModel(textModel());
  const { outputs } = model.run<Record<string, never>, Float32Array, 'logits' | 'summary'>([1, 2]);
  expect([outputs.logits.shape, outputs.summary.shape]).toEqual([[2, 2], [5]]);
  // @ts-expect-error: there is no such output
  expect(outputs.other).toBeUndefined();
});
