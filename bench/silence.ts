/**
 * What silence, signals that fade out, decayed weights and scores far apart cost: on Intel a product of denormals takes 150 cycles more.
 *
 *     node bench/silence.ts [BEFORE] AFTER      (Node 24; folders of the package, built)
 *
 * Each number is the time of a run by that of the same model on ordinary numbers, in turns; outputs have to be finite, and those of both
 * builds alike.
 */
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { GruModel, LayerSpec } from '../ts/index.ts';
import { commit, machine } from './machine.ts';

const [SIZE, STEPS, ROUNDS] = [64, 64, 9];
let seed = 1;
const noise = () => ((seed = (seed * 48271) % 0x7fffffff) / 0x7fffffff) * 2 - 1;
const random = (length: number, scale: number) => Float32Array.from({ length }, () => noise() * scale);

const cell = (type: string, gates: number, more: object = {}) => ({
  type,
  inputSize: SIZE,
  hiddenSize: SIZE,
  ...more,
  weights: {
    'forward.input': random(gates * SIZE * SIZE, 0.12),
    'forward.recurrent': random(gates * SIZE * SIZE, 0.12),
  },
});
const dense = (kernel: Float32Array, activation = 'linear') => ({
  type: 'dense',
  inputSize: SIZE,
  outputSize: SIZE,
  activation,
  weights: { kernel },
});
const decayed = random(SIZE * SIZE, 0.12).map((w, i) => (i % 3 > 0 ? w : 1e-40));
const LAYERS: Record<string, object> = {
  gru: cell('gru', 3, { resetAfter: true }),
  lstm: cell('lstm', 4),
  dense: dense(random(SIZE * SIZE, 0.12)),
  'dense, a third of its weights decayed': dense(decayed),
  conv1d: { ...dense(random(3 * SIZE * SIZE, 0.1)), type: 'conv1d', activation: 'linear', kernelSize: 3 },
  attention: { type: 'attention', inputs: ['x', 'x', 'x'], inputSize: SIZE },
  softplus: { type: 'activation', activation: 'softplus' },
  softmax: { type: 'activation', activation: 'softmax' },
};
const length = SIZE * STEPS;
const INPUTS: Record<string, Float32Array> = {
  ordinary: random(length, 1),
  silence: new Float32Array(length),
  'fades out': random(length, 1).map((x, i) => x * Math.exp((-i / length) * 104)),
  denormal: new Float32Array(length).fill(1e-40),
  'far apart': random(length, 1).map((x, i) => (i % 3 > 0 ? x : -1e9)),
};

interface Library {
  createModel: (spec: object) => Promise<GruModel>;
  loadModel: (bytes: Uint8Array, options: object) => Promise<GruModel>;
}
const builds = process.argv.slice(2);
if (builds.length < 1 || builds.length > 2) throw new Error('usage: node bench/silence.ts [BEFORE] AFTER');
const libraries = await Promise.all(
  builds.map(async (path) => (await import(pathToFileURL(join(resolve(path), 'dist/index.js')).href)) as Library),
);

function time(model: GruModel, x: Float32Array): number {
  const start = performance.now();
  for (let i = 0; i < 10; i++) model.run(x);
  return performance.now() - start;
}

console.log(`${machine().cpu}; Node ${process.version}; ${commit()}; ${new Date().toISOString().slice(0, 10)}\n`);
const inputs = Object.keys(INPUTS).slice(1);
console.log(`| layer | weights | ${inputs.join(' | ')} |\n|---|---|${'---|'.repeat(inputs.length)}`);
for (const [name, layer] of Object.entries(LAYERS)) {
  for (const precision of 'weights' in layer && !name.includes('decayed') ? ['f32', 'i16', 'i8'] : ['f32']) {
    const spec = {
      inputs: [{ name: 'x', dtype: 'float32', size: SIZE }],
      layers: [{ name: 'layer', ...layer } as LayerSpec],
    };
    const models = await Promise.all(
      libraries.map(async ({ createModel, loadModel }) => {
        const model = await createModel(spec);
        return precision === 'f32' ? model : loadModel(model.save(), { precision });
      }),
    );
    const cells = inputs.map((input) => {
      const outputs = models.map((model) => model.run(INPUTS[input]!).output.data);
      const largest = Math.max(...outputs[0]!.map(Math.abs));
      outputs[0]!.forEach((y, i) => {
        if (!(Math.abs(y - outputs.at(-1)![i]!) <= 1e-6 * largest + 1e-6))
          throw new Error(`${name}, ${input}: value ${i} is not alike`);
      });
      const ratios = models.map((): number[] => []);
      for (let round = 0; round < ROUNDS; round++) {
        for (const [i, model] of models.entries())
          ratios[i]!.push(time(model, INPUTS[input]!) / time(model, INPUTS['ordinary']!));
      }
      return ratios.map((all) => all.sort((a, b) => a - b)[ROUNDS >> 1]!.toFixed(1)).join(' → ');
    });
    console.log(`| ${name} | ${precision} | ${cells.join(' | ')} |`);
    for (const model of models) model.dispose();
  }
}
