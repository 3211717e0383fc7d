import { describe, expect, test } from 'vitest';
import type { LayerSpec, ModelSpec, PadSpec, PoolSpec } from '../../ts/spec/spec.ts';
import { BACKENDS } from '../backends.ts';
import { expectError, expectSameInBlocks, gruLayer, numbers } from './helpers.ts';

const SIZE = 2;
const model = (...layers: LayerSpec[]): ModelSpec => ({
  inputs: [{ name: 'x', dtype: 'float32', size: SIZE }],
  layers,
});
const pool = (options: Partial<PoolSpec> = {}): PoolSpec => ({
  type: 'pool',
  name: 'pool',
  pool: 'max',
  window: 2,
  ...options,
});
const pad = (before: number, after = 0, options: Partial<PadSpec> = {}): PadSpec => ({
  type: 'pad',
  name: 'pad',
  before,
  after,
  ...options,
});

const STREAMS: [string, ...LayerSpec[]][] = [
  ['maxima of pairs', pool({ stride: 2 })],
  ['means of overlapping windows', pool({ pool: 'mean', window: 5, stride: 2 })],
  ['windows with gaps between them', pool({ stride: 5 })],
  ['one step of three', pool({ window: 1, stride: 3 })],
  ['causal maxima', pool({ window: 3, padding: 'causal', dilation: 2 })],
  ['causal means of what there is', pool({ pool: 'mean', window: 4, stride: 3, padding: 'causal' })],
  [
    'means that count the padding before',
    pool({ pool: 'mean', window: 4, stride: 2, padding: [2, 0], countPadding: true }),
  ],
  ['rounded up, a window a step', pool({ window: 3, ceil: true })],
  ['steps put before', pad(3, 0, { value: 4 })],
  ['the first step put before', pad(2, 0, { mode: 'edge' })],
  ['steps cropped at the start', pad(-4)],
  ['steps cropped at the end', pad(0, -3)],
  ['steps cropped at both ends', pad(-5, -2)],
  ['shifted to the right', pad(2, -2, { value: 7 })],
  ['shifted to the right by the first step', pad(3, -4, { mode: 'edge' })],
  ['more put before than cropped', pad(5, -2, { mode: 'edge' })],
  ['nothing mirrored', pad(-1, -1, { mode: 'reflect' })],
  [
    'all of them and a gru',
    pad(2, -1),
    pool({ window: 3, stride: 2 }),
    { type: 'upsample', name: 'up', factor: 3 },
    { ...pool({ pool: 'mean', stride: 2 }), name: 'second' },
    gruLayer('gru', SIZE, 4),
  ],
];

