import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { printedByNode, runNode } from '../run-node.ts';

const script = (name: string) => fileURLToPath(new URL(`../../examples/throughput/${name}`, import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gru-wasm-throughput-'));
  const files = ['--sequences', join(folder, 'in.ndjson'), '--model', join(folder, 'model.safetensors')];
  printedByNode([script('generate.mjs'), '--rows', '12000', ...files]);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Batches just large enough for workers, and a checkpoint after each. */
const args = (output: string) => [
  script('score.mjs'),
  ...['--model', join(folder, 'model.safetensors'), '--input', join(folder, 'in.ndjson'), '--output', output],
  ...['--batch', '400', '--every', '0', '--workers', '2'],
];

/** Scores, and is killed at the nth call of a function: at a place in the program, not in time. @returns How it ended. */
const scoreAndDie = (output: string, at: string) =>
  spawnSync(process.execPath, ['--import', new URL('killed.mjs', import.meta.url).href, ...args(output)], {
    env: { ...process.env, KILLED_AT: at },
    stdio: 'ignore',
  }).signal;

test('killed again and again, it loses and repeats no row', () => {
  const whole = join(folder, 'whole.ndjson');
  printedByNode(args(whole));
  const expected = readFileSync(whole, 'utf8');
  const rows = expected.trim().split('\n');
  expect(rows.map((row) => (JSON.parse(row) as { id: number }).id)).toEqual(rows.map((_, i) => i));
  expect(rows).toHaveLength(12_000);

  const output = join(folder, 'out.ndjson');
  for (const at of ['writev 1', 'rename 2', 'writev 4', 'datasync 3', 'writeFile 3', 'sync 5', 'writev 6'])
    expect(scoreAndDie(output, at), at).toBe('SIGKILL');
  expect(readFileSync(output, 'utf8')).not.toBe(expected);
  printedByNode(args(output));
  expect(readFileSync(output, 'utf8')).toBe(expected);
});

test.each([
  ['--batch', '0x10'],
  ['--batch', '0'],
  ['--every', 'often'],
  ['--workers', ''],
])('%s %j is refused', (option, value) => {
  const { status, stderr } = runNode([...args(join(folder, 'none.ndjson')), option, value]);
  expect(status).toBe(1);
  expect(stderr).toContain(`${option} must be a whole number from`);
});
