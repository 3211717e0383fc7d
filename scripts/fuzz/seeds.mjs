import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { at } from '../lib.mjs';
import { crafted } from './crafted.mjs';
import { unzip, zip } from './zip.mjs';

/** @typedef {import('./zip.mjs').Parts} Parts */
/**
 * What one call of `inspect` gets.
 *
 * @typedef {{ bytes: Uint8Array, options?: Record<string, unknown> }} Input
 */
/**
 * A file that inputs are made from: its parts are mutated, then put together.
 *
 * @typedef {object} Seed
 * @property {string} name
 * @property {Parts} parts
 * @property {(parts: Parts) => Input} build
 * @property {boolean} [large] Run once as it is; mutating it would only take time.
 */

/** @typedef {Pick<typeof import('../../ts/index.ts'), 'loadModel' | 'inspect' | 'GruError'>} Api */

export const FORMATS = [
  'gru-wasm',
  'textbook',
  'torch-safetensors',
  'torch-legacy',
  'torch-zip',
  'torchscript',
  'npz',
  'tfjs',
  'rtneural',
  'onnx',
  'keras',
  'h5',
  'weights-h5',
];

const CASES = at('tests', 'fixtures', 'cases');
const TORCH = at('tests', 'fixtures', 'pytorch');
const ONNX = at('tests', 'fixtures', 'onnx');
/** Larger seeds take longer to mutate than to read. */
const LARGEST = 24_000;

const read = (/** @type {string[]} */ ...path) => new Uint8Array(readFileSync(join(...path)));
const folders = (/** @type {string} */ root) =>
  readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(root, name))
    .sort();

/** Paths of files of this name in all cases of this prefix. */
function cases(/** @type {string} */ prefix, /** @type {string} */ file, root = CASES, largest = LARGEST) {
  const all = folders(root).filter((folder) => folder.startsWith(join(root, prefix)));
  return all.map((folder) => join(folder, file)).filter((path) => existsSync(path) && read(path).length <= largest);
}

/** @returns {Seed} */
const plain = (/** @type {string} */ path, options = {}) => ({
  name: path,
  parts: { main: read(path) },
  build: ({ main }) => ({ bytes: main, options }),
});

/** @returns {Seed} The files inside of an archive, CRCs and sizes right. */
const inner = (/** @type {string} */ path, options = {}) => ({
  name: `${path} (inside)`,
  parts: unzip(read(path)),
  build: (parts) => ({ bytes: zip(parts), options }),
});

/** @returns {Seed} A Keras file of which the config alone is mutated: weights take most of its bytes. */
const config = (/** @type {string} */ path) => {
  const { 'config.json': own, ...rest } = unzip(read(path));
  return {
    name: `${path} (config)`,
    parts: { 'config.json': own },
    build: (parts) => ({ bytes: zip({ ...rest, ...parts }) }),
  };
};

/** A safetensors file of a header and data, the header's length right. */
function safetensors(/** @type {Uint8Array} */ header, /** @type {Uint8Array} */ data) {
  const out = new Uint8Array(8 + header.length + data.length);
  new DataView(out.buffer).setBigUint64(0, BigInt(header.length), true);
  out.set(header, 8);
  out.set(data, 8 + header.length);
  return out;
}

/** @returns {Seed} Header, data and (in files of our own) the description in the header apart. */
function pieces(/** @type {string} */ name, /** @type {Uint8Array} */ bytes, options = {}) {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const [header, data] = [bytes.slice(8, 8 + length), bytes.slice(8 + length)];
  const { __metadata__: metadata, ...tensors } = JSON.parse(decode(header));
  const spec = metadata?.['gru-wasm'];
  if (spec === undefined) {
    return {
      name,
      parts: { header, data },
      build: (parts) => ({ bytes: safetensors(parts.header, parts.data), options }),
    };
  }
  const encode = (/** @type {unknown} */ value) => new TextEncoder().encode(JSON.stringify(value));
  return {
    name,
    parts: { spec: new TextEncoder().encode(spec), tensors: encode(tensors), data },
    build(parts) {
      const start = decode(encode({ __metadata__: { 'gru-wasm': decode(parts.spec) } })).slice(0, -1);
      return {
        bytes: safetensors(new TextEncoder().encode(`${start},${decode(parts.tensors.subarray(1))}`), parts.data),
      };
    },
  };
}
const decode = (/** @type {Uint8Array} */ bytes) => new TextDecoder().decode(bytes);

