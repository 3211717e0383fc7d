import { describe, expect, test } from 'vitest';
import type { ModelSpec } from '../../ts/spec/spec.ts';
import { BACKENDS } from '../backends.ts';
import { expectError, gruLayer, numbers } from './helpers.ts';

/** An encoder whose last state the decoder starts from; outputs on both axes. */
const translator: ModelSpec = {
  inputs: [
    { name: 'source', dtype: 'float32', size: 3, axis: 'from' },
    { name: 'target', dtype: 'float32', size: 2, axis: 'to' },
  ],
  layers: [
    gruLayer('encoder', 3, 4, { inputs: ['source'], direction: 'bidirectional', merge: 'sum' }),
    gruLayer('decoder', 2, 4, { inputs: ['target'], initialState: ['encoder:last'] }),
  ],
  outputs: ['decoder', 'encoder'],
};

/** The same, one after the other, by two models of one axis. */
const encoder: ModelSpec = { inputs: [translator.inputs[0]!], layers: [translator.layers[0]!], outputs: [
  { name: 'y', from: 'encoder' }, { name: 'last', from: 'encoder:last' }] }; // prettier-ignore
const decoder: ModelSpec = {
  inputs: [{ name: 'target', dtype: 'float32', size: 2 }],
  layers: [gruLayer('decoder', 2, 4)],
};

