import { defineConfig } from 'vitest/config';
import { inlineWasm } from './scripts/inline-wasm.mjs';

export default defineConfig({
  plugins: [{ ...inlineWasm(), enforce: 'pre' }],
  test: {
    include: ['tests/**/*.test.ts'],
    exclude: ['tests/browser/**'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    execArgv: ['--expose-gc'],
  },
});
