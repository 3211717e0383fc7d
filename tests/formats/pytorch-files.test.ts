import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readStateDict } from '../../ts/formats/pytorch.ts';
import { parseSafetensors } from '../../ts/io/safetensors.ts';

/** Files that torch.save 2.13 wrote (make.py), and the tensors in them as PyTorch itself converts them to float32. */
const FOLDER = new URL('../fixtures/pytorch/', import.meta.url);
const read = (name: string) => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const expected = [...parseSafetensors(read('expected.safetensors')).tensors.values()].map((tensor) => {
  const [file, key] = tensor.name.split('/') as [string, string];
  return { file, key, shape: tensor.shape, data: tensor.floats() };
});
const files = [...new Set(expected.map(({ file }) => file))];

describe.each(files)('%s', (file) => {
  test('gives the values that PyTorch reads', async () => {
    const { dict } = await readStateDict(read(file));
    for (const { key, shape, data } of expected.filter((e) => e.file === file)) {
      const tensor = dict.get(key);
      if (!tensor || typeof tensor === 'string') expect.fail(`${key} is ${tensor ?? 'missing'}`);
      expect(tensor.shape, key).toEqual(shape);
      expect(new Uint32Array((await tensor.floats()).slice().buffer), key).toEqual(
        new Uint32Array(data.slice().buffer),
      );
    }
  });
});

test.each<[string, string, RegExp]>([
  ['whole_module.pt', 'unsupported', /__main__\.M.*state_dict/],
  ['whole_gru.pt', 'unsupported', /torch\.nn\.modules\.rnn\.GRU.*state_dict/],
  ['whole_gru_legacy.pt', 'unsupported', /torch\.nn\.modules\.rnn\.GRU|whole pickled module/],
  ['script.pt', 'unsupported', /TorchScript/],
  ['numpy_scalar.pt', 'unsupported', /numpy.*scalar/],
  ['quantized.pt', 'unsupported', /torch\._utils\._rebuild_qtensor/],
  ['sparse.pt', 'unsupported', /torch\._utils\._rebuild_sparse_tensor/],
  ['list.pt', 'unsupported', /a list/],
  ['tensor.pt', 'unsupported', /a tensor/],
  ['no_tensors.pt', 'unsupported', /no state dict/],
  ['complex.pt', 'unsupported', /conj|complex/],
  ['ema.pt', 'unsupported', /'model', 'ema'/],
])('%s is refused', async (file, code, message) => {
  const error: unknown = await readStateDict(read(file)).catch((e: unknown) => e);
  expect(error).toMatchObject({ name: 'GruError', code, message: expect.stringMatching(message) as string });
});

test('every file here is in one of these lists, or in pytorch.test.ts', () => {
  expect(readdirSync(FOLDER).length).toBeGreaterThan(files.length);
});
