import { fileURLToPath } from 'node:url';

const plugin = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The root of the project is the folder that this runs in; scripts/mutate.mjs gives `--mutate`, the tests and the share. */
export default {
  testRunner: 'in-process',
  checkers: ['sample'],
  plugins: [plugin('runner.mjs'), plugin('sample.mjs')],
  coverageAnalysis: 'perTest',
  // What runs while a module loads (tables, constants) would need the source loaded again.
  ignoreStatic: true,
  concurrency: 1,
  // Each run leaves its tests' modules in memory: some 20 MB for a hundred.
  maxTestRunnerReuse: 500,
  tempDirName: 'target/stryker',
  ignorePatterns: ['.tools', '.git', 'target', 'bench', 'dist', 'docs', 'examples', 'crate', '!crate/pkg/**'],
  reporters: ['clear-text', 'json', 'event-recorder'],
  // What a run that is ended early leaves: an event a mutant.
  eventReporter: { baseDir: 'target/mutation-events' },
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false, reportMutants: true },
  jsonReporter: { fileName: 'target/mutation.json' },
  allowConsoleColors: false,
  // An exchanged message of an error is no fault that a test should look for.
  mutator: { excludedMutations: ['StringLiteral'] },
};
