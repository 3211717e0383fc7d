import { expect, test } from '@jest/globals';
import * as gru from 'gru-wasm';
import { report } from '../model.mjs';

test('runs', async () => {
  const line = await report('jest', gru);
  process.stdout.write(`${line}\n`);
  expect(line).toContain('bits');
});
