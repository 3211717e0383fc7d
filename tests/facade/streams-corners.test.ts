import { describe, expect, test } from 'vitest';
import { fingerprint } from '../../ts/stream/snapshot.ts';
import { Clock } from '../../ts/stream/clock.ts';
import type { Graph } from '../../ts/spec/graph.ts';
import type { ModelSpec } from '../../ts/spec/spec.ts';
import { BACKENDS } from '../backends.ts';
import { expectError, numbers, oneGru, textModel } from './helpers.ts';

describe('the fingerprint of a model', () => {
  const saved = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 37 + 11) % 256);

  // Snapshots are kept for long: other bytes here are another version of their layout.
  test.each([
    [0, 'c606703af4cf3ba4756bca6e8405e0dc'],
    [1, '55750fc32dfdb5cd3c3e5045bd325a06'],
    [16, '630ed8ab9ccd32200c8e40ac25913d87'],
    [23, '53c229d8e9f2ae60d360c6827a09cf0a'],
    [64, '51f631a14a1bd9dfde0208851d6cdae9'],
  ])('of %i bytes stays what it is', (length, hex) => {
    expect(Buffer.from(fingerprint(saved(length))).toString('hex')).toBe(hex);
  });

  test('differs by every byte, and by the length', () => {
    for (let length = 17; length < 24; length++) {
      const print = fingerprint(saved(length));
      for (let i = 0; i < length; i++) {
        const other = saved(length);
        other[i]! ^= 0x80;
        expect(fingerprint(other), `byte ${i} of ${length}`).not.toEqual(print);
      }
    }
    expect(fingerprint(new Uint8Array(4))).not.toEqual(fingerprint(new Uint8Array(20)));
  });
});

test('a model whose last weight alone differs, of 8 bits, is another', async () => {
  const dense = (last: number): ModelSpec => ({
    ...oneGru(2, 3),
    layers: [
      ...oneGru(2, 3).layers,
      {
        name: 'out',
        type: 'dense',
        inputSize: 3,
        outputSize: 1,
        weights: { kernel: { dtype: 'i8', data: Int8Array.of(1, 2, last), scales: Float32Array.of(1) } },
      },
    ] as ModelSpec['layers'],
    outputs: ['out'],
  });
  const [{ api }] = BACKENDS as [(typeof BACKENDS)[number]];
  using one = await api.createModel(dense(3));
  using other = await api.createModel(dense(4));
  await expectError(() => { other.createStream().restore(one.createStream().snapshot()); }, 'invalid_file', 'another model'); // prettier-ignore
});

test('a clock of several streams and axes keeps each count of each', () => {
  const derivedAxes = [{ from: 1, mul: 1, add: 0, div: 2 }];
  const graph = { axes: ['a', 'b'], derivedAxes, states: [], nodes: [], values: [] } as unknown as Graph;
  const [clock, other] = [new Clock(graph, 3), new Clock(graph, 3)];
  const MOST = 2 ** 44;
  for (const [stream, counts] of [[0, [1, 2]], [1, [3, 5]], [2, [2 ** 30, 7]]] as const) clock.advance(Int32Array.of(...counts, 0), stream); // prettier-ignore
  const kept = new Float32Array(10).fill(-1);
  for (const stream of [0, 1, 2]) {
    clock.write(kept, 3, stream);
    expect(other.read(kept.subarray(3, 7), stream)).toBe(true);
  }
  // Of the last one: low bits and the rest, of each axis.
  expect([...kept]).toEqual([-1, -1, -1, 0, 2 ** 10, 7, 0, -1, -1, -1]);
  for (const stream of [0, 1, 2]) {
    const [a, b] = [Int32Array.of(0, 1, 0), Int32Array.of(0, 1, 0)];
    clock.derive(a, stream);
    other.derive(b, stream);
    expect([...b]).toEqual([...a]);
    expect(b[2]).toBe([0, 1, 1][stream]);
  }
  expect(other.read(Float32Array.of(0, MOST / 2 ** 20, 0, 0))).toBe(true);
  expect(other.read(Float32Array.of(1, MOST / 2 ** 20, 0, 0))).toBe(false);
  expect(other.read(Float32Array.of(0, 0, 2 ** 20, 0))).toBe(false);
  // The first axis is as before, too, where the second has no count.
  const before = new Float32Array(4);
  other.write(before, 0);
  expect(other.read(Float32Array.of(3, 0, -1, 0))).toBe(false);
  const after = new Float32Array(4);
  other.write(after, 0);
  expect(after).toEqual(before);
});

/** Every second step of a convolution, and what a GRU ends with over those: one row a sequence. */
const STRIDED: ModelSpec = {
  inputs: [{ name: 'x', dtype: 'float32', size: 2 }],
  layers: [
    {
      name: 'conv',
      type: 'conv1d',
      inputSize: 2,
      outputSize: 3,
      kernelSize: 2,
      stride: 2,
      weights: { kernel: numbers(12, 3) },
    },
    { ...oneGru(3, 4).layers[0]!, name: 'gru', inputs: ['conv'] },
  ],
  outputs: [{ name: 'y', from: 'gru:last' }],
};

