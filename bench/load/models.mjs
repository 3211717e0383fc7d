import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One GRU(640, 640): 2.46 million numbers, 9.8 MB. */
export const SIZE = 640;

/** Tensors of the state dict of torch.nn.GRU, in its order. */
export const SHAPES = {
  weight_ih_l0: [3 * SIZE, SIZE],
  weight_hh_l0: [3 * SIZE, SIZE],
  bias_ih_l0: [3 * SIZE],
  bias_hh_l0: [3 * SIZE],
};

const count = (/** @type {number[]} */ shape) => shape.reduce((n, d) => n * d, 1);

/** Numbers that the seed decides, as weights are: between -0.05 and 0.05. */
export function numbers(/** @type {number} */ n, seed = 1) {
  let state = seed;
  return Float32Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31 / 20;
  });
}

const bytesOf = (/** @type {Float32Array} */ data) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** The numbers alone: what the others are measured against. */
export function writeRaw(/** @type {string} */ file) {
  const all = Object.values(SHAPES).map((shape, i) => bytesOf(numbers(count(shape), i + 1)));
  writeFileSync(file, Buffer.concat(all));
}

/** The parts of the raw file, as views. */
export function readRaw(/** @type {Uint8Array} */ { buffer, byteOffset }) {
  let at = byteOffset;
  return Object.fromEntries(
    Object.entries(SHAPES).map(([name, shape]) => {
      const part = new Float32Array(buffer, at, count(shape));
      at += part.byteLength;
      return [name, part];
    }),
  );
}

/** The state dict as safetensors. */
export function writeTorchSafetensors(/** @type {string} */ file) {
  let at = 0;
  const header = Object.entries(SHAPES).map(([name, shape]) => {
    const begin = at;
    at += 4 * count(shape);
    return [name, { dtype: 'F32', shape, data_offsets: [begin, at] }];
  });
  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const length = Buffer.alloc(8);
  length.writeUInt32LE(json.length);
  const data = Object.values(SHAPES).map((shape) => bytesOf(numbers(count(shape))));
  writeFileSync(file, Buffer.concat([length, json, ...data]));
}

/** A layers model of TensorFlow.js in a shard for each 4 MB, as its converter writes, or quantized to `uint8` or `float16`. */
export function writeTfjs(/** @type {string} */ folder, /** @type {'uint8' | 'float16' | undefined} */ quantized) {
  const config = { name: 'gru', batch_input_shape: [null, null, SIZE], units: SIZE, activation: 'tanh' };
  const rest = { recurrent_activation: 'sigmoid', use_bias: true, reset_after: false, return_sequences: true };
  const layers = [{ class_name: 'GRU', config: { ...config, ...rest, trainable: true, dtype: 'float32' } }];
  const shapes = { kernel: [SIZE, 3 * SIZE], recurrent_kernel: [SIZE, 3 * SIZE], bias: [3 * SIZE] };
  const quantization = quantized && {
    dtype: quantized,
    ...(quantized === 'uint8' && { min: -0.05, scale: 0.1 / 255 }),
  };
  const weights = Object.entries(shapes).map(([name, shape]) => ({
    name: `gru/${name}`,
    shape,
    dtype: 'float32',
    ...(quantization && { quantization }),
  }));
  const parts = Object.values(shapes).map((shape) => {
    const data = numbers(count(shape));
    if (quantized === 'uint8') return Buffer.from(Uint8Array.from(data, (v) => (v + 0.05) * 2550));
    // 0x2800 is 0.03125; what the halves are does not matter here.
    if (quantized === 'float16') return Buffer.from(Uint16Array.from(data, (v) => 0x2800 + v * 1000).buffer);
    return bytesOf(data);
  });
  const all = Buffer.concat(parts);
  const paths = [];
  for (let at = 0; at < all.length; at += 4 * 2 ** 20) {
    paths.push(`group1-shard${paths.length + 1}.bin`);
    writeFileSync(join(folder, paths.at(-1)), all.subarray(at, at + 4 * 2 ** 20));
  }
  const model = {
    modelTopology: {
      class_name: 'Sequential',
      config: { name: 's', layers },
      keras_version: 'tfjs-layers 4.22.0',
      backend: 'tensor_flow.js',
    },
    format: 'layers-model',
    generatedBy: 'TensorFlow.js tfjs-layers v4.22.0',
    weightsManifest: [{ paths, weights }],
  };
  writeFileSync(join(folder, 'model.json'), JSON.stringify(model));
}

function varint(/** @type {number} */ value) {
  const out = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
  return Buffer.from([...out, rest]);
}
const int = (/** @type {number} */ field, /** @type {number} */ value) =>
  Buffer.concat([varint(field * 8), varint(value)]);
const put = (/** @type {number} */ field, /** @type {string | Buffer | Buffer[]} */ content) => {
  const bytes = Array.isArray(content) ? Buffer.concat(content) : Buffer.from(content);
  return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes]);
};

/** A GRU node whose weights are initializers in raw_data (9), as torch exports it, or in float_data (4). */
export function writeOnnx(/** @type {string} */ file, dataField = 9) {
  const tensor = (/** @type {string} */ name, /** @type {number[]} */ shape) =>
    put(5, [...shape.map((d) => int(1, d)), int(2, 1), put(8, name), put(dataField, bytesOf(numbers(count(shape))))]);
  const attribute = (/** @type {string} */ name, /** @type {number} */ value) =>
    put(5, [put(1, name), int(3, value), int(20, 2)]);
  const names = ['x', 'W', 'R', 'B'].map((name) => put(1, name));
  const attributes = [attribute('hidden_size', SIZE), attribute('linear_before_reset', 1)];
  const node = put(1, [...names, put(2, 'Y'), put(3, 'gru'), put(4, 'GRU'), ...attributes]);
  const info = (/** @type {number} */ field, /** @type {string} */ name, /** @type {(string | number)[]} */ shape) => {
    const dims = shape.map((d) => put(1, typeof d === 'number' ? int(1, d) : put(2, d)));
    return put(field, [put(1, name), put(2, put(1, [int(1, 1), put(2, dims)]))]);
  };
  const weights = [tensor('W', [1, 3 * SIZE, SIZE]), tensor('R', [1, 3 * SIZE, SIZE]), tensor('B', [1, 6 * SIZE])];
  const ends = [info(11, 'x', ['steps', 'batch', SIZE]), info(12, 'Y', ['steps', 1, 'batch', SIZE])];
  const graph = put(7, [node, put(2, 'g'), ...weights, ...ends]);
  writeFileSync(file, Buffer.concat([int(1, 8), put(2, 'bench'), graph, put(8, [put(1, ''), int(2, 17)])]));
}

/** A quarter of the numbers: JSON of more than 16 MB is not read. */
export const RTNEURAL_SIZE = SIZE / 2;

/** The JSON that RTNeural reads: every number is text, of as many digits as a float32 takes. */
export function writeRtneural(/** @type {string} */ file) {
  const [size, gates] = [RTNEURAL_SIZE, 3 * RTNEURAL_SIZE];
  const rows = (/** @type {number} */ n) => {
    const all = numbers(n * gates);
    return Array.from({ length: n }, (_, i) => Array.from(all.subarray(i * gates, (i + 1) * gates)));
  };
  const layer = {
    type: 'gru',
    activation: 'tanh',
    shape: [null, null, size],
    weights: [rows(size), rows(size), rows(2)],
  };
  writeFileSync(file, JSON.stringify({ in_shape: [null, null, size], layers: [layer] }));
}
