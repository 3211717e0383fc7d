import { describe, expect, test } from 'vitest';
import { BACKENDS } from '../backends.ts';

const RANGE = 5e4;

describe.each(BACKENDS)('$name: sine', ({ api }) => {
  const run = async (x: Float32Array, cosine: boolean) => {
    using model = await api.createModel({
      inputs: [{ name: 'x', dtype: 'float32', size: 1 }],
      layers: [{ type: 'sine', name: 'y', cosine }],
    });
    return Array.from(model.run({ data: x, shape: [1, x.length, 1] }).output.data);
  };

  test.each([false, true])('errs by 2e-7 at most (cosine: %s)', async (cosine) => {
    const quarters = Array.from({ length: 2000 }, (_, i) => ((i - 1000) * Math.PI) / 2);
    const wide = Array.from({ length: 20_000 }, (_, i) => RANGE * Math.sin(i) ** 3);
    const x = Float32Array.from([...quarters, ...wide, 0, RANGE, -RANGE, 1e-30]);
    const y = await run(x, cosine);
    const off = y.map((value, i) => Math.abs(value - (cosine ? Math.cos(x[i]!) : Math.sin(x[i]!))));
    expect(Math.max(...off)).toBeLessThanOrEqual(2e-7);
  });

  test('beyond its range it stays between -1 and 1; what is infinite has none', async () => {
    const far = Float32Array.from({ length: 200 }, (_, i) => 1e5 * 1.4 ** i).filter(Number.isFinite);
    for (const cosine of [false, true]) {
      for (const value of await run(far, cosine)) expect(Math.abs(value)).toBeLessThanOrEqual(1);
      expect(await run(Float32Array.of(Infinity, -Infinity, NaN), cosine)).toEqual([NaN, NaN, NaN]);
    }
  });

  test('streams', async () => {
    using model = await api.createModel({
      inputs: [{ name: 'x', dtype: 'float32', size: 2 }],
      layers: [{ type: 'sine', name: 'y' }],
    });
    using stream = model.createStream();
    const y = new Float32Array(2);
    stream.step(Float32Array.of(0, Math.PI / 2), y);
    expect(Array.from(y)).toEqual([0, 1]);
  });
});
