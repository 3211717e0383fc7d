import { describe, expect, test } from 'vitest';
import { createGru, createLstm, createModel, createRnn, type Numbers } from '../../ts/index.ts';
import { createPool } from '../../ts/pool.ts';
import { autoPrecision, calibrate, sensitivity } from '../../ts/precision.ts';
import { compileForWorklet, createModelSync } from '../../ts/worklet.ts';
import { sourceWorker } from '../pool/source.ts';
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
    const which = as(Float32Array.of(1, 0));
    using copy = model.createStreams(2);
    expect(copy.stepMany(which, as(whole(4)))).toEqual(model.createStreams(2).stepMany([1, 0], whole(4)));
    const blocks = copy.runMany(which, [as(whole(2)), as(whole(4))]);
    using plain = model.createStreams(2);
    plain.stepMany([1, 0], whole(4));
    expect(blocks).toEqual(plain.runMany([1, 0], [whole(2), whole(4)]));
  });

  test('what flows, and what is traced', async () => {
    using model = await createModel(oneGru(2, 3));
    const frames = [whole(2), whole(2).reverse()];
    const want: Float32Array[] = [];
    for await (const y of model.stream(frames)) want.push(y.slice());
    const got: Float32Array[] = [];
    for await (const y of model.stream(frames.map(as))) got.push(y.slice());
    expect(got).toEqual(want);
    const piped = new ReadableStream<Numbers>({
      start(controller) {
        for (const frame of frames) controller.enqueue(as(frame));
        controller.close();
      },
    }).pipeThrough(model.transform());
    for await (const y of piped as unknown as AsyncIterable<Float32Array>) expect(y).toEqual(want.shift());
    expect(want).toEqual([]);
    const batch = (to: typeof as) => ({ data: to(whole(8)), shape: [2, 2, 2] });
    const same = (values: Float32Array) => values;
    const traced = await model.trace(batch(as), { lengths: as(Float32Array.of(2, 1)), initialStates: as(whole(6)) });
    expect(traced).toEqual(await model.trace(batch(same), { lengths: [2, 1], initialStates: whole(6) }));
  });

  test('what a pool takes', async () => {
    using model = await createModel(oneGru(2, 3));
    await using pool = await createPool(model, { workers: 1, createWorker: sourceWorker });
    const x = { data: whole(8), shape: [2, 2, 2] };
    const [lengths, mask, states] = [Float32Array.of(2, 1), Float32Array.of(1, 1, 1, 0), whole(6)];
    const given = { data: as(x.data), shape: x.shape };
    expect(await pool.run(as(whole(8)))).toEqual(model.run(whole(8)));
    expect(await pool.run([as(whole(4)), as(whole(2))])).toEqual(model.run([whole(4), whole(2)]));
    expect(await pool.run(given, { lengths: as(lengths), initialStates: as(states) })).toEqual(
      model.run(x, { lengths, initialStates: states }),
    );
    expect(await pool.run(given, { mask: as(mask) })).toEqual(model.run(x, { mask }));
    using text = await createModel(textModel());
    await using ids = await createPool(text, { workers: 1, createWorker: sourceWorker });
    expect(await ids.run(as(Float32Array.of(1, 2, 3)))).toEqual(text.run([1, 2, 3]));
  });

  test('sequences that precision is chosen by', async () => {
    using model = await createModel(oneGru(2, 3));
    const [sequences, given] = [
      [whole(8), whole(4)],
      [as(whole(8)), as(whole(4))],
    ];
    expect(await sensitivity(model, given)).toEqual(await sensitivity(model, sequences));
    const { precision } = await autoPrecision(model, given, { maxError: 1, prefer: 'size' });
    expect(precision).toEqual((await autoPrecision(model, sequences, { maxError: 1, prefer: 'size' })).precision);
    expect((await calibrate(model, given)).spec).toEqual((await calibrate(model, sequences)).spec);
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
