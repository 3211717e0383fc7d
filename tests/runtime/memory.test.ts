import { describe, expect, test } from 'vitest';
import { BACKENDS, memoryOf } from '../backends.ts';
import { expectError, numbers, oneGru, textModel } from '../facade/helpers.ts';
import { growth } from '../heap.ts';

describe.each(BACKENDS)('$name', ({ api, name }) => {
  test.skipIf(process.env['GRU_COVERAGE'])('step(x, out) allocates nothing', async () => {
    using features = await api.createModel(oneGru(8, 16));
    using text = await api.createModel(textModel());
    const stream = features.createStream({ batch: 2 });
    const ids = text.createStream();
    const [x, y, logits] = [numbers(16), new Float32Array(32), new Float32Array(2)];
    const step = (i: number) => {
      stream.step(x, y);
      ids.step(i % 11, logits);
    };
    const bytes = name === 'js' ? 0 : memoryOf(name).buffer.byteLength;
    // One object of the smallest size a step would be 16 bytes x 20,000.
    expect(growth(20_000, 100_000, step).heap).toBeLessThan(100_000);
    if (name !== 'js') expect(memoryOf(name).buffer.byteLength).toBe(bytes);
  });

  if (name !== 'js')
    test('10,000 load-run-dispose cycles leave the memory where it was after 100', async () => {
      using original = await api.createModel(textModel());
      const file = original.save();
      let after100 = 0;
      for (let i = 1; i <= 10_000; i++) {
        const model = await api.loadModel(file);
        model.run([1, 2, 3, 4]);
        const stream = model.createStream();
        stream.step(3);
        model.dispose();
        if (i === 100) after100 = memoryOf(name).buffer.byteLength;
      }
      expect(memoryOf(name).buffer.byteLength).toBe(after100);
    });

  if (name !== 'js')
    test('streams that are made one by one seldom make the memory grow: it grows ahead', async () => {
      using model = await api.createModel(oneGru(3, 5));
      const memory = memoryOf(name);
      const buffers = new Set([memory.buffer]);
      const [before, streams] = [memory.buffer.byteLength, []] as [number, { dispose(): void }[]];
      // Page by page these were 173 times, each of which detaches all views and makes the engine collect garbage.
      for (let i = 0; i < 4000; i++) {
        streams.push(model.createStream());
        buffers.add(memory.buffer);
      }
      const grown = memory.buffer.byteLength - before;
      streams.forEach((stream) => {
        stream.dispose();
      });
      expect(grown).toBeGreaterThan(2 ** 21);
      expect(grown).toBeLessThan(4000 * 3500 + before / 8);
      expect(buffers.size).toBeLessThan(80);
    });

  test('a stream survives the growth of the memory by another model', async () => {
    using model = await api.createModel(oneGru(4, 6));
    const [stream, twin] = [model.createStream(), model.createStream()];
    const y = new Float32Array(6);
    const first = Array.from(stream.step(numbers(4), y));
    expect(Array.from(stream.hiddenState)).toEqual(first);
    const bytes = name === 'js' ? 0 : memoryOf(name).buffer.byteLength;
    using large = await api.createModel(oneGru(2048, 4));
    large.run(numbers(2048 * 5000));
    if (name !== 'js') expect(memoryOf(name).buffer.byteLength).toBeGreaterThan(bytes);
    expect(Array.from(stream.hiddenState)).toEqual(first);
    twin.hiddenState = stream.hiddenState;
    const second = Array.from(stream.step(numbers(4, 2), y));
    expect(Array.from(twin.step(numbers(4, 2)))).toEqual(second);
    expect(second).not.toEqual(first);
  });

  test('a model that cannot be allocated fails and harms no other', async () => {
    using model = await api.createModel(oneGru(4, 6));
    const stream = model.createStream();
    const want = Array.from(stream.step(numbers(4)));
    using wide = await api.createModel(oneGru(1, 1024));
    // 2^28 sequences are refused at once; 600,000 take 2.4 GB a buffer, so that the allocator itself refuses the second.
    await expectError(() => wide.createStream({ batch: 2 ** 28 }), 'out_of_memory');
    if (name !== 'js') await expectError(() => wide.createStream({ batch: 600_000 }), 'out_of_memory');
    stream.reset();
    expect(Array.from(stream.step(numbers(4)))).toEqual(want);
    using another = await api.createModel(oneGru(4, 6));
    expect(Array.from(another.createStream().step(numbers(4)))).toEqual(want);
  });
});
