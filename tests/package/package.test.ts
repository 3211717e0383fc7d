import { build } from 'esbuild';
import { readdirSync, readFileSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { consumer, npm, root } from './tarball.ts';

/** What `npm pack` makes, installed in an empty folder. */
describe('the tarball', () => {
  const project = consumer();
  const runScript = (name: string, code: string) => project.run(name, code);

  test("runs the README's example", () => {
    const [, example] = /```js use\.mjs\n([\s\S]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8'))!;
    const [whole, stepped] = runScript(
      'readme.mjs',
      `${example!}
      console.log(JSON.stringify([Array.from(output.data.subarray(19 * hiddenSize)), Array.from(y)]));`,
    )
      .trim()
      .split('\n')
      .slice(-1)
      .flatMap((line) => JSON.parse(line) as [number[], number[]]);
    expect(whole).toHaveLength(8);
    expect(stepped).toEqual(whole);
  });

  test('loads and runs a model file, on wasm and without', () => {
    const path = join(root, 'examples/g2p/encoder.safetensors');
    const output = runScript(
      'load.mjs',
      `
      import { loadModel } from 'gru-wasm';
      import { loadModel as loadJs } from 'gru-wasm/js';
      const path = ${JSON.stringify(path)};
      const models = [
        await loadModel(path, { deterministic: true }),
        await loadModel(path),
        await loadJs(path),
      ];
      const results = models.map((model) => [model.backend, Array.from(model.run([8, 5, 12, 12, 15]).output.data)]);
      console.log(JSON.stringify(results));`,
    );
    const results = JSON.parse(output) as [string, number[]][];
    expect(results.map(([backend]) => backend)).toEqual(['wasm-baseline', expect.stringMatching(/^wasm-/), 'js']);
    const [baseline, , js] = results.map(([, values]) => values);
    expect(baseline).toHaveLength(320);
    expect(js).toEqual(baseline);
  });

  const node = Number.parseInt(process.versions.node);
  test('slim runs the binaries that it is given, and no other', () => {
    const path = join(root, 'examples/g2p/encoder.safetensors');
    const output = runScript(
      'slim.mjs',
      `
      import { loadModel as loadJs } from 'gru-wasm/js';
      import { createRuntime } from 'gru-wasm/slim';
      import { readFile } from 'node:fs/promises';
      const path = ${JSON.stringify(path)};
      const read = (build) => readFile(new URL(import.meta.resolve('gru-wasm/wasm/' + build + '.wasm')));
      const asked = [];
      const give = (build) => () => (asked.push(build), read(build));
      const slim = createRuntime({ baseline: give('baseline'), relaxed: give('relaxed') });
      const models = [await slim.loadModel(path, { deterministic: true }), await loadJs(path)];
      const results = models.map((model) => [model.backend, Array.from(model.run([8, 5, 12, 12, 15]).output.data)]);
      const broken = createRuntime({ relaxed: new Uint8Array(8) });
      const refused = await broken.loadModel(path).then(() => 'loaded', (error) => error.code);
      console.log(JSON.stringify([asked, refused, results]));`,
    );
    const [asked, refused, [slim, js]] = JSON.parse(output) as [string[], string, [string, number[]][]];
    expect(asked).toEqual(['baseline']);
    expect(slim![0]).toBe('wasm-baseline');
    expect(slim![1]).toEqual(js![1]);
    // Where there is no relaxed SIMD the baseline instance is there already.
    if (node >= 22) expect(refused).toBe('backend_unavailable');
  });

  const RUN = `
      import { createGru } from 'gru-wasm';
      const kernel = Float32Array.from({ length: 36 }, (_, i) => Math.sin(i));
      const recurrentKernel = Float32Array.from({ length: 27 }, (_, i) => Math.cos(i));
      const gru = await createGru({ inputSize: 4, hiddenSize: 3, resetAfter: false }, { kernel, recurrentKernel }, { backend: 'wasm' });
      console.log(gru.backend, gru.run(new Float32Array(20).fill(0.5)).output.data.join(' '));`;

  test.each([
    ['the files of the binaries', ['chunks/packed-core.js', 'chunks/packed.js', 'relaxed.wasm', 'baseline.wasm']],
    ['the inlined binaries, for want of files', ['core-relaxed.wasm', 'core-baseline.wasm', 'chunks/packed.js']],
  ])('runs from %s', (_, absent) => {
    const want = runScript('run.mjs', RUN);
    const hide = (from: string, to: string) => {
      const path = (file: string, suffix: string) => project.path(`dist/${file}${suffix}`);
      for (const file of absent) renameSync(path(file, from), path(file, to));
    };
    hide('', '.hidden');
    try {
      expect(runScript('run.mjs', RUN)).toBe(want);
    } finally {
      hide('.hidden', '');
    }
  });

  test('a model keeps no process alive', () => {
    const alive =
      'console.log(process.getActiveResourcesInfo().filter((name) => /Timeout|Immediate/.test(name)).length);';
    expect(
      runScript('alive.mjs', RUN + alive)
        .trim()
        .split('\n')
        .at(-1),
    ).toBe('0');
  });

  test.each(['node', 'browser'] as const)(
    'bundled into one file for %s: the same from the inlined binaries',
    async (platform) => {
      const [want] = runScript('plain.mjs', RUN).split('\n');
      const bundle = await build({
        stdin: { contents: RUN, resolveDir: project.folder },
        bundle: true,
        format: 'esm',
        platform,
        target: 'es2022',
        write: false,
        logLevel: 'error',
      });
      const browserlike = platform === 'browser' ? 'globalThis.process = undefined;\n' : '';
      expect(runScript('bundle.mjs', browserlike + bundle.outputFiles[0]!.text).split('\n')[0]).toBe(want);
    },
  );

  test('revectorize: the same bits, or a clear refusal', () => {
    const path = join(root, 'examples/g2p/encoder.safetensors');
    const outputs = [{}, { revectorize: true }].map((options) =>
      runScript(
        'revectorize.mjs',
        `
      import { loadModel } from 'gru-wasm';
      const model = await loadModel(${JSON.stringify(path)}, ${JSON.stringify(options)}).catch((e) => e);
      if (model instanceof Error) { console.log(model.code, model.message); process.exit(0); }
      const ids = Int32Array.from({ length: 8 * 9 }, (_, i) => 1 + (i % 27));
      console.log(model.backend, Array.from(model.run({ data: ids, shape: [8, 9] }).output.data).join(' '));`,
      ),
    );
    expect(outputs[0]!.split(' ').length).toBeGreaterThan(8 * 320);
    if (node >= 22) expect(outputs[1]).toBe(outputs[0]);
    else expect(outputs[1]).toMatch(/^invalid_argument .*Node 22/);
  });

  /** Scripts by name, but the command, and what the server's take of it: they are for Node alone, and so are chunks that nothing else imports. */
  const scriptsOfTheLibrary = () => {
    const dist = project.path('dist');
    const all = (readdirSync(dist, { recursive: true }) as string[]).filter((name) => name.endsWith('.js'));
    const codes = new Map(all.map((name) => [name, readFileSync(join(dist, name), 'utf8')]));
    const isOfCommands = (name: string): boolean => {
      if (['gru.js', 'command.js'].includes(name)) return true;
      const importers = all.filter((script) => codes.get(script)!.includes(`/${basename(name)}"`));
      return name.startsWith('chunks/') && importers.every(isOfCommands);
    };
    for (const name of all.filter(isOfCommands)) codes.delete(name);
    expect([...codes.keys()]).toContain('index.js');
    return codes;
  };

  test('imports nothing of Node: bundlers for browsers refuse that', () => {
    const importing = [...scriptsOfTheLibrary()].filter(([, code]) => /(\bfrom|\bimport)\s*\(?["']node:/.test(code));
    expect(importing.map(([name]) => name)).toEqual([]);
  });

  test('an error that nobody catches: its message, within 30 short lines', () => {
    let printed = '';
    try {
      runScript('uncaught.mjs', "import { loadModel } from 'gru-wasm'; await loadModel('/nowhere/model.keras');");
    } catch (error) {
      printed = (error as { stderr: string }).stderr;
    }
    const lines = printed.trim().split('\n');
    expect(lines.length).toBeLessThan(30);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(500);
    expect(printed).toMatch(/GruError.*\/nowhere\/model\.keras/);
  });

  test('no import() by an expression: webpack warns of it, and miniflare refuses it', () => {
    for (const [name, code] of scriptsOfTheLibrary()) {
      // In comments and messages it stands as import().
      const imports = code.match(/\bimport\s*\((?!\))[^)]*\)/g) ?? [];
      for (const found of imports) expect(found, name).toMatch(/^import\(\s*["'][^"']+["']\s*\)$/);
    }
  });

  test('holds only what is meant to ship', () => {
    const files = JSON.parse(npm(root, 'pack', '--dry-run', '--json')) as [{ files: { path: string }[] }];
    const outside = files[0].files.map(({ path }) => path).filter((path) => !path.startsWith('dist/'));
    expect(outside.sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md', 'package.json']);
  });
});