/** What a state dict does not say: the first of these with which the file is read. */
const WIRINGS = [
  {},
  { pytorch: { layers: [{ embedding: 'embedding' }, { gru: 'gru' }, { linear: 'fc' }] } },
  { pytorch: { layers: [{ gru: 'rnn' }] } },
  { pytorch: { layers: [{ gru: 'rnn' }, { linear: 'head' }] } },
  { pytorch: { stateDict: 'model', layers: [{ gru: 'rnn' }, { linear: 'head' }] } },
  { pytorch: { layers: [{ gru: 'gru' }] } },
  { pytorch: { layers: [{ linear: 'fc' }] } },
];

/** How a case says that its file is loaded. @returns {object[]} */
function loadOf(/** @type {string} */ path) {
  const file = join(path, '..', 'case.json');
  const situations = existsSync(file) ? [JSON.parse(decode(read(file)))].flat() : [];
  return situations.flatMap(({ file: name, load }) => (load && path === join(file, '..', name) ? [load] : []));
}

async function wiring(/** @type {Api} */ { inspect }, /** @type {string} */ path) {
  for (const options of [...loadOf(path), ...WIRINGS]) {
    const isRead = await inspect(read(path), options).then(
      () => true,
      () => false,
    );
    if (isRead) return options;
  }
  return undefined;
}

/** Seeds of each path with the options that it needs: three times as many of a file that is read as of one that is refused. */
async function wired(
  /** @type {Api} */ api,
  /** @type {string[]} */ paths,
  /** @type {(path: string, options: object) => Seed[]} */ make,
) {
  const seeds = [];
  for (const path of paths) {
    const options = await wiring(api, path);
    const made = make(path, options ?? {});
    seeds.push(...made, ...(options ? [...made, ...made] : []));
  }
  return seeds;
}

const torchFiles = (/** @type {(name: string) => boolean} */ wanted) =>
  readdirSync(TORCH)
    .filter((name) => name.endsWith('.pt') && wanted(name))
    .sort()
    .map((name) => join(TORCH, name));

/** @returns {Seed[]} A model file with the files beside it. */
function withFiles(/** @type {string} */ path) {
  const folder = join(path, '..');
  const beside = readdirSync(folder).filter((name) => name.endsWith('.bin'));
  const files = Object.fromEntries(beside.map((name) => [name, read(folder, name)]));
  return [
    {
      name: path,
      parts: { main: read(path), ...files },
      build: ({ main, ...rest }) => ({ bytes: main, ...(beside.length > 0 && { options: { files: rest } }) }),
    },
  ];
}

/** @returns {Seed} */
const asInputs = (/** @type {string} */ path) => {
  const weight = (/** @type {number[]} */ ...shape) => ({
    data: new Float32Array(shape.reduce((n, d) => n * d, 1)),
    shape,
  });
  return plain(path, { onnx: { initializers: { W: weight(1, 15, 4), R: weight(1, 15, 5), B: weight(1, 30) } } });
};

/** @returns {Promise<Seed[]>} What `save` writes for recorded models. */
async function ours(/** @type {Api} */ { loadModel }) {
  const names = ['text_classifier', 'functional_branches', 'bi_concat', 'masking_after', 'gru_after_sigmoid_elu'];
  const paths = names.flatMap((name) => cases(`keras_${name}`, 'model.h5'));
  const all = [...paths, ...cases('torch_gru_bidir', 'model.safetensors')];
  const seeds = [];
  for (const path of all) {
    const model = await loadModel(path, { backend: 'js' });
    for (const dtype of /** @type {const} */ (['float32', 'float16'])) {
      const main = model.save({ dtype });
      seeds.push({
        name: `${path} saved as ${dtype}`,
        parts: { main },
        build: (/** @type {Parts} */ parts) => ({ bytes: parts.main }),
      });
      seeds.push(pieces(path, main), pieces(path, main));
    }
    model.dispose();
  }
  return seeds;
}