describe.each(BACKENDS)('pools, padding and cropping on $name', ({ api }) => {
  test.each(STREAMS)(
    '%s: blocks of a stream, one of many, and one that goes on from a snapshot give the rows of the whole run',
    async (_, ...layers) => {
      using made = await api.createModel(model(...layers));
      const steps = 61;
      const x = numbers(steps * SIZE, 9);
      // Too small to be normal: a past keeps them as they are.
      for (let i = 0; i < x.length; i += 7) x[i] = 1e-41 * (i + 1);
      expectSameInBlocks(made, x, SIZE);
    },
  );

  test('more steps than 32 bits count are refused, by streams as by runs', async () => {
    const factors = [2 ** 20, 2 ** 12].map((factor, i) => ({ type: 'upsample', name: `up${i}`, factor }) as const);
    using made = await api.createModel(model(...factors));
    const x = numbers(SIZE);
    using streams = made.createStreams(2);
    await expectError(() => made.run(x), 'out_of_memory', '4294967296 steps');
    await expectError(() => made.createStream(), 'out_of_memory', '4294967296 steps');
    await expectError(() => streams.runMany([1], [x]), 'out_of_memory', '4294967296 steps');
    expect(streams.runMany([1], [new Float32Array(0)])[0]).toHaveLength(0);
  });

  test.each([
    ['a pool that strides', pool({ stride: 3 })],
    ['a pool without padding', pool({ window: 4 })],
    ['steps taken away', pad(-2, -1)],
    ['no layer', { type: 'activation', name: 'a', activation: 'tanh' } as const],
  ])('the last step behind %s is that of the steps that have come, in blocks without one too', async (_, layer) => {
    using made = await api.createModel(model(layer, { type: 'step', name: 'last', index: -1 }));
    const x = numbers(17 * SIZE, 3);
    for (let i = 0; i < x.length; i += 5) x[i] = 1e-41 * (i + 1);
    for (const size of [1, 2, 3, 17]) {
      using many = made.createStreams(2);
      let stream = made.createStream();
      for (let at = 0; at < 17; at += size) {
        const block = x.subarray(at * SIZE, (at + size) * SIZE);
        const want = made.run(x.subarray(0, (at + size) * SIZE)).output.data;
        expect(stream.run(block)).toEqual(want);
        expect(many.runMany([1, 0], [block, x.subarray(0, 0)])).toEqual([want, new Float32Array(SIZE)]);
        expect(stream.run(x.subarray(0, 0))).toEqual(want);
        const snapshot = stream.snapshot();
        stream.dispose();
        stream = made.createStream();
        stream.restore(snapshot);
      }
      stream.dispose();
    }
  });

  test('two sequences side by side; a count that nobody has counted is none', async () => {
    using made = await api.createModel(model(pool({ window: 3, padding: 'causal' }), pad(1, -1, { mode: 'edge' })));
    const x = numbers(9 * 2 * SIZE);
    const whole = made.run({ data: x, shape: [9, 2, SIZE] }, { timeMajor: true });
    using stream = made.createStream({ batch: 2 });
    const step = 2 * SIZE;
    const got = Array.from({ length: 9 }, (_, t) => [...stream.run(x.subarray(step * t, step * (t + 1)))]);
    expect(got.flat()).toEqual([...whole.output.data]);
    expect(made.states.map(({ name, slot, settable }) => [name, slot, settable])).toEqual([
      ['pool', 'past', false],
      ['pad', 'past', false],
    ]);
    const states = stream.hiddenState;
    states.fill(NaN);
    stream.hiddenState = states;
    expect(stream.run(x.subarray(0, step)).every((value) => !Number.isNaN(value))).toBe(true);
  });

  test('those that wait for steps to come say for how many', async () => {
    const refused = async (layer: LayerSpec, ...words: string[]) => {
      using made = await api.createModel(model(layer));
      expect(made.streamable).toBe(false);
      expect(made.states).toEqual([]);
      await expectError(() => made.createStream(), 'not_streamable', `${layer.type} layer '${layer.name}'`, ...words);
    };
    await refused(pool({ padding: 'same' }), "looks 1 step ahead (padding 'same'");
    await refused(pool({ padding: 'same', window: 4, stride: 2 }), "looks up to 2 steps ahead (padding 'same'");
    await refused(pool({ padding: [1, 1] }), "looks 1 step ahead (padding '1, 1'");
    await refused(pool({ stride: 2, ceil: true }), 'may reach beyond the last step (ceil)');
    await refused(pool({ padding: [3, 0] }), 'padding of 3 steps gives rows before the first step');
    await refused(pool({ dilation: 2 ** 23 }), 'its past takes 16777217 numbers');
    await refused(pad(0, 2), 'puts 2 step(s) behind the last one');
    await refused(pad(2, 0, { mode: 'reflect' }), 'looks 2 step(s) ahead');
    await refused(pad(0, -(2 ** 23)), 'its past takes 16777217 numbers');
    using late = await api.createModel(model(pool({ window: 4 }), pad(2)));
    await expectError(
      () => late.createStream(),
      'not_streamable',
      "pad layer 'pad'",
      'before the first one of its input',
    );
    // A row comes with the first step, and with each third one: the steps before it too.
    using strided3 = await api.createModel(model({ ...pool({ window: 1, stride: 3 }), name: 'third' }, pad(2)));
    expectSameInBlocks(strided3, numbers(17 * SIZE), SIZE);
    using strided = await api.createModel(model(pool()));
    using stream = strided.createStream();
    await expectError(() => stream.step(new Float32Array(SIZE)), 'not_streamable', "output 'pool'");
  });
});
