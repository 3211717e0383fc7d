const gru = require('gru-wasm');

test('runs', async () => {
  const { report } = require('../model.mjs');
  const line = await report('jest-require', gru);
  process.stdout.write(`${line}\n`);
  expect(line).toContain('bits');
});
