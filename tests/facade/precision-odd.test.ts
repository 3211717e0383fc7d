import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createGru, createModel, type GruModel, loadModel, type ModelSpec } from '../../ts/index.ts';
import { createGru as createJsGru } from '../../ts/js.ts';
import * as precision from '../../ts/precision.ts';
import { BACKENDS } from '../backends.ts';
import { Random } from '../random.ts';
import { expectError } from './helpers.ts';
import { type Call, ODD, refused } from './odd-values.ts';

const { autoPrecision, calibrate, sensitivity } = precision;
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

const bad = (value: unknown) => value as never;
const size = { maxError: 1, prefer: 'size' } as const;

/** By function, a call for each argument and option. */
const CALLS: Record<Exclude<keyof typeof precision, 'GruError'>, (model: GruModel) => Call[]> = {
  sensitivity: (model) => [
    (odd) => sensitivity(bad(odd), x),
    (odd) => sensitivity(model, bad(odd)),
    (odd) => sensitivity(model, bad({ x: odd })),
    (odd) => sensitivity(model, bad([x, odd])),
    (odd) => sensitivity(model, { data: bad(odd), shape: [20, I] }),
    (odd) => sensitivity(model, { data: x, shape: bad(odd) }),
    (odd) => sensitivity(model, x, bad(odd)),
    ...['initialStates', 'lengths', 'mask', 'signal', 'onProgress', 'odd'].map(
      (key): Call =>
        (odd) =>
          sensitivity(model, { data: x, shape: [1, 20, I] }, bad({ [key]: odd })),
    ),
  ],
  autoPrecision: (model) => [
    (odd) => autoPrecision(bad(odd), x, size),
    (odd) => autoPrecision(model, bad(odd), size),
    (odd) => autoPrecision(model, x, bad(odd)),
    ...['maxError', 'prefer', 'lengths', 'signal', 'onProgress', 'odd'].map(
      (key): Call =>
        (odd) =>
          autoPrecision(model, { data: x, shape: [1, 20, I] }, bad({ ...size, [key]: odd })),
    ),
  ],
  calibrate: (model) => [
    (odd) => calibrate(bad(odd), x),
    (odd) => calibrate(model, bad(odd)),
    (odd) => calibrate(model, x, bad(odd)),
    ...['precision', 'initialStates', 'mask', 'signal', 'onProgress', 'odd'].map(
      (key): Call =>
        (odd) =>
          calibrate(model, { data: x, shape: [1, 20, I] }, bad({ [key]: odd })),
    ),
  ],
};

test('every function is in the table', () => {
  expect(Object.keys(precision).sort()).toEqual(['GruError', ...Object.keys(CALLS)].sort());
});

describe.each(BACKENDS)('odd values on $name', ({ api }) => {
  test.each(Object.keys(CALLS) as (keyof typeof CALLS)[])('%s: a GruError or nothing', async (name) => {
    using model = await api.createModel(spec('gru'));
    const want = model.run(x).output;
    for (const [i, call] of CALLS[name](model).entries()) {
      // One that is called throws what is its own.
      for (const odd of Object.keys(ODD).filter((key) => key !== 'a class'))
        await refused(call, odd, `${name}, call ${i}`);
    }
    expect(model.run(x).output).toEqual(want);
  });
});

test('what is changed while it is measured changes nothing: it has been copied', async () => {
  using model = await createModel(spec('gru'));
  const [data, lengths] = [x.slice(), [20]];
  const state = random.floats(H);
  const options = { lengths, initialStates: { gru: state } };
  const sequences = { data, shape: [1, 20, I] };
  const want = await sensitivity(model, sequences, options);
  const scales = await calibrate(model, sequences, options);
  const change = () => {
    structuredClone(data.buffer, { transfer: [data.buffer] });
    state.fill(NaN);
    lengths[0] = -1;
    sequences.shape = [7];
  };
  const onProgress = () => {
    if (data.length > 0) change();
  };
  expect(await sensitivity(model, sequences, { ...options, onProgress })).toEqual(want);
  const again = { data: x.slice(), shape: [1, 20, I] };
  const measured = calibrate(model, again, { lengths: [20], initialStates: { gru: random.floats(H).fill(0) } });
  again.data.fill(NaN);
  expect((await measured).layers.map(({ name }) => name)).toEqual(scales.layers.map(({ name }) => name));
});
