import { describe, expect, test, vi } from 'vitest';
import { createModel, loadModel, type ModelSpec } from '../../ts/index.ts';
import { createModel as createJsModel, loadModel as loadJsModel } from '../../ts/js.ts';
import { choose, ladder, type Rung } from '../../ts/api/precision/choose.ts';
import { autoPrecision, sensitivity } from '../../ts/precision.ts';
import { Random } from '../random.ts';
import { expectError } from './helpers.ts';

const [I, H] = [5, 24];

function spec(): ModelSpec {
  const random = new Random(4);
  const gru = (name: string, inputSize: number) =>
    ({
      name,
      type: 'gru',
      inputSize,
      hiddenSize: H,
      resetAfter: false,
      weights: {
        'forward.input': random.floats(3 * H * inputSize, 0.4),
        'forward.recurrent': random.floats(3 * H * H, 0.3),
      },
    }) as const;
  return {
    inputs: [{ name: 'x', dtype: 'float32', size: I }],
    layers: [
      gru('first', I),
      gru('second', H),
      { name: 'dense', type: 'dense', inputSize: H, outputSize: 3, weights: { kernel: random.floats(3 * H, 0.3) } },
    ],
  };
}

const random = new Random(6);
const sequences = [random.floats(I * 9), random.floats(I * 4)];
const BACKENDS = [
  { name: 'wasm', create: createModel, load: loadModel, options: { deterministic: true } },
  { name: 'js', create: createJsModel, load: loadJsModel, options: {} },
];

describe.each(BACKENDS)('autoPrecision on $name', ({ create, load, options }) => {
  test('of the least size: within the bound, and what loadModel then makes', async () => {
    const model = await create(spec(), options);
    const { all, layers } = await sensitivity(model, sequences);
    const sizes: number[] = [];
    for (const maxError of [0, all.i16.worst, (layers[0]!.i8.worst + all.i8.worst) / 2, all.i8.worst, 1]) {
      const found = await autoPrecision(model, sequences, { maxError, prefer: 'size' });
      expect(found.worst).toBeLessThanOrEqual(maxError);
      expect(found.speedup).toBeUndefined();
      const other = await load(model.save(), { ...options, precision: found.precision });
      let worst = 0;
      for (const x of sequences) {
        const want = model.run(x).output.data;
        other.run(x).output.data.forEach((value, i) => (worst = Math.max(worst, Math.abs(value - want[i]!))));
      }
      expect(worst).toBe(found.worst);
      expect((await load(other.save(), options)).run(sequences[0]!).output.data).toEqual(
        other.run(sequences[0]!).output.data,
      );
      sizes.push(found.bytes);
    }
    const weights = 3 * H * (I + H) + 3 * H * 2 * H + 3 * H;
    const rows = 4 * (2 * 3 * H * 2 + 3);
    expect(sizes[0]).toBe(4 * weights);
    expect(sizes[1]).toBeLessThanOrEqual(2 * weights + rows);
    expect(sizes[4]).toBe(weights + rows);
    expect(sizes[3]).toBe(weights + rows);
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
    expect(sizes[2]).toBeLessThan(sizes[1]!);
  });

  test('of the least time: within the bound, and never coarser than is faster', async () => {
    const model = await create(spec(), options);
    const told: { done: number; total: number }[] = [];
    const onProgress = (progress: { done: number; total: number }) => told.push(progress);
    const { all } = await sensitivity(model, sequences);
    const found = await autoPrecision(model, sequences, { maxError: all.i16.worst, onProgress });
    expect(found.worst).toBeLessThanOrEqual(all.i16.worst);
    expect(Object.keys(found.precision)).toEqual(['first', 'second', 'dense']);
    expect(found.speedup).toBeGreaterThan(0);
    expect(found.bytesInFloat32).toBe(4 * (3 * H * (I + H) + 3 * H * 2 * H + 3 * H));
    expect(told.every(({ done, total }) => done <= total && total === told[0]!.total)).toBe(true);
    const exact = await autoPrecision(model, sequences, { maxError: 0 });
    const precision = { first: 'f32', second: 'f32', dense: 'f32' };
    expect(exact).toMatchObject({ precision, worst: 0, rms: 0, speedup: 1 });
  });
});

