/** Exact in float32 on every host: no Math.sin. */
export const numbers = (length, from = 0) =>
  Float32Array.from({ length }, (_, i) => Math.fround((((i + from) * 37) % 101) - 50) / 64);

export const gruConfig = { inputSize: 4, hiddenSize: 8, resetAfter: true };
export const gruWeights = { kernel: numbers(96), recurrentKernel: numbers(192, 1), bias: numbers(48, 2) };
/** 10 steps. */
export const input = numbers(40, 3);

/** A kind of layer that the core flavour of the wasm binaries lacks. */
const conv = {
  ...{ name: 'conv', type: 'conv1d', inputSize: 4, outputSize: 2, kernelSize: 3 },
  weights: { kernel: numbers(24) },
};
const spec = { inputs: [{ name: 'x', dtype: 'float32', size: 4 }], layers: [conv] };

/** FNV-1a of the bytes. */
function hash({ buffer, byteOffset, byteLength }) {
  let value = 0x811c9dc5;
  for (const byte of new Uint8Array(buffer, byteOffset, byteLength)) value = Math.imul(value ^ byte, 0x01000193);
  return (value >>> 0).toString(16);
}

/** The line by which scripts/consumers knows that a part of a consumer ran, and what came out. */
export const told = (part, backends, outputs) =>
  `gru-wasm/${part} ${JSON.stringify({ backends: [...new Set(backends)], bits: outputs.map(hash) })}`;

export const failed = (part, error) => `gru-wasm/${part} ${JSON.stringify({ error: String(error?.stack ?? error) })}`;

/** Runs a GRU, a layer of the other flavour of the binaries, and the GRU from its file (whose reader is a chunk of its own). */
export async function report(part, { createGru, createModel, loadModel }, options = { deterministic: true }) {
  try {
    const gru = await createGru(gruConfig, gruWeights, options);
    const models = [gru, await createModel(spec, options), await loadModel(gru.save(), options)];
    return told(
      part,
      models.map(({ backend }) => backend),
      models.map((model) => model.run(input).output.data),
    );
  } catch (error) {
    return failed(part, error);
  }
}
