import { expect, test } from 'vitest';
import { BACKENDS, memoryOf } from '../backends.ts';
import { numbers, oneGru } from '../facade/helpers.ts';

test.each(BACKENDS.filter(({ name }) => name !== 'js'))(
  '10,000 streams of 64 hidden values take at most 16 MB on $name',
  async ({ api, name }) => {
    using model = await api.createModel(oneGru(64, 64));
    const memory = memoryOf(name);
    const before = memory.buffer.byteLength;
    using streams = model.createStreams(10_000);
    const which = Array.from({ length: 64 }, (_, i) => i * 150);
    expect(streams.stepMany(which, numbers(64 * 64))).toHaveLength(64 * 64);
    const grown = memory.buffer.byteLength - before;
    expect(grown).toBeGreaterThan(10_000 * 64 * 4 - 2 ** 20);
    expect(grown).toBeLessThanOrEqual(16 * 2 ** 20);
  },
);
