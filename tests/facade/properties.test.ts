import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Tensor } from '../../ts/base/tensor.ts';
import { BACKENDS } from '../backends.ts';
import { gruLayer, numbers, oneGru } from './helpers.ts';

const SIZE = 2;
const HIDDEN = 3;

/** Compared as bits; a message of two large arrays would take longer than the run. */
function expectSameBits(got: Float32Array, want: Float32Array, what: string): void {
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength);
  expect(Buffer.compare(bytes(got), bytes(want)), what).toBe(0);
}

const lengthsOf = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 7 });
const rows = ({ data }: Tensor, from: number, to: number) => data.subarray(from * HIDDEN, to * HIDDEN);

describe.each(BACKENDS)('one sequence, however it is given, on $name', ({ api }) => {
  test('an array of sequences, lengths, a mask and each alone give the same bits', async () => {
    using model = await api.createModel(oneGru(SIZE, HIDDEN, { direction: 'bidirectional', merge: 'sum' }));
    fc.assert(
      fc.property(lengthsOf, fc.integer(), fc.boolean(), (lengths, seed, reuse) => {
        const batch = lengths.length;
        const steps = lengths.reduce((most, length) => Math.max(most, length), 0);
        const sequences = lengths.map((length, b) => numbers(SIZE * length, seed + b));
        const data = new Float32Array(batch * steps * SIZE).fill(NaN);
        sequences.forEach((sequence, b) => {
          data.set(sequence, b * steps * SIZE);
        });
        const mask = lengths.flatMap((length) => Array.from({ length: steps }, (_, t) => Number(t < length)));
        const x = { data, shape: [batch, steps, SIZE] };
        const want = model.run(sequences);
        const out = reuse ? model.run(x, { lengths: lengths.map(() => 0) }) : undefined;
        for (const [what, got] of [
          ['lengths', model.run(x, { lengths, out })],
          ['mask', model.run(x, { mask })],
        ] as const) {
          expectSameBits(got.output.data, want.output.data, what);
          expectSameBits(got.states['gru']!.data, want.states['gru']!.data, what);
        }
        sequences.forEach((sequence, b) => {
          const alone = model.run(sequence).output;
          expectSameBits(rows(want.output, b * steps, b * steps + lengths[b]!), alone.data, `sequence ${b}`);
        });
      }),
      { numRuns: 60 },
    );
  });

  test('whole, in blocks, step by step and among other streams give the same bits', async () => {
    using model = await api.createModel({
      inputs: [{ name: 'x', dtype: 'float32', size: SIZE }],
      layers: [gruLayer('first', SIZE, 4), gruLayer('gru', 4, HIDDEN, { resetAfter: false })],
    });
    const cuts = fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 4 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), cuts, fc.integer(), fc.nat({ max: 4 }), (steps, at, seed, index) => {
        const x = numbers(SIZE * steps, seed);
        const { output: want } = model.run(x);
        const edges = [0, ...at.filter((cut) => cut < steps).sort((a, b) => a - b), steps];
        let states: Record<string, Tensor> | undefined;
        using stream = model.createStream();
        using streams = model.createStreams(5);
        edges.slice(1).forEach((to, i) => {
          const from = edges[i]!;
          const block = model.run(x.subarray(from * SIZE, to * SIZE), { initialStates: states });
          ({ states } = block);
          expectSameBits(block.output.data, rows(want, from, to), `steps ${from} to ${to}`);
        });
        for (let t = 0; t < steps; t++) {
          const frame = x.subarray(t * SIZE, (t + 1) * SIZE);
          expectSameBits(stream.step(frame), rows(want, t, t + 1), `step ${t}`);
          const other = (index + 1 + (t % 4)) % 5;
          const both = streams.stepMany([index, other], Float32Array.of(...frame, 9, -9));
          expectSameBits(both.subarray(0, HIDDEN), rows(want, t, t + 1), `stream ${index}, step ${t}`);
        }
      }),
      { numRuns: 60 },
    );
  });
});
