import { createHash } from 'node:crypto';
import { CheckStatus } from '@stryker-mutator/api/check';
import { declareClassPlugin, PluginKind } from '@stryker-mutator/api/plugin';

const { MUTATE_SAMPLE = '1', MUTATE_SEED = '0' } = process.env;

/** A number from 0 to 1 that a change has by what it is and where: the same in every run of a seed, whatever else is changed. */
const drawn = ({ fileName, location: { start, end }, replacement }) => {
  const file = fileName.replace(/^.*?(?=\bts\/)/, ''); // Stryker works in a copy of the project
  const name = JSON.stringify([MUTATE_SEED, file, start.line, start.column, end.line, end.column, replacement]);
  return createHash('sha256').update(name).digest().readUInt32BE() / 2 ** 32;
};

const TRIED = { status: CheckStatus.Passed };
const LEFT = { status: CheckStatus.CompileError, reason: 'not in the sample' };

/** Stryker asks a checker before it tries a change; what is refused is counted as an error, and no test runs for it. */
class Sample {
  init() {
    return Promise.resolve();
  }

  check(mutants) {
    const share = Number(MUTATE_SAMPLE);
    return Promise.resolve(
      Object.fromEntries(mutants.map((mutant) => [mutant.id, drawn(mutant) < share ? TRIED : LEFT])),
    );
  }

  group(mutants) {
    return Promise.resolve([mutants.map(({ id }) => id)]);
  }
}

export const strykerPlugins = [declareClassPlugin(PluginKind.Checker, 'sample', Sample)];
