/** The root of the project is the folder that this runs in; scripts/mutate.mjs gives `--mutate` and the tests. */
export default {
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner'],
  // `related` would be every test: all of them load a model. MUTATE_TESTS says which.
  vitest: { configFile: 'scripts/mutate/vitest.config.mjs', related: false, pool: 'threads' },
  coverageAnalysis: 'perTest',
  concurrency: 2,
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
