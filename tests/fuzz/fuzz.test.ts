import { describe, expect, test } from 'vitest';
import { FORMATS } from '../../scripts/fuzz/seeds.mjs';
import { inputsOf, tryInput } from '../../scripts/fuzz/trial.mjs';
import { type Api, counted, MOST_MS } from './counted.ts';

/** Mutated inputs a format; the long run (`npm run fuzz`) has 200,000. */
const COUNT = 300;

const run = counted();

describe('mutated files end soon, in little memory, with a GruError if any', () => {
  test.each(FORMATS)('%s', async (format) => {
    const inputs = await inputsOf(format, run.api, 3);
    const codes = new Map<string, number>();
    for (let i = 0; i < inputs.whole + COUNT; i++) {
      const { code, failure } = await tryInput(run.api, inputs.input(i), run.take, MOST_MS);
      expect(failure, `input ${i} of ${format}`).toBeUndefined();
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    // Mutations that all break the file would test its first check alone.
    expect(codes.get('accepted') ?? 0).toBeGreaterThan(10);
  });
});

describe('the fuzzer sees', () => {
  const outcome = (inspect: () => unknown) =>
    tryInput({ ...run.api, inspect: inspect as unknown as Api['inspect'] }, { bytes: new Uint8Array(8) }, run.take);

  test('errors that are no GruError', async () => {
    const broken = () => {
      throw new TypeError('x is undefined');
    };
    expect((await outcome(broken)).failure).toMatch(/^threw TypeError/);
    const internal = () => {
      throw new run.api.GruError('internal', 'broken');
    };
    expect((await outcome(internal)).failure).toMatch(/^threw GruError/);
  });

  test.each<[string, () => unknown]>([
    ['new', () => new Uint8Array(65 * 2 ** 20)],
    ['from', () => Float64Array.from({ length: 9 * 2 ** 20 }, () => 0)],
    ['of views', () => new Float32Array(new ArrayBuffer(65 * 2 ** 20))],
    ['slice', () => [0, 1, 2].map(() => new Uint8Array(22 * 2 ** 20).slice())],
    ['a class of its own', () => new (class extends ArrayBuffer {})(65 * 2 ** 20)],
  ])('memory, by %s', async (_, allocate) => {
    expect((await outcome(allocate)).failure).toMatch(/^made \d+ bytes/);
  });
});
