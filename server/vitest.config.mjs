import { defineConfig } from 'vitest/config';

/** Far above what any test takes: nothing passes or fails by time. */
const NEVER = 120_000;

export default defineConfig({
  test: { include: ['tests/**/*.test.ts'], testTimeout: NEVER, hookTimeout: NEVER, pool: 'forks' },
});
