/** Models of random TensorFlow.js layers, with masks, and what it makes of them: README.md. `node tfjs-models.mjs FOLDER COUNT SEED` */
import { createRequire } from 'node:module';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const tf = createRequire(new URL('../../bench/package.json', import.meta.url))('@tensorflow/tfjs');
await tf.setBackend('cpu');
const { layers } = tf;
const [folder, count = '200', seed = '1'] = process.argv.slice(2);

/** A linear congruential generator (Numerical Recipes). */
let state = Number(seed);
const random = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
const pick = (...choices) => choices[Math.floor(random() * choices.length)];
const chance = (share) => random() < share;

const FUNCTIONS = ['tanh', 'relu', 'sigmoid', 'linear', 'elu', 'softplus', 'softsign', 'selu', 'hardSigmoid'];
const MERGES = ['add', 'multiply', 'average', 'maximum', 'minimum'];

function recurrent(x, returnSequences) {
  const kind = pick('gru', 'gru', 'lstm', 'simpleRNN');
  const config = { units: pick(2, 3, 4), returnSequences, useBias: chance(0.8) };
  if (kind === 'gru') config.recurrentActivation = 'sigmoid';
  if (chance(0.35)) {
    const mergeMode = pick('concat', 'sum', 'mul', 'ave');
    return layers.bidirectional({ layer: layers[kind](config), mergeMode }).apply(x);
  }
  return layers[kind]({ ...config, goBackwards: chance(0.2) }).apply(x);
}

const EACH = [
  (x) => layers.dense({ units: pick(1, 2, 3), activation: pick(...FUNCTIONS) }).apply(x),
  (x) => layers.activation({ activation: pick(...FUNCTIONS) }).apply(x),
  (x) => layers.batchNormalization().apply(x),
  (x) => layers.layerNormalization().apply(x),
  (x) => layers[pick('leakyReLU', 'elu', 'softmax')]().apply(x),
  (x) => layers.reLU({ maxValue: 0.5 }).apply(x),
  (x) => layers.thresholdedReLU({ theta: 0.1 }).apply(x),
  (x) => layers.rescaling({ scale: 0.5, offset: 0.2 }).apply(x),
  (x) => layers[pick('dropout', 'spatialDropout1d')]({ rate: 0.2 }).apply(x),
  (x, { alike }) => layers[pick(...MERGES)]().apply([x, pick(...alike)]),
  (x, { alike }) => layers[pick(...MERGES)]().apply([x, pick(...alike)]),
  (x, { beside }) => layers.concatenate().apply([x, pick(...beside)]),
];
const window = () => ({ poolSize: 2, strides: pick(1, 2), padding: pick('same', 'valid') });
const OVER_STEPS = [
  ...EACH,
  (x) => recurrent(x, true),
  (x) => recurrent(x, true),
  (x) => recurrent(x, true),
  (x) => recurrent(x, false),
  (x) => layers.timeDistributed({ layer: layers.dense({ units: 2 }) }).apply(x),
  (x) => {
    const padding = pick('same', 'causal', 'valid');
    const config = { filters: 2, kernelSize: pick(1, 2, 3), padding, strides: pick(1, 1, 2) };
    return layers.conv1d({ ...config, activation: pick(...FUNCTIONS) }).apply(x);
  },
  (x) => layers[pick('maxPooling1d', 'averagePooling1d')](window()).apply(x),
  (x) => layers[pick('globalAveragePooling1d', 'globalMaxPooling1d')]().apply(x),
  (x) => layers.prelu({ sharedAxes: [1] }).apply(x),
  (x) => layers.softmax({ axis: 1 }).apply(x),
  (x) => layers.masking({ maskValue: 0 }).apply(x),
  (x) => layers.permute({ dims: [1, 2] }).apply(x),
  (x) => {
    const scores = layers.softmax().apply(layers.dot({ axes: [2, 2] }).apply([x, x]));
    return layers.dot({ axes: [2, 1] }).apply([scores, x]);
  },
];
const OF_VECTORS = [...EACH, (x) => layers.repeatVector({ n: pick(3, 6) }).apply(x)];

