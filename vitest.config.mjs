import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { inlineWasm } from './scripts/inline-wasm.mjs';

/** Far above what any test takes, for a machine that does much else: nothing passes or fails by time. */
const NEVER = 300_000;

const source = (name, entry) => ({
  find: new RegExp(`^${name}$`),
  replacement: fileURLToPath(new URL(`ts/${entry}.ts`, import.meta.url)),
});

export default defineConfig({
  // The package's own names are the source: only tests/package is about dist.
  resolve: { alias: [source('gru-wasm', 'index'), source('gru-wasm/pool', 'pool')] },
  plugins: [{ ...inlineWasm(), enforce: 'pre' }],
  test: {
    include: ['tests/**/*.test.ts'],
    exclude: ['tests/browser/**', 'tests/consumers/**'],
    setupFiles: ['tests/setup.ts'],
    testTimeout: NEVER,
    hookTimeout: NEVER,
    coverage: {
      provider: 'v8',
      include: ['ts/**/*.ts'],
      // tests/cli runs the built command, in processes of its own.
      exclude: ['ts/cli/**'],
      reporter: ['text-summary', 'json-summary'],
      reportsDirectory: 'target/coverage',
      // What was measured last, in whole per cents: CI fails below it (.ci/run).
      thresholds: { lines: 96, branches: 89 },
    },
    pool: 'forks',
    execArgv: ['--expose-gc'],
    // V8 inlines nothing while it counts blocks, so numbers are boxed: tests of what `step` allocates ask for this.
    env: process.argv.includes('--coverage') ? { GRU_COVERAGE: '1' } : {},
  },
});
