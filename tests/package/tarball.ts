import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';
import { built } from '../built.ts';
import { printedByNode } from '../run-node.ts';

export const root = fileURLToPath(new URL('../../', import.meta.url));

export const npm = (cwd: string, ...args: string[]) =>
  execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: 'pipe' });

/** An empty project that has what `npm pack` makes installed: no Rust, no network, no script of ours. */
export class Consumer {
  readonly folder = mkdtempSync(join(tmpdir(), 'gru-wasm-consumer-'));

  install(): void {
    built('dist/index.js');
    const [{ filename }] = JSON.parse(npm(root, 'pack', '--json', '--pack-destination', this.folder)) as [
      { filename: string },
    ];
    this.write('package.json', JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
    npm(this.folder, 'install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', `./${filename}`);
  }

  /** Where a file of the package is. */
  path(file: string): string {
    return join(this.folder, 'node_modules/gru-wasm', file);
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text);
  }

  /** @returns What a script prints under this Node. @throws Error with its `stderr` where it fails. */
  run(name: string, code: string): string {
    this.write(name, code);
    return printedByNode([name], { cwd: this.folder });
  }
}

/** One for the tests of a file. */
export function consumer(): Consumer {
  const made = new Consumer();
  beforeAll(() => {
    made.install();
  });
  afterAll(() => {
    rmSync(made.folder, { recursive: true });
  });
  return made;
}
