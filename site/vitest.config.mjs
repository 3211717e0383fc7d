import { defineConfig } from 'vitest/config';

/** What is built lies in site/dist: `npm run site` first. */
export default defineConfig({
  resolve: { alias: { 'gru-wasm': new URL('../dist/index.js', import.meta.url).pathname } },
  test: {
    include: ['site/tests/*.test.ts'],
    root: new URL('..', import.meta.url).pathname,
    testTimeout: 300_000,
    hookTimeout: 600_000,
    pool: 'forks',
    fileParallelism: false,
  },
});
