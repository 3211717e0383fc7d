import { describe, expect, test } from 'vitest';
import { createModel, type LayerSpec, type ModelSpec } from '../../ts/index.ts';
import { BACKENDS } from '../backends.ts';
import { expectError, numbers, oneGru } from './helpers.ts';

/** Steps of 3 steps of 2 features, and a GRU of 4 units to which each is a sequence. */
const [STEPS, SIZE, UNITS] = [3, 2, 4];
const gru = { ...oneGru(SIZE, UNITS).layers[0]!, name: 'gru', inputs: ['cut'] } as LayerSpec;
const cut: LayerSpec = { type: 'unflatten', name: 'cut', steps: STEPS, each: true };
const input = { name: 'x', dtype: 'float32' as const, size: STEPS * SIZE, row: [STEPS, SIZE] };
const SPEC: ModelSpec = { inputs: [input], layers: [cut, gru], outputs: [{ name: 'y', from: 'gru:last' }] };
const x = (batch: number, steps: number) => ({
  data: numbers(batch * steps * STEPS * SIZE, 5),
  shape: [batch, steps, STEPS, SIZE],
});

describe.each(BACKENDS)('steps that are sequences, on $name', ({ api }) => {
  test('each is a run of its own, whatever is beside it', async () => {
    using model = await api.createModel(SPEC);
    using inner = await api.createModel({ ...oneGru(SIZE, UNITS), outputs: [{ name: 'y', from: 'gru:last' }] });
    const given = x(2, 5);
    const { data } = inner.run({ data: given.data, shape: [10, STEPS, SIZE] }).output;
    const { output } = model.run(given);
    expect(output.shape).toEqual([2, 5, UNITS]);
    expect(output.data).toEqual(data);
    // Again, with more sequences and then fewer: nothing is left of a run in the next one.
    for (const batch of [7, 1, 2]) model.run(x(batch, 4));
    expect(model.run(given).output.data).toEqual(data);
    const { output: some } = model.run(given, { lengths: [2, 5] });
    expect(some.data.subarray(0, 2 * UNITS)).toEqual(data.subarray(0, 2 * UNITS));
    expect(some.data.subarray(5 * UNITS)).toEqual(data.subarray(5 * UNITS));
  });

  test('streams step by step, and in blocks', async () => {
    using model = await api.createModel(SPEC);
    const { data } = x(1, 5);
    const whole = model.run({ data, shape: [5, STEPS, SIZE] }).output.data;
    using stream = model.createStream();
    const width = STEPS * SIZE;
    const first = stream.step(data.slice(0, width));
    const rest = stream.run(data.slice(width));
    expect([...first, ...rest]).toEqual([...whole]);
    expect(model.states).toEqual([]);
  });
});

test('save keeps them', async () => {
  using model = await createModel(SPEC, { backend: 'js' });
  const { loadModel } = await import('../../ts/index.ts');
  using again = await loadModel(model.save(), { backend: 'js' });
  expect(again.inputs).toEqual(model.inputs);
  expect(again.run(x(2, 3)).output.data).toEqual(model.run(x(2, 3)).output.data);
});

const merge = (name: string, ...inputs: string[]): LayerSpec => ({ type: 'merge', name, merge: 'sum', inputs });
test.each<[string, LayerSpec[], string]>([
  ['as outputs', [cut], "output 'cut' holds steps of steps"],
  ['of vectors', [cut, { type: 'step', name: 'end', inputs: ['x'], index: -1 }, { ...cut, name: 'more', inputs: ['end'] }], 'its input has one row a sequence'], // prettier-ignore
  ['of such steps', [cut, { ...cut, name: 'more', steps: 1 }], 'are steps of steps already'],
  ['beside like', [{ ...cut, like: 'x' }], 'each is for an axis of its own'],
  ['beside vectors', [cut, { type: 'step', name: 'end', inputs: ['x'], index: -1 }, { type: 'slice', name: 'part', inputs: ['end'], start: 0, size: SIZE }, merge('sum', 'cut', 'part')], "reads 'part:output' beside steps of steps"], // prettier-ignore
  [
    'of other numbers of steps',
    [cut, { type: 'flatten', name: 'flat', steps: 2 }],
    'takes 2 steps, where each step has 3',
  ],
  ['of two numbers of steps', [cut, { ...cut, name: 'other', steps: 6, inputs: ['x'] }, { type: 'slice', name: 'one', inputs: ['cut'], start: 0, size: 1 }, merge('sum', 'one', 'other')], "3 steps for each step of the axis 'time'"], // prettier-ignore
  ['of which no step is left', [cut, { type: 'pool', name: 'pooled', pool: 'max', window: 4 }], 'no step is left'],
  ['of more steps than numbers', [{ ...cut, steps: 4 }], 'cannot cut 6 values into 4 steps'],
])('steps of steps %s are refused', async (_, layers, text) => {
  await expectError(() => createModel({ inputs: [input], layers }, { backend: 'js' }), 'invalid_spec', text);
});
