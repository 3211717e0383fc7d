import { deflateRawSync } from 'node:zlib';
import { kerasConfigs } from './crafted-keras.mjs';
import { graphs } from './crafted-onnx.mjs';
import { arrays } from './crafted-npz.mjs';
import { halfGru, pickles, programs } from './crafted-pickle.mjs';
import { effects } from './crafted-rtneural.mjs';
import { zip } from './zip.mjs';

/** @typedef {import('./seeds.mjs').Seed} Seed */

const bytesOf = (/** @type {string} */ s) => new TextEncoder().encode(s);
const nested = (/** @type {number} */ n) => '['.repeat(n) + ']'.repeat(n);
const nestedObjects = (/** @type {number} */ n) => '{"a":'.repeat(n) + '1' + '}'.repeat(n);

/** Files of more bytes, and those that unpack to many more, are not mutated. */
const LARGE = 40_000;

/** @returns {Seed} */
const seed = (
  /** @type {string} */ name,
  /** @type {Uint8Array} */ bytes,
  options = {},
  large = bytes.length > LARGE,
) => ({
  name,
  parts: { main: bytes },
  build: ({ main }) => ({ bytes: main, options }),
  large,
});

const bomb = (
  /** @type {string} */ name,
  /** @type {import('./zip.mjs').Parts} */ parts,
  /** @type {number | undefined} */ lie = undefined,
) => seed(name, zip(parts, { deflate: true, lie }), {}, true);

function safetensors(/** @type {string} */ header, data = new Uint8Array(64), length = header.length) {
  const out = new Uint8Array(8 + header.length + data.length);
  new DataView(out.buffer).setBigUint64(0, BigInt(length), true);
  out.set(bytesOf(header), 8);
  out.set(data, 8 + header.length);
  return out;
}

function safetensorsSeeds(/** @type {string} */ key, metadata = '') {
  const tensor = (shape = '[4,4]', offsets = '[0,64]') =>
    `"${key}":{"dtype":"F32","shape":${shape},"data_offsets":${offsets}}`;
  const many = (/** @type {number} */ n) =>
    Array.from({ length: n }, (_, i) => `"${key}${i}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`).join();
  const all = {
    nesting: `{"${key}":${nested(50_000)}}`,
    'nested objects': `{"${key}":${nestedObjects(50_000)}}`,
    'a short nesting': `{"${key}":${nested(200)}}`,
    'a huge shape': `{${metadata}${tensor('[4294967296,4294967296]')}}`,
    'many axes': `{${metadata}${tensor(`[${'1,'.repeat(2000)}16]`)}}`,
    overlap: `{${metadata}${tensor()},"b":{"dtype":"F32","shape":[4,4],"data_offsets":[0,64]}}`,
    'no numbers': `{${metadata}${tensor('[0,4294967296]', '[0,0]')}}`,
    prototype: `{${metadata}"__proto__":{"dtype":"F32","shape":[4,4],"data_offsets":[0,64]}}`,
    'many tensors': `{${metadata}${many(30_000)}}`,
  };
  return [
    ...Object.entries(all).map(([name, header]) => seed(name, safetensors(header))),
    seed('a huge header', safetensors(`{${tensor()}}`, undefined, 99_999_999)),
  ];
}

/** Specs of our own format, with no weights or those of 64 bytes. */
function specs() {
  const gru = { type: 'gru', name: 'g', inputSize: 4, hiddenSize: 4 };
  const dense = (/** @type {string} */ name, /** @type {string} */ from, size = 4) => ({
    type: 'dense',
    name,
    inputs: [from],
    inputSize: 4,
    outputSize: size,
    activation: 'linear',
  });
  const file = (/** @type {unknown} */ spec) => {
    const json = JSON.stringify(JSON.stringify(spec));
    return safetensors(`{"__metadata__":{"gru-wasm":${json}}}`, new Uint8Array());
  };
  const model = (/** @type {object[]} */ layers, rest = {}) =>
    file({ version: 1, inputs: [{ name: 'x', size: 4 }], layers, ...rest });
  const chain = (/** @type {number} */ n) =>
    Array.from({ length: n }, (_, i) => dense(`d${i}`, i === 0 ? 'x' : `d${i - 1}`));
  return [
    seed('a huge layer', model([{ ...gru, inputSize: 2 ** 31, hiddenSize: 2 ** 31 }])),
    seed(
      'a huge embedding',
      model([{ type: 'embedding', name: 'e', vocabulary: 1e9, size: 1e9, inputSize: 1e9, outputSize: 1e9 }]),
    ),
    seed('a circle', model([dense('a', 'b'), dense('b', 'a')])),
    seed('itself', model([dense('a', 'a')])),
    seed('one name twice', model([gru, gru])),
    seed('a long chain', model(chain(3000))),
    seed('a short chain', model(chain(5))),
    seed(
      'doubling',
      model(
        Array.from({ length: 60 }, (_, i) => ({
          type: 'concat',
          name: `c${i}`,
          inputs: i === 0 ? ['x', 'x'] : [`c${i - 1}`, `c${i - 1}`],
        })),
      ),
    ),
    seed(
      'nesting',
      safetensors(`{"__metadata__":{"gru-wasm":${JSON.stringify(`{"version":1,"layers":${nested(30_000)}}`)}}}`),
    ),
    ...safetensorsSeeds('gru/forward.input', '"__metadata__":{"gru-wasm":"{}"},'),
  ];
}

