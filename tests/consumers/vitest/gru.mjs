import * as gru from 'gru-wasm';
import { expect, test } from 'vitest';
import { report } from '../model.mjs';

test('runs', async () => {
  const line = await report('vitest', gru);
  process.stdout.write(`${line}\n`);
  expect(line).toContain('bits');
});
