import type { GruModel, ModelOptions, RunOptions } from 'gru-wasm';
import { createPool, type GruPool } from 'gru-wasm/pool';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { failure } from '../facade/helpers.ts';
import { numbers, plain, SIZE, wide } from './models.ts';
import { sourceWorker } from './source.ts';

const createWorker = () => sourceWorker();

type Input = Parameters<GruModel['run']>[0];

const ragged = (lengths: number[]) => lengths.map((length, i) => numbers(length * SIZE, i + 5));
const LENGTHS = [40, 3, 0, 17, 40, 1, 29, 22, 38, 5, 11];

/** Runs of every layout that `model.run` takes. */
const cases: Record<string, [Input, RunOptions?]> = {
  'one sequence': [numbers(200 * SIZE)],
  'a batch': [{ data: numbers(9 * 40 * SIZE), shape: [9, 40, SIZE] }],
  'two sequences': [{ data: numbers(2 * 90 * SIZE), shape: [2, 90, SIZE] }],
  'time-major': [{ data: numbers(9 * 40 * SIZE), shape: [40, 9, SIZE] }, { timeMajor: true }],
  'initial states': [
    { data: numbers(9 * 40 * SIZE), shape: [9, 40, SIZE] },
    { initialStates: { data: numbers(9 * 256, 8), shape: [1, 9, 256] } },
  ],
  'an array of sequences': [ragged(LENGTHS)],
  'an array of sequences, held': [ragged(LENGTHS), { padding: 'hold' }],
  'an array of sequences, not padded': [ragged(LENGTHS), { padding: 'none' }],
  'an array of sequences of one length': [ragged([30, 30, 30, 30, 30])],
  lengths: [{ data: numbers(11 * 40 * SIZE), shape: [11, 40, SIZE] }, { lengths: LENGTHS }],
  'lengths, time-major, held': [
    { data: numbers(11 * 40 * SIZE), shape: [40, 11, SIZE] },
    { lengths: LENGTHS, timeMajor: true, padding: 'hold' },
  ],
  mask: [
    { data: numbers(11 * 40 * SIZE), shape: [11, 40, SIZE] },
    { mask: numbers(11 * 40, 9).map((v) => Number(v > -0.5)), padding: 'hold' },
  ],
  'no sequences': [{ data: numbers(0), shape: [0, 40, SIZE] }],
  'no steps': [{ data: numbers(0), shape: [4, 0, SIZE] }],
};

const BACKENDS: [string, ModelOptions, shared?: false][] = [
  ['auto', {}],
  ['without shared memory', {}, false],
  ['deterministic', { deterministic: true }],
  ['js', { backend: 'js' }],
];

describe.each(BACKENDS)('a pool of three workers, %s', (_, options, shared) => {
  let model: GruModel;
  let pool: GruPool;
  beforeAll(async () => {
    if (shared === false) vi.stubGlobal('SharedArrayBuffer', undefined);
    model = await plain(options);
    pool = await createPool(model, { workers: 3, createWorker });
  });
  afterAll(async () => {
    await pool.close();
    vi.unstubAllGlobals();
  });

  test.each(Object.entries(cases))('gives what model.run gives: %s', async (_, [input, runOptions]) => {
    expect(await pool.run(input, runOptions)).toEqual(model.run(input, runOptions));
  });

  test('many calls at a time', async () => {
    const inputs = Array.from({ length: 24 }, (_, i) => ragged(LENGTHS.map((n) => (n * (i + 3)) % 41)));
    const results = await Promise.all(inputs.map((input) => pool.run(input)));
    results.forEach((result, i) => {
      expect(result).toEqual(model.run(inputs[i]!));
    });
  });

  test('ids, features and vectors; two directions', async () => {
    const batch = 7;
    const several = await wide(options);
    await using second = await createPool(several, { workers: 2, createWorker });
    const ids = Array.from({ length: batch * 60 }, (_, i) => (i * 7) % 40);
    const x = numbers(batch * 60 * SIZE);
    const v = numbers(batch * 8);
    const input = {
      ids: { data: ids, shape: [batch, 60] },
      x: { data: x, shape: [batch, 60, SIZE] },
      v: { data: v, shape: [batch, 8] },
    };
    const initialStates = { both: { data: numbers(2 * batch * 64), shape: [2, batch, 64] } };
    for (const more of [{}, { initialStates }, { lengths: [60, 2, 0, 31, 60, 59, 12] }]) {
      expect(await second.run(input, more)).toEqual(several.run(input, more));
    }
    const sequences = {
      ids: LENGTHS.map((n) => Int32Array.from({ length: n * 2 }, (_, t) => t % 40)),
      x: ragged(LENGTHS.map((n) => n * 2)),
      v: LENGTHS.map((_, i) => numbers(8, i)),
    };
    expect(await second.run(sequences)).toEqual(several.run(sequences));
  });

  test('errors are those of model.run', async () => {
    const bad: [Input, RunOptions?][] = [
      [{ data: numbers(10), shape: [2, 5] }],
      [[numbers(SIZE), numbers(SIZE + 1)]],
      [numbers(SIZE), { initialStates: { nowhere: numbers(1) } }],
      [numbers(SIZE), { padding: 'odd' as 'zero' }],
    ];
    for (const [input, runOptions] of bad) {
      const { code, message } = failure(() => model.run(input, runOptions));
      await expect(pool.run(input, runOptions)).rejects.toMatchObject({
        name: 'GruError',
        code,
        message: message.replace(/^run:/, 'pool.run:'),
      });
    }
  });
});
