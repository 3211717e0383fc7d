import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { createModel } from '../../ts/api/js.ts';
import { FORMATS } from '../../ts/formats/index.ts';
import { readRtneural } from '../../ts/formats/rtneural.ts';
import { readTfjs } from '../../ts/formats/tfjs.ts';
import { effects } from '../../scripts/fuzz/crafted-rtneural.mjs';
import { parseJson } from '../../ts/io/json.ts';
import { random } from '../random.ts';
import { mutate, stopwatch, survives } from './mutate.ts';
import { refusalOf, wordsOf } from './refusal.ts';

/** Model files of JSON, damaged and made to hurt: a model, or a GruError, soon. */

const CASES = new URL('../fixtures/cases/', import.meta.url);
const read = (path: string) => new Uint8Array(readFileSync(new URL(path, CASES)));
const encode = (text: string) => new TextEncoder().encode(text);
const sidecar = (folder: string) => (name: string) => {
  const url = new URL(`${folder}/${name}`, CASES);
  return Promise.resolve(/^[\w.-]+$/.test(name) && existsSync(url) ? read(`${folder}/${name}`) : undefined);
};

const FILES: [string, (bytes: Uint8Array) => Promise<unknown>][] = [
  ...['rtneural_aidax_gains', 'guitarml_rnn_skip', 'guitarml_gru_conditioned'].map((name): (typeof FILES)[number] => [
    name,
    (bytes) => readRtneural(bytes, { name: 'model.json' }),
  ]),
  ...['tfjs_gru_defaults', 'tfjs_quantized_uint8', 'tfjs_embedding_mask'].map((name): (typeof FILES)[number] => [
    name,
    (bytes) => readTfjs(bytes, { name: 'model.json', sidecar: sidecar(name) }),
  ]),
];

describe.each(FILES)('%s', (name, load) => {
  const bytes = read(`${name}/model.json`);

  test('is read', async () => {
    await load(bytes);
  });

  test('cut anywhere is refused', async () => {
    const step = Math.max(1, Math.floor(bytes.length / 400));
    const end = new TextDecoder().decode(bytes).trimEnd().length;
    for (let n = 0; n < end; n += step) expect(await refusalOf(load(bytes.subarray(0, n)))).toMatch(/^invalid_file: /);
  });

  test('damaged is read or refused', async () => {
    const next = random(bytes.length);
    for (let i = 0; i < 500; i++) await survives(load, mutate(bytes, next));
  });

  test.runIf(name.startsWith('tfjs'))('of damaged shards is read or refused', async () => {
    const next = random(7);
    for (let i = 0; i < 200; i++) {
      const damaged = async (file: string) => {
        const shard = await sidecar(name)(file);
        return shard && mutate(shard, next);
      };
      await survives((b) => readTfjs(b, { name: 'model.json', sidecar: damaged }), bytes);
    }
  });
});

test('more than 2,000,000 items are refused before they are parsed', () => {
  const list = (items: number) => encode(`{"a":[${'1,'.repeat(items)}1]}`);
  const parse = vi.spyOn(JSON, 'parse');
  expect(() => parseJson(list(2_000_001), 'a.json')).toThrow('a.json has more than 2000000 items');
  expect(() => parseJson(encode(`{"a":[${'"",'.repeat(2_000_001)}1]}`), 'a.json')).toThrow('items');
  expect(parse).not.toHaveBeenCalled();
  parse.mockRestore();
  expect(parseJson(list(2_000_000), 'a.json')['a']).toHaveLength(2_000_001);
  expect(parseJson(encode(`{"a":"${','.repeat(2_000_001)}"}`), 'a.json')['a']).toHaveLength(2_000_001);
});

describe('effects made to hurt', () => {
  test.each(effects())('%s', async (_, text) => {
    const took = stopwatch();
    const bytes = encode(text);
    expect(FORMATS.find(({ detect }) => detect(bytes))?.name).toBe('RTNeural');
    try {
      (await createModel((await readRtneural(bytes)).spec)).dispose();
    } catch (error) {
      expect(wordsOf(error)).toMatch(/^(invalid_(file|spec|argument)|unsupported): /);
    }
    expect(took()).toBeLessThan(5000);
  });
});