function step(values) {
  const x = pick(...values.slice(-4));
  const shape = (value, last) => JSON.stringify(value.shape.slice(0, last));
  const others = {
    alike: values.filter((value) => shape(value) === shape(x)),
    beside: values.filter((value) => shape(value, -1) === shape(x, -1)),
  };
  values.push(pick(...(x.shape.length === 3 ? OVER_STEPS : OF_VECTORS))(x, others));
}

/** Numbers for an input of which zeros may be masked: at the end of a sequence, and at the start or in between. */
function dataOf({ ids, masked, size }, batch, steps) {
  const shape = ids ? [batch, steps] : [batch, steps, size];
  const width = ids ? 1 : size;
  const number = () => (ids ? 1 + Math.floor(random() * 6) : random() * 2 - 1);
  const data = Float32Array.from({ length: batch * steps * width }, number);
  const mask = (sequence, at) => data.fill(0, (sequence * steps + at) * width, (sequence * steps + at + 1) * width);
  if (masked) {
    mask(0, steps - 1);
    mask(0, steps - 2);
    if (chance(0.4)) mask(1, 0);
    if (chance(0.2) && batch > 2) mask(2, 1);
  }
  return { dtype: ids ? 'int32' : 'float32', shape, data: [...data] };
}

function build() {
  const steps = pick(null, null, 6);
  const kind = { ids: chance(0.4), masked: chance(0.4), size: pick(2, 3, 4) };
  const input = tf.input(kind.ids ? { shape: [steps], dtype: 'int32' } : { shape: [steps, kind.size] });
  const embedding = () => layers.embedding({ inputDim: 7, outputDim: kind.size, maskZero: kind.masked }).apply(input);
  const given = kind.masked ? () => layers.masking({ maskValue: 0 }).apply(input) : () => input;
  const values = [kind.ids ? embedding() : given()];
  for (const wanted = pick(2, 3, 4, 5, 7, 9); values.length < wanted;) step(values);
  const model = tf.model({ inputs: input, outputs: values.at(-1) });
  const numbers = ({ shape, name }) =>
    tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => random() + (name.includes('variance') ? 0.5 : -0.5)), shape); // prettier-ignore
  model.setWeights(model.weights.map(numbers));
  const runs = (
    steps
      ? [[3, 6]]
      : [
          [3, 6],
          [2, 5],
        ]
  ).map(([batch, length]) => {
    // prettier-ignore
    const x = dataOf(kind, batch, length);
    const y = model.predict(tf.tensor(x.data, x.shape, x.dtype), { batchSize: 8 });
    return { inputs: { x }, outputs: [{ value: { dtype: 'float32', shape: y.shape, data: [...y.dataSync()] } }] };
  });
  return { model, runs };
}

const isFinite = ({ outputs: [{ value }] }) => value.data.every((x) => Math.abs(x) < 1e4);
async function save(model, name) {
  mkdirSync(join(folder, name), { recursive: true });
  await model.save(
    tf.io.withSaveHandler(({ modelTopology, generatedBy, weightSpecs, weightData }) => {
      const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
      const json = { format: 'layers-model', generatedBy, modelTopology, weightsManifest };
      writeFileSync(join(folder, name, 'model.json'), JSON.stringify(json));
      writeFileSync(join(folder, name, 'weights.bin'), new Uint8Array(weightData));
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    }),
  );
}

const refused = new Map();
for (let made = 0; made < Number(count);) {
  try {
    const { model, runs } = build();
    if (!runs.every(isFinite)) continue;
    await save(model, String(made));
    const parts = model.layers.map((layer) => layer.getClassName());
    writeFileSync(join(folder, `${made}.json`), JSON.stringify({ file: `${made}/model.json`, parts, runs }));
    made++;
  } catch (error) {
    refused.set(error.name, (refused.get(error.name) ?? 0) + 1);
  } finally {
    tf.disposeVariables();
  }
}
console.log(`${count} models; refused by the framework:`, Object.fromEntries(refused));
