// Turns train.py's model.safetensors (Keras layout), of GRUs or LSTMs, into the two files that gru-wasm loads:
//
//     node convert.js out/model.safetensors [FOLDER]
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createGru, createLstm, createModel } from 'gru-wasm';
import { parseSafetensors } from 'gru-wasm/formats/safetensors';

const [source, folder = import.meta.dirname] = process.argv.slice(2);
const { tensors } = parseSafetensors(await readFile(source));
const get = (name) => tensors.get(name);
const isLstm = tensors.has('bridge_cell/kernel');

/** Weights of a GRU or LSTM in Keras layout. */
const keras = (name) => ({
  kernel: get(`${name}/kernel`).floats(),
  recurrentKernel: get(`${name}/recurrent_kernel`).floats(),
  bias: get(`${name}/bias`).floats(),
});

async function recurrentLayer(name, weights, { kernel, recurrentKernel } = weights) {
  const gates = isLstm ? 4 : 3;
  const hiddenSize = Math.sqrt(recurrentKernel.length / gates);
  const sizes = { name, inputSize: kernel.length / (gates * hiddenSize), hiddenSize };
  const { spec } = await (isLstm ? createLstm(sizes, weights) : createGru({ ...sizes, resetAfter: false }, weights));
  return spec.layers[0];
}

function embeddingLayer(name) {
  const { shape } = get(`${name}/embeddings`);
  const [vocabularySize, outputSize] = shape;
  const weights = { embeddings: get(`${name}/embeddings`).floats() };
  return { name, type: 'embedding', vocabularySize, outputSize, weights };
}

/** Keras's (in, out) kernel, made output-major. */
function denseLayer(name, activation, inputs) {
  const [inputSize, outputSize] = get(`${name}/kernel`).shape;
  const columns = get(`${name}/kernel`).floats();
  const kernel = Float32Array.from(
    columns,
    (_, i) => columns[(i % inputSize) * outputSize + Math.floor(i / inputSize)],
  );
  const weights = { kernel, bias: get(`${name}/bias`).floats() };
  return { name, type: 'dense', inputSize, outputSize, activation, weights, ...(inputs && { inputs }) };
}

const forward = keras('encoder/forward');
const encoder = await recurrentLayer('encoder', { forward, reverse: keras('encoder/backward') }, forward);
/** Of the decoder's cell state, which an LSTM has beside the hidden one. */
const cellBridge = () => [
  { name: 'cells', type: 'merge', merge: 'concat', inputs: ['encoder:forwardCell', 'encoder:reverseCell'] },
  denseLayer('bridge_cell', 'linear', ['cells']),
  { name: 'states', type: 'merge', merge: 'concat', inputs: ['bridge', 'bridge_cell'] },
];
const models = {
  // Letters to the decoder's initial state.
  encoder: {
    inputs: [{ name: 'letters', dtype: 'int32', size: 1 }],
    layers: [
      embeddingLayer('encoder_embedding'),
      { ...encoder, returns: 'last' },
      denseLayer('bridge', 'tanh'),
      ...(isLstm ? cellBridge() : []),
    ],
    outputs: [{ name: 'state', from: isLstm ? 'states' : 'bridge' }],
  },
  // The phoneme before to the logits of the next one.
  decoder: {
    inputs: [{ name: 'phoneme', dtype: 'int32', size: 1 }],
    layers: [
      embeddingLayer('decoder_embedding'),
      await recurrentLayer('decoder', keras('decoder')),
      denseLayer('output', 'linear'),
    ],
    outputs: [{ name: 'logits', from: 'output' }],
  },
};
for (const [name, spec] of Object.entries(models)) {
  const model = await createModel(spec);
  await writeFile(join(folder, `${name}.safetensors`), model.save());
}
