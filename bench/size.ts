import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Engine } from './engine.ts';
import type { SizeResult } from './record.ts';

const BENCH = fileURLToPath(new URL('.', import.meta.url));

/** What a user of the engine downloads: all that its entry exports, bundled and minified, and the files beside it. */
export async function sizeOf({ name, ships }: Engine): Promise<SizeResult | undefined> {
  if (!ships) return undefined;
  const isNative = ships.external !== undefined;
  const { outputFiles } = await build({
    stdin: { contents: ships.code, resolveDir: BENCH },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: isNative ? 'node' : 'browser',
    target: 'es2022',
    external: ['node:*', ...(ships.external ?? [])],
    write: false,
    logLevel: 'error',
  });
  const parts = [outputFiles[0]!.contents, ...(ships.files ?? []).map((file) => readFileSync(BENCH + file))];
  const sum = (length: (part: Uint8Array) => number) => parts.reduce((n, part) => n + length(part), 0);
  return { engine: name, raw: sum((part) => part.length), gzip: sum((part) => gzipSync(part, { level: 9 }).length) };
}