describe.each(BACKENDS)('values of different steps on $name', ({ api }) => {
  const apart = async (source: Float32Array, target: Float32Array) => {
    using first = await api.createModel(encoder);
    using second = await api.createModel(decoder);
    const { outputs } = first.run(source);
    const { output } = second.run(target, { initialStates: outputs['last']!.data });
    return { encoder: outputs['y']!, decoder: output };
  };

  test('each result is as long as its own axis', async () => {
    using model = await api.createModel(translator);
    for (const [s, t] of [
      [7, 3],
      [2, 9],
      [4, 4],
      [0, 2],
      [3, 0],
    ] as const) {
      const [source, target] = [numbers(s * 3), numbers(t * 2, 5)];
      const { outputs } = model.run({ source, target });
      expect(outputs).toEqual(await apart(source, target));
    }
    expect(model.outputs.map(({ axis }) => axis)).toEqual(['to', 'from']);
  });

  test('arrays of sequences, lengths by axis or input, masks, time-major: the same bits', async () => {
    using model = await api.createModel(translator);
    const lengths = { from: [5, 2, 4], to: [1, 3, 2] };
    const source = lengths.from.map((length, b) => numbers(length * 3, b));
    const target = lengths.to.map((length, b) => numbers(length * 2, b + 9));
    const want = model.run({ source, target });
    expect(want.outputs['encoder']!.shape).toEqual([3, 5, 4]);
    expect(want.outputs['decoder']!.shape).toEqual([3, 3, 4]);
    for (const [b, sequence] of source.entries()) {
      const alone = await apart(sequence, target[b]!);
      const rows = lengths.to[b]! * 4;
      expect(want.output.data.slice(b * 12, b * 12 + rows)).toEqual(alone.decoder.data);
    }
    const pad = (parts: Float32Array[], steps: number, size: number) => {
      const data = new Float32Array(3 * steps * size).fill(NaN);
      parts.forEach((part, b) => {
        data.set(part, b * steps * size);
      });
      return { data, shape: [3, steps, size] };
    };
    const padded = { source: pad(source, 5, 3), target: pad(target, 3, 2) };
    expect(model.run(padded, { lengths })).toEqual(want);
    expect(model.run(padded, { lengths: { source: lengths.from, target: lengths.to } })).toEqual(want);
    const mask = (counts: number[], steps: number) =>
      counts.flatMap((count) => Array.from({ length: steps }, (_, t) => (t < count ? 1 : 0)));
    expect(model.run(padded, { mask: { from: mask(lengths.from, 5) }, lengths: { to: lengths.to } })).toEqual(want);
    // One axis ragged, the other time-major.
    const turned = { data: new Float32Array(18), shape: [3, 3, 2] };
    const even = numbers(18, 3);
    for (let b = 0; b < 3; b++)
      for (let t = 0; t < 3; t++) turned.data.set(even.subarray((3 * b + t) * 2, (3 * b + t + 1) * 2), (3 * t + b) * 2);
    const major = { data: new Float32Array(45), shape: [5, 3, 3] };
    for (let b = 0; b < 3; b++)
      for (let t = 0; t < 5; t++)
        major.data.set(padded.source.data.subarray((5 * b + t) * 3, (5 * b + t + 1) * 3), (3 * t + b) * 3);
    const plain = model.run({ source, target: { data: even, shape: [3, 3, 2] } }).output;
    const got = model.run(
      { source: major, target: turned },
      { timeMajor: true, lengths: { from: lengths.from } },
    ).output;
    for (let b = 0; b < 3; b++)
      for (let t = 0; t < 3; t++) {
        const row = (data: Float32Array, at: number) => [...data.subarray(at * 4, at * 4 + 4)];
        expect(row(got.data, 3 * t + b)).toEqual(row(plain.data, 3 * b + t));
      }
    expect(model.run({ source, target }, { out: want })).toBe(want);
    const none = model.run({ source, target }, { padding: 'none' });
    expect([none.outputs['encoder']!.shape, none.output.shape]).toEqual([[11, 4], [6, 4]]); // prettier-ignore
  });

  test('saved and loaded; one axis is as before', async () => {
    using model = await api.createModel(translator);
    using loaded = await api.loadModel(model.save());
    const given = { source: numbers(9), target: numbers(10) };
    expect(loaded.run(given)).toEqual(model.run(given));
  });

  test('forward layers on two axes stream: a step, or a block, of each', async () => {
    using model = await api.createModel({
      inputs: translator.inputs,
      layers: [gruLayer('a', 3, 4, { inputs: ['source'] }), gruLayer('b', 2, 4, { inputs: ['target'] })],
      outputs: ['a', 'b'],
    });
    const [source, target] = [numbers(6 * 3), numbers(4 * 2, 3)];
    const want = model.run({ source, target }).outputs;
    using stream = model.createStream();
    const [a, b] = [new Float32Array(24), new Float32Array(16)];
    const part = (from: number, to: number) => ({ a: a.subarray(4 * from, 4 * to), b: b.subarray(4 * from, 4 * to) });
    stream.step({ source: source.subarray(0, 3), target: target.subarray(0, 2) }, part(0, 1));
    const rest = { a: a.subarray(4), b: b.subarray(4) };
    stream.run({ source: source.subarray(3), target: target.subarray(2) }, rest);
    expect([a, b]).toEqual([want['a']!.data, want['b']!.data]);
    using streams = model.createStreams(2);
    const blocks = { source: [source, source.subarray(0, 6)], target: [target.subarray(0, 2), target] };
    expect(streams.runMany([1, 0], blocks)).toEqual([want['a']!.data, want['a']!.data.slice(0, 8)]);
  });

  test('what is refused', async () => {
    using model = await api.createModel(translator);
    const given = { source: numbers(6), target: numbers(6) };
    const run = (options: object) => () => model.run(given, options);
    await expectError(run({ lengths: [2] }), 'invalid_argument', 'lengths', 'from, to', 'record by axis');
    await expectError(
      run({ lengths: { form: [2] } }),
      'invalid_argument',
      "no axis 'form'",
      'from, to, source, target',
    );
    await expectError(run({ mask: { from: [1, 1], source: [1, 1] } }), 'invalid_argument', "twice for the axis 'from'");
    // By the name that the record has.
    await expectError(run({ lengths: { to: [9] } }), 'invalid_argument', "lengths['to'][0]", '0 to 3');
    await expectError(run({ lengths: { target: [9] } }), 'invalid_argument', "lengths['target'][0]", '0 to 3');
    await expectError(run({ lengths: { to: [1, 1] } }), 'shape_mismatch', "lengths['to']: expected 1");
    await expectError(run({ mask: { to: [1] } }), 'shape_mismatch', "mask['to']: shape [1, 3]");
    await expectError(
      run({ mask: { to: [1, 1, 1] }, lengths: { to: [1] } }),
      'invalid_argument',
      "lengths['to']: give",
    );
    const merge = { name: 'm', type: 'merge' as const, merge: 'concat' as const, inputs: ['source', 'target'] };
    await expectError(
      () => api.createModel({ ...translator, layers: [...translator.layers, merge] }),
      'invalid_spec',
      "'source' of the axis 'from' and 'target' of the axis 'to'",
    );
    const vector = { name: 'v', dtype: 'float32' as const, size: 2, kind: 'vector' as const, axis: 'to' };
    await expectError(() => api.createModel({ ...decoder, inputs: [vector] }), 'invalid_spec', 'lies on no axis');
    await expectError(() => model.createStream(), 'not_streamable', "'encoder'");
  });
});
