import { defineConfig } from 'vitest/config';
import { inlineWasm } from './scripts/inline-wasm.mjs';

/** Tests in real browsers: once, not under each Node. */
export default defineConfig({
  plugins: [{ ...inlineWasm(), enforce: 'pre' }],
  test: {
    include: ['tests/browser/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 600_000,
    pool: 'forks',
    // Two browsers at a time are more than a small machine takes.
    fileParallelism: false,
  },
});
