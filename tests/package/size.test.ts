import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';

/** Loaded by programs that need it: see the figures of bench/size.ts. */
const ON_DEMAND = /\/(js-backend|read-any|packed|full-layers|layouts|trace)\.js$/;

test('all that a program on wasm downloads is under 64 KB, minified and gzipped', async () => {
  const { outputFiles, metafile } = await build({
    stdin: {
      contents: "export * from './dist/index.js'",
      resolveDir: fileURLToPath(new URL('../..', import.meta.url)),
    },
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    external: ['node:*'],
    outdir: 'out',
    write: false,
    metafile: true,
  });
  const { outputs } = metafile;
  const [entry] = Object.keys(outputs).filter((path) => outputs[path]!.entryPoint === '<stdin>');
  const always = new Set([entry!]);
  for (const path of always) {
    for (const { path: next } of outputs[path]!.imports) {
      if (outputs[next] && !ON_DEMAND.test(outputs[next].entryPoint ?? '')) always.add(next);
    }
  }
  const sizes = [...always].map((path) => {
    const { contents } = outputFiles.find((file) => file.path.endsWith(path))!;
    return gzipSync(contents, { level: 9 }).length;
  });
  expect(sizes.length).toBeGreaterThan(2);
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThanOrEqual(64 * 1024);
});
