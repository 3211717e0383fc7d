/** What the first bytes of a file say, without the parsers of the formats. */

import { headerNames, isSafetensors } from '../io/safetensors.ts';

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return bytes.length >= magic.length && magic.every((byte, i) => bytes[i] === byte);
}

function ascii(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}

/** The start of a JSON text, which may have a byte order mark before it. */
function jsonStart(bytes: Uint8Array): string {
  return ascii(bytes, 0, 4096).replace(/^\xef\xbb\xbf/, '');
}

const HDF5 = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

/** Where HDF5 begins (version 3.0 of its specification, II.A): at the start, or behind a user block of 512, 1024, 2048, ... bytes. */
export function findHdf5(bytes: Uint8Array): number | undefined {
  for (let at = 0; at + HDF5.length <= bytes.length; at = at === 0 ? 512 : 2 * at)
    if (startsWith(bytes.subarray(at, at + HDF5.length), HDF5)) return at;
  return undefined;
}

/** A zip file with an entry, or (the end record alone) without. */
export function isZip(bytes: Uint8Array): boolean {
  return startsWith(bytes, [0x50, 0x4b, 3, 4]) || startsWith(bytes, [0x50, 0x4b, 5, 6]);
}

/** HDF5, or a zip file whose first entry is one of a `.keras` file. */
function isKeras(bytes: Uint8Array): boolean {
  return (
    findHdf5(bytes) !== undefined ||
    (isZip(bytes) && /^(metadata\.json|config\.json|model\.weights\.h5)/.test(ascii(bytes, 30, 55)))
  );
}

/** The textbook's cell. */
function isTextbook(bytes: Uint8Array): boolean {
  return isSafetensors(bytes) && headerNames(bytes, 'candidate_hidden.kernel');
}

/** A state dict: a `.safetensors` file, JSON, or what `torch.save` writes: a zip file, or (before PyTorch 1.6) a pickle of protocol 2 to 5. */
function isPytorch(bytes: Uint8Array): boolean {
  return (
    isSafetensors(bytes) || isZip(bytes) || isJsonDict(bytes) || (bytes[0] === 0x80 && bytes[1]! >= 2 && bytes[1]! <= 5)
  );
}

/**
 * An ONNX model: a protobuf message that begins with ir_version (1 to 31), then producer_name .. graph, opset_import,
 * metadata_props, or model_version.
 */
function isOnnx(bytes: Uint8Array): boolean {
  const next = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72];
  return bytes.length > 8 && bytes[0] === 0x08 && bytes[1]! >= 1 && bytes[1]! < 32 && next.includes(bytes[2]!);
}

/** What a packed file begins with. */
const PACKED: Record<string, string> = {
  gzip: '\x1f\x8b',
  bzip2: 'BZh',
  xz: '\xfd7zXZ',
  zstd: '\x28\xb5\x2f\xfd',
  '7-Zip': '7z\xbc\xaf',
  RAR: 'Rar!',
};

/** What to do with a file of no format that is packed. (A safetensors file may begin with the same bytes: they are a length.) */
export function packedFile(bytes: Uint8Array): string | undefined {
  const packer = Object.keys(PACKED).find((name) => ascii(bytes, 0, 6).startsWith(PACKED[name]!));
  const archive = ascii(bytes, 257, 262) === 'ustar' ? 'tar' : packer;
  return archive && `it is packed by ${archive}: unpack it, and load the model that was in it`;
}

/** What to do with a file of a format that is known and not read. */
export function otherFormat(bytes: Uint8Array): string | undefined {
  if (ascii(bytes, 4, 8) === 'TFL3')
    return 'a .tflite file is not read: its layers are compiled away. Load the Keras model that it was made of (.keras, .h5)';
  if (/^\s*\{\s*("module"\s*:\s*"[^"]{1,99}"\s*,\s*)?"class_name"/.test(jsonStart(bytes)))
    return "the config of a Keras model has its layers and no weights: load what model.save('model.keras') writes, or the .weights.h5 file with this one beside it or in keras.config";
  if (isTensorFlowGraph(bytes))
    return 'a TensorFlow graph (.pb) is not read: it holds operations, not layers. Save the Keras model as .keras or .h5, or export the graph by tf2onnx and load the .onnx file';
  return undefined;
}

/**
 * Protobuf: a SavedModel (version 1, then a meta graph, which begins with a message), or a GraphDef (a node: its name, its
 * operation).
 */
function isTensorFlowGraph(bytes: Uint8Array): boolean {
  /** Behind the tag and the length of a field of bytes at a place; NaN where there is none. */
  const inside = (at: number, tag: number): number => {
    if (bytes[at] !== tag) return NaN;
    let next = at + 1;
    while (bytes[next]! >= 0x80) next++;
    return next + 1;
  };
  if (bytes[0] === 0x08 && bytes[1] === 1) return bytes[inside(2, 0x12)] === 0x0a;
  const name = inside(inside(0, 0x0a), 0x0a);
  const operation = inside(name + bytes[name - 1]!, 0x12);
  return /^[A-Z]\w/.test(ascii(bytes, operation, operation + 2));
}

/** A JSON object of audio effects: of RTNeural's exporter or GuitarML's trainer. Keys may stand in any order, weights among them. */
function isRtneural(bytes: Uint8Array): boolean {
  const start = jsonStart(bytes);
  if (!/^\s*\{/.test(start) || /"(modelTopology|weightsManifest)"/.test(start)) return false;
  const first = /^\s*\{\s*"(layers|state_dict|in_skip|in_gain|out_gain|samplerate|metadata|input_batch|output_batch)"/;
  return /"(in_shape|model_data)"/.test(start) || first.test(start);
}

/** A state dict as JSON: names to lists of numbers. */
export function isJsonDict(bytes: Uint8Array): boolean {
  return /^\s*\{\s*"[^"]{1,1024}"\s*:\s*\[[\s[\]]*-?\d/.test(jsonStart(bytes));
}

/** The model.json of TensorFlow.js. */
function isTfjs(bytes: Uint8Array): boolean {
  const start = jsonStart(bytes);
  return /^\s*\{/.test(start) && /"(modelTopology|weightsManifest|format)"/.test(start);
}

/** Formats of `gru-wasm/formats/<key>`, and `textbook`, which every entry reads. What fits two of these patterns is the first. */
const FORMATS = {
  keras: { name: 'Keras', fits: isKeras },
  rtneural: { name: 'RTNeural', fits: isRtneural },
  textbook: { name: 'textbook', fits: isTextbook },
  pytorch: { name: 'PyTorch', fits: isPytorch },
  onnx: { name: 'ONNX', fits: isOnnx },
  tfjs: { name: 'TensorFlow.js', fits: isTfjs },
};
type FormatKey = keyof typeof FORMATS;

/** The format that a file looks like. */
function formatOf(bytes: Uint8Array): FormatKey | undefined {
  return (Object.keys(FORMATS) as FormatKey[]).find((key) => FORMATS[key].fits(bytes));
}

/** A format's name, and whether a file is of it and of no other: in what order formats are asked makes no difference. */
export function formatNamed(key: FormatKey): { name: string; detect: (bytes: Uint8Array) => boolean } {
  return { name: FORMATS[key].name, detect: (bytes) => formatOf(bytes) === key };
}

/** What to do with a file of a format that is not among those given. */
export function absentFormat(bytes: Uint8Array, given: string): string | undefined {
  const key = formatOf(bytes);
  return (
    key &&
    `it looks like a file of ${FORMATS[key].name}, which is none of the formats given (${given}): import { ${key} } from 'gru-wasm/formats/${key}', and give formats: [${key}]`
  );
}
