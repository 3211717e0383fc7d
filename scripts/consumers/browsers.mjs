import { build } from 'esbuild';
import { join } from 'node:path';
import { BROWSERS } from '../browsers.mjs';
import { outFolder, project, tool } from './lib.mjs';
import { visitServed } from './visit.mjs';

/** What an extension's pages have at least, and what most state; the import map is the page's own. */
const csp = (script) => ({
  'content-security-policy': `script-src 'self' 'nonce-map'${script}; object-src 'self'; worker-src 'self'`,
});

const PARTS = [
  { part: 'page', title: 'page' },
  { part: 'pool', title: 'pool on a page' },
  { part: 'worker', title: 'Web Worker (module)' },
  { part: 'service-worker', query: 'service-worker-classic', title: 'service worker, classic' },
  { part: 'service-worker', query: 'service-worker-module', title: 'service worker, module' },
  {
    part: 'page',
    name: 'csp-wasm',
    title: "page under an extension's CSP with 'wasm-unsafe-eval'",
    headers: csp(" 'wasm-unsafe-eval'"),
  },
  { part: 'page', name: 'csp', title: "page under an extension's CSP, no wasm", headers: csp(''), backend: 'js' },
  { part: 'worklet', title: 'AudioWorklet' },
];

/** The scripts that browsers take as one file alone. */
async function bundles() {
  const outdir = outFolder('browser');
  const options = { bundle: true, target: 'es2022', outdir, logLevel: 'error' };
  await build({
    ...options,
    format: 'iife',
    entryPoints: { 'classic-service-worker': project('browser', 'classic-service-worker.mjs') },
  });
  await build({ ...options, format: 'esm', entryPoints: { processor: project('processor.mjs') } });
  return outdir;
}

export const browsers = Object.keys(BROWSERS).flatMap((browser) =>
  PARTS.map(({ part, query = part, name = query, title, headers, backend }) => ({
    name: `${browser}-${name}`,
    title: `${browser}, unbundled: ${title}`,
    parts: [part],
    backend,
    async run() {
      const made = await bundles();
      const folders = {
        '/gru-wasm/': tool('gru-wasm', 'dist'),
        '/classic-service-worker.js': join(made, 'classic-service-worker.js'),
        '/processor.js': join(made, 'processor.js'),
        '/': project(),
      };
      return visitServed(folders, `browser/import-map.html?part=${query}`, { browser, headers });
    },
  })),
);
