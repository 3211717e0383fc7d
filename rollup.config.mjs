import { nodeResolve } from '@rollup/plugin-node-resolve';
import { transform } from 'esbuild';
import { readFileSync } from 'node:fs';
import { dts } from 'rollup-plugin-dts';
import license from 'rollup-plugin-license';
import { inlineWasm } from './scripts/inline-wasm.mjs';
import { thirdPartyLicences } from './scripts/licences.mjs';
import { binaryName, WASM_BUILDS, WASM_FLAVOURS } from './scripts/wasm.mjs';

const { exports, bin = {} } = JSON.parse(readFileSync('package.json', 'utf8'));

/** What a field of package.json names, under whatever conditions. */
const named = (target) => (typeof target === 'string' ? [target] : Object.values(target).flatMap(named));

/** Names of the entries that have a file of this kind. */
const entriesOf = (targets, extension) =>
  named(targets)
    .filter((target) => target.startsWith('./dist/') && target.endsWith(extension))
    .map((target) => target.slice('./dist/'.length, -extension.length));

/** package.json's `exports` and `bin` are the list of entries: `./dist/x.js` is made from `ts/x.ts`. */
const inputs = (targets, extension = '.js') =>
  Object.fromEntries(entriesOf(targets, extension).map((name) => [name, `ts/${name}.ts`]));

const TARGET = 'es2022';

/**
 * Types and comments out. Lines and names stay: Node prints the line of an error that nobody catches, and bundlers make code small
 * themselves.
 */
const typescript = {
  name: 'typescript',
  transform: (code, id) =>
    id.endsWith('.ts') ? transform(code, { loader: 'ts', target: TARGET, sourcemap: true, sourcefile: id }) : null,
  renderChunk: (code) => transform(code, { target: TARGET, sourcemap: true }),
};

/**
 * Codecs of zip.js that are modules by address, which nothing here registers: webpack warns of an import by expression at each build, and
 * miniflare refuses it.
 */
const noImportByExpression = {
  name: 'no-import-by-expression',
  renderChunk(code, { name }) {
    const without = code.replace(/await import\(\s*(\/\*.*?\*\/\s*)*codecURI\s*\)/, 'undefined');
    if (name === 'zip' && without === code)
      throw new Error('zip.js does not import codecURI any more: see rollup.config.mjs');
    return { code: without, map: null };
  },
};

const wasmFiles = {
  name: 'wasm-files',
  generateBundle() {
    for (const flavour of Object.keys(WASM_FLAVOURS)) {
      for (const build of Object.keys(WASM_BUILDS)) {
        const name = binaryName(flavour, build);
        const source = readFileSync(`crate/pkg/${name}/gru_wasm_bg.wasm`);
        this.emitFile({ type: 'asset', fileName: `${name}.wasm`, source });
      }
    }
  },
};

/** Modules that the host brings in: ts/api/workerd.ts. */
const wasmModules = {
  name: 'wasm-modules',
  resolveId: (id) => (/^\.\/(baseline|relaxed)\.wasm$/.test(id) ? { id, external: true } : null),
};

/**
 * `require` of an entry gives its ES module, so that there is one `GruError` in a process: a file of its own because TypeScript's node16
 * wants types of its own for it, and because a Node that cannot do that says nothing of what can.
 */
const requireOf = (file) => `'use strict';
try {
  module.exports = require('${file}');
} catch (cause) {
  if (cause.code !== 'ERR_REQUIRE_ESM') throw cause;
  const message = 'require of gru-wasm needs Node 20.19, 22.12 or later, this is ' + process.versions.node + ": there is await import('gru-wasm') from 22.3 on";
  throw Object.assign(new Error(message, { cause }), { name: 'GruError', code: 'unsupported' });
}
`;
const commonjs = {
  name: 'commonjs',
  generateBundle() {
    for (const name of entriesOf(exports, '.cjs')) {
      this.emitFile({ type: 'asset', fileName: `${name}.cjs`, source: requireOf(`./${name.split('/').at(-1)}.js`) });
    }
  },
};
const commonjsTypes = {
  name: 'commonjs-types',
  generateBundle(_, bundle) {
    for (const { fileName, code } of Object.values(bundle)) {
      const source = code.replaceAll(/(from |import\()('\.[^']*)\.js'/g, "$1$2.cjs'");
      this.emitFile({ type: 'asset', fileName: fileName.replace(/\.d\.ts$/, '.d.cts'), source });
    }
  },
};

/** `Symbol.dispose` in the types, whatever `lib` the consumer has. */
const LIBS = '/// <reference lib="esnext.disposable" />';

/** Licences of what is bundled: npm packages, what these bundle themselves, and the crates in the wasm binaries. */
const licences = license({
  thirdParty: { output: { file: 'dist/THIRD-PARTY-LICENSES.txt', template: thirdPartyLicences } },
});

/** With all that they depend on: what every entry needs is one file, for each file more costs Node 0.3 ms when it starts. */
// (The last is what @rollup/plugin-wasm decodes binaries by.)
const core = [
  'ts/api/api.ts',
  'ts/backends/wasm/index.ts',
  'ts/backends/wasm/unpack.ts',
  'ts/api/origin.ts',
  'ts/api/fallback.ts',
  '\0wasmHelpers.js',
];

const external = /^node:/;
const onwarn = (warning) => {
  if (warning.id?.includes('node_modules')) return;
  throw new Error(warning.message);
};

const output = {
  dir: 'dist',
  format: 'es',
  // For tests and coverage; not in the package, whose code can be read as it is.
  sourcemap: 'hidden',
  sourcemapExcludeSources: true,
};

/** The script of a pool's workers is one file: bundlers make workers without chunks, and it can be copied to where pages find it. */
const { 'pool-worker': worker, ...entries } = inputs({ ...exports, ...bin });

export default [
  {
    input: entries,
    output: {
      ...output,
      chunkFileNames: 'chunks/[name].js',
      manualChunks: {
        core,
        'on-demand': ['ts/api/on-demand.ts'],
        // By itself: it has import.meta, of which Hermes (React Native) takes no script, and gru-wasm/js does without.
        binaries: ['ts/backends/wasm/binaries.ts'],
        'js-layers': ['ts/backends/js/compile.ts', 'ts/backends/js/layers/index.ts'],
        'js-core': ['ts/backends/js/core.ts'],
        'full-layers': ['ts/layers/full.ts'],
        'js-full': ['ts/backends/js/index.ts'],
        layouts: ['ts/formats/layouts/index.ts'],
      },
    },
    plugins: [
      nodeResolve({ browser: true }),
      wasmModules,
      commonjs,
      inlineWasm(),
      noImportByExpression,
      typescript,
      wasmFiles,
      licences,
    ],
    external,
    onwarn,
  },
  // A classic script and a module in one: a copy of it may lie in a folder of either kind.
  {
    input: { 'pool-worker': worker },
    output: { ...output, format: 'iife' },
    plugins: [typescript],
    external,
    onwarn,
  },
  {
    input: inputs(exports, '.d.ts'),
    output: { dir: 'dist', format: 'es', chunkFileNames: 'chunks/[name].d.ts', banner: LIBS },
    plugins: [dts(), commonjsTypes],
    external,
    onwarn,
  },
];
