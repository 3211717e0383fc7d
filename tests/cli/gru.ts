import type { SpawnSyncOptions } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { built } from '../built.ts';
import { runNode } from '../run-node.ts';

export const root = fileURLToPath(new URL('../../', import.meta.url));
/** The command as it is installed: what `bin` of package.json names. */
export const bin = built('dist/gru.js');
export const amp = join(root, 'examples/audio/amp.safetensors');
export const encoder = join(root, 'examples/g2p/encoder.safetensors');

/** Runs `gru`. */
export function gru(args: string[], options: SpawnSyncOptions = {}) {
  const env = { ...process.env, NO_COLOR: '1', ...options.env };
  return runNode([bin, ...args], { maxBuffer: 2 ** 28, ...options, env });
}

/** A folder for a file of tests. */
export function folder(): (name: string) => string {
  const path = mkdtempSync(join(tmpdir(), 'gru-command-'));
  afterAll(() => {
    rmSync(path, { recursive: true });
  });
  return (name) => join(path, name);
}
