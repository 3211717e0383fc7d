import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { browsers } from './consumers/browsers.mjs';
import { bundlers } from './consumers/bundlers.mjs';
import { extensions } from './consumers/extension.mjs';
import { hosts } from './consumers/hosts.mjs';
import { outFolder, parts, project, tool } from './consumers/lib.mjs';
import { managers } from './consumers/managers.mjs';
import { nexts } from './consumers/next.mjs';
import { recipes } from './consumers/recipes.mjs';
import { typescript } from './consumers/typescript.mjs';
import { at, main, seconds, UserError } from './lib.mjs';
import { npmPackages, quietly, setup } from './setup.mjs';

const HELP = `npm run consumers [-- [--only <name>]... [--light] [--no-record]]

Installs the packed tarball as those do who use it, runs a small model in each of them, compares the bits, and keeps a table in
bench/records.

  --only <name>  only consumers whose name begins with this (may be repeated)
  --light        only those that need nothing but the packages of development: a part of npm test
  --no-record    keep no table`;

const CONSUMERS = [...hosts, ...managers, ...typescript, ...bundlers, ...nexts, ...recipes, ...browsers, ...extensions];

/** The tarball, as npm unpacks it: the lock of tests/consumers stays as it is. */
async function install() {
  const folder = outFolder('tarball');
  await quietly('npm', ['pack', '--ignore-scripts', '--pack-destination', folder]);
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  renameSync(join(folder, tarball), join(folder, 'gru-wasm.tgz'));
  await quietly('tar', ['-xzf', join(folder, 'gru-wasm.tgz'), '-C', folder]);
  mkdirSync(tool(), { recursive: true });
  rmSync(tool('gru-wasm'), { recursive: true, force: true });
  renameSync(join(folder, 'package'), tool('gru-wasm'));
}

/** The bits of each model, by the JS backend: the same everywhere. */
async function expected() {
  const [{ report }, js] = await Promise.all(
    [project('model.mjs'), tool('gru-wasm', 'dist', 'js.js')].map((path) => import(pathToFileURL(path))),
  );
  const [{ bits, error }] = parts(await report('js', js));
  if (error) throw new UserError(error);
  return bits;
}

/** What is wrong with what a consumer told; undefined where nothing is. */
function wrong({ parts: wanted, backend, backends = {} }, told, bits) {
  for (const part of wanted) {
    const found = told.find((each) => each.part === part);
    if (!found) return `no ${part}`;
    if (found.error) return `${part}: ${found.error}`;
    if (part === 'types') continue;
    const different = found.bits.findIndex((value, i) => value !== bits[i]);
    if (different >= 0) return `${part}: model ${different} gives other bits`;
    const want = backends[part] ?? backend ?? (part === 'js' ? 'js' : 'wasm-baseline');
    if (found.backends.join() !== want) return `${part}: computed by ${found.backends.join()}, not ${want}`;
  }
  return undefined;
}

/** What a row says of a consumer that passed, and by what it computed. */
function passed(told) {
  if (told.length === 0) return ['its result', '(a block of code of the site, as it stands)'];
  if (told.every(({ part }) => part === 'types')) return ['no error', '(types)'];
  const by = told.filter(({ backends }) => backends).map(({ part, backends }) => `${part} ${backends.join(', ')}`);
  return ['the same bits', by.join('; ')];
}

/** Limits of the consumers, not ours, that the rows keep to. */
const NOTES = `
- A worker of one's own that imports \`gru-wasm\` needs \`worker: { format: 'es' }\` under Vite 7; \`gru-wasm/static\` does without.
- esbuild (Angular's builds too) and Rollup leave the pool's worker to the one who builds: \`dist/pool-worker.js\` was copied beside. One classic script of esbuild's has no \`import.meta.url\`: the pool needs \`createWorker\`.
- Parcel 2.16 leaves out what a worker of one's own shares with scripts that it imports on demand (\`Cannot find module\`, of any 30 KB): \`gru-wasm/static\` there, or \`--no-scope-hoist\`.
- Jest runs \`require\` of ES modules on Node 24.9 and later alone.
- Next's edge runtime compiles no bytes: JavaScript, told once by a warning. Next 16.4.6 by webpack cannot build an edge route, one without gru-wasm neither (\`route_client-reference-manifest.js\` is
  missing); the webpack 5 of the table takes any warning for a failure.

Not to be had on this machine: Safari, iOS and Android; Windows and macOS; extensions of Firefox as installed (the policy of their pages is served by HTTP).
`;

const oneLine = (text) => text.replace(/\s+/g, ' ').replaceAll('|', '\\|').slice(0, 300);

function record(rows) {
  const date = new Date().toISOString().slice(0, 10);
  const lines = [
    `# Consumers, ${date}`,
    '',
    `The tarball of this day, by \`npm run consumers\`, on Linux ${release()}, ${cpus()[0].model}, Node ${process.versions.node}. Each runs a GRU, a convolution and a model`,
    'file; the bits are those of the JS backend. The versions are those of tests/consumers/package-lock.json and package-lock.json.',
    '',
    '| consumer | | computed by |',
    '|---|---|---|',
    ...rows.map(({ title, problem, told }) => {
      const [outcome, by] = problem ? [`FAILED: ${oneLine(problem)}`, ''] : passed(told);
      return `| ${title} | ${outcome} | ${by} |`;
    }),
    NOTES,
  ];
  writeFileSync(at('bench', 'records', `${date}-consumers.md`), lines.join('\n'));
}

await main(async () => {
  const options = {
    only: { type: 'string', multiple: true },
    light: { type: 'boolean' },
    'no-record': { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  };
  const { values } = parseArgs({ options });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const chosen = CONSUMERS.filter(
    ({ name, light }) => (!values.light || light) && (values.only?.some((start) => name.startsWith(start)) ?? true),
  );
  if (chosen.length === 0) throw new UserError(`no such consumer: ${CONSUMERS.map(({ name }) => name).join(' ')}`);
  const packages = npmPackages('tests/consumers', 'the consumers of npm run consumers (1.7 GB)', '4 min');
  await setup({ more: chosen.every(({ light }) => light) ? [] : [packages] });
  await install();
  const bits = await expected();
  const rows = [];
  for (const consumer of chosen) {
    const start = performance.now();
    let told = [];
    let problem;
    try {
      told = await consumer.run();
      problem = wrong(consumer, told, bits);
    } catch (error) {
      problem = error.message;
    }
    rows.push({ ...consumer, told, problem });
    console.log(
      `${problem ? 'FAILED' : 'ok    '} ${consumer.name} (${seconds(start)})${problem ? `\n${problem}` : ''}`,
    );
  }
  if (!values['no-record'] && chosen.length === CONSUMERS.length) record(rows);
  const failed = rows.filter(({ problem }) => problem).length;
  console.log(`${rows.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
});
