// Turns train.py's model.safetensors (Keras layout) into the two files that gru-wasm loads:
//
//     node convert.js model.safetensors
import { readFile, writeFile } from 'node:fs/promises';
import { createGru, createModel } from 'gru-wasm';
import { parseSafetensors } from 'gru-wasm/formats/safetensors';

const here = (name) => new URL(name, import.meta.url);
const { tensors } = parseSafetensors(await readFile(process.argv[2]));
const get = (name) => tensors.get(name);

/** Weights of a GRU in Keras layout. */
const keras = (name) => ({
  kernel: get(`${name}/kernel`).floats(),
  recurrentKernel: get(`${name}/recurrent_kernel`).floats(),
  bias: get(`${name}/bias`).floats(),
});

async function gruLayer(name, weights, first = weights) {
  const inputSize = get(`${name}/kernel`)?.shape[0] ?? get(`${name}/forward/kernel`).shape[0];
  const hiddenSize = first.bias.length / 3;
  const { spec } = await createGru({ name, inputSize, hiddenSize, resetAfter: false }, weights);
  return spec.layers[0];
}

function embeddingLayer(name) {
  const { shape } = get(`${name}/embeddings`);
  const [vocabularySize, outputSize] = shape;
  const weights = { embeddings: get(`${name}/embeddings`).floats() };
  return { name, type: 'embedding', vocabularySize, outputSize, weights };
}

/** Keras's (in, out) kernel, made output-major. */
function denseLayer(name, activation) {
  const [inputSize, outputSize] = get(`${name}/kernel`).shape;
  const columns = get(`${name}/kernel`).floats();
  const kernel = Float32Array.from(
    columns,
    (_, i) => columns[(i % inputSize) * outputSize + Math.floor(i / inputSize)],
  );
  const weights = { kernel, bias: get(`${name}/bias`).floats() };
  return { name, type: 'dense', inputSize, outputSize, activation, weights };
}

const forward = keras('encoder/forward');
const encoder = await gruLayer('encoder', { forward, reverse: keras('encoder/backward') }, forward);
const models = {
  // Letters to the decoder's initial state.
  encoder: {
    inputs: [{ name: 'letters', dtype: 'int32', size: 1 }],
    layers: [embeddingLayer('encoder_embedding'), { ...encoder, returns: 'last' }, denseLayer('bridge', 'tanh')],
    outputs: [{ name: 'state', from: 'bridge' }],
  },
  // The phoneme before to the logits of the next one.
  decoder: {
    inputs: [{ name: 'phoneme', dtype: 'int32', size: 1 }],
    layers: [
      embeddingLayer('decoder_embedding'),
      await gruLayer('decoder', keras('decoder')),
      denseLayer('output', 'linear'),
    ],
    outputs: [{ name: 'logits', from: 'output' }],
  },
};
for (const [name, spec] of Object.entries(models)) {
  const model = await createModel(spec);
  await writeFile(here(`${name}.safetensors`), model.save());
}
