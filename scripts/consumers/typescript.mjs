import { copyFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { at } from '../lib.mjs';
import { outFolder, printed, project, tool } from './lib.mjs';

/** `use` is an ES module or CommonJS by its extension; under bundler and node10 that makes no difference to what is found. */
const PROJECTS = [
  ['mts', 'node16', 'node16'],
  ['cts', 'node16', 'node16'],
  ['mts', 'nodenext', 'nodenext'],
  ['cts', 'nodenext', 'nodenext'],
  ['mts', 'esnext', 'bundler'],
  ['mts', 'esnext', 'node10'],
  ['cts', 'commonjs', 'node10'],
];

const VERSIONS = [
  { version: '5.4', tsc: () => tool('typescript-5.4', 'bin', 'tsc') },
  { version: '5.9', tsc: () => tool('typescript-5.9', 'bin', 'tsc') },
  {
    version: '6',
    tsc: () => at('node_modules', 'typescript', 'bin', 'tsc'),
    old: { ignoreDeprecations: '6.0' },
  },
  // node10 is gone from it.
  { version: '7', tsc: () => tool('typescript-7', 'bin', 'tsc'), without: 'node10' },
];

/** `types: []`: a project without @types/node. */
async function check(version, tsc, [extension, module, moduleResolution], old = {}) {
  const folder = outFolder(`typescript-${version}-${module}-${moduleResolution}-${extension}`);
  const source = `use.${extension}`;
  const compilerOptions = {
    ...{ noEmit: true, strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, types: [] },
    ...{ target: 'es2022', lib: ['es2022', 'dom'], module, moduleResolution, ...old },
  };
  symlinkSync(tool(), join(folder, 'node_modules'));
  // Without one, `gru-wasm` would be the repository itself.
  writeFileSync(join(folder, 'package.json'), '{}');
  copyFileSync(project('types', 'use.mts'), join(folder, source));
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [source] }));
  await printed(process.execPath, [tsc, '-p', folder]);
}

export const typescript = VERSIONS.map(({ version, tsc, old, without }) => ({
  name: `typescript-${version}`,
  title: `TypeScript ${version}: node16, nodenext, bundler${without ? '' : ', node10'}; ES modules and CommonJS`,
  parts: ['types'],
  async run() {
    const projects = PROJECTS.filter(([, , resolution]) => resolution !== without);
    for (const each of projects) await check(version, tsc(), each, each[2] === 'node10' ? old : {});
    return [{ part: 'types' }];
  },
}));
