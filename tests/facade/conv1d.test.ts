import { numbersOf } from '../../ts/base/weights.ts';
import { describe, expect, test } from 'vitest';
import type { Conv1dSpec, ModelSpec } from '../../ts/spec/spec.ts';
import { BACKENDS } from '../backends.ts';
import { expectError, expectSameInBlocks, gruLayer, numbers } from './helpers.ts';

function conv(name: string, inputSize: number, outputSize: number, options: Partial<Conv1dSpec> = {}): Conv1dSpec {
  const { kernelSize = 3, groups = 1 } = options;
  const kernel = numbers((outputSize * kernelSize * inputSize) / groups, 3, 0.5);
  return {
    name,
    type: 'conv1d',
    inputSize,
    outputSize,
    kernelSize,
    ...options,
    weights: { kernel, bias: numbers(outputSize, 4) },
  };
}

const model = (...layers: ModelSpec['layers']): ModelSpec => ({
  inputs: [{ name: 'x', dtype: 'float32', size: layers[0]!.type === 'conv1d' ? layers[0].inputSize : 2 }],
  layers,
});

/** The sum by its definition, in float64. */
function reference(spec: Conv1dSpec, x: Float32Array, left: number, right: number): number[] {
  const { inputSize, outputSize, kernelSize, stride = 1, dilation = 1, groups = 1, weights } = spec;
  const steps = x.length / inputSize;
  const positions = steps + left + right - (kernelSize - 1) * dilation;
  const [own, group] = [inputSize / groups, outputSize / groups];
  const y: number[] = [];
  for (let at = 0; at < positions; at += stride) {
    for (let o = 0; o < outputSize; o++) {
      let sum = weights.bias![o]!;
      for (let tap = 0; tap < kernelSize; tap++) {
        const step = at + tap * dilation - left;
        if (step < 0 || step >= steps) continue;
        for (let c = 0; c < own; c++) {
          sum +=
            numbersOf(weights.kernel)[(o * kernelSize + tap) * own + c]! *
            x[step * inputSize + Math.floor(o / group) * own + c]!;
        }
      }
      y.push(sum);
    }
  }
  return y;
}

const FORMS: [string, Conv1dSpec, (steps: number) => [left: number, right: number]][] = [
  ['valid', conv('c', 2, 3), () => [0, 0]],
  ['valid, stride 2', conv('c', 2, 3, { stride: 2, padding: 'valid' }), () => [0, 0]],
  ['causal, dilation 3', conv('c', 2, 3, { dilation: 3, padding: 'causal' }), () => [6, 0]],
  ['causal, stride 2, dilation 2', conv('c', 2, 3, { stride: 2, dilation: 2, padding: 'causal' }), () => [4, 0]],
  ['same, even kernel', conv('c', 2, 3, { kernelSize: 4, padding: 'same' }), () => [1, 2]],
  ['sameLower, even kernel', conv('c', 2, 3, { kernelSize: 4, padding: 'sameLower' }), () => [2, 1]],
  // ceil(n / 3) rows of 5 steps, 3 apart: 2 zeros where n is a multiple of 3, 4 or 3 where 1 or 2 are left.
  ['same, stride 3', conv('c', 2, 3, { kernelSize: 5, stride: 3, padding: 'same' }), (n) => [[1, 1], [2, 2], [1, 2]][n % 3] as [number, number]], // prettier-ignore
  ['sameLower, stride 3', conv('c', 2, 3, { kernelSize: 5, stride: 3, padding: 'sameLower' }), (n) => [[1, 1], [2, 2], [2, 1]][n % 3] as [number, number]], // prettier-ignore
  ['same, one tap, stride 2', conv('c', 2, 3, { kernelSize: 1, stride: 2, padding: 'same' }), () => [0, 0]],
  ['pads of its own', conv('c', 2, 3, { padding: [1, 4] }), () => [1, 4]],
  ['more zeros than taps', conv('c', 2, 3, { padding: [5, 0] }), () => [5, 0]],
  ['groups', conv('c', 4, 6, { groups: 2, padding: 'causal' }), () => [2, 0]],
  ['depthwise, two outputs a channel', conv('c', 3, 6, { groups: 3, stride: 4 }), () => [0, 0]],
];