/** What some of the pickles hold. */
const LINEAR = { pytorch: { layers: [{ linear: 'fc' }] } };

function torchArchives(/** @type {Seed[]} */ files) {
  const zeros = new Uint8Array(64 * 2 ** 20);
  const data = { 'm/data/0': new Uint8Array(64), 'm/version': bytesOf('3\n') };
  const some = pickles().map(([name, pickle]) => seed(name, zip({ 'm/data.pkl': pickle, ...data }), LINEAR));
  const { parts, build } = /** @type {Seed} */ (files.findLast(({ parts: { main } }) => main === undefined));
  const halves = { 'm/data.pkl': halfGru(), 'm/data/0': new Uint8Array(6e6), 'm/data/1': new Uint8Array(6e6) };
  return [
    ...some,
    bomb('a large model of zeros', halves),
    bomb('a bomb', { 'm/data.pkl': zeros }),
    bomb('a bomb that lies', { 'm/data.pkl': zeros }, 100),
    bomb('a size that lies', { 'm/data.pkl': new Uint8Array(100) }, 0xfffffff0),
    seed('many files', zip(Object.fromEntries(Array.from({ length: 12_000 }, (_, i) => [`m/${i}`, new Uint8Array()])))),
    seed('deflated', zip(parts, { deflate: true }), build(parts).options),
    seed('a zip in a zip', zip({ 'm/data.pkl': zip({ 'm/data.pkl': new Uint8Array(9) }) })),
  ];
}

/** The pickles of torch.save before PyTorch 1.6: the magic number, a version, the machine, the object, no storages. */
function legacy(/** @type {Uint8Array} */ pickle) {
  const before =
    '\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}(X\r\0\0\0little_endian\x88X\x10\0\0\0protocol_versionM\xe9\x03u.';
  return new Uint8Array(Buffer.concat([Buffer.from(before, 'latin1'), pickle, Buffer.from('\x80\x02].', 'latin1')]));
}

/** HDF5 whose root group's tree has one child many times, and whose nodes are their own children. */
function hdf5s(/** @type {Uint8Array} */ h5) {
  const text = new TextDecoder('latin1').decode(h5);
  const [tree, table] = [text.indexOf('TREE'), text.indexOf('SNOD')];
  const large = new Uint8Array(h5.length + 24 + 16 * 65_536);
  large.set(h5);
  const view = new DataView(large.buffer);
  large.set(h5.subarray(tree, tree + 24), h5.length);
  view.setUint16(h5.length + 6, 65_535, true);
  for (let i = 0; i < 65_535; i++) view.setBigUint64(h5.length + 24 + 16 * i + 8, BigInt(table), true);
  for (let place = 0; place < h5.length; place += 8) {
    if (view.getBigUint64(place, true) === BigInt(tree)) view.setBigUint64(place, BigInt(h5.length), true);
  }
  const circle = h5.slice();
  circle[tree + 5] = 1;
  new DataView(circle.buffer, circle.byteOffset).setBigUint64(tree + 32, BigInt(tree), true);
  return { large, circle };
}

