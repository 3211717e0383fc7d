import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readTfjs } from '../../ts/formats/tfjs.ts';

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