test('a clock that stands still', async () => {
  const model = await createJsModel(spec());
  vi.spyOn(performance, 'now').mockReturnValue(1);
  try {
    await expectError(() => autoPrecision(model, sequences, { maxError: 1 }), 'unsupported', "give prefer: 'size'");
    await autoPrecision(model, sequences, { maxError: 1, prefer: 'size' });
  } finally {
    vi.restoreAllMocks();
  }
});

describe('the choice', () => {
  const rungs = (costs: [number, number, number], errors: [number, number, number]): Rung[] =>
    (['f32', 'i16', 'i8'] as const).map((dtype, i) => ({ dtype, cost: costs[i]!, error: errors[i]! }));
  const dtypes = (costs: [number, number, number], margin: number) =>
    ladder(rungs(costs, [0, 1, 2]), margin).map(({ dtype }) => dtype);

  test('i8 where it is faster than i16; i16 where it is as fast; f32 where neither is faster', () => {
    expect(dtypes([1, 0.8, 0.6], 0.01)).toEqual(['f32', 'i16', 'i8']);
    expect(dtypes([1, 0.8, 0.795], 0.01)).toEqual(['f32', 'i16']);
    expect(dtypes([1, 0.8, 0.9], 0.01)).toEqual(['f32', 'i16']);
    expect(dtypes([1, 0.995, 0.8], 0.01)).toEqual(['f32', 'i8']);
    expect(dtypes([1, 1.2, 0.995], 0.01)).toEqual(['f32']);
  });

  test('finer first where an error is lost at the least cost', async () => {
    const layers = new Map([
      ['dear', rungs([1, 0.5, 0.2], [0, 1, 10])],
      ['cheap', rungs([1, 0.95, 0.9], [0, 1, 10])],
    ]);
    const tried: string[] = [];
    const errorOf = (precision: Record<string, string>) => {
      tried.push(Object.values(precision).join(' '));
      const of = (name: string) => layers.get(name)!.find(({ dtype }) => dtype === precision[name])!.error;
      return Promise.resolve({ worst: of('dear') + of('cheap') });
    };
    const bounded = async (maxError: number) =>
      Object.values((await choose(layers, maxError, errorOf)).precision).join(' ');
    expect(await bounded(20)).toBe('i8 i8');
    expect(await bounded(11)).toBe('i8 i16');
    expect(await bounded(2)).toBe('i16 i16');
    expect(await bounded(1)).toBe('i16 f32');
    expect(await bounded(0)).toBe('f32 f32');
    expect(tried.slice(-5)).toEqual(['i8 i8', 'i8 i16', 'i16 i16', 'i16 f32', 'f32 f32']);
  });
});

describe('what cannot be done is refused by name', () => {
  test('no bound, one that is none, a preference that is none', async () => {
    const model = await createJsModel(spec());
    for (const maxError of [undefined, NaN, -1, '1e-3']) {
      await expectError(
        () => autoPrecision(model, sequences, { maxError } as never),
        'invalid_argument',
        'autoPrecision: give maxError, the largest distance from float32 that an output may have, a number from 0; got',
      );
    }
    await expectError(
      () => autoPrecision(model, undefined as never, { maxError: 1 }),
      'invalid_argument',
      'autoPrecision: give sequences',
    );
    await expectError(
      () => autoPrecision(model, sequences, { maxError: 1, prefer: 'both' } as never),
      'invalid_argument',
      "prefer must be speed or size, got the string 'both'",
    );
    await expectError(() => autoPrecision(model, sequences, undefined as never), 'invalid_argument', 'options');
  });

  test("loadModel with 'auto' says what is to be given", async () => {
    const file = (await createJsModel(spec())).save();
    for (const [precision, where] of [
      ['auto', 'precision'],
      [{ first: 'auto' }, "precision['first']"],
    ] as const) {
      const call = 'await autoPrecision(model, sequences, { maxError })';
      await expectError(() => loadJsModel(file, { precision: precision as never }), 'invalid_argument', call);
      await expectError(
        () => loadJsModel(file, { precision: precision as never }),
        'invalid_argument',
        `${where}: 'auto'`,
      );
    }
  });
});
