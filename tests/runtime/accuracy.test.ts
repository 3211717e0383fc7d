import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseSafetensors } from '../../ts/io/safetensors.ts';
import type { GruSpec, ModelSpec } from '../../ts/spec/spec.ts';
import { BACKENDS } from '../backends.ts';
import { expectClose } from '../facade/helpers.ts';
import { Random } from '../random.ts';
import { referenceGru } from '../reference.ts';
import { LONG_RUN, ONE_STEP } from '../tolerances.ts';

function modelOf(gru: GruSpec): ModelSpec {
  return { inputs: [{ name: 'x', dtype: 'float32', size: gru.inputSize }], layers: [gru] };
}

describe.each(BACKENDS)('$name against float64', ({ api }) => {
  test('one step of random layers', async () => {
    const random = new Random(99);
    for (let i = 0; i < 60; i++) {
      const [inputSize, hiddenSize, resetAfter] = [random.int(1, 300), random.int(1, 300), random.chance(0.5)];
      const scale = 1 / Math.sqrt(hiddenSize);
      const gru: GruSpec = {
        type: 'gru',
        name: 'gru',
        inputSize,
        hiddenSize,
        resetAfter,
        weights: {
          'forward.input': random.floats(3 * hiddenSize * inputSize, scale),
          'forward.recurrent': random.floats(3 * hiddenSize * hiddenSize, scale),
          'forward.bias': random.floats(3 * hiddenSize, scale),
          ...(resetAfter ? { 'forward.recurrentBias': random.floats(hiddenSize, scale) } : {}),
        },
      };
      using model = await api.createModel(modelOf(gru));
      const [x, h] = [random.floats(inputSize), random.floats(hiddenSize)];
      const want = referenceGru(gru, x, Float64Array.from(h))[0]!;
      expectClose(model.run(x, { initialStates: h }).output.data, want, ONE_STEP, `I ${inputSize} H ${hiddenSize}`);
    }
  });
});

describe.each(BACKENDS)('$name over 2000 steps', ({ api }) => {
  const folder = new URL('../fixtures/longrun/', import.meta.url);
  const load = (name: string) => parseSafetensors(readFileSync(new URL(`${name}.safetensors`, folder))).tensors;
  const { marks } = JSON.parse(readFileSync(new URL('meta.json', folder), 'utf8')) as { marks: number[] };
  const stored = load('weights_and_input');
  const floats = (name: string) => stored.get(name)!.floats();
  const [inputSize, hiddenSize] = [64, 256];

  test.each(['calm', 'lively', 'memory'].flatMap((regime) => [true, false].map((after) => [regime, after] as const)))(
    '%s, reset after: %s',
    async (regime, resetAfter) => {
      const bias = floats('bw');
      const recurrentBias = floats('br');
      // Biases of z and r add up; reset-before runs leave br out (meta.json).
      if (resetAfter) for (let i = 0; i < 2 * hiddenSize; i++) bias[i]! += recurrentBias[i]!;
      if (regime === 'memory') for (let i = 0; i < hiddenSize; i++) bias[i]! += 4;
      const scale = regime === 'lively' ? 3 : 1;
      using model = await api.createModel(
        modelOf({
          type: 'gru',
          name: 'gru',
          inputSize,
          hiddenSize,
          resetAfter,
          weights: {
            'forward.input': floats('W'),
            'forward.recurrent': floats('R').map((w) => w * scale),
            'forward.bias': bias,
            ...(resetAfter ? { 'forward.recurrentBias': recurrentBias.slice(2 * hiddenSize) } : {}),
          },
        }),
      );
      const { output } = model.run(floats('x'));
      expect(output.shape).toEqual([2000, hiddenSize]);
      const truth = load(`${regime}_${resetAfter ? 'after' : 'before'}`);
      for (const t of marks) {
        const want = new Float64Array(new Uint8Array(truth.get(`h_${t}`)!.bytes).buffer);
        expectClose(output.data.subarray((t - 1) * hiddenSize, t * hiddenSize), want, LONG_RUN, `step ${t}`);
      }
    },
  );
});
