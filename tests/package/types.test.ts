import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { codeBlocks } from '../../scripts/blocks.mjs';
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

/** What tsc says of files of the project. */
function complaintsOf(files: string[], options: object): string {
  const compilerOptions = {
    ...{ noEmit: true, strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, types: [] },
    ...{ target: 'es2022', lib: ['es2022', 'dom'], module: 'node16', moduleResolution: 'node16', ...options },
  };
  project.write('tsconfig.json', JSON.stringify({ compilerOptions, files }));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  try {
    execFileSync(process.execPath, [tsc, '-p', '.'], { cwd: project.folder, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
  return '';
}

/** What tsc says of a file of {@link CODE}. */
function complaints(extension: string, options: object): string {
  project.write(`use.${extension}`, CODE);
  return complaintsOf([`use.${extension}`], options);
}

const NODE = { typeRoots: [join(root, 'node_modules/@types')], types: ['node'] };

/** More versions of TypeScript, and nodenext: `npm run consumers`. */
test.each(PROJECTS)('types hold in a .%s of module %s by %s', (extension, module, moduleResolution) => {
  const old = moduleResolution === 'node10' ? { ignoreDeprecations: '6.0' } : {};
  expect(complaints(extension, { module, moduleResolution, ...old })).toBe('');
});

test("types hold where those of the DOM are Node's, and where the language's are older", () => {
  expect(complaints('ts', { lib: ['es2022'], ...NODE })).toBe('');
  expect(complaints('ts', { lib: ['es2020', 'dom'] })).toBe('');
});

/** What types of other hosts than Node and a page would be needed for. */
const OTHER_HOSTS = ['deno.mjs', 'processor.js', 'sw.js'];

test.each([
  ['Node', '.mjs', { lib: ['esnext'], ...NODE }],
  ['pages', '.js', { lib: ['esnext', 'dom', 'dom.iterable'] }],
])(
  'the code of the README and the docs for %s is type-checked: whoever copies it to TypeScript may keep it',
  (_, ending, host) => {
    const blocks = [...codeBlocks()].filter(([name]) => name.endsWith(ending) && !OTHER_HOSTS.includes(name));
    for (const [name, code] of blocks) project.write(name, code);
    const files = blocks.map(([name]) => name);
    expect(files.length).toBeGreaterThan(3);
    expect(
      complaintsOf(files, {
        ...host,
        checkJs: true,
        noImplicitAny: false,
        module: 'nodenext',
        moduleResolution: 'nodenext',
      }),
    ).toBe('');
  },
);
