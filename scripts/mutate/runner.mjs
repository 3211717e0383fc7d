import { glob, mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { declareFactoryPlugin, PluginKind } from '@stryker-mutator/api/plugin';
import {
  determineHitLimitReached,
  DryRunStatus,
  TestStatus,
  toMutantRunResult,
} from '@stryker-mutator/api/test-runner';

/**
 * Runs vitest's tests in Stryker's process, from a bundle whose source is loaded once: a change takes some 0.07 s of one core, where
 * a worker of vitest's a change, which loads the source again, takes 1 s. So changes that only loading runs are ignored (`ignoreStatic`).
 */
class Tests {
  #entries = [];
  #runs = 0;
  #start;

  capabilities() {
    return { reloadEnvironment: false };
  }

  async init() {
    const root = process.cwd(); // Stryker's copy of the project
    const require = createRequire(join(root, 'package.json'));
    const { build } = require('esbuild');
    const patterns = process.env.MUTATE_TESTS.split(',');
    const files = [];
    for await (const file of glob(patterns)) files.push(resolve(file));
    files.sort();
    const outdir = join(root, 'target', 'mutate', String(process.pid));
    await mkdir(outdir, { recursive: true });
    await build({
      entryPoints: [join(root, 'tests/setup.ts'), ...files],
      outdir,
      outbase: root,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'esnext',
      packages: 'external',
      logLevel: 'error',
      alias: { 'gru-wasm': join(root, 'ts/index.ts'), 'gru-wasm/pool': join(root, 'ts/pool.ts') },
      plugins: [inPlace],
    });
    const bundled = (file) => pathToFileURL(join(outdir, file.slice(root.length).replace(/\.ts$/, '.mjs'))).href;
    this.#entries = files.map((file) => ({ file, url: bundled(file) }));
    // vitest's own `expect` and `vi` ask for a worker.
    globalThis.__vitest_worker__ = { config: {}, ctx: {}, environment: { name: 'node' }, provided: {}, metaEnv: {} };
    const { startTests } = await import(pathToFileURL(require.resolve('@vitest/runner')).href);
    this.#start = startTests;
    await import(bundled(join(root, 'tests/setup.ts')));
    process.on('unhandledRejection', () => {});
  }

  async dryRun() {
    const space = (globalThis.__stryker__ ??= {});
    space.activeMutant = undefined;
    const tests = await this.#run(this.#entries, undefined, (id) => (space.currentTestId = id));
    space.currentTestId = undefined;
    return { status: DryRunStatus.Complete, tests, mutantCoverage: space.mutantCoverage };
  }

  async mutantRun({ activeMutant, testFilter, hitLimit, disableBail }) {
    const space = (globalThis.__stryker__ ??= {});
    Object.assign(space, { activeMutant: activeMutant.id, hitCount: 0, hitLimit });
    const wanted = new Set(testFilter);
    const files = new Set(testFilter.map((id) => id.slice(0, id.indexOf('#'))));
    const entries = this.#entries.filter(({ file }) => files.has(file));
    const tests = await this.#run(entries, wanted, () => {}, !disableBail);
    space.activeMutant = undefined;
    const limit = determineHitLimitReached(space.hitCount, hitLimit);
    return toMutantRunResult(limit ?? { status: DryRunStatus.Complete, tests });
  }

  async #run(entries, wanted, onStart, bail = false) {
    const n = this.#runs++;
    const urls = new Map(entries.map(({ file, url }) => [file, `${url}?run=${n}`]));
    const results = [];
    let failed = false;
    const runner = {
      config: {
        root: process.cwd(), setupFiles: [], name: undefined, passWithNoTests: true, testNamePattern: undefined, allowOnly: true,
        sequence: { seed: 0, hooks: 'stack', setupFiles: 'list' }, chaiConfig: undefined, maxConcurrency: 1,
        testTimeout: 300_000, hookTimeout: 300_000, retry: 0, includeTaskLocation: false, tags: [], tagsFilter: undefined, strictTags: false,
      }, // prettier-ignore
      importFile: (file) => import(urls.get(file)),
      onBeforeRunTask: (task) => {
        const id = idOf(task);
        if ((bail && failed) || (wanted && !wanted.has(id))) task.mode = 'skip';
        else onStart(id);
      },
      onAfterRunTask: (task) => {
        if (task.mode === 'skip' || task.mode === 'todo') return;
        const { state, duration = 0, errors } = task.result ?? {};
        const test = { id: idOf(task), name: idOf(task), fileName: task.file.filepath, timeSpentMs: duration };
        if (state === 'pass') results.push({ ...test, status: TestStatus.Success });
        else {
          failed = true;
          results.push({ ...test, status: TestStatus.Failed, failureMessage: errors?.[0]?.message ?? 'failed' });
        }
      },
    };
    const ran = await this.#start(
      entries.map(({ file }) => file),
      runner,
    );
    for (const file of ran) {
      if (failed || file.result?.state !== 'fail') continue;
      const failureMessage = file.result.errors?.[0]?.message ?? 'a hook failed';
      results.push({
        id: file.filepath,
        name: file.filepath,
        timeSpentMs: 0,
        status: TestStatus.Failed,
        failureMessage,
      });
    }
    return results;
  }

  async dispose() {}
}

/** `file#suite > test`. */
function idOf(task) {
  const names = [];
  for (let at = task; at && at !== task.file; at = at.suite) names.unshift(at.name);
  return `${task.file.filepath}#${names.join(' > ')}`;
}

/** esbuild: modules know their own place still, and wasm is in them. */
const inPlace = {
  name: 'in-place',
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      return { contents: text.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)), loader: 'ts' };
    });
    build.onLoad({ filter: /\.wasm$/ }, async ({ path }) => {
      const bytes = JSON.stringify((await readFile(path)).toString('base64'));
      return { contents: `export default () => WebAssembly.compile(Buffer.from(${bytes}, 'base64'));` };
    });
  },
};

const create = () => new Tests();
create.inject = [];

export const strykerPlugins = [declareFactoryPlugin(PluginKind.TestRunner, 'in-process', create)];
