import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import importX from 'eslint-plugin-import-x';
import globals from 'globals';
import tseslint from 'typescript-eslint';

// Packages of their own: without their packages' types every call into them would be an error.
const absent = ['bench', 'server'].filter(
  (folder) => !existsSync(new URL(`${folder}/node_modules/gru-wasm`, import.meta.url)),
);
const site = existsSync(new URL('site/node_modules/vitepress', import.meta.url))
  ? ['site/dist', 'site/generated', 'site/.vitepress/.temp']
  : ['site'];

/**
 * The folders of ts/, each with those that it may import from, types included. (The entries at the root only re-export.) Whatever is
 * not listed for a folder lies above it or beside it; a folder that is not listed may import from none.
 */
const FOLDERS = {
  base: [],
  layers: ['base'],
  spec: ['layers', 'base'],
  backends: ['spec', 'layers', 'base'],
  run: ['backends/backend.ts', 'spec', 'layers', 'base'],
  stream: ['run', 'backends/backend.ts', 'spec', 'layers', 'base'],
  io: ['base'],
  formats: ['io', 'spec', 'layers', 'base'],
  api: ['formats', 'io', 'stream', 'run', 'backends', 'spec', 'layers', 'base'],
  pool: ['api', 'run', 'backends', 'spec', 'layers', 'base'],
  cli: ['api', 'formats', 'io', 'stream', 'run', 'backends', 'spec', 'layers', 'base'],
};
const here = (path) => new URL(path, import.meta.url);
const zones = readdirSync(here('ts'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name: folder }) => ({ folder, below: FOLDERS[folder] ?? [] }))
  .map(({ folder, below }) => ({
    target: `./ts/${folder}`,
    from: './ts',
    except: [folder, ...below].map((name) => `./${name}`),
    message: `ts/${folder} imports from ${below.join(', ') || 'nothing else'}: see CONTRIBUTING.md`,
  }));

const SYNTAX = [
  // Arguments lie on the stack, which holds some 120,000: a file can say more of most things.
  {
    selector: 'CallExpression[callee.property.name=/^(push|unshift|max|min)$/] > SpreadElement',
    message: 'A long list overflows the stack: use a loop or reduce.',
  },
  // import-x/no-restricted-paths sees no type that is imported where it is used.
  { selector: 'TSImportType:has(Literal[value=/^[.][.]/])', message: 'Import the type at the top of the file.' },
];

/** Where a kind of layer is asked by its LayerKind what it is, never by its name. */
const ABOVE_LAYERS = Object.keys(FOLDERS).filter((folder) => folder !== 'layers' && folder !== 'formats');
const kinds = Object.keys(JSON.parse(readFileSync(here('crate/src/layers/params.json'), 'utf8'))).join('|');
const OF_A_KIND = {
  selector: `:matches(BinaryExpression, SwitchStatement):has(> :matches(Identifier[name='type'], MemberExpression[property.name='type'], ChainExpression)) Literal[value=/^(${kinds})$/]`,
  message: 'No kind of layer is named above ts/layers: make it a field of LayerKind.',
};

export default defineConfig(
  globalIgnores(['**/dist', 'target', 'crate', '.tools', '**/node_modules', 'tests/consumers', ...absent, ...site]),
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
    files: ['ts/**/*.ts'],
    plugins: { 'import-x': importX },
    rules: {
      'import-x/no-restricted-paths': ['error', { zones, basePath: import.meta.dirname }],
      'no-restricted-syntax': ['error', ...SYNTAX],
    },
  },
  {
    files: ['ts/**/*.ts', 'server/src/**/*.ts', 'site/lib/**/*.ts'],
    plugins: { 'import-x': importX },
    // Of files with other endings the imports are not read.
    settings: { 'import-x/extensions': ['.ts'] },
    rules: { 'import-x/no-cycle': 'error' },
  },
  {
    // Bundlers for browsers (Parcel, webpack 4) bring a package of their own for each such name, or refuse.
    files: ['ts/**/*.ts'],
    ignores: ['ts/cli/**', 'ts/gru.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...['process', 'Buffer', 'global', 'setImmediate'].map((name) => ({
          name,
          message: 'Browsers load this file: read it of globalThis.',
        })),
      ],
    },
  },
  {
    files: ABOVE_LAYERS.map((folder) => `ts/${folder}/**/*.ts`),
    ignores: ['ts/backends/js/layers/**'],
    rules: { 'no-restricted-syntax': ['error', ...SYNTAX, OF_A_KIND] },
  },
  {
    files: ['tests/**/*.ts', 'bench/**/*.ts', 'site/tests/*.ts', 'server/tests/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafeCalls: ['test', 'it', 'describe'] }],
    },
  },
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: { globals: globals.node },
  },
  {
    files: ['examples/audio/*.js', 'examples/keywords/{page,processor}.js'],
    languageOptions: { globals: { ...globals.browser, ...globals.audioWorklet } },
  },
);
