import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { at, main, node24, run, UserError } from './lib.mjs';
import { npmPackages, setup } from './setup.mjs';

const TESTS = ['tests/formats/**/*.test.ts', 'tests/facade/**/*.test.ts', 'tests/cases/*.test.ts'];

const HELP = `npm run mutate -- files... [--tests pattern,...]

Changes one thing of ts/ at a time (Stryker, in a copy of the project) and runs the tests that reach it: a change that no
test sees survives, and is listed. Files are patterns as ts/io/paths.ts or "ts/formats/keras/*.ts"; ts/io/paths.ts:10-20 is lines.

  --tests   patterns of the test files that may see it (${TESTS.join(',')});
            few and quick ones are best, for they all run once before the first change
  --sample  the share of the changes to try, as 0.1: drawn by what each is and where, the same in every run (1: all)
  --seed    draws another sample (0)

The report is target/mutation.json; scripts/mutate/table.mjs makes the table of a record of such reports.`;

await main(async () => {
  const { values, positionals } = parseArgs({
    options: {
      tests: { type: 'string', default: TESTS.join(',') },
      sample: { type: 'string', default: '1' },
      seed: { type: 'string', default: '0' },
      help: { type: 'boolean', short: 'h' },
    },
    allowPositionals: true,
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (positionals.length === 0) throw new UserError('name the files to change: npm run mutate -- ts/io/paths.ts');
  if (!(Number(values.sample) > 0 && Number(values.sample) <= 1)) {
    throw new UserError(`--sample is a share from 0 to 1, got ${values.sample}`);
  }
  await setup({
    otherNode: true,
    more: [npmPackages('scripts/mutate', 'Stryker, from npm', '20 s')],
  });
  // Stryker needs Node 22, which the machine's own need not be.
  const node = existsSync(node24) ? node24 : process.execPath;
  const stryker = at('scripts', 'mutate', 'node_modules', '@stryker-mutator', 'core', 'bin', 'stryker.js');
  const args = [stryker, 'run', at('scripts', 'mutate', 'stryker.config.mjs'), '--mutate', positionals.join(',')];
  return run(node, args, {
    env: { MUTATE_TESTS: values.tests, MUTATE_SAMPLE: values.sample, MUTATE_SEED: values.seed },
  });
});
