import { build, type Metafile } from 'esbuild';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Engine } from './engine.ts';

const BENCH = fileURLToPath(new URL('.', import.meta.url));
const OUT = join(BENCH, 'out');

export interface SizeResult {
  engine: string;
  /** What is downloaded on demand, on top; undefined: what every program downloads. */
  part?: string;
  /** Bytes of minified JavaScript, and of the files beside it. */
  raw: number;
  gzip: number;
}

type Outputs = Metafile['outputs'];

/**
 * What a user of the engine downloads to run models: all that its entry exports, bundled into chunks and minified, each of
 * them gzipped, and the files beside it. Chunks that are loaded only by programs which need them are figures of their own.
 */
export async function sizesOf({ name, ships }: Engine): Promise<SizeResult[]> {
  if (!ships) return [];
  const isNative = ships.external !== undefined;
  const { outputFiles, metafile } = await build({
    stdin: { contents: ships.code, resolveDir: BENCH },
    absWorkingDir: BENCH,
    // The tsconfig.json there would lead to the sources of gru-wasm: it is to be the built package.
    tsconfigRaw: '{}',
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: isNative ? 'node' : 'browser',
    target: 'es2022',
    external: ['node:*', ...(ships.external ?? [])],
    outdir: OUT,
    write: false,
    metafile: true,
    logLevel: 'error',
  });
  const contents = new Map(outputFiles.map((file) => [file.path, file.contents]));
  const result = (parts: Uint8Array[], part?: string): SizeResult => {
    const sum = (length: (part: Uint8Array) => number) => parts.reduce((n, data) => n + length(data), 0);
    const gzip = sum((data) => gzipSync(data, { level: 9 }).length);
    return { engine: name, ...(part === undefined ? {} : { part }), raw: sum((data) => data.length), gzip };
  };
  const chunks = (paths: Iterable<string>) => Array.from(paths, (path) => contents.get(join(BENCH, path))!);

  const { outputs } = metafile;
  const onDemand = Object.entries(ships.onDemand ?? {});
  const isOnDemand = (path: string) => onDemand.some(([, pattern]) => pattern.test(outputs[path]?.entryPoint ?? ''));
  const [entry] = Object.keys(outputs).filter((path) => outputs[path]!.entryPoint === '<stdin>');
  const always = reached(outputs, [entry!], isOnDemand);
  const counted = new Set(always);
  const files = (ships.files ?? []).map((file) => readFileSync(BENCH + file));
  return [
    result([...chunks(always), ...files]),
    ...onDemand.map(([part, pattern]) => {
      const starts = Object.keys(outputs).filter((path) => pattern.test(outputs[path]!.entryPoint ?? ''));
      if (starts.length === 0) throw new Error(`${name} has no chunk of ${part} any more`);
      // What several parts load is a figure of the first of them.
      const own = [...reached(outputs, starts, isOnDemand)].filter((path) => !counted.has(path));
      for (const path of own) counted.add(path);
      return result(chunks(own), part);
    }),
  ];
}

/** The chunks that these import, at once or later. */
function reached(outputs: Outputs, starts: string[], isLeftOut: (path: string) => boolean): Set<string> {
  const found = new Set(starts);
  for (const path of found) {
    for (const { path: next } of outputs[path]?.imports ?? []) if (outputs[next] && !isLeftOut(next)) found.add(next);
  }
  return found;
}
