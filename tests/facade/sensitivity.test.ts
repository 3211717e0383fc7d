import { describe, expect, test } from 'vitest';
import { createModel, createGru, loadModel, type ModelSpec } from '../../ts/index.ts';
import { createModel as createJsModel, loadModel as loadJsModel } from '../../ts/js.ts';
import { sensitivity } from '../../ts/precision.ts';
import { Random } from '../random.ts';
import { expectError } from './helpers.ts';

const [I, H] = [6, 16];

/** Two gru layers and a dense one; the second's weights are whole multiples of 1/1024 up to 127/1024, so that i8 changes them in nothing. */
function spec(): ModelSpec {
  const random = new Random(3);
  const whole = (length: number) => Float32Array.from(random.floats(length, 100), (w) => Math.round(w) / 1024);
  const greatest = (rows: Float32Array, depth: number) => rows.map((w, i) => (i % depth === 0 ? 127 / 1024 : w));
  const gru = (name: string, inputSize: number, of: (rows: number, depth: number) => Float32Array) =>
    ({
      name,
      type: 'gru',
      inputSize,
      hiddenSize: H,
      resetAfter: true,
      weights: { 'forward.input': of(3 * H, inputSize), 'forward.recurrent': of(3 * H, H) },
    }) as const;
  return {
    inputs: [{ name: 'x', dtype: 'float32', size: I }],
    layers: [
      gru('odd', I, (rows, depth) => random.floats(rows * depth, 0.5)),
      gru('whole', H, (rows, depth) => greatest(whole(rows * depth), depth)),
      { name: 'act', type: 'activation', activation: 'tanh' },
      { name: 'dense', type: 'dense', inputSize: H, outputSize: 4, weights: { kernel: random.floats(4 * H, 0.3) } },
    ],
  };
}

const random = new Random(8);
const sequences = [random.floats(I * 12), random.floats(I * 3), random.floats(I * 7)];
const BACKENDS = [
  { name: 'wasm', create: createModel, load: loadModel, options: { deterministic: true } },
  { name: 'js', create: createJsModel, load: loadJsModel, options: {} },
];

describe.each(BACKENDS)('sensitivity on $name', ({ create, load, options }) => {
  test('is how far a model of that precision is, and has the worst layer first', async () => {
    const model = await create(spec(), options);
    const { layers, all } = await sensitivity(model, sequences);
    expect(layers.map(({ name }) => name).sort()).toEqual(['dense', 'odd', 'whole']);
    expect(layers.map(({ i8 }) => i8.worst)).toEqual(layers.map(({ i8 }) => i8.worst).sort((a, b) => b - a));
    const [first] = layers;
    expect(first).toMatchObject({ name: 'odd', type: 'gru', parameters: 3 * H * (I + H) });
    const measured = async (precision: Parameters<typeof load>[1] & object) => {
      const other = await load(model.save(), { ...options, ...precision });
      let [worst, squares, count] = [0, 0, 0];
      for (const x of sequences) {
        const want = model.run(x).output.data;
        other.run(x).output.data.forEach((value, i) => {
          const distance = Math.abs(value - want[i]!);
          worst = Math.max(worst, distance);
          squares += distance ** 2;
          count++;
        });
      }
      return { worst, rms: Math.sqrt(squares / count) };
    };
    const near = ({ worst, rms }: { worst: number; rms: number }) => ({
      worst,
      rms: expect.closeTo(rms, 12) as number,
    });
    for (const { name, i16, i8 } of layers) {
      expect(i16).toEqual(near(await measured({ precision: { [name]: 'i16' } })));
      expect(i8).toEqual(near(await measured({ precision: { [name]: 'i8' } })));
    }
    expect(all.i8).toEqual(near(await measured({ precision: 'i8' })));
    expect(all.i16).toEqual(near(await measured({ precision: 'i16' })));
    expect(all.i8.worst).toBeGreaterThan(5 * all.i16.worst);
  });

  test('of weights that are integers: against the numbers that they stand for', async () => {
    const exact = await create(spec(), options);
    const stored = await load(exact.save({ dtype: 'i8' }), options);
    const numbers = await load(exact.save({ dtype: 'i8' }), { ...options, precision: 'f32' });
    const [of, same] = [await sensitivity(stored, sequences), await sensitivity(numbers, sequences)];
    const dense = ({ layers }: typeof of) => layers.find(({ name }) => name === 'dense')!.i8;
    // The same integers again: what is left is the rounding of what they are multiplied by.
    expect(dense(of).worst).toBeGreaterThan(0);
    expect(dense(of).worst).toBeLessThan(dense(await sensitivity(exact, sequences)).worst);
    expect(dense(same)).toEqual(dense(of));
  });
});

