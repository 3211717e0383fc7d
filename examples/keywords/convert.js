// Turns train.py's weights, a PyTorch state dict, into the file that gru-wasm loads:
//
//     node convert.js weights.safetensors
import { writeFile } from 'node:fs/promises';
import { loadModel } from 'gru-wasm';

const model = await loadModel(process.argv[2], {
  pytorch: {
    // As `forward` of train.py.
    layers: [
      { batchnorm: 'input_norm' },
      { conv1d: 'conv', stride: 2, padding: 'causal' },
      { batchnorm: 'conv_norm' },
      { activation: 'relu' },
      { gru: 'gru' },
      { linear: 'scores', activation: 'softmax' },
    ],
  },
});
await writeFile(new URL('keywords.safetensors', import.meta.url), model.save());