describe.each(BACKENDS)('convolutions on $name', ({ api }) => {
  test.each(FORMS)('%s: rows as the definition has them, for any number of steps', async (_, spec, pads) => {
    using made = await api.createModel(model(spec));
    const lengths = [0, 1, 2, 3, 7, 12, 31];
    const sequences = lengths.map((steps) => numbers(steps * spec.inputSize, steps + 1));
    const { output } = made.run(sequences, { padding: 'none' });
    let at = 0;
    for (const [i, steps] of lengths.entries()) {
      const [left, right] = pads(steps);
      const want = steps === 0 && spec.padding !== 'valid' && left <= 2 && right === 0 ? [] : reference(spec, sequences[i]!, left, right); // prettier-ignore
      const alone = made.run({ data: sequences[i]!, shape: [steps, spec.inputSize] }).output;
      expect([...alone.data].map((v, k) => Math.abs(v - want[k]!) < 1e-5), `${steps} steps`).toEqual(want.map(() => true)); // prettier-ignore
      expect(output.data.subarray(at, (at += alone.data.length))).toEqual(alone.data);
    }
    expect(at).toBe(output.data.length);
  });

  const streams = FORMS.filter(([name]) => !/^same|pads of its own|more zeros/.test(name));
  const stacked: ModelSpec = model(
    conv('first', 2, 4, { stride: 2, padding: 'causal' }),
    conv('second', 4, 3, { dilation: 2 }),
    conv('third', 3, 3, { groups: 3, stride: 3, kernelSize: 2 }),
    gruLayer('gru', 3, 4),
  );
  test.each([...streams.map(([name, spec]) => [name, model(spec)] as const), ['several, and a gru', stacked] as const])(
    '%s: blocks of a stream, one of many streams, and one that goes on from a snapshot give the rows of the whole run',
    async (_, spec) => {
      using made = await api.createModel(spec);
      const size = spec.inputs[0]!.size;
      const steps = 90;
      const x = numbers(steps * size, 9);
      // Too small to be normal: a past keeps them as they are.
      for (let i = 0; i < x.length; i += 7) x[i] = 1e-41 * i;
      expectSameInBlocks(made, x, size);
    },
  );

  test('causal ones step; two sequences side by side, time by time', async () => {
    const spec = model(conv('c', 2, 4, { dilation: 2, padding: 'causal' }), gruLayer('gru', 4, 3));
    using made = await api.createModel(spec);
    const x = numbers(2 * 9 * 2);
    const whole = made.run({ data: x, shape: [9, 2, 2] }, { timeMajor: true });
    using stream = made.createStream({ batch: 2 });
    const got = Array.from({ length: 9 }, (_, t) => [...stream.step(x.subarray(4 * t, 4 * t + 4))]);
    expect(got.flat()).toEqual([...whole.output.data]);
    expect(made.states.map(({ name, slot, settable }) => [name, slot, settable])).toEqual([
      ['c', 'past', false],
      ['gru', 'hidden', true],
    ]);
    expect(Object.keys(whole.states)).toEqual(['gru']);
    stream.reset();
    expect([...stream.step(x.subarray(0, 4))]).toEqual(got[0]);
    // A count of steps that nobody has counted is none.
    const states = stream.hiddenState;
    states.fill(NaN);
    stream.hiddenState = states;
    expect(stream.step(x.subarray(0, 4))).toHaveLength(6);
  });

  test('a getter of out that steps the stream on: both blocks are right', async () => {
    using made = await api.createModel(model(conv('c', 2, 3, { stride: 2 })));
    using streams = made.createStreams(2);
    using plain = made.createStreams(2);
    // Of 3 steps and then 4 there are 1 and 2 windows; of 4 alone, 1.
    const [first, second] = [numbers(6, 2), numbers(8, 3)];
    const want = [plain.runMany([1], [first]), plain.runMany([1], [second])];
    let inner: unknown;
    const out = [new Float32Array(6)];
    Object.defineProperty(out, 0, {
      get: () => {
        inner = streams.runMany([1], [first]);
        return new Float32Array(6);
      },
    });
    const outer = streams.runMany([1], [second], out);
    expect([inner, outer]).toEqual(want);
    expect(streams.hiddenState(1)).toEqual(plain.hiddenState(1));

    using stream = made.createStream();
    const target = new Float32Array(6);
    let reads = 0;
    stream.run(second, {
      get c() {
        if (reads++ === 0) inner = stream.run(first);
        return target;
      },
    });
    expect([[inner], [target]]).toEqual(want);
  });

  test('those that look ahead say how far, and strided ones that they give blocks', async () => {
    const refused = async (options: Partial<Conv1dSpec>, ...words: string[]) => {
      using made = await api.createModel(model(conv('c', 2, 3, options)));
      expect(made.streamable).toBe(false);
      expect(made.states).toEqual([]);
      await expectError(() => made.createStream(), 'not_streamable', "conv1d layer 'c'", ...words);
    };
    await refused({ padding: 'same' }, "looks 1 step ahead (padding 'same'");
    await refused({ padding: 'sameLower', kernelSize: 5, stride: 2 }, 'looks up to 2 steps ahead');
    await refused({ padding: [0, 4] }, "looks 4 steps ahead (padding '0, 4'");
    await refused({ padding: [3, 0] }, 'padding of 3 steps gives rows before the first step');
    await refused({ dilation: 2 ** 22 }, 'its past takes 16777217 numbers');
    using strided = await api.createModel(model(conv('c', 2, 3, { stride: 2 })));
    using stream = strided.createStream();
    await expectError(() => stream.step(new Float32Array(2)), 'not_streamable', "output 'c'");
  });
});

describe('specs of convolutions that cannot be', () => {
  test.each<[Partial<Conv1dSpec>, string]>([
    [{ padding: 'full' as never }, 'padding must be one of valid, causal, same, sameLower'],
    [{ padding: [1] as never }, 'padding'],
    [{ padding: [1, -1] }, 'padding'],
    [{ padding: [0.5, 1] }, 'padding'],
    [{ padding: [1, 2 ** 24 + 1] }, 'padding'],
    [{ groups: 3 }, 'inputSize 2 is no multiple of groups 3'],
    [{ groups: 2 }, 'outputSize 3 is no multiple of groups 2'],
    [{ dilation: 2 ** 23 + 1 }, 'its taps lie 16777218 steps apart'],
    [{ stride: 0 }, 'stride'],
    [{ kernelSize: 1.5 }, 'kernelSize'],
    [{ activation: 'nonsense' as never }, 'activation'],
    [{ weights: { kernel: new Float32Array(17) } }, "weights['kernel'] must have 18 values for the shape (3, 3, 2)"],
  ])('%j', async (options, words) => {
    const [{ api }] = BACKENDS as [(typeof BACKENDS)[0]];
    const spec = { ...conv('c', 2, 3), ...options } as Conv1dSpec;
    await expectError(() => api.createModel(model(spec)), 'invalid_spec', "conv1d layer 'c'", words);
  });
});
