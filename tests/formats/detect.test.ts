import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { ModelFormat } from '../../ts/formats/format.ts';
import { keras } from '../../ts/formats/keras.ts';
import { onnx } from '../../ts/formats/onnx.ts';
import { pytorch } from '../../ts/formats/pytorch.ts';
import { rtneural } from '../../ts/formats/rtneural.ts';
import { textbook } from '../../ts/formats/textbook.ts';
import { tfjs } from '../../ts/formats/tfjs.ts';
import { inspect } from '../../ts/static.ts';
import { expectError } from '../facade/helpers.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures', import.meta.url));
/** What `formats` of `gru-wasm/static` takes; textbook's is there unasked. */
const given = { keras, onnx, pytorch, rtneural, tfjs };
const formats = { ...given, textbook };
type Key = keyof typeof formats;
const KEYS = Object.keys(formats) as Key[];

const BY_EXTENSION: Record<string, Key> = {
  '.keras': 'keras',
  '.h5': 'keras',
  '.onnx': 'onnx',
  '.pt': 'pytorch',
  '.ckpt': 'pytorch',
  '.npz': 'pytorch',
  '.safetensors': 'pytorch',
};

/** What a file of the fixtures is, by where it lies. */
function keyOf(path: string): Key | undefined {
  if (path.endsWith('model.json'))
    return path.includes('torch_state') ? 'pytorch' : /rtneural|guitarml/.test(path) ? 'rtneural' : 'tfjs';
  if (/seed_gru.*model\.safetensors/.test(path)) return 'textbook';
  return BY_EXTENSION[extname(path)];
}

const files = readdirSync(FIXTURES, { recursive: true, encoding: 'utf8' }).flatMap((path) => {
  const key = keyOf(path);
  return key === undefined ? [] : [{ path: join(FIXTURES, path), key }];
});

test('each model file is of one format, by its start as by all of it: the order of formats makes no difference', () => {
  const detecting = (bytes: Uint8Array) => KEYS.filter((key) => formats[key].detect(bytes));
  const counts = new Map<Key, number>();
  for (const { path, key } of files) {
    const bytes = new Uint8Array(readFileSync(path));
    expect(detecting(bytes), path).toEqual([key]);
    expect(detecting(bytes.subarray(0, 4096)), path).toEqual([key]);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  for (const key of KEYS) expect(counts.get(key), key).toBeGreaterThan(key === 'textbook' ? 1 : 5);
});

test('a file of JSON may begin with a byte order mark', async () => {
  const json = files.filter(({ path }) => path.endsWith('.json'));
  expect(new Set(json.map(({ key }) => key))).toEqual(new Set(['pytorch', 'rtneural', 'tfjs']));
  for (const { path, key } of json) {
    const bytes = Uint8Array.of(0xef, 0xbb, 0xbf, ...readFileSync(path));
    expect(
      KEYS.filter((one) => formats[one].detect(bytes)),
      path,
    ).toEqual([key]);
  }
  const folder = join(FIXTURES, 'cases/tfjs_gru_last');
  const bytes = Uint8Array.of(0xef, 0xbb, 0xbf, ...readFileSync(join(folder, 'model.json')));
  const weights = { 'weights.bin': new Uint8Array(readFileSync(join(folder, 'weights.bin'))) };
  expect((await inspect(bytes, { formats: [tfjs], files: weights })).format).toBe('tfjs');
});

test.each([
  ['an exporter of fixed shapes', '{"in_shape": [1, 64, 1], "layers": []}', 'rtneural'],
  ['metadata with a format', '{"layers": [], "metadata": {"format": "wav"}}', 'rtneural'],
  ['a state dict', '{"gru.weight_ih_l0": [[0.5]], "format": [1]}', 'pytorch'],
  ['an ONNX file that might be the length of a header', '\x08\x07\x12\0\0\0\0\0{', 'pytorch'],
])('%s fits two patterns and is of one format', (_, text, key) => {
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  expect(KEYS.filter((one) => formats[one].detect(bytes))).toEqual([key]);
});

test('a file of a format that is not among those given: it is named, with what to import', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gru-formats-'));
  try {
    for (const key of Object.keys(given) as (keyof typeof given)[]) {
      const path = join(folder, key);
      writeFileSync(path, readFileSync(files.find((file) => file.key === key)!.path));
      const others = KEYS.filter((one) => one !== key).map((one): ModelFormat => formats[one]);
      const words = [formats[key].name, `import { ${key} } from 'gru-wasm/formats/${key}'`, `formats: [${key}]`];
      await expectError(() => inspect(path, { formats: others }), 'invalid_file', `'${path}'`, ...words);
      await expectError(() => inspect(path), 'invalid_file', '(gru-wasm, textbook)', ...words);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('formats by their names: it is said what to give', async () => {
  const words = ["got in it the string 'keras'", "import { keras } from 'gru-wasm/formats/keras'"];
  await expectError(() => inspect('m.keras', { formats: ['keras'] as never }), 'invalid_argument', ...words);
  await expectError(
    () => inspect('m.keras', { formats: { keras } as never }),
    'invalid_argument',
    'got an object with',
  );
});
