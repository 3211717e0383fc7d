import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { printedByNode } from '../run-node.ts';

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

/** Scores until the output has grown by so many bytes, then kills. @returns Whether it was killed before its end. */
async function scoreAndKill(output: string, grow: number): Promise<boolean> {
  const size = () => (existsSync(output) ? statSync(output).size : 0);
  const limit = size() + grow;
  const child = spawn(process.execPath, args(output), { stdio: 'ignore' });
  const ended = new Promise<boolean>((resolve, reject) => {
    child.on('exit', (code, signal) => {
      if (signal === 'SIGKILL' || code === 0) resolve(signal === 'SIGKILL');
      else reject(new Error(`score.mjs ended with code ${code}`));
    });
  });
  const watch = setInterval(() => {
    if (size() > limit) child.kill('SIGKILL');
  }, 1);
  const killed = await ended;
  clearInterval(watch);
  return killed;
}

test('killed again and again, it loses and repeats no row', async () => {
  const whole = join(folder, 'whole.ndjson');
  printedByNode(args(whole));
  const expected = readFileSync(whole, 'utf8');
  const rows = expected.trim().split('\n');
  expect(rows.map((row) => (JSON.parse(row) as { id: number }).id)).toEqual(rows.map((_, i) => i));
  expect(rows).toHaveLength(12_000);

  const output = join(folder, 'out.ndjson');
  let kills = 0;
  for (const part of [0.02, 0.15, 0.1, 0.25, 0.2]) kills += Number(await scoreAndKill(output, part * expected.length));
  expect(kills).toBeGreaterThan(2);
  expect(readFileSync(output, 'utf8')).not.toBe(expected);
  printedByNode(args(output));
  expect(readFileSync(output, 'utf8')).toBe(expected);
});
