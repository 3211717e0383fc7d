import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import { existsSync } from 'node:fs';
import globals from 'globals';
import tseslint from 'typescript-eslint';

// Its own package: without its packages' types every call into them would be an error.
const bench = existsSync(new URL('bench/node_modules/gru-wasm', import.meta.url)) ? [] : ['bench'];

export default defineConfig(
  globalIgnores(['dist', 'target', 'crate', '.tools', '**/node_modules', 'tests/package/consumers', ...bench]),
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
    },
  },
  {
    files: ['tests/**/*.ts', 'bench/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafeCalls: ['test', 'it', 'describe'] }],
    },
  },
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: { globals: globals.node },
  },
  {
    files: ['examples/audio/*.js'],
    languageOptions: { globals: { ...globals.browser, ...globals.audioWorklet } },
  },
);
