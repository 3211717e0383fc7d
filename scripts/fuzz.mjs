import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ENTRY, fuzz, parseSaved } from './fuzz/campaign.mjs';
import { countAllocations } from './fuzz/memory.mjs';
import { recordOf } from './fuzz/record.mjs';
import { FORMATS } from './fuzz/seeds.mjs';
import { tryInput } from './fuzz/trial.mjs';
import { at, main, UserError } from './lib.mjs';
import { setup } from './setup.mjs';

const HELP = `npm run fuzz -- [options]

Reads mutated model files with inspect() of dist: each must end within a second, in little memory, with a GruError if any.

  --count N        inputs a format (200000)
  --format NAME    only this format (may be repeated): ${FORMATS.join(', ')}
  --seed S         another run (1)
  --minutes M      end after this time: formats share what is left of it
  --record         leave bench/records/fuzz.md
  --replay FILE    one input that failed before
  --no-setup       dist is there`;

async function replay(/** @type {string} */ file) {
  const memory = countAllocations();
  const outcome = await tryInput(await import(ENTRY), parseSaved(readFileSync(file, 'utf8')), memory.take);
  console.log(outcome);
  return outcome.failure === undefined ? 0 : 1;
}

/** After each format, so that a run that is ended leaves one too. */
function writeRecord(/** @type {import('./fuzz/campaign.mjs').Result[]} */ results, /** @type {number} */ seed) {
  mkdirSync(at('bench', 'records'), { recursive: true });
  const command = `npm run fuzz -- ${process.argv.slice(2).join(' ')}`;
  writeFileSync(at('bench', 'records', 'fuzz.md'), recordOf(results, { seed, command }));
}

await main(async () => {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean', short: 'h' },
      count: { type: 'string', default: '200000' },
      format: { type: 'string', multiple: true, default: FORMATS },
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string', default: 'Infinity' },
      record: { type: 'boolean' },
      replay: { type: 'string' },
      'no-setup': { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const stray = values.format.find((name) => !FORMATS.includes(name));
  if (stray !== undefined) throw new UserError(`there is no format ${stray}: ${FORMATS.join(', ')}`);
  const [count, seed, minutes] = [values.count, values.seed, values.minutes].map(Number);
  if (!(count >= 1) || !Number.isInteger(seed) || !(minutes > 0))
    throw new UserError('--count, --seed and --minutes take numbers');
  if (!values['no-setup']) await setup();
  if (values.replay !== undefined) return replay(values.replay);

  const end = Date.now() + minutes * 60_000;
  const results = [];
  for (const [i, format] of values.format.entries()) {
    const until = Date.now() + (end - Date.now()) / (values.format.length - i);
    let shown = 0;
    const progress = (/** @type {import('./fuzz/campaign.mjs').Result} */ { inputs, seconds, failures }) => {
      if (Date.now() - shown < (process.stdout.isTTY ? 500 : 20_000)) return;
      shown = Date.now();
      process.stdout.write(
        `${process.stdout.isTTY ? '\r' : ''}${format}: ${inputs} of ${count}, ${Math.round(inputs / seconds)}/s, ${failures.length} failures${process.stdout.isTTY ? '   ' : '\n'}`,
      );
    };
    const result = await fuzz(format, { count, seed, until, progress });
    results.push(result);
    const { inputs, codes, slowest, largest, failures, seconds } = result;
    console.log(
      `${process.stdout.isTTY ? '\n' : ''}${format}: ${inputs} inputs in ${seconds.toFixed(0)} s, ${JSON.stringify(codes)}`,
    );
    console.log(
      `  slowest ${slowest.ms.toFixed(0)} ms (${slowest.index}), most memory ${(largest.memory / 2 ** 20).toFixed(1)} MB (${largest.index}), ${failures.length} failures`,
    );
    if (values.record) writeRecord(results, seed);
  }
  return results.some(({ failures }) => failures.length > 0) ? 1 : 0;
});
