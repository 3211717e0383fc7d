import { nodeResolve } from '@rollup/plugin-node-resolve';
import { build, type Plugin } from 'esbuild';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { rollup } from 'rollup';
import { expect, test } from 'vitest';
import { printedByNode } from '../run-node.ts';
import { consumer, root } from './tarball.ts';

type Target = string | { [condition: string]: Target };
interface Manifest {
  exports: Record<string, Target>;
  alias: Record<string, string>;
  typesVersions: { '*': Record<string, string[]> };
}
const { exports, alias, typesVersions } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as Manifest;
const named = (target: Target): string[] =>
  typeof target === 'string' ? [target] : Object.values(target).flatMap(named);

/** Entries for CommonJS too. */
const entries = Object.entries(exports)
  .filter(([, target]) => named(target).some((file) => file.endsWith('.cjs')))
  .map(([name]) => name.replace(/^\./, 'gru-wasm'));

const project = consumer();

test('each file that package.json names is in the package', () => {
  expect(entries).toContain('gru-wasm/formats/onnx');
  for (const file of Object.values(exports).flatMap(named)) expect(existsSync(project.path(file)), file).toBe(true);
});

test('what reads no `exports` finds the same: TypeScript of node10, and Parcel', () => {
  const files = (ending: RegExp) =>
    Object.entries(exports).flatMap(([path, target]) => {
      const found = named(target).find((file) => ending.test(file) && file !== path);
      return path === '.' || !found ? [] : [[path, found] as const];
    });
  expect(alias).toEqual(Object.fromEntries(files(/(?<!\.d)\.(js|wasm)$/)));
  expect(typesVersions['*']).toEqual(
    Object.fromEntries(files(/\.d\.ts$/).map(([path, file]) => [path.slice('./'.length), [file]])),
  );
});

test('React Native gets JavaScript without import.meta, which Hermes cannot read, nor import() of more than files', () => {
  const entry = (exports['.'] as Record<string, Record<string, string>>)['react-native']!['default']!;
  const seen = new Set<string>();
  const follow = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = readFileSync(file, 'utf8');
    expect(text, file).not.toMatch(/import\.meta/);
    for (const [, path] of text.matchAll(/(?:from |import ?\(?)["'](\.[^"']+)["']/g))
      follow(join(dirname(file), path!));
  };
  follow(project.path(entry));
  expect(seen.size).toBeGreaterThan(15);
});

