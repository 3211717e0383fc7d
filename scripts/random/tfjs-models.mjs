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

const CELLS = { gru: 'gruCell', lstm: 'lstmCell', simpleRNN: 'simpleRNNCell' };

/** States of recurrent layers, by kind and units, and what a bidirectional layer gives beside its first result. */
let states = [];
let more = [];

const configOf = (kind, units) => ({
  units,
  useBias: chance(0.8),
  ...(kind === 'gru' ? { recurrentActivation: 'sigmoid' } : {}),
  ...(chance(0.15) ? { activation: pick('relu', 'sigmoid', 'softsign') } : {}),
});

function recurrent(x, returnSequences) {
  let kind = pick('gru', 'gru', 'lstm', 'simpleRNN');
  let units = pick(2, 3, 4);
  if (chance(0.35)) {
    const mergeMode = pick('concat', 'sum', 'mul', 'ave', null);
    const layer = layers[kind]({ ...configOf(kind, units), returnSequences });
    const results = [layers.bidirectional({ layer, mergeMode }).apply(x)].flat();
    more.push(...results.slice(1));
    return results[0];
  }
  if (chance(0.25)) {
    const sizes = chance(0.5) ? [units] : [units, 2];
    const cell = sizes.map((size) => layers[CELLS[kind]](configOf(kind, size)));
    const config = { cell: chance(0.5) ? layers.stackedRNNCells({ cells: cell }) : cell, returnSequences };
    return layers.rnn({ ...config, goBackwards: chance(0.2) }).apply(x);
  }
  const known = states.length > 0 && chance(0.6) ? pick(...states) : undefined;
  if (known) ({ kind, units } = known);
  const returnState = chance(0.3);
  const config = { ...configOf(kind, units), returnSequences, returnState, goBackwards: chance(0.2) };
  const results = [layers[kind](config).apply(x, known ? { initialState: known.values } : undefined)].flat();
  if (returnState) states.push({ kind, units, values: results.slice(1) });
  return results[0];
}

/** A model as a layer: a chain, or one of a graph, at times of two readers. */
function nested(x, { alike }) {
  const inner = tf.input({ shape: x.shape.slice(1) });
  const [outer, others] = [states, more];
  [states, more] = [[], []];
  const values = [inner];
  for (const wanted = pick(2, 3, 4); values.length < wanted;) step(values);
  const model = tf.model({ inputs: inner, outputs: values.at(-1) });
  [states, more] = [outer, others];
  if (chance(0.3)) more.push(model.apply(pick(...alike)));
  return model.apply(x);
}

function sequential(x) {
  const isSteps = x.shape.length === 3;
  const inputShape = x.shape.slice(1);
  const first = layers.dense({ units: pick(2, 3), activation: pick(...FUNCTIONS), inputShape });
  const parts = [
    () => layers.layerNormalization(),
    () => layers.activation({ activation: pick(...FUNCTIONS) }),
    ...(isSteps ? [() => layers.gru({ ...configOf('gru', 2), returnSequences: true })] : []),
    ...(isSteps ? [() => layers.masking({ maskValue: 0 })] : []),
  ];
  const made = Array.from({ length: pick(0, 1, 2) }, () => pick(...parts)());
  if (isSteps && chance(0.4)) made.push(layers.lstm(configOf('lstm', 2)));
  return tf.sequential({ layers: [first, ...made] }).apply(x);
}