function kerasArchives(/** @type {Seed[]} */ files) {
  const { 'model.weights.h5': h5, 'config.json': config, 'metadata.json': metadata } = files[0].parts;
  const around = (/** @type {Uint8Array} */ weights, text = config) => ({
    'metadata.json': metadata,
    'config.json': text,
    'model.weights.h5': weights,
  });
  const { large, circle } = hdf5s(h5);
  const padded = new Uint8Array(31 * 2 ** 20);
  padded.set(h5);
  const lessPadded = padded.slice(0, 11 * 2 ** 20);
  return [
    ...Object.entries(kerasConfigs()).map(([name, text]) => seed(name, zip(around(h5, bytesOf(text))))),
    seed('a circle of nodes', zip(around(circle))),
    seed('one child many times', zip(around(large))),
    bomb('weights padded less, deflated', around(lessPadded)),
    bomb('padded weights, deflated', around(padded)),
    bomb('a config of spaces, deflated', around(h5, bytesOf(' '.repeat(11 * 2 ** 20)))),
    bomb('a config of brackets, deflated', around(h5, bytesOf('['.repeat(11 * 2 ** 20)))),
    bomb('a bomb', around(new Uint8Array(200 * 2 ** 20))),
    bomb('a bomb in another', around(new Uint8Array(deflateRawSync(new Uint8Array(30 * 2 ** 20))))),
    seed('deflated', zip(files[0].parts, { deflate: true })),
  ];
}

function tfjsModels(/** @type {Seed[]} */ files) {
  const { main, ...shards } = files[0].parts;
  const json = JSON.parse(new TextDecoder().decode(main));
  const [group] = json.weightsManifest;
  const options = { files: shards };
  const made = (/** @type {string} */ name, /** @type {object} */ change) =>
    seed(name, bytesOf(JSON.stringify({ ...json, ...change })), options);
  const weights = (/** @type {object} */ change) => ({
    weightsManifest: [{ ...group, weights: group.weights.map((/** @type {object} */ w) => ({ ...w, ...change })) }],
  });
  return [
    ...Object.entries(kerasConfigs()).map(([name, text]) =>
      seed(
        name,
        bytesOf(
          `{"format":"layers-model","modelTopology":${text},"weightsManifest":${JSON.stringify(json.weightsManifest)}}`,
        ),
        options,
      ),
    ),
    made('huge shapes', weights({ shape: [2 ** 31, 2 ** 31] })),
    made('empty shapes', weights({ shape: [0, 2 ** 50] })),
    made('a scale of no number', weights({ quantization: { dtype: 'uint8', min: 1e308, scale: 1e308 } })),
    made('one shard many times', { weightsManifest: Array.from({ length: 1000 }, () => group) }),
    made('a shard elsewhere', {
      weightsManifest: [{ ...group, paths: ['../../../etc/passwd', '/etc/passwd', 'http://127.0.0.1:9/x'] }],
    }),
    seed('nesting', bytesOf(`{"modelTopology":${nested(100_000)}}`)),
    seed('spaces', bytesOf(`{"modelTopology":{},${' '.repeat(1e6)}`)),
  ];
}

function torchPrograms(/** @type {Seed[]} */ files) {
  const { parts } = /** @type {Seed} */ (files.find((file) => file.parts.main === undefined));
  const [at] = Object.keys(parts).filter((name) => name.endsWith('/data.pkl'));
  return programs().map(([name, pickle]) => seed(name, zip({ ...parts, [at]: pickle })));
}

function numpyArchives() {
  const zeros = { 'w.npy': new Uint8Array(64 * 2 ** 20) };
  return [
    ...arrays().map(([name, parts]) => seed(name, zip(parts))),
    bomb('a bomb', zeros),
    bomb('a bomb that lies', zeros, 100),
  ];
}

/** Files made to hurt; `files` are the real ones of the format. @returns {Seed[]} */
export function crafted(/** @type {string} */ format, /** @type {Seed[]} */ files) {
  switch (format) {
    case 'gru-wasm':
      return specs();
    case 'textbook':
      return safetensorsSeeds('candidate_hidden.kernel');
    case 'torch-safetensors':
      return safetensorsSeeds('weight_hh_l0');
    case 'torch-legacy':
      return pickles().map(([name, pickle]) => seed(name, legacy(pickle), LINEAR));
    case 'torch-zip':
      return torchArchives(files);
    case 'torchscript':
      return torchPrograms(files);
    case 'npz':
      return numpyArchives();
    case 'tfjs':
      return tfjsModels(files);
    case 'rtneural':
      return effects().map(([name, text]) => seed(name, bytesOf(text)));
    case 'onnx':
      return graphs().map(([name, bytes]) => seed(name, bytes));
    case 'keras':
      return kerasArchives(files);
    case 'h5':
      return Object.entries(hdf5s(files[0].parts.main)).map(([name, bytes]) => seed(name, bytes));
    default: {
      const { main } = files[0].parts;
      const configs = Object.entries(kerasConfigs()).map(([name, config]) => seed(name, main, { keras: { config } }));
      return [
        ...configs,
        ...Object.entries(hdf5s(main)).map(([name, bytes]) => ({
          ...files[0],
          name,
          parts: { ...files[0].parts, main: bytes },
        })),
      ];
    }
  }
}
