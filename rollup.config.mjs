import { nodeResolve } from '@rollup/plugin-node-resolve';
import { transform } from 'esbuild';
import { readFileSync } from 'node:fs';
import { dts } from 'rollup-plugin-dts';
import license from 'rollup-plugin-license';
import { inlineWasm } from './scripts/inline-wasm.mjs';
import { thirdPartyLicences } from './scripts/licences.mjs';

const { exports, bin = {} } = JSON.parse(readFileSync('package.json', 'utf8'));

/** package.json's `exports` and `bin` are the list of entries: `./dist/x.js` is made from `ts/x.ts`. */
const inputs = (targets) =>
  Object.fromEntries(
    Object.values(targets)
      .map((target) => /^\.\/dist\/(.+)\.js$/.exec(target)?.[1])
      .filter(Boolean)
      .map((name) => [name, `ts/${name}.ts`]),
  );

const TARGET = 'es2022';

/** Types out, then white space out; names stay, for stack traces. */
const typescript = {
  name: 'typescript',
  transform: (code, id) =>
    id.endsWith('.ts') ? transform(code, { loader: 'ts', target: TARGET, sourcemap: true, sourcefile: id }) : null,
  renderChunk: (code) =>
    transform(code, { target: TARGET, sourcemap: true, minifyWhitespace: true, minifySyntax: true }),
};

const wasmFiles = {
  name: 'wasm-files',
  generateBundle() {
    for (const build of ['baseline', 'relaxed']) {
      const source = readFileSync(`crate/pkg/${build}/gru_wasm_bg.wasm`);
      this.emitFile({ type: 'asset', fileName: `${build}.wasm`, source });
    }
  },
};

/** Licences of what is bundled: npm packages, what these bundle themselves, and the crates in the wasm binaries. */
const licences = license({
  thirdParty: { output: { file: 'dist/THIRD-PARTY-LICENSES.txt', template: thirdPartyLicences } },
});

/** With all that they depend on: what every entry needs is one file, for each file more costs Node 0.3 ms when it starts. */
const core = ['ts/api/api.ts', 'ts/backends/wasm/index.ts', 'ts/backends/wasm/binaries.ts', 'ts/api/origin.ts'];

const external = /^node:/;
const onwarn = (warning) => {
  if (warning.id?.includes('node_modules')) return;
  throw new Error(warning.message);
};

export default [
  {
    input: inputs({ ...exports, ...bin }),
    output: {
      dir: 'dist',
      format: 'es',
      sourcemap: true,
      chunkFileNames: 'chunks/[name].js',
      manualChunks: { core, 'js-backend': ['ts/backends/js/index.ts'] },
    },
    plugins: [nodeResolve({ browser: true }), inlineWasm(), typescript, wasmFiles, licences],
    external,
    onwarn,
  },
  {
    input: inputs(exports),
    output: { dir: 'dist', format: 'es', chunkFileNames: 'chunks/[name].d.ts' },
    plugins: [dts()],
    external,
    onwarn,
  },
];
