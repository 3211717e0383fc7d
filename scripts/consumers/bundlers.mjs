import { build } from 'esbuild';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { load, outFolder, printed, project, tool } from './lib.mjs';
import { visit, visitServed } from './visit.mjs';

const PAGE = '<!doctype html><link rel="icon" href="data:,"><script type="module" src="./main.js"></script>';
const ALL = ['page', 'pool', 'worker', 'worklet'];

const viteConfig = (name) => ({
  root: project('web'),
  configFile: false,
  logLevel: 'error',
  cacheDir: outFolder(`${name}-cache`),
  server: { host: 'localhost', port: 0, fs: { allow: [project()] } },
  // As docs/pool.md says.
  optimizeDeps: { exclude: ['gru-wasm'] },
});

function viteBuild(name, title, get, { page = 'index', parts = ALL, light, ...config } = {}) {
  const run = async () => {
    const outDir = outFolder(name);
    const { build } = await get();
    const input = project('web', `${page}.html`);
    await build({ ...viteConfig(name), ...config, base: './', build: { outDir, rollupOptions: { input } } });
    return visitServed({ '/': outDir }, `${page}.html`, { count: parts.length });
  };
  return { name, title: `${title}: ${parts.join(', ')}`, parts, light, run };
}

/** Vite makes workers of one script unless it is told. A worker of one's own that imports `gru-wasm`, with its chunks, is more to Vite 7. */
const es = { worker: { format: 'es' } };

const viteDev = (name, title, get) => ({
  name,
  title: `${title}: ${ALL.join(', ')}`,
  parts: ALL,
  async run() {
    const { createServer } = await get();
    const server = await createServer(viteConfig(name));
    try {
      await server.listen();
      return await visit(server.resolvedUrls.local[0], ALL.length);
    } finally {
      await server.close();
    }
  },
});

const vite7 = () => import('vite');
const vite8 = () => load('vite-8');

/** Bundlers that leave `new Worker(new URL(...))` as it is: the worker's script is copied beside, as docs/pool.md says. */
function beside(folder, count = 2) {
  writeFileSync(join(folder, 'index.html'), PAGE);
  copyFileSync(tool('gru-wasm', 'dist', 'pool-worker.js'), join(folder, 'pool-worker.js'));
  return visitServed({ '/': folder }, '', { count });
}

async function esbuild(name, entry, options) {
  const outdir = outFolder(name);
  const { warnings } = await build({
    entryPoints: { main: project('web', entry) },
    ...{ outdir, bundle: true, minify: true, target: 'es2022', logLevel: 'silent', ...options },
  });
  if (warnings.length > 0) throw new Error(warnings.map(({ text }) => text).join('; '));
  return outdir;
}

const webpackLike = (name, title, get) => ({
  name,
  title: `${title}: page, pool, own worker; no warnings`,
  parts: ['page', 'pool', 'worker'],
  async run() {
    const path = outFolder(name);
    const pack = await get();
    const stats = await new Promise((resolve, reject) =>
      pack(
        {
          mode: 'production',
          entry: project('web', 'webpack.mjs'),
          output: { path, filename: 'main.js' },
          performance: { hints: false },
        },
        (error, stats) => (error ? reject(error) : resolve(stats)),
      ),
    );
    if (stats.hasErrors() || stats.hasWarnings())
      throw new Error(stats.toString({ all: false, errors: true, warnings: true }));
    writeFileSync(join(path, 'index.html'), PAGE);
    return visitServed({ '/': path }, '', { count: 3 });
  },
});

export const bundlers = [
  viteBuild('vite-7-build', 'Vite 7, built', vite7, {
    page: 'default',
    parts: ['page', 'pool', 'worklet'],
    light: true,
  }),
  viteBuild('vite-7-build-es', "Vite 7, built, worker: { format: 'es' }", vite7, es),
  viteDev('vite-7-dev', 'Vite 7, development server', vite7),
  viteBuild('vite-8-build', 'Vite 8, built', vite8),
  viteBuild('vite-8-build-es', "Vite 8, built, worker: { format: 'es' }", vite8, es),
  viteDev('vite-8-dev', 'Vite 8, development server', vite8),
  webpackLike('webpack-5', 'webpack 5', async () => (await load('webpack')).default),
  webpackLike('rspack', 'Rspack 2', async () => (await load('@rspack/core')).rspack),
  {
    name: 'parcel',
    title: 'Parcel 2: page, pool',
    parts: ['page', 'pool'],
    async run() {
      const [folder, cache] = [outFolder('parcel'), outFolder('parcel-cache')];
      const options = ['--dist-dir', folder, '--cache-dir', cache, '--public-url', './', '--no-autoinstall'];
      await printed(process.execPath, [
        tool('parcel', 'lib', 'bin.js'),
        'build',
        project('web', 'parcel.html'),
        ...options,
      ]);
      return visitServed({ '/': folder }, 'parcel.html', { count: 2 });
    },
  },
  {
    name: 'esbuild',
    title: 'esbuild, chunks: page, pool',
    parts: ['page', 'pool'],
    light: true,
    run: async () => beside(await esbuild('esbuild', 'plain.mjs', { format: 'esm', splitting: true })),
  },
  {
    name: 'esbuild-iife',
    title: 'esbuild, one classic script: page',
    parts: ['page'],
    async run() {
      const folder = await esbuild('esbuild-iife', 'only-page.mjs', { format: 'iife' });
      return beside(folder, 1);
    },
  },
  {
    name: 'rollup',
    title: 'Rollup: page, pool',
    light: true,
    parts: ['page', 'pool'],
    async run() {
      const dir = outFolder('rollup');
      const [{ rollup }, { nodeResolve }] = await Promise.all([
        import('rollup'),
        import('@rollup/plugin-node-resolve'),
      ]);
      const onwarn = ({ message }) => {
        throw new Error(message);
      };
      const bundle = await rollup({ input: project('web', 'plain.mjs'), plugins: [nodeResolve()], onwarn });
      await bundle.write({ dir, format: 'es', entryFileNames: 'main.js' });
      await bundle.close();
      return beside(dir);
    },
  },
];