/** Cases of Keras 2, 3 and TensorFlow's. */
const KERAS_CASES = ['k2', 'k3', 'kn', 'tfk_'];

/** @type {Record<string, (api: Api) => Seed[] | Promise<Seed[]>>} */
const FILES = {
  'gru-wasm': ours,
  textbook: () => cases('seed_', 'model.safetensors').flatMap((path) => [plain(path), pieces(path, read(path))]),
  'torch-safetensors': (api) =>
    wired(api, [...cases('torch_', 'model.safetensors'), ...cases('pt_', 'model.safetensors')], (path, options) => [
      plain(path, options),
      pieces(path, read(path), options),
    ]),
  'torch-legacy': (api) =>
    wired(
      api,
      [...torchFiles((name) => name.includes('legacy')), ...cases('torch_', 'model_legacy.pt')],
      (path, options) => [plain(path, options)],
    ),
  'torch-zip': (api) => {
    const files = [
      ...torchFiles((name) => !name.includes('legacy')),
      ...cases('torch_', 'model.pt'),
      ...cases('torch_', 'checkpoint.pt'),
      ...cases('pt_', 'model.pt'),
    ];
    const zips = files.filter((path) => read(path)[0] === 0x50);
    return wired(api, zips, (path, options) => [inner(path, options), inner(path, options), plain(path, options)]);
  },
  torchscript: (api) =>
    wired(api, [join(TORCH, 'script_gru.pt')], (path, options) => [inner(path, options), plain(path, options)]),
  npz: () =>
    ['gru.npz', 'gru_compressed.npz']
      .map((name) => join(TORCH, name))
      .flatMap((path) => [inner(path), inner(path), plain(path)]),
  tfjs: () => cases('tfjs_', 'model.json').flatMap(withFiles),
  rtneural: () => [...cases('rtneural_', 'model.json'), ...cases('guitarml_', 'model.json')].map((path) => plain(path)),
  onnx: () => [
    ...cases('onnx_', 'model.onnx').map((path) => (path.includes('as_inputs') ? asInputs(path) : plain(path))),
    ...['legacy.onnx', 'dynamo.onnx'].flatMap((file) => cases('onnx_', file)).map((path) => plain(path)),
    ...['onnxop_', 'tf2onnx_'].flatMap((prefix) => cases(prefix, 'model.onnx')).map((path) => plain(path)),
    ...cases('', 'model.onnx', ONNX).flatMap(withFiles),
    ...cases('onnx_i7', 'model.onnx').map((path) => plain(path, { onnx: { node: 'gru' } })),
  ],
  keras: () => [
    ...[...cases('keras_', 'model.keras'), ...cases('seed_', 'model.keras')].flatMap((path) => [
      inner(path),
      inner(path),
      plain(path),
    ]),
    // Every layer that is read: attention, convolutions, norms, operations, models inside models.
    ...KERAS_CASES.flatMap((prefix) => cases(prefix, 'model.keras', CASES, Infinity)).map(config),
  ],
  h5: () => ['keras_', ...KERAS_CASES].flatMap((prefix) => cases(prefix, 'model.h5')).map((path) => plain(path)),
  'weights-h5': () =>
    cases('keras_', 'model.weights.h5').map((path) => {
      const config = unzip(read(path, '..', 'model.keras'))['config.json'];
      return {
        name: path,
        parts: { main: read(path), config },
        build: ({ main, config: text }) => ({
          bytes: main,
          options: { keras: { config: decode(text) } },
        }),
      };
    }),
};

/** The seeds of a format: files of real programs, then those made to hurt. */
export async function seedsOf(/** @type {string} */ format, /** @type {Api} */ api) {
  const files = await FILES[format](api);
  const hostile = crafted(format, files);
  return { files, hostile };
}
