import { describe, expect, test } from 'vitest';
import type { GruModel } from '../../ts/api/model.ts';
import { BACKENDS } from '../backends.ts';
import { Random } from '../random.ts';
import { randomInput, randomModel } from './stream-models.ts';

const CASES = 300;
const STEPS = 13;

function givesVector({ outputs: [output] }: GruModel): boolean {
  return !output!.shape.includes('steps');
}

/** What the model gives of the first steps, by how many they are: the rows of all of them, or their vector. */
function expected(model: GruModel, x: Float32Array | Int32Array, size: number): (steps: number) => number[] {
  const of = (steps: number) => [...model.run(x.subarray(0, steps * size)).output.data];
  const isVector = givesVector(model);
  const all = isVector ? [] : of(x.length / size);
  return isVector ? of : () => all;
}

/** A sequence on its way through streams of any kind, and what has come of it. */
interface Sequence {
  x: Float32Array | Int32Array;
  want: (steps: number) => number[];
  at: number;
  rows: number[];
}

describe('random models: blocks, snapshots and many streams give the bits of the whole run', () => {
  const exact = BACKENDS.filter(({ exact }) => exact);

  test.each(Array.from({ length: CASES / 20 }, (_, i) => i))('of seed %i', async (seed) => {
    for (let n = 0; n < 20; n++) {
      const random = new Random(1000 * seed + n);
      const spec = randomModel(random);
      const models = await Promise.all(exact.map(({ api }) => api.createModel(spec)));
      const what = `seed ${1000 * seed + n}: ${JSON.stringify(spec, (key, value: unknown) => (key === 'weights' ? undefined : value))}`;
      const size = spec.inputs[0]!.size;
      const count = random.int(1, 3);
      const isVector = givesVector(models[0]!);
      const sequences = Array.from({ length: count }, (): Sequence => {
        const x = randomInput(random, spec, random.int(1, STEPS));
        const [want, ...others] = models.map((model) => expected(model, x, size));
        for (const other of others) expect(other(x.length / size), what).toEqual(want!(x.length / size));
        return { x, want: want!, at: 0, rows: [] };
      });
      const blockOf = ({ x, at }: Sequence) => {
        const block = x.subarray(at * size, (at + random.pick([0, 1, 1, 2, 3, STEPS])) * size);
        return block as Float32Array;
      };
      const gave = (sequence: Sequence, steps: number, rows: ArrayLike<number>) => {
        sequence.at += steps;
        sequence.rows = isVector ? Array.from(rows) : [...sequence.rows, ...Array.from(rows)];
        // Of no steps a run pads; a stream has not begun.
        if (sequence.at === 0) return;
        const want = sequence.want(sequence.at);
        expect(sequence.rows, `${what}, after ${sequence.at} steps`).toEqual(want.slice(0, sequence.rows.length));
      };
      const ended = ({ rows, want, x }: Sequence) => {
        expect(rows, what).toEqual(want(x.length / size));
      };

      // One stream after the other, each going on from the snapshot of the last, on any backend.
      for (const sequence of sequences) {
        let stream = models[0]!.createStream();
        while (sequence.at < sequence.x.length / size) {
          const block = blockOf(sequence);
          const single =
            block.length === size && random.chance(0.5) && spec.layers.every(({ type }) => type !== 'pool');
          const rows = single ? stepOf(stream, block) : stream.run(block);
          gave(sequence, block.length / size, rows);
          if (random.chance(0.5)) continue;
          const snapshot = stream.snapshot();
          const next = random.pick(models).createStream();
          if (random.chance(0.3)) next.run(blockOf({ ...sequence, at: 0 }));
          next.restore(snapshot);
          expect(next.snapshot(), what).toEqual(snapshot);
          stream.dispose();
          stream = next;
        }
        ended(sequence);
        stream.dispose();
      }

      // Some of many, in any order, moved about by snapshots.
      for (const model of models) {
        using streams = model.createStreams(count + 2);
        const places = sequences.map((sequence, i) => {
          Object.assign(sequence, { at: 0, rows: [] });
          return i;
        });
        while (sequences.some(({ at, x }) => at < x.length / size)) {
          const chosen = places.map((_, i) => i).filter(() => random.chance(0.7));
          if (random.chance(0.5)) chosen.reverse();
          const blocks = chosen.map((i) => blockOf(sequences[i]!));
          const results = streams.runMany(chosen.map((i) => places[i]!), blocks); // prettier-ignore
          results.forEach((rows, i) => {
            gave(sequences[chosen[i]!]!, blocks[i]!.length / size, rows);
          });
          const moved = random.int(0, count - 1);
          const free = Array.from({ length: count + 2 }, (_, i) => i).filter((i) => !places.includes(i));
          const to = random.pick([places[moved]!, ...free]);
          const snapshot = streams.snapshot(places[moved]!);
          if (random.chance(0.5)) streams.reset(places[moved]);
          streams.restore(to, snapshot);
          places[moved] = to;
        }
        sequences.forEach(ended);
      }
      for (const model of models) model.dispose();
    }
  });
});

/** A step, or the block that it is where the output has no row a step. */
function stepOf(stream: ReturnType<GruModel['createStream']>, x: Float32Array): Float32Array {
  try {
    return stream.step(x);
  } catch (error) {
    expect((error as Error).message).toMatch(/has no row for each step/);
    return stream.run(x);
  }
}
