import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readTfjs } from '../../ts/formats/tfjs.ts';
import { refusalOf } from './refusal.ts';

/** What weightsManifest says of the weights: whose they are, and how they are written. */

const file = (path: string) => new Uint8Array(readFileSync(new URL(`../fixtures/cases/${path}`, import.meta.url)));
const readCase = (folder: string) =>
  readTfjs(file(`${folder}/model.json`), {
    name: 'model.json',
    sidecar: (shard) => Promise.resolve(file(`${folder}/${shard}`)),
  });

test("the optimizer's state is passed over, and said to be", async () => {
  const { report } = await readCase('tfjs_optimizer');
  expect(report.conventions).toContain("the optimizer's state (11 tensors) is not read");
  expect(report.tensors.map(({ source }) => source)).toEqual([
    'gru_GRU1/kernel',
    'gru_GRU1/recurrent_kernel',
    'gru_GRU1/bias',
    'dense_Dense1/kernel',
    'dense_Dense1/bias',
  ]);
});

const quantized = (quantization: string) => {
  const json = new TextDecoder().decode(file('tfjs_quantized_uint8/model.json'));
  const bytes = new TextEncoder().encode(json.replace(/"quantization":\s*\{[^}]*\}/, `"quantization":${quantization}`));
  return readTfjs(bytes, {
    name: 'model.json',
    sidecar: (shard) => Promise.resolve(file(`tfjs_quantized_uint8/${shard}`)),
  });
};

test.each([
  ['a scale below 0', '{"dtype":"uint8","min":0,"scale":-1}', 'scale -1 and min 0'],
  ['a scale of 0', '{"dtype":"uint8","min":0,"scale":0}', 'scale 0 and min 0'],
  ['a scale beyond all numbers', '{"dtype":"uint8","min":0,"scale":1e999}', 'scale Infinity and min 0'],
  ['a min beyond all numbers', '{"dtype":"uint8","min":-1e999,"scale":1}', 'scale 1 and min -Infinity'],
  ['a scale of null', '{"dtype":"uint8","min":0,"scale":null}', 'needs min and scale'],
  ['no min', '{"dtype":"uint8","scale":1}', 'needs min and scale'],
])('quantization of %s is refused by the name of its weight', async (_, quantization, why) => {
  const message = await refusalOf(quantized(quantization));
  expect(message).toMatch(/^invalid_file: model\.json: weight '[^']+': quantization /);
  expect(message).toContain(why);
});

test('quantization of a scale above 0 is read', async () => {
  await quantized('{"dtype":"uint8","min":-1,"scale":0.01}');
});