const INNER = [
  () => layers.dense({ units: 2 }),
  () => layers.layerNormalization(),
  () => layers.batchNormalization(),
  () => layers.activation({ activation: pick(...FUNCTIONS) }),
  () => layers.dropout({ rate: 0.2 }),
];

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
  (x, others) => nested(x, others),
  (x) => sequential(x),
];
const window = () => ({ poolSize: 2, strides: pick(1, 2), padding: pick('same', 'valid') });
const OVER_STEPS = [
  ...EACH,
  (x) => recurrent(x, true),
  (x) => recurrent(x, true),
  (x) => recurrent(x, true),
  (x) => recurrent(x, false),
  (x) => layers.timeDistributed({ layer: pick(...INNER)() }).apply(x),
  (x) => {
    const padding = pick('same', 'causal', 'valid');
    const [strides, dilationRate] = pick([1, 1], [1, 1], [2, 1], [1, 2]);
    const config = { filters: 2, kernelSize: pick(1, 2, 3), padding, strides, dilationRate };
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
  (x, { wide }) => {
    const y = pick(...wide);
    const scores = layers.softmax().apply(layers.dot({ axes: [2, 2] }).apply([x, y]));
    return layers.dot({ axes: [2, 1] }).apply([scores, y]);
  },
  (x) => (x.shape[1] ? layers.flatten() : layers.globalMaxPooling1d()).apply(x),
  (x) => layers[pick('gaussianNoise', 'gaussianDropout')]({ stddev: 0.1, rate: 0.1 }).apply(x),
];
const OF_VECTORS = [...EACH, (x) => layers.repeatVector({ n: pick(3, 6) }).apply(x)];

function step(values) {
  const x = pick(...values.slice(-4));
  const shape = (value, last) => JSON.stringify(value.shape.slice(0, last));
  const others = {
    alike: values.filter((value) => shape(value) === shape(x)),
    beside: values.filter((value) => shape(value, -1) === shape(x, -1)),
    wide: values.filter((value) => value.shape.length === 3 && value.shape[2] === x.shape[2]),
  };
  values.push(...more.splice(0), pick(...(x.shape.length === 3 ? OVER_STEPS : OF_VECTORS))(x, others));
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

/** An input, and what the layers read of it. A second one may have steps of its own, and the ids of the first one's table. */
function inputOf(name, steps, tables) {
  const kind = { ids: chance(0.4), masked: chance(0.4), size: pick(2, 3, 4) };
  const x = tf.input(kind.ids ? { name, shape: [steps], dtype: 'int32' } : { name, shape: [steps, kind.size] });
  if (!kind.ids) return { kind, x, value: kind.masked ? layers.masking({ maskValue: 0 }).apply(x) : x };
  if (tables.length === 0 || chance(0.5))
    tables.push({ kind, table: layers.embedding({ inputDim: 7, outputDim: kind.size, maskZero: kind.masked }) });
  const { kind: own, table } = tables.at(-1);
  return { kind: own, x, value: table.apply(x) };
}

function build() {
  [states, more] = [[], []];
  const steps = pick(null, null, 6);
  const tables = [];
  const inputs = Array.from({ length: pick(1, 1, 1, 2) }, (_, i) => inputOf(`in${i}`, steps, tables));
  const isApart = steps === null && chance(0.5);
  const values = inputs.map(({ value }) => value);
  for (const wanted = values.length + pick(1, 2, 3, 4, 6, 8); values.length < wanted;) step(values);
  const outputs = [values.at(-1), ...(chance(0.3) ? [pick(...values.slice(inputs.length))] : [])];
  const model = tf.model({ inputs: inputs.map(({ x }) => x), outputs: [...new Set(outputs)] });
  const numbers = ({ shape, name }) =>
    tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => random() + (name.includes('variance') ? 0.5 : -0.5)), shape); // prettier-ignore
  model.setWeights(model.weights.map(numbers));
  const lengths = steps ? [[3, 6]] : [[3, 6], [2, 5]]; // prettier-ignore
  const runs = lengths.map(([batch, length]) => {
    const given = inputs.map(({ kind }, i) => dataOf(kind, batch, isApart ? length - i : length));
    const tensors = given.map((x) => tf.tensor(x.data, x.shape, x.dtype));
    const results = [model.predict(tensors, { batchSize: 8 })].flat();
    return {
      inputs: Object.fromEntries(given.map((x, i) => [`in${i}`, x])),
      outputs: results.map((y) => ({ value: { dtype: 'float32', shape: y.shape, data: [...y.dataSync()] } })),
    };
  });
  return { model, runs };
}

const isFinite = ({ outputs }) => outputs.every(({ value }) => value.data.every((x) => Math.abs(x) < 1e4));
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
