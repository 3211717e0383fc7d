import { describe, expect, test } from 'vitest';
import { BACKENDS } from '../backends.ts';
import type { ModelSpec } from '../../ts/spec/spec.ts';
import { SAME_BITS } from '../tolerances.ts';
import { expectClose, expectError, gruLayer, numbers, oneGru, tensor, textModel, twoInputs } from './helpers.ts';

describe.each(BACKENDS)('$name', ({ api }) => {
  test.each([true, false])('step by step is the whole sequence, resetAfter: %s', async (resetAfter) => {
    using model = await api.createModel(oneGru(3, 5, { resetAfter }));
    const x = tensor([7, 3]);
    const { output, states } = model.run(x);
    using stream = model.createStream();
    const y = new Float32Array(5);
    for (let t = 0; t < 7; t++) {
      expect(stream.step(x.data.subarray(3 * t, 3 * t + 3), y)).toBe(y);
      expectClose(y, output.data.subarray(5 * t, 5 * t + 5), SAME_BITS, `step ${t}`);
    }
    expect(stream.hiddenState).toEqual(states['gru']!.data);
  });

  test('without out, a new array each time', async () => {
    using model = await api.createModel(oneGru(3, 5));
    using stream = model.createStream();
    const first = stream.step(numbers(3));
    const copy = first.slice();
    expect(stream.step(numbers(3))).not.toBe(first);
    expect(first).toEqual(copy);
  });

  test('batches, ids, several layers; hidden states out and in; reset', async () => {
    using model = await api.createModel(textModel());
    using stream = model.createStream({ batch: 2 });
    const whole = model.run({ data: [1, 2, 3, 7, 8, 9], shape: [2, 3] });
    stream.step([1, 7]);
    const saved = stream.hiddenState;
    expect(saved.length).toBe(2 * (4 + 5));
    stream.step(Int32Array.of(2, 8));
    const last = stream.step([3, 9]);
    expectClose(last.subarray(0, 2), whole.output.data.subarray(4, 6), SAME_BITS);
    expectClose(last.subarray(2, 4), whole.output.data.subarray(10, 12), SAME_BITS);
    const { first, second } = whole.states;
    expect(stream.hiddenState).toEqual(Float32Array.of(...first!.data, ...second!.data));

    using other = model.createStream({ batch: 2 });
    other.hiddenState = saved;
    other.step([2, 8]);
    expect(other.step([3, 9])).toEqual(last);
    other.reset();
    expect(other.hiddenState).toEqual(new Float32Array(18));
    other.step([1, 7]);
    expect(other.hiddenState).toEqual(saved);
  });

  test('one id as a number', async () => {
    using model = await api.createModel(textModel());
    using stream = model.createStream();
    const expected = model.run([4, 6]);
    stream.step(4);
    expectClose(stream.step(6), expected.output.data.subarray(2), SAME_BITS);
  });

  test('several inputs and outputs by name', async () => {
    using model = await api.createModel(twoInputs());
    using stream = model.createStream();
    const input = { frames: numbers(3), more: numbers(2), speaker: numbers(4) };
    const expected = model.run(input);
    const out = { voice: new Float32Array(2), states: new Float32Array(6) };
    expect(stream.step(input, out)).toBe(out);
    expect(out.voice).toEqual(expected.outputs['voice']!.data);
    expect(out.states).toEqual(expected.outputs['states']!.data);
    stream.reset();
    expect(stream.step(input)).toEqual(out.states);
  });

  test('streams, and runs between steps, do not disturb each other', async () => {
    using model = await api.createModel(oneGru(3, 5));
    using a = model.createStream();
    using b = model.createStream();
    using c = model.createStream();
    const x = tensor([4, 3]);
    for (let t = 0; t < 4; t++) {
      const frame = x.data.subarray(3 * t, 3 * t + 3);
      const y = a.step(frame);
      b.step(numbers(3, 50 + t));
      model.run(tensor([t + 1, t + 2, 3]));
      expect(c.step(frame)).toEqual(y);
    }
  });

  test('a mask with padding: step by step is the whole sequence', async () => {
    using model = await api.createModel({
      inputs: [{ name: 'ids', dtype: 'int32', size: 1 }],
      layers: [
        {
          name: 'e',
          type: 'embedding',
          vocabularySize: 5,
          outputSize: 3,
          maskZero: true,
          weights: { embeddings: numbers(15) },
        },
        { ...gruLayer('gru', 3, 4), mask: 'e:mask' },
      ],
    });
    const ids = [0, 0, 3, 0, 2, 1, 0];
    const h0 = numbers(4, 8);
    const { output } = model.run(ids, { initialStates: h0 });
    using stream = model.createStream();
    // No step has counted yet.
    stream.hiddenState = Float32Array.of(...h0, 0);
    ids.forEach((id, t) => {
      expectClose(stream.step(id), output.data.subarray(4 * t, 4 * t + 4), SAME_BITS, `step ${t}`);
    });
  });

  test('what cannot run step by step', async () => {
    using reverse = await api.createModel(textModel({ direction: 'reverse' }));
    expect(reverse.streamable).toBe(false);
    await expectError(() => reverse.createStream(), 'not_streamable', "'first'", 'end');
    using given = await api.createModel({
      inputs: [
        { name: 'x', dtype: 'float32', size: 2 },
        { name: 'h', dtype: 'float32', size: 4, kind: 'vector' },
      ],
      layers: [{ ...gruLayer('gru', 2, 4), inputs: ['x'], initialState: ['h'] }],
    });
    await expectError(() => given.createStream(), 'not_streamable', "'gru'", 'initial state');
    const input = { x: tensor([2, 3, 2]), h: tensor([2, 4], 4) };
    const initialStates = { gru: tensor([1, 2, 4]) };
    await expectError(() => given.run(input, { initialStates }), 'invalid_argument', "'gru'", 'inside the model');
    using plain = await api.createModel(oneGru(2, 4));
    expectClose(
      given.run(input).output.data,
      plain.run(input.x, { initialStates: { data: input.h.data, shape: [1, 2, 4] } }).output.data,
      SAME_BITS,
    );
  });

  test('masked steps behind a snapshot repeat the output before it', async () => {
    using model = await api.createModel({
      inputs: [{ name: 'x', dtype: 'float32', size: 3 }],
      layers: [
        { type: 'masking', name: 'm', maskValue: 0 },
        { ...gruLayer('gru', 3, 4), mask: 'm:mask' },
      ],
    });
    expect(model.states.map(({ slot, shape, settable }) => [slot, shape, settable])).toEqual([
      ['hidden', [1, 'batch', 4], true],
      ['past', [1, 'batch', 1], false],
    ]);
    using stream = model.createStream();
    const zeros = new Float32Array(4);
    const masked = new Float32Array(3);
    expect(stream.step(masked)).toEqual(zeros);
    const fresh = stream.snapshot();
    const held = stream.step(numbers(3));
    expect(held).not.toEqual(zeros);
    const snapshot = stream.snapshot();
    using streams = model.createStreams(2);
    streams.restore(1, snapshot);
    expect(streams.stepMany([1, 0], new Float32Array(6))).toEqual(Float32Array.of(...held, ...zeros));
    streams.reset(1);
    expect(streams.stepMany([1], masked)).toEqual(zeros);
    stream.restore(fresh);
    expect(stream.step(masked)).toEqual(zeros);
    stream.restore(snapshot);
    expect(stream.step(masked)).toEqual(held);
    // Runs have one state, as before.
    const { states } = model.run(numbers(6));
    expect(Object.keys(states)).toEqual(['gru']);
    expect(model.run(masked, { initialStates: states }).output.data).toEqual(zeros);
  });

  test('what a model does with a vector of its steps at each step takes them all', async () => {
    const joined = (from: string): ModelSpec => ({
      inputs: [
        { name: 'x', dtype: 'float32', size: 2 },
        { name: 'voice', dtype: 'float32', size: 2, kind: 'vector' },
      ],
      layers: [
        { ...gruLayer('gru', 2, 2), inputs: ['x'] },
        { type: 'step', name: 'end', inputs: ['gru'], index: -1 },
        { type: 'activation', name: 'of', inputs: ['end'], activation: 'tanh' },
        { type: 'merge', name: 'both', inputs: ['gru', from], merge: 'sum' },
        { type: 'merge', name: 'ends', inputs: ['of', 'voice'], merge: 'sum' },
      ],
      outputs: ['both', 'ends'],
    });
    for (const from of ['gru:last', 'end', 'of']) {
      using model = await api.createModel(joined(from));
      const ref = from === 'gru:last' ? from : `${from}:output`;
      await expectError(() => model.createStream(), 'not_streamable', "merge layer 'both'", `reads '${ref}'`);
    }
    using model = await api.createModel(joined('voice'));
    expect(model.streamable).toBe(true);
  });

  test('a wrong step changes nothing', async () => {
    using model = await api.createModel(textModel());
    using stream = model.createStream({ batch: 2 });
    stream.step([1, 2]);
    const before = stream.hiddenState;
    const step = (x: unknown, out?: unknown) => () => stream.step(x as never, out as never);
    await expectError(step([1]), 'shape_mismatch', "'ids'", '2 values', 'got 1');
    await expectError(step(1), 'shape_mismatch', "'ids'");
    await expectError(step([1, 11]), 'id_out_of_range', "'ids'", '[1]', '0 to 10', '11');
    await expectError(step([NaN, 1]), 'id_out_of_range', 'NaN', '[0]');
    await expectError(step([1, -1]), 'id_out_of_range', '-1');
    await expectError(step([1, 1.5]), 'id_out_of_range', '1.5');
    await expectError(step(['1', 1]), 'id_out_of_range', "'1'");
    await expectError(step('11'), 'dtype_mismatch', "'11'");
    await expectError(step({}), 'dtype_mismatch', "'ids'", 'undefined');
    await expectError(step({ ids: [1, 2], id: 3 }), 'invalid_argument', "'id'");
    await expectError(step([1, 2], new Float32Array(3)), 'shape_mismatch', "'logits'", '4 values', 'got 3');
    await expectError(step([1, 2], []), 'dtype_mismatch', 'out');
    await expectError(step([1, 2], { logit: new Float32Array(4) }), 'invalid_argument', "'logit'");
    await expectError(step([1, 2], { summary: [] }), 'dtype_mismatch', "'summary'");
    await expectError(() => (stream.hiddenState = new Float32Array(3)), 'shape_mismatch', '18', '3');
    await expectError(() => (stream.hiddenState = 'x' as never), 'dtype_mismatch', 'hiddenState');
    expect(stream.hiddenState).toEqual(before);

    using features = await api.createModel(oneGru(3, 4));
    using frames = features.createStream();
    await expectError(() => frames.step(['1', 2, 3] as never), 'dtype_mismatch', "'x'", "the string '1' at 0");
    await expectError(() => frames.step(new Float64Array(4)), 'shape_mismatch', "'x'", '3', '4');
    await expectError(() => frames.step(new Float32Array(4)), 'shape_mismatch', "'x'", '3', '4');
    for (const batch of [0, -1, 1.5, NaN, '2']) {
      await expectError(() => features.createStream({ batch: batch as number }), 'invalid_argument', 'batch');
    }
    using several = await api.createModel(twoInputs());
    using steps = several.createStream();
    await expectError(() => steps.step(numbers(3)), 'invalid_argument', 'frames, more, speaker');
  });
});
