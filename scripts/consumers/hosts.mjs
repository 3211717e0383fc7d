import { build } from 'esbuild';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { at } from '../lib.mjs';
import { nodeOf, outFolder, parts, printed, project, tool } from './lib.mjs';

const node = (major, path) => [
  {
    name: `node-${major}-esm`,
    title: `Node ${major}, import`,
    parts: ['module', 'js'],
    run: async () => parts(await printed(path(), [project('node', 'esm.mjs')])),
  },
  {
    name: `node-${major}-cjs`,
    title: `Node ${major}, require`,
    parts: ['require', 'js'],
    run: async () => parts(await printed(path(), [project('node', 'cjs.cjs')])),
  },
];

/** As wrangler does: one file, wasm left to the host. */
export async function bundleForWorkerd(folder, entry) {
  const dist = tool('gru-wasm', 'dist');
  for (const name of ['baseline.wasm', 'relaxed.wasm']) copyFileSync(join(dist, name), join(folder, name));
  await build({
    entryPoints: [entry],
    outfile: join(folder, 'worker.js'),
    bundle: true,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['*.wasm'],
    logLevel: 'error',
  });
}

const workerd = (date) => ({
  name: `workerd-${date}`,
  title: `workerd by miniflare, compatibility date ${date}`,
  parts: ['worker'],
  async run() {
    const folder = outFolder(`workerd-${date}`);
    await bundleForWorkerd(folder, project('workerd', 'worker.mjs'));
    return parts(await printed(nodeOf(24), [project('workerd', 'run.mjs'), folder, date]));
  },
});

/** Jest runs ES modules by this flag; of `require` of one it says that it needs Node 24.9. */
const jest = (node, file) =>
  printed(node, [
    ...['--experimental-vm-modules', tool('jest', 'bin', 'jest.js'), '--rootDir', project('jest')],
    ...['--testMatch', `**/${file}`, '--cacheDirectory', at('target', 'consumers', 'jest')],
  ]);

export const hosts = [
  { ...node('own', () => process.execPath)[0], title: `Node ${process.versions.node}, import`, light: true },
  { ...node('own', () => process.execPath)[1], title: `Node ${process.versions.node}, require`, light: true },
  ...[20, 22, 24, 26].flatMap((major) => node(major, () => nodeOf(major))),
  {
    name: 'deno',
    title: 'Deno',
    parts: ['module', 'js'],
    run: async () =>
      parts(
        await printed(tool('@deno', 'linux-x64-glibc', 'deno'), [
          ...['run', '--node-modules-dir=manual', '--no-prompt', '--no-lock'],
          project('node', 'esm.mjs'),
        ]),
      ),
  },
  {
    name: 'bun',
    title: 'Bun',
    parts: ['module', 'js'],
    run: async () => parts(await printed(tool('@oven', 'bun-linux-x64', 'bin', 'bun'), [project('node', 'esm.mjs')])),
  },
  workerd('2024-09-23'),
  workerd('2026-07-01'),
  {
    name: 'jest',
    title: 'Jest, import',
    parts: ['jest'],
    run: async () => parts(await jest(process.execPath, 'gru.mjs')),
  },
  {
    name: 'jest-require',
    title: 'Jest on Node 24, require',
    parts: ['jest-require'],
    run: async () => parts(await jest(nodeOf(24), 'gru.cjs')),
  },
  {
    name: 'vitest',
    title: 'Vitest',
    parts: ['vitest'],
    run: async () =>
      parts(
        await printed(process.execPath, [
          ...[at('node_modules', 'vitest', 'vitest.mjs'), 'run', '--root', project('vitest')],
          ...['--config', project('vitest', 'vitest.config.mjs')],
        ]),
      ),
  },
];