test('no call of WebAssembly.compile has an await in it', () => {
  // Next's development server moves each with its arguments into a function that is not async: a SyntaxError in edge routes.
  const scripts = readdirSync(project.path('dist'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.c?js$/.test(name),
  );
  expect(scripts.length).toBeGreaterThan(30);
  for (const name of scripts) {
    const text = readFileSync(project.path(`dist/${name}`), 'utf8');
    expect(text, name).not.toMatch(/WebAssembly\.(compile|instantiate)\([^;]*?\bawait\b/);
  }
});

test('what each file of types imports is in the package', () => {
  for (const name of entries) {
    for (const extension of ['.d.ts', '.d.cts']) {
      const file = project.path(`dist/${name === 'gru-wasm' ? 'index' : name.slice('gru-wasm/'.length)}${extension}`);
      for (const [, imported] of readFileSync(file, 'utf8').matchAll(/from '(\.[^']+)\.c?js'/g)) {
        const types = new URL(`${imported!}${extension}`, `file://${file}`);
        expect(existsSync(types), `${name}: ${types.pathname}`).toBe(true);
      }
    }
  }
});

test('require gives the ES module of each entry: one GruError in a process', () => {
  const printed = project.run(
    'require.cjs',
    `const names = ${JSON.stringify(entries)};
     const required = names.map((name) => [name, require(name)]);
     (async () => {
       for (const [name, module] of required) {
         const imported = await import(name);
         if (Object.keys(module).length === 0) console.log(name, 'is empty');
         for (const key of Object.keys(module)) if (module[key] !== imported[key]) console.log(name, key);
       }
       console.log('compared', names.length);
     })();`,
  );
  expect(printed.trim()).toBe(`compared ${entries.length}`);
});

test('require on a Node that gives no ES modules by it: an error that says so', () => {
  project.write('old.cjs', "try { require('gru-wasm/js'); } catch (e) { console.log(e.name, e.code, e.message); }");
  const printed = printedByNode(['--no-experimental-require-module', 'old.cjs'], { cwd: project.folder });
  expect(printed).toMatch(/^GruError unsupported .*20\.19, 22\.12 .*this is \d+\.\d+.*import\('gru-wasm'\)/);
});

/** Host-like: a binary is a module that the bundler brings, as wrangler has it. */
const wasmModules: Plugin = {
  name: 'wasm-modules',
  setup(bundle) {
    bundle.onLoad({ filter: /\.wasm$/ }, ({ path }) => ({
      contents: `import { readFileSync } from 'node:fs';
        const bytes = readFileSync(${JSON.stringify(path)});
        export default WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : undefined; // Node 20 has no relaxed SIMD`,
    }));
  },
};

const WORKERD = `{
  const refuse = () => {
    throw new WebAssembly.CompileError('Wasm code generation disallowed by embedder');
  };
  WebAssembly.compile = async () => refuse();
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = (given, imports) => (given instanceof WebAssembly.Module ? instantiate(given, imports) : refuse());
  performance.now = Date.now = () => 0;
  delete globalThis.FinalizationRegistry;
  globalThis.process = undefined;
}
`;

const TWO_FLAVOURS = `
  const { createGru, createModel, loadModel } = await import('gru-wasm');
  const numbers = (length) => Float32Array.from({ length }, (_, i) => ((i * 37) % 101) / 101 - 0.5);
  const weights = { kernel: numbers(36), recurrentKernel: numbers(27) };
  const gru = await createGru({ inputSize: 4, hiddenSize: 3, resetAfter: false }, weights, { deterministic: true });
  const conv = { name: 'conv', type: 'conv1d', inputSize: 4, outputSize: 2, kernelSize: 3, weights: { kernel: numbers(24) } };
  const spec = { inputs: [{ name: 'x', dtype: 'float32', size: 4 }], layers: [conv] };
  const models = [gru, await createModel(spec, { deterministic: true }), await loadModel(gru.save()), await createModel(spec, { backend: 'js' })];
  for (const model of models) console.log(model.backend, model.run(numbers(20)).output.data.join(' '));`;

test('under the condition workerd: wasm where bytes cannot be compiled, and the clock stands still', async () => {
  const bundle = await build({
    stdin: { contents: TWO_FLAVOURS, resolveDir: project.folder },
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    conditions: ['workerd'],
    external: ['node:fs'],
    plugins: [wasmModules],
    target: 'es2022',
    write: false,
    logLevel: 'error',
  });
  const printed = project
    .run('worker.mjs', WORKERD + bundle.outputFiles[0]!.text)
    .trim()
    .split('\n');
  const plain = project.run('plain.mjs', TWO_FLAVOURS).trim().split('\n');
  expect(printed.map((line) => line.split(' ')[0])).toEqual([
    'wasm-baseline',
    'wasm-baseline',
    plain[2]!.split(' ')[0],
    'js',
  ]);
  expect(printed).toEqual(plain);
  expect(printed[1]!.split(' ').slice(1)).toEqual(printed[3]!.split(' ').slice(1));
});

test('createModelSync is one script, without import(): Vite makes worklets so', async () => {
  project.write(
    'processor.mjs',
    "import { createModelSync } from 'gru-wasm/worklet'; globalThis.make = createModelSync;",
  );
  const bundle = await rollup({ input: join(project.folder, 'processor.mjs'), plugins: [nodeResolve()] });
  const { output } = await bundle.generate({ format: 'iife' });
  expect(output).toHaveLength(1);
});

test('the static entry is one script, without import(): all that it gives runs where that is forbidden', async () => {
  project.write(
    'service.mjs',
    `import { createGru, inspect, loadModel } from 'gru-wasm/static';
     import { keras } from 'gru-wasm/formats/keras';
     (async () => {
       const weights = { kernel: new Float32Array(9).fill(0.5), recurrentKernel: new Float32Array(27) };
       const gru = await createGru({ inputSize: 1, hiddenSize: 3, resetAfter: false }, weights);
       const model = await loadModel(gru.save(), { formats: [keras] });
       const { h } = await model.trace(new Float32Array([1, 2]));
       const { format } = await inspect(gru.save());
       console.log(format, h.data.join() === model.run(new Float32Array([1, 2])).output.data.join());
     })();`,
  );
  const bundle = await rollup({
    input: join(project.folder, 'service.mjs'),
    plugins: [nodeResolve({ browser: true })],
  });
  const { output } = await bundle.generate({ format: 'iife' });
  expect(output).toHaveLength(1);
  expect(output[0].code).not.toMatch(/\bimport\(/);
  expect(project.run('service.cjs', output[0].code)).toBe('gru-wasm true\n');
});

test('no script that the static entry reaches has an import(): Vite 8 counts those that nothing calls', () => {
  const seen = new Set<string>();
  const visit = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    const code = readFileSync(file, 'utf8');
    expect(code, file).not.toMatch(/\bimport\("/);
    for (const [, path] of code.matchAll(/^(?:import|export)\b[^"]*"(\.[^"]+)"/gm)) visit(join(file, '..', path!));
  };
  for (const entry of ['static', 'formats/keras', 'formats/onnx', 'formats/pytorch', 'formats/tfjs'])
    visit(project.path(`dist/${entry}.js`));
  expect([...seen]).toContain(project.path('dist/chunks/core.js'));
});

test('where the static entry is loaded, the models of all trace by what it brought, whichever came last', () => {
  cpSync(project.path('dist'), join(project.folder, 'both'), { recursive: true });
  const onDemand = join(project.folder, 'both', 'chunks', 'on-demand.js');
  writeFileSync(onDemand, readFileSync(onDemand, 'utf8').replace('./trace.js', './absent.js'));
  for (const order of [
    ['static', 'index'],
    ['index', 'static'],
  ]) {
    const printed = project.run(
      `${order.join('-')}.mjs`,
      `for (const entry of ${JSON.stringify(order)}) await import('./both/' + entry + '.js');
       const { createGru } = await import('./both/index.js');
       const weights = { kernel: new Float32Array(9).fill(0.5), recurrentKernel: new Float32Array(27) };
       const gru = await createGru({ inputSize: 1, hiddenSize: 3, resetAfter: false }, weights);
       console.log(Object.keys(await gru.trace(new Float32Array([1, 2]))).join());`,
    );
    expect(printed).toBe('z,r,candidate,h\n');
  }
});

test('where a chunk cannot be loaded, as in service workers, the error names the static entry', () => {
  cpSync(project.path('dist'), join(project.folder, 'lone'), { recursive: true });
  rmSync(join(project.folder, 'lone', 'chunks', 'layouts.js'));
  const printed = project.run(
    'lone.mjs',
    `import { createGru, GruError } from './lone/index.js';
     const weights = { kernel: new Float32Array(9), recurrentKernel: new Float32Array(27) };
     const error = await createGru({ inputSize: 1, hiddenSize: 3, resetAfter: false }, weights).catch((error) => error);
     console.log(error instanceof GruError, error.code, error.message);`,
  );
  expect(printed).toMatch(
    /^true backend_unavailable import\(\) .* failed: .*Service workers .* take 'gru-wasm\/static'\n$/,
  );
});

/** The chunks that a bundle of one file has, of what it names of an entry. */
async function chunksOf(entry: string, name: string): Promise<string[]> {
  const { metafile } = await build({
    stdin: { contents: `export { ${name} } from '${entry}';`, resolveDir: project.folder },
    bundle: true,
    format: 'esm',
    metafile: true,
    outfile: 'bundle.js',
    write: false,
  });
  const [output] = Object.values(metafile.outputs);
  return Object.entries(output!.inputs).flatMap(([path, { bytesInOutput }]) =>
    bytesInOutput > 0 ? (/[^/]+$/.exec(path) ?? []) : [],
  );
}

test.each(['gru-wasm', 'gru-wasm/js', 'gru-wasm/slim'])(
  'createGru of %s in one bundle brings no kind of layer but the core has',
  async (entry) => {
    const chunks = await chunksOf(entry, 'createGru');
    expect(chunks).toContain('core.js');
    for (const other of ['js-full.js', 'full-layers.js', 'packed.js', 'read-any.js'])
      expect(chunks).not.toContain(other);
    expect(await chunksOf(entry, 'loadModel')).toContain('read-any.js');
  },
);

/** A program of a pool, as a bundle for Node; `options` is code. */
async function poolBundle(format: 'esm' | 'cjs', options: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: `import { createGru } from 'gru-wasm';
        import { createPool } from 'gru-wasm/pool';
        import { Worker } from 'node:worker_threads';
        (async () => {
          const weights = { kernel: new Float32Array(9), recurrentKernel: new Float32Array(27) };
          const gru = await createGru({ inputSize: 1, hiddenSize: 3, resetAfter: false }, weights);
          const pool = await createPool(gru, { workers: 1, ${options} }).catch((error) => error);
          console.log(pool.code, pool.message);
          await pool.close?.();
        })();`,
      resolveDir: project.folder,
    },
    ...{ bundle: true, format, platform: 'node', target: 'es2022', write: false, logLevel: 'error' },
  });
  return outputFiles[0]!.text;
}

/** What a message says to write behind `createWorker:`. */
const lineIn = (message: string) => /createWorker: (\(\) => new Worker\(.*?\)\)?\)), with/.exec(message)![1]!;

test('a bundle without the script of the pool: the error has the line to add; with it beside, it runs', async () => {
  const code = await poolBundle('esm', '');
  const printed = project.run('pool.mjs', code);
  expect(printed).toMatch(/^worker_lost .*copy gru-wasm\/dist\/pool-worker\.js beside it, or give createWorker: /);
  project.write('line.mjs', await poolBundle('esm', `createWorker: ${lineIn(printed)}`));
  expect(printedByNode(['line.mjs'], { cwd: project.folder })).toBe('undefined undefined\n');
  copyFileSync(project.path('dist/pool-worker.js'), join(project.folder, 'pool-worker.js'));
  expect(project.run('pool.mjs', code)).toBe('undefined undefined\n');
});

test('a bundle of CommonJS has no import.meta.url: the error has the line to add, and a copy runs there too', async () => {
  const printed = project.run('pool.cjs', await poolBundle('cjs', ''));
  expect(printed).toMatch(/^worker_lost createPool: bundled as CommonJS/);
  project.write('line.cjs', await poolBundle('cjs', `createWorker: ${lineIn(printed)}`));
  expect(printedByNode(['line.cjs'], { cwd: project.folder })).toBe('undefined undefined\n');

  const folder = join(project.folder, 'commonjs');
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }');
  copyFileSync(project.path('dist/pool-worker.js'), join(folder, 'pool-worker.js'));
  const [, copy] = /beside it: (new Worker\(.*\))/.exec(printed)!;
  writeFileSync(join(folder, 'main.js'), await poolBundle('cjs', `createWorker: () => ${copy!}`));
  expect(printedByNode(['main.js'], { cwd: folder })).toBe('undefined undefined\n');
});