test('the same numbers from JavaScript and baseline wasm', async () => {
  const models = [await createModel(spec(), { deterministic: true }), await createJsModel(spec())];
  const [wasm, js] = await Promise.all(models.map((model) => sensitivity(model, sequences)));
  expect(wasm).toEqual(js);
});

test('padding does not dilute the mean, and lengths and states are those of the run', async () => {
  const model = await createJsModel(spec());
  const apart = await sensitivity(model, [sequences[1]!]);
  const shape = [1, 12, I];
  const padded = { data: new Float32Array(12 * I), shape };
  padded.data.set(sequences[1]!);
  expect(await sensitivity(model, padded, { lengths: [3] })).toEqual(apart);
  const initialStates = { odd: new Float32Array(H).fill(0.9) };
  expect(await sensitivity(model, sequences[1]!, { initialStates })).not.toEqual(apart);
});

test('ids are the same or not', async () => {
  const argmax = { ...spec(), outputs: ['best'] } as ModelSpec;
  const model = await createJsModel({
    ...argmax,
    layers: [...argmax.layers, { name: 'best', type: 'argmax' } as never],
  });
  const { all } = await sensitivity(model, { data: random.floats(I * 2000), shape: [500, 4, I] });
  expect(all.i8.worst).toBe(1);
  expect(all.i8.rms).toBeGreaterThan(0);
  expect(all.i8.rms).toBeLessThan(0.5);
});

test('a model without weights of products: none, and no error', async () => {
  const model = await createJsModel({
    inputs: [{ name: 'x', dtype: 'float32', size: 2 }],
    layers: [{ name: 'act', type: 'activation', activation: 'tanh' }],
  });
  const nothing = { worst: 0, rms: 0 };
  expect(await sensitivity(model, [[1, 2]])).toEqual({ layers: [], all: { i16: nothing, i8: nothing } });
});

test('tells of its runs, and ends when it is aborted', async () => {
  const model = await createJsModel(spec());
  const told: { done: number; total: number }[] = [];
  await sensitivity(model, sequences, { onProgress: (progress) => void told.push(progress) });
  expect(told).toEqual(Array.from({ length: 9 }, (_, i) => ({ done: i + 1, total: 9 })));
  const controller = new AbortController();
  const reason = new Error('enough');
  let runs = 0;
  const onProgress = () => {
    if (++runs === 2)
      setTimeout(() => {
        controller.abort(reason);
      });
  };
  const aborted = sensitivity(model, sequences, { signal: controller.signal, onProgress });
  await expect(aborted).rejects.toBe(reason);
  expect(runs).toBeLessThan(5);
  await expect(sensitivity(model, sequences, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

describe('what cannot be done is refused by name', () => {
  test('a model that is none, sequences that do not fit, options that are unknown', async () => {
    const model = await createJsModel(spec());
    await expectError(() => sensitivity({} as never, []), 'invalid_argument', 'sensitivity: expected a model');
    await expectError(() => sensitivity(model, undefined as never), 'invalid_argument', 'give sequences');
    await expectError(() => sensitivity(model, [[1, 2]]), 'shape_mismatch', 'x');
    await expectError(
      () => sensitivity(model, sequences, { maxError: 1 } as never),
      'invalid_argument',
      "sensitivity: unknown option 'maxError'",
    );
    await expectError(() => sensitivity(model, sequences, { signal: {} as never }), 'invalid_argument', 'AbortSignal');
    model.dispose();
    await expectError(() => sensitivity(model, sequences), 'disposed', 'disposed');
  });

  test.each(['kernel', 'bias'])('weights that are not finite: %s', async (key) => {
    const strange = spec();
    const { weights } = strange.layers[3] as unknown as { weights: Record<string, Float32Array> };
    weights[key] = new Float32Array(key === 'bias' ? 4 : 4 * H).fill(NaN, 3, 4);
    const model = await createJsModel(strange);
    await expectError(
      () => sensitivity(model, sequences),
      'unsupported',
      `in float32, and weights['${key}'] of dense layer 'dense' hold NaN`,
    );
  });
});

test('models of createGru: the binary of all layers is found for them', async () => {
  const kernel = random.floats(I * 3 * H, 0.4);
  const recurrentKernel = random.floats(H * 3 * H, 0.4);
  const model = await createGru({ inputSize: I, hiddenSize: H, resetAfter: false }, { kernel, recurrentKernel });
  const { layers } = await sensitivity(model, sequences);
  expect(layers[0]!.i8.worst).toBeGreaterThan(layers[0]!.i16.worst);
});
