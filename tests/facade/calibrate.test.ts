import { describe, expect, test } from 'vitest';
import { createModel, type GruSpec, loadModel, type ModelSpec } from '../../ts/index.ts';
import { createModel as createJsModel } from '../../ts/js.ts';
import { calibrate, sensitivity } from '../../ts/precision.ts';
import { Random } from '../random.ts';
import { expectError } from './helpers.ts';

const [I, H, STEPS] = [10, 16, 30];

/** Features of ranges from 1 to `most`, each with weights that are as much smaller: what a trained model makes of them. */
function spec(most: number, random = new Random(2)): ModelSpec {
  const range = (i: number) => most ** ((i % 5) / 4);
  const input = random.floats(3 * H * I, 0.3).map((w, i) => w / range(i % I));
  return {
    inputs: [{ name: 'x', dtype: 'float32', size: I }],
    layers: [
      {
        name: 'gru',
        type: 'gru',
        inputSize: I,
        hiddenSize: H,
        resetAfter: false,
        weights: { 'forward.input': input, 'forward.recurrent': random.floats(3 * H * H, 0.2) },
      },
      { name: 'dense', type: 'dense', inputSize: H, outputSize: 3, weights: { kernel: random.floats(3 * H, 0.3) } },
    ],
  };
}

const sequence = (most: number, steps = STEPS) =>
  new Random(5).floats(steps * I).map((v, i) => v * most ** (((i % I) % 5) / 4));

describe.each([
  ['wasm', createModel],
  ['js', createJsModel],
] as const)('calibrate on %s', (_, create) => {
  test.each(['i8', 'i16'] as const)(
    'features of unlike ranges: less error in %s, the same bits in float32',
    async (precision) => {
      const model = await create(spec(1000));
      const x = [sequence(1000), sequence(1000, 4)];
      const { spec: scaled, layers, before, after } = await calibrate(model, x, { precision });
      expect(layers.map(({ name, scaled }) => [name, scaled])).toEqual([
        ['gru', true],
        ['dense', false],
      ]);
      // Measured: 2.7e-1 and 2.5e-3 (i8), 1.3e-2 and 5.3e-5 (i16), within a third of these.
      expect(after.rms * 20).toBeLessThan(before.rms);
      expect(before).toEqual((await sensitivity(model, x)).all[precision]);
      const made = await create(scaled);
      expect(made.run(x).output.data).toEqual(model.run(x).output.data);
      // Its file in integers has the error that was told, and streams.
      const stored = await loadModel(made.save({ dtype: precision }), {
        backend: model.backend === 'js' ? 'js' : 'wasm',
      });
      const got = stored.run(x[0]!).output.data;
      const want = model.run(x[0]!).output.data;
      const worst = got.reduce((most, value, i) => Math.max(most, Math.abs(value - want[i]!)), 0);
      expect(worst).toBeLessThanOrEqual(after.worst);
      expect(worst).toBeGreaterThan(0);
      const stream = stored.createStream();
      expect(stream.run(x[0]!)).toEqual(got);
    },
  );

  test('features of like ranges: nothing to gain, and the model as it was', async () => {
    const model = await create(spec(1));
    const { spec: same, layers, before, after } = await calibrate(model, sequence(1));
    expect(layers.every(({ scaled }) => !scaled)).toBe(true);
    expect(same).toEqual(model.spec);
    expect(after).toEqual(before);
  });
});

test('both directions, convolutions, features that are zero, and a model that has scales already', async () => {
  const random = new Random(7);
  const directed = (direction: string) => ({
    [`${direction}.input`]: (spec(1000, random).layers[0] as GruSpec).weights['forward.input'],
    [`${direction}.recurrent`]: random.floats(3 * H * H, 0.2),
  });
  const kernel = random.floats(6 * 3 * I, 0.3).map((w, i) => w / 1000 ** ((i % 5) / 4));
  const model = await createJsModel({
    inputs: [{ name: 'x', dtype: 'float32', size: I }],
    layers: [
      {
        name: 'conv',
        type: 'conv1d',
        inputSize: I,
        outputSize: 6,
        kernelSize: 3,
        padding: 'same',
        weights: { kernel },
      },
      {
        name: 'gru',
        type: 'gru',
        inputs: ['x'],
        inputSize: I,
        hiddenSize: H,
        resetAfter: true,
        direction: 'bidirectional',
        weights: { ...directed('forward'), ...directed('reverse') },
      },
    ],
    outputs: ['conv', 'gru'],
  });
  const x = sequence(1000).map((v, i) => (i % I === 3 ? 0 : v));
  const { spec: scaled, layers, before, after } = await calibrate(model, x);
  expect(layers.map(({ scaled }) => scaled)).toEqual([true, true]);
  expect(after.rms * 20).toBeLessThan(before.rms);
  const made = await createJsModel(scaled);
  expect(made.run(x).outputs).toEqual(model.run(x).outputs);
  const again = await calibrate(made, x);
  expect(again.layers.every(({ scaled }) => !scaled)).toBe(true);
  expect(again.spec).toEqual(made.spec);
});

test('a layer that gains where the model does not keeps its one scale', async () => {
  // The second output is that of a layer whose error is some thousand times as large.
  const random = new Random(9);
  const wide = spec(1000);
  const loud = { name: 'loud', type: 'dense' as const, inputs: ['x'], inputSize: I, outputSize: 3 };
  const kernel = random.floats(3 * I, 30);
  const model = await createJsModel({
    inputs: wide.inputs,
    layers: [...wide.layers, { ...loud, weights: { kernel } }],
    outputs: ['dense', 'loud'],
  });
  const { spec: scaled, layers, before, after } = await calibrate(model, sequence(1000));
  const gru = layers.find(({ name }) => name === 'gru')!;
  expect(gru.after.rms).toBeLessThan(gru.before.rms / 10);
  expect(layers.map(({ name, scaled }) => [name, scaled])).toEqual([
    ['gru', false],
    ['dense', false],
    ['loud', true],
  ]);
  expect(scaled.layers.map(({ name }) => name)).toEqual(['gru', 'dense', 'loud features', 'loud']);
  expect(after.rms * 1.1).toBeLessThanOrEqual(before.rms);
});

test('scales by which a weight would be no float32 any more are left out', async () => {
  // Of the second output, whose only weight would become 0. The first would gain from scales: 0.3 beside 2^100 is lost.
  const kernel = Float32Array.of(2 ** 100, 0.3, 2 ** -120, 0);
  const model = await createJsModel({
    inputs: [{ name: 'x', dtype: 'float32', size: 2 }],
    layers: [{ name: 'dense', type: 'dense', inputSize: 2, outputSize: 2, weights: { kernel } }],
  });
  const x = Float32Array.of(2 ** 20, 2 ** 120, 2 ** 19, -(2 ** 119));
  const { spec: same, layers } = await calibrate(model, x);
  expect(layers[0]!.after.rms).toBeLessThan(layers[0]!.before.rms / 2);
  expect(layers[0]!.scaled).toBe(false);
  expect(same).toEqual(model.spec);
});

test('what cannot be done is refused by name', async () => {
  const model = await createJsModel(spec(1));
  await expectError(
    () => calibrate(model, sequence(1), { precision: 'f32' as never }),
    'invalid_argument',
    "calibrate: precision must be i16 or i8, got the string 'f32'",
  );
  await expectError(() => calibrate(model, undefined as never), 'invalid_argument', 'calibrate: give sequences');
});
