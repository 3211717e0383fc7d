import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GruModel, Tensor } from 'gru-wasm';
import { createPool, type GruPool } from 'gru-wasm/pool';
import { GruError } from '../../ts/base/errors.ts';
import { Random } from '../random.ts';
import { plain, SIZE } from './models.ts';
import { sourceWorker } from './source.ts';

const CALLS = 120;

/** What a worker may do at its second job (misbehaving.mjs). */
const WAYS = [
  'answers null',
  'answers another job',
  'answers too few arrays',
  'answers with strings',
  'ends with code 0',
  '',
];

/** Calls of all kinds at once, on the pool and on its model meanwhile. What of them is not given up is what each gives alone. */
describe.each([
  { seed: 1, workers: 'sound' },
  { seed: 2, workers: 'sound' },
  { seed: 3, workers: 'odd' },
])('calls of a pool of $workers workers in any order, seed $seed', ({ seed, workers }) => {
  let model: GruModel;
  let alone: GruModel;
  let pool: GruPool;

  beforeAll(async () => {
    const ways = new Random(seed);
    const worker = () =>
      workers === 'odd' ? sourceWorker('./misbehaving.mjs', { how: ways.pick(WAYS) }) : sourceWorker();
    model = await plain({ backend: 'js' }, 32);
    alone = await plain({ backend: 'js' }, 32);
    pool = await createPool(model, { workers: 2, maxQueue: 8, createWorker: worker });
  });
  afterAll(async () => {
    await pool.close();
    model.dispose();
    alone.dispose();
  });

  test('each ends, right or as it was asked to', async () => {
    const random = new Random(seed);
    const bits = ({ data }: Tensor) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const codes = new Map<string, number>();
    const settled: Promise<void>[] = [];
    const ends = (code: string) => codes.set(code, (codes.get(code) ?? 0) + 1);
    const stream = model.createStream();
    for (let call = 0; call < CALLS; call++) {
      const batch = random.int(1, 5);
      const steps = random.pick([0, 1, 20, 90]);
      const lengths = Array.from({ length: batch }, () => random.int(0, steps));
      const x = { data: random.floats(batch * steps * SIZE), shape: [batch, steps, SIZE] };
      const initialStates = random.chance(0.5) ? random.floats(batch * 32) : undefined;
      const options = random.chance(0.5) ? { lengths, initialStates } : { initialStates };
      const want = alone.run(x, options);
      const controller = new AbortController();
      const kind = random.int(0, 9);
      const limits = kind === 0 ? { timeout: 1 } : kind <= 2 ? { signal: controller.signal } : {};
      const wrong = kind === 3 ? { lengths: [steps + 1] } : {};
      const known = ['queue_full', ...(kind === 0 ? ['timeout'] : []), ...(workers === 'odd' ? ['worker_lost'] : [])];
      if (kind === 3) known.push('invalid_argument', 'shape_mismatch');
      const run = pool.run(x, { ...options, ...limits, ...wrong }).then(
        ({ output, states }) => {
          expect(bits(output).equals(bits(want.output)), `call ${call}: output`).toBe(true);
          expect(bits(states['gru']!).equals(bits(want.states['gru']!)), `call ${call}: states`).toBe(true);
          ends('right');
        },
        (error: unknown) => {
          if (error === controller.signal.reason) ends('aborted');
          else if (error instanceof GruError && known.includes(error.code)) ends(error.code);
          else throw error;
        },
      );
      // What the caller gave is the caller's again.
      x.data.fill(NaN);
      initialStates?.fill(NaN);
      lengths.fill(-1);
      settled.push(run);
      if (kind <= 2 && random.chance(0.5)) controller.abort(new Error('mine'));
      else if (kind <= 2) setTimeout(() => { controller.abort(new Error('mine')); }, random.int(0, 3)); // prettier-ignore
      stream.step(random.floats(SIZE));
      if (random.chance(0.6)) await pool.ready;
      if (random.chance(0.1)) await run;
    }
    await Promise.all(settled);
    await pool.drain();
    expect(pool.queued).toBe(0);
    expect(codes.get('right')).toBeGreaterThan(CALLS / 4);
    stream.dispose();
  });
});
