import { mergeConfig } from 'vitest/config';
import base from '../../vitest.config.mjs';

/** Threads start faster than processes; they know no --expose-gc, so tests of what is collected are left out by themselves. */
const config = mergeConfig(base, { test: { pool: 'threads' } });
config.test.execArgv = [];
config.test.include = process.env.MUTATE_TESTS.split(',');

export default config;
