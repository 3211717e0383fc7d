// Turns train.py's weights (PyTorch's names and layout) into the file that gru-wasm loads:
//
//     node convert.js weights.safetensors
import { readFile, writeFile } from 'node:fs/promises';
import { createGru, createModel } from 'gru-wasm';
import { parseSafetensors } from 'gru-wasm/formats/safetensors';

const { tensors } = parseSafetensors(await readFile(process.argv[2]));
const floats = (name) => tensors.get(name).floats();
const [, hiddenSize] = tensors.get('gru.weight_hh_l0').shape;

const gru = await createGru(
  { inputSize: 1, hiddenSize, resetAfter: true },
  {
    layout: 'pytorch',
    weight_ih_l0: floats('gru.weight_ih_l0'),
    weight_hh_l0: floats('gru.weight_hh_l0'),
    bias_ih_l0: floats('gru.bias_ih_l0'),
    bias_hh_l0: floats('gru.bias_hh_l0'),
  },
);
const dense = {
  name: 'output',
  type: 'dense',
  inputSize: hiddenSize,
  outputSize: 1,
  weights: { kernel: floats('dense.weight'), bias: floats('dense.bias') },
};
const model = await createModel({
  inputs: [{ name: 'sample', dtype: 'float32', size: 1 }],
  layers: [...gru.spec.layers, dense],
});
await writeFile(new URL('amp.safetensors', import.meta.url), model.save());