/** Layers that count steps, some of them those that others make. */
const pool = (name: string, window: number) => ({ name, type: 'pool' as const, pool: 'max' as const, window, stride: window }); // prettier-ignore
const COUNTING: Record<string, ModelSpec> = {
  convolution: { ...STRIDED, layers: [STRIDED.layers[0]!], outputs: ['conv'] },
  pools: { inputs: STRIDED.inputs, layers: [pool('two', 2), pool('three', 3)], outputs: ['three'] },
  padding: {
    inputs: STRIDED.inputs,
    layers: [{ name: 'p', type: 'pad', after: -3 }, pool('two', 2)],
    outputs: ['two'],
  },
};

describe.each(BACKENDS)("states of which a part is another stream's, on $name", ({ api }) => {
  test.each(Object.keys(COUNTING))('are refused: %s', async (name) => {
    using model = await api.createModel(COUNTING[name]!);
    const batch = 2;
    const after = (steps: number) => {
      using stream = model.createStream({ batch });
      if (steps > 0) stream.run(numbers(batch * steps * 2, steps));
      return stream.hiddenState.slice();
    };
    const states = Array.from({ length: 14 }, (_, steps) => after(steps));
    const clock = states[0]!.length - 2;
    const block = numbers(batch * 5 * 2, 99);
    const going = (state: Float32Array) => {
      using stream = model.createStream({ batch });
      stream.hiddenState = state;
      return [...stream.run(block)];
    };
    let refused = 0;
    for (const [steps, own] of states.entries()) {
      const right = going(own);
      for (const [others, other] of states.entries()) {
        // The layers of one, the count of the other: where layers count alike, it is the state of a stream.
        const mixed = Float32Array.from([...other.subarray(0, clock), ...own.subarray(clock)]);
        using stream = model.createStream({ batch });
        stream.hiddenState = own;
        try {
          stream.hiddenState = mixed;
        } catch (error) {
          expect(error).toMatchObject({
            code: 'invalid_argument',
            message: 'hiddenState: its counts of steps do not fit',
          });
          expect([...stream.run(block)]).toEqual(right);
          expect(steps).not.toBe(others);
          refused++;
          continue;
        }
        expect(stream.run(block)).toHaveLength(right.length);
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
});

describe.each(BACKENDS)('many streams on $name', ({ api }) => {
  test('steps of some of them, where a layer gives a row of every second one, in any company', async () => {
    using model = await api.createModel(STRIDED);
    using streams = model.createStreams(3);
    const x = [1, 2, 3].map((seed) => numbers(2 * 9, seed));
    const seen = [0, 0, 0];
    for (const which of [[0], [0, 1], [0, 1], [2, 0], [1], [0, 1, 2], [2, 1], [2, 1], [1], [2, 0, 1]]) {
      const frame = Float32Array.from(which.flatMap((s) => [...x[s]!.subarray(2 * seen[s]!, 2 * seen[s]! + 2)]));
      const y = streams.stepMany(which, frame);
      for (const [i, s] of which.entries()) {
        seen[s]!++;
        const whole = model.run({ data: x[s]!.slice(0, 2 * seen[s]!), shape: [seen[s]!, 2] }).output.data;
        expect([...y.subarray(4 * i, 4 * i + 4)], `stream ${s}, step ${seen[s]!}`).toEqual([...whole]);
      }
    }
  });

  test('others than before, of which some are the same; by bigints; and each once', async () => {
    using model = await api.createModel(oneGru(2, 3));
    using streams = model.createStreams(4);
    using alone = model.createStreams(4);
    for (const [n, which] of [
      [0, 1],
      [0, 2],
      [3, 2],
      [2, 3],
      [2, 3],
    ].entries()) {
      const x = numbers(4, n);
      const y = streams.stepMany(n % 2 ? BigInt64Array.from(which, BigInt) : which, x);
      const want = which.flatMap((s, i) => [...alone.stepMany([s], x.subarray(2 * i, 2 * i + 2))]);
      expect([...y]).toEqual(want);
    }
    for (const which of [
      [0, 0],
      [1, 0, 1],
      [2, 3, 3],
    ]) {
      await expectError(() => streams.stepMany(which, numbers(2 * which.length)), 'invalid_argument', `stream ${which.at(-1)!} is named twice`); // prettier-ignore
    }
    expect([...streams.stepMany([1, 0, 3], numbers(6))]).toHaveLength(9);
  });
});

describe.each(BACKENDS)('a stream on $name', ({ api }) => {
  test('takes one id as a bigint, and refuses arrays for outputs that overlap', async () => {
    using model = await api.createModel(textModel());
    using a = model.createStream();
    using b = model.createStream();
    expect(a.step(5n)).toEqual(b.step(5));
    const memory = new Float32Array(12);
    const out = { logits: memory.subarray(3, 5), summary: memory.subarray(4, 9) };
    await expectError(() => a.step(1, out), 'invalid_argument', "'logits' and 'summary' overlap");
    expect(a.step(1, { logits: memory.subarray(2, 4), summary: memory.subarray(4, 9) }).logits).toEqual(b.step(1));
  });

  test('of a transform has its batch', async () => {
    using model = await api.createModel(oneGru(2, 3));
    using stream = model.createStream({ batch: 2 });
    const { readable, writable } = model.transform({ batch: 2 });
    const writer = writable.getWriter();
    void writer.write(numbers(4));
    void writer.close();
    const results: Float32Array[] = [];
    for await (const y of readable as never as AsyncIterable<Float32Array>) results.push(y);
    expect(results).toEqual([stream.step(numbers(4))]);
  });
});
