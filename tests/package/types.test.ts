import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { consumer, root } from './tarball.ts';

const project = consumer();

const CODE = readFileSync(join(root, 'tests/consumers/types/use.mts'), 'utf8');

/** Extension of the file, which says what it is a module of; module; moduleResolution. */
const PROJECTS = [
  ['ts', 'node16', 'node16'],
  ['cts', 'node16', 'node16'],
  ['ts', 'esnext', 'bundler'],
  ['ts', 'esnext', 'node10'],
  ['cts', 'commonjs', 'node10'],
] as const;

/** More versions of TypeScript, and nodenext: `npm run consumers`. */
test.each(PROJECTS)('types hold in a .%s of module %s by %s', (extension, module, moduleResolution) => {
  project.write(`use.${extension}`, CODE);
  const old = moduleResolution === 'node10' ? { ignoreDeprecations: '6.0' } : {};
  const compilerOptions = {
    ...{ noEmit: true, strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, types: [] },
    ...{ target: 'es2022', lib: ['es2022', 'dom'], module, moduleResolution, ...old },
  };
  project.write('tsconfig.json', JSON.stringify({ compilerOptions, files: [`use.${extension}`] }));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  let printed = '';
  try {
    execFileSync(process.execPath, [tsc, '-p', '.'], { cwd: project.folder, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    printed = (error as { stdout: string }).stdout;
  }
  expect(printed).toBe('');
});
