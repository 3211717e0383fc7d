import { createPool } from 'gru-wasm/pool';
import { afterEach, expect, test, vi } from 'vitest';
import { numbers, plain, SIZE } from './models.ts';
import { sourceWorker } from './source.ts';

afterEach(() => {
  vi.useRealTimers();
});

// The first model of the process, whose backend times its kernels: a test stopped the clocks before that had ended now and then, and createPool waited for ever.
test('a pool starts while the clocks stand still', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  const model = await plain();
  const pool = await createPool(model, { workers: 1, createWorker: () => sourceWorker() });
  const batch = { data: numbers(16 * 50 * SIZE), shape: [16, 50, SIZE] };
  expect(await pool.run(batch)).toEqual(model.run(batch));
  await pool.close();
}, 60_000);
