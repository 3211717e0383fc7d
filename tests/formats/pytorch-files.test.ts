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

test.each([
  ['whole_module.pt', /'__main__\.M'/],
  ['whole_gru.pt', /'torch\.nn\.modules\.rnn\.GRU'/],
  ['whole_gru_legacy.pt', /'torch\.nn\.modules\.rnn\.GRU'/],
  ['script.pt', /'__torch__\./],
])('the weights in %s are read, its code is not', async (file, convention) => {
  const { dict, conventions } = await readStateDict(read(file));
  expect(conventions.join()).toMatch(convention);
  const gru = [...dict].filter(([name]) => name.endsWith('weight_hh_l0'));
  expect(gru).toHaveLength(1);
  const [, tensor] = gru[0]!;
  if (typeof tensor === 'string') expect.fail(tensor);
  expect((await tensor.floats()).length).toBe(tensor.shape[0]! * tensor.shape[1]!);
  expect([...dict.values()].every((entry) => typeof entry !== 'string')).toBe(true);
});

test('a numpy scalar beside the weights is left alone', async () => {
  const { dict } = await readStateDict(read('numpy_scalar.pt'));
  expect(dict.size).toBeGreaterThan(0);
});

test('every file here is in one of these lists, or in pytorch.test.ts', () => {
  expect(readdirSync(FOLDER).length).toBeGreaterThan(files.length);
});
