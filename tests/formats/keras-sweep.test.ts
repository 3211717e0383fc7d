import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createModel } from '../../ts/api/js.ts';
import { expectRecorded } from '../cases/recorded.ts';
import { RANDOM_LAYERS } from '../tolerances.ts';
import { read } from './keras-made.ts';
import { refusal } from './refusal.ts';

/** One operation or layer over every axis there is: the numbers of Keras 3.15 (make_keras.py), or refused by name. */

interface Values {
  shape: number[];
  data: number[];
}
interface Run {
  what: string;
  rank: number;
  layers: { class_name: string; name: string }[];
  output: string;
  shapes: Record<string, number[]>;
  x: Values;
  y: Values;
}
const runs = JSON.parse(readFileSync(new URL('../fixtures/sweeps/keras.json', import.meta.url), 'utf8')) as Run[];

/** Those that run: all others are refused. By the number of dimensions of the input. */
const RUN: Record<number, RegExp[]> = {
  2: [
    /^ops\.(sum|mean|max|min)\(x, axis=(1|-1|\(1,\)|\(-1,\)), keepdims=True\)$/,
    /^ops\.(log_)?softmax\(x, axis=(1|-1)\)$/,
    /^(ops\.)?(expand_dims\(x, (1|2|-1|-2|\(1,\)|\(2,\)|\(-1,\))\)|concatenate\(\[x, x\], (1|-1)\))$/,
    /^(Softmax|LayerNormalization|BatchNormalization|UnitNormalization|RMSNormalization|Normalization|Concatenate)\(axis=(1|-1|\(1,\)|\(-1,\))\)$/,
    /^(GroupNormalization)\(axis=(1|-1)\)$/,
    /^(Normalization\(axis=None\)|(Unit)?Normalization\(axis=\(\)\))$/,
    /^x\[(:, None|:, :, None|\.\.\., None|:, None, 1:3|\.\.\., 1:3|\.\.\., None, :|:, 1:|:, :1|:, -1:|:, ::2)\]$/,
    /^ops\.cast\(x, bool\)$/,
    /^(Embedding of )?ops\.cast\(x, (float16|bfloat16|float32|float64|int32|int64)\)$/,
  ],
  3: [
    /^ops\.(sum|mean|max|min)\(x, axis=(1|-2|\(1,\)), keepdims=(True|False)\)$/,
    /^ops\.(sum|mean|max|min)\(x, axis=(2|-1|\(2,\)|\(-1,\)), keepdims=(True|False)\)$/,
    /^ops\.(log_)?softmax\(x, axis=(2|-1)\)$/,
    /^ops\.softmax\(x, axis=(1|-2)\)$/,
    /^(ops\.concatenate\(\[x, x\], |Concatenate\(axis=)(1|2|-1|-2)\)$/,
    /^Softmax\(axis=(1|2|-1|-2|\(1,\)|\(2,\)|\(-1,\))\)$/,
    /^(LayerNormalization|UnitNormalization|RMSNormalization)\(axis=(1|2|-1|-2|\(1,\)|\(2,\)|\(-1,\)|\(1, 2\)|\(-2, -1\))\)$/,
    /^(BatchNormalization|Normalization)\(axis=(1|2|-1|-2|\(1,\)|\(2,\)|\(-1,\))\)$/,
    /^Normalization\(axis=(None|\(1, 2\)|\(-2, -1\))\)$/,
    /^(Unit)?Normalization\(axis=\(\)\)$/,
    /^GroupNormalization\(axis=(2|-1)\)$/,
    /^x\[(:, :, 1:3|\.\.\., 1:3|:, -1|:, 0|:, -1, None|:, 0, :, None|:, -1, None, 1:3|:, :, -3:-1|:, 1|:, 1:|:, ::2|:, -1:|:, :1|:, :, -1)\]$/,
    /^ops\.cast\(x, (float16|bfloat16|float32|float64|int32|int64|bool)\)$/,
    /^ops\.cast\(x, int32\) \* 0\.5$/,
    /^mixed_float16: /,
  ],
};

test.each(runs.map((run): [number, string, Run] => [run.rank, run.what, run]))(
  'of %i dimensions: %s',
  async (_, what, { rank, layers, output, shapes, x, y }) => {
    const inputs = layers.map((layer) => ({
      ...layer,
      config: { ...(layer as { config?: object }).config, name: layer.name },
    }));
    const make = () => read(inputs, { shapes, outputs: [[output, 0, 0]] });
    if (!RUN[rank]!.some((pattern) => pattern.test(what))) {
      const names = layers.map(({ name }) => name).join('|');
      expect(refusal(make)).toMatch(new RegExp(`^unsupported: \\w+ layer '(${names})'`));
      return;
    }
    const model = await createModel(make().spec);
    const [input] = model.inputs;
    const data = input!.dtype === 'int32' ? Int32Array.from(x.data) : Float32Array.from(x.data);
    const result = Object.values(model.run({ shape: x.shape, data }).outputs);
    model.dispose();
    expectRecorded(
      result[0],
      { ...y, data: Float32Array.from(y.data) },
      what.startsWith('mixed') ? HALF : RANDOM_LAYERS,
      what,
    );
  },
);

/** Keras computes in float16, of 11 bits, over sums of 4. */
const HALF = { atol: 0.02, rtol: 0.02 };

test('a cast says in the report what is not computed as it says', () => {
  const run = runs.find(({ what }) => what === 'ops.cast(x, float16)')!;
  const { report } = read(run.layers, { outputs: [[run.output, 0, 0]] });
  expect(report.conventions.join()).toMatch(/Cast layer '.*': to float16, computed in float32 here/);
});
