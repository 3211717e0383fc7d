import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createGru, createModel, loadModel, type ModelSpec } from '../../ts/index.ts';
import { createGru as createJsGru } from '../../ts/js.ts';
import { autoPrecision, calibrate, sensitivity } from '../../ts/precision.ts';
import { Random } from '../random.ts';
import { expectError } from './helpers.ts';

const [I, H] = [4, 6];
const random = new Random(3);
const x = random.floats(20 * I);

function spec(name: string): ModelSpec {
  const weights = { 'forward.input': random.floats(3 * H * I), 'forward.recurrent': random.floats(3 * H * H, 0.3) };
  return {
    inputs: [{ name: 'x', dtype: 'float32', size: I }],
    layers: [{ name, type: 'gru', inputSize: I, hiddenSize: H, resetAfter: true, weights }],
  };
}

test.each(['constructor', 'toString', '__proto__'])('a layer called %s', async (name) => {
  using model = await createModel(spec(name));
  const { layers } = await sensitivity(model, x);
  expect(layers.map((layer) => layer.name)).toEqual([name]);
  const { precision, bytes, bytesInFloat32 } = await autoPrecision(model, x, { maxError: 1, prefer: 'size' });
  expect(Object.entries(precision)).toEqual([[name, 'i8']]);
  expect(bytes).toBeLessThan(bytesInFloat32);
  expect((await calibrate(model, x)).layers.map((layer) => layer.name)).toEqual([name]);
});

test('layers in TimeDistributed have no features that calibrate sees', async () => {
  using model = await loadModel(readFileSync(new URL('../fixtures/cases/k3_td_gru/model.keras', import.meta.url)));
  const shape = [2, 5, 4, 2];
  const sequences = { data: random.floats(2 * 5 * 4 * 2), shape };
  const { after, spec: calibrated } = await calibrate(model, sequences);
  expect(after.rms).toBeGreaterThan(0);
  using made = await createModel(calibrated);
  expect(made.run(sequences).output).toEqual(model.run(sequences).output);
});

test.each([
  ['no sequence', [], {}],
  ['no step', { data: new Float32Array(0), shape: [3, 0, I] }, {}],
  ['no step that counts', { data: x, shape: [2, 10, I] }, { lengths: [0, 0] }],
  ['a NaN', { data: x.map((value, i) => (i === 70 ? NaN : value)), shape: [1, 20, I] }, {}],
])('%s: nothing can be measured', async (_, sequences, options) => {
  using model = await createModel(spec('gru'));
  const wrong = [
    () => sensitivity(model, sequences, options),
    () => autoPrecision(model, sequences, { ...options, maxError: 1, prefer: 'size' }),
    () => autoPrecision(model, sequences, { ...options, maxError: 1 }),
    () => calibrate(model, sequences, options),
  ];
  for (const one of wrong) await expectError(one, 'invalid_argument', 'sequences');
});

describe.each([
  ['gru-wasm', createGru],
  ['gru-wasm/js', createJsGru],
])("createGru of %s on JavaScript, whose backend is the core's", (_, create) => {
  test('is traced, and measured with the layers that it does not have', async () => {
    const [kernel, recurrentKernel] = [random.floats(I * 3 * H), random.floats(H * 3 * H)];
    using model = await create(
      { inputSize: I, hiddenSize: H, resetAfter: false },
      { kernel, recurrentKernel },
      { backend: 'js' },
    );
    expect(model.backend).toBe('js');
    const steps = random.floats(20 * I);
    expect((await model.trace(steps))['h']).toEqual(model.run(steps).output);
    const { after, spec: calibrated } = await calibrate(model, steps);
    expect(after.rms).toBeGreaterThan(0);
    using made = await createModel(calibrated, { backend: 'js' });
    expect(made.run(steps).output).toEqual(model.run(steps).output);
    expect((await autoPrecision(model, steps, { maxError: 1, prefer: 'size' })).precision).toEqual({ gru: 'i8' });
  });
});
