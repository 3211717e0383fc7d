import { build as bundle } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { onnxModel, tensor } from '../../tests/formats/onnx/build.ts';
import { serve, Visitor } from './harness.ts';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const PAGES = ['../pages/start.md', '../pages/backends.md', '../pages/migrating.md', '../../docs/streams.md'];
const WORD = [8, 5, 12, 12, 15];

/** The code of the pages by the name of its file. What has none cannot be run. */
const blocks = new Map(
  PAGES.flatMap((page) => [...readFileSync(at(page), 'utf8').matchAll(/^```(\w+)(?: (\S+))?\n(.*?)^```/gms)]).map(
    ([, language, name, code]) => [name ?? language!, code!],
  ),
);

/** A GRU of 3 units that reads (20, 1, 4). */
const onnx = onnxModel({
  nodes: [{ op: 'GRU', inputs: ['X', 'W', 'R'], outputs: ['Y', 'Y_h'], attributes: { hidden_size: 3 } }],
  inputs: [{ name: 'X', shape: [20, 1, 4] }],
  outputs: ['Y_h'],
  initializers: [tensor('W', [1, 9, 4], new Float32Array(36)), tensor('R', [1, 9, 3], new Float32Array(27))],
});

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gru-wasm-start-'));
  mkdirSync(join(folder, 'node_modules/gru-wasm'), { recursive: true });
  // The page's server follows no links out of its folder.
  cpSync(at('../../dist'), join(folder, 'node_modules/gru-wasm/dist'), { recursive: true });
  cpSync(at('../../package.json'), join(folder, 'node_modules/gru-wasm/package.json'));
  cpSync(at('../../examples/g2p/encoder.safetensors'), join(folder, 'model.safetensors'));
  cpSync(at('../../examples/g2p/decoder.safetensors'), join(folder, 'decoder.safetensors'));
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "dependencies": { "gru-wasm": "*" } }');
  writeFileSync(join(folder, 'model.onnx'), onnx);
  for (const [name, code] of blocks) writeFileSync(join(folder, name), code);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test('every block of code but the installation is a file that a test runs', () => {
  expect([...blocks.keys()].sort()).toEqual([
    'backends.mjs',
    'cloudflare.mjs',
    'deno.mjs',
    'first.mjs',
    'flows.mjs',
    'main.js',
    'many-streams.mjs',
    'model.mjs',
    'onnx.mjs',
    'page.html',
    'sh',
    'stream.mjs',
    'streams.mjs',
    'sw.js',
    'worker.js',
  ]);
  expect(blocks.get('sh')).toBe('npm install gru-wasm\n');
});

describe('in Node', () => {
  test.each([
    ['first.mjs', /^\[ 20, 8 \] wasm-/],
    ['model.mjs', /Float32Array\(320\)/],
    ['stream.mjs', /Float32Array\(4\)/],
    ['backends.mjs', /^wasm-baseline\njs\n$/],
    ['onnx.mjs', /Float32Array\(/],
    ['streams.mjs', /^216 320\n$/],
    ['many-streams.mjs', /^216 144 72\n$/],
    ['flows.mjs', /^(72\n){6}$/],
  ])('%s', (name, prints) => {
    expect(execFileSync(process.execPath, [name], { cwd: folder, encoding: 'utf8' })).toMatch(prints);
  });

  test('cloudflare.mjs, as its host calls it', async () => {
    const worker = (await import(pathToFileURL(join(folder, 'cloudflare.mjs')).href)) as {
      default: { fetch: (request: Request, env: object) => Promise<Response> };
    };
    const ASSETS = { fetch: () => Promise.resolve(new Response(readFileSync(join(folder, 'model.safetensors')))) };
    const request = new Request('https://example.invalid', { method: 'POST', body: JSON.stringify(WORD) });
    const answer = (await (await worker.default.fetch(request, { ASSETS })).json()) as { shape: number[] };
    expect(answer.shape).toEqual([320]);
  });
});

describe('in Chromium', () => {
  let visitor: Visitor;
  let site: Awaited<ReturnType<typeof serve>>;
  beforeAll(async () => {
    const out = join(folder, 'built');
    writeFileSync(join(folder, 'index.html'), '<!doctype html><script type="module" src="main.js"></script>');
    // Top-level await needs browsers of 2021.
    await build({ root: folder, base: './', logLevel: 'error', build: { outDir: out, target: 'es2022' } });
    const one = { bundle: true, format: 'esm', target: 'es2022', absWorkingDir: folder } as const;
    await bundle({ ...one, entryPoints: ['worker.js', 'sw.js'], outdir: out });
    cpSync(join(folder, 'model.safetensors'), join(out, 'model.safetensors'));
    site = await serve(folder);
    visitor = await Visitor.start('chromium', site.url);
  });
  afterAll(async () => {
    expect(visitor.problems.filter((problem) => !problem.includes('favicon'))).toEqual([]);
    await visitor.close();
    site.close();
  });

  test('page.html', async () => {
    await visitor.open('page.html');
    await visitor.textWith('body', /^320$/);
  });

  test('main.js, by Vite', async () => {
    await visitor.open('built/index.html');
    await visitor.textWith('body', /^320$/);
  });

  test('worker.js', async () => {
    await visitor.open('built/index.html');
    const shape = await visitor.page.evaluate(async (word) => {
      const worker = new Worker('worker.js', { type: 'module' });
      worker.postMessage(word);
      const { data } = await new Promise<MessageEvent<{ shape: number[] }>>((resolve) => (worker.onmessage = resolve));
      return data.shape;
    }, WORD);
    expect(shape).toEqual([320]);
  });

  test('sw.js', async () => {
    await visitor.open('built/index.html');
    const shape = await visitor.page.evaluate(async (word) => {
      await navigator.serviceWorker.register('sw.js');
      const { active } = await navigator.serviceWorker.ready;
      const answer = new Promise<MessageEvent<{ shape: number[] }>>(
        (resolve) => (navigator.serviceWorker.onmessage = resolve),
      );
      active!.postMessage(word);
      return (await answer).data.shape;
    }, WORD);
    expect(shape).toEqual([320]);
  });
});

describe.each([
  ['deno', ['run', '--allow-read', '--no-remote']],
  ['bun', ['run']],
])('in %s, where it is installed', (command, options) => {
  const found = (() => {
    try {
      execFileSync(command, ['--version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  })();
  (found ? test : test.skip)('deno.mjs', () => {
    // The package of this folder, not that of a registry.
    writeFileSync(join(folder, 'local.mjs'), blocks.get('deno.mjs')!.replace('npm:', ''));
    const printed = execFileSync(command, [...options, 'local.mjs'], { cwd: folder, encoding: 'utf8' });
    expect(printed).toContain('320');
  });
});
