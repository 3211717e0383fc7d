import { cpus } from 'node:os';
import { output } from '../lib.mjs';

const number = (/** @type {number} */ n) => n.toLocaleString('en-US');
const megabytes = (/** @type {number} */ n) => (n / 2 ** 20).toFixed(1);

/** A Markdown page of what a run found. */
export function recordOf(
  /** @type {import('./campaign.mjs').Result[]} */ results,
  /** @type {{ seed: number, command: string }} */ { seed, command },
) {
  const codes = [...new Set(results.flatMap((result) => Object.keys(result.codes)))]
    .filter((code) => code !== 'accepted')
    .sort();
  const row = (/** @type {(string | number)[]} */ cells) => `| ${cells.join(' | ')} |`;
  const refused = codes.map((code) => `refused: ${code}`);
  const heads = [
    'format',
    'inputs',
    'accepted',
    ...refused,
    'slowest, ms',
    'most memory, MB',
    'failures',
    'inputs a second',
  ];
  const rows = results.map(({ format, inputs, codes: counts, slowest, largest, failures, seconds }) =>
    row([
      format,
      number(inputs),
      ...['accepted', ...codes].map((code) => number(counts[code] ?? 0)),
      slowest.ms.toFixed(0),
      megabytes(largest.memory),
      failures.length,
      number(Math.round(inputs / seconds)),
    ]),
  );
  const failures = results.flatMap((result) =>
    result.failures.map(({ index, failure }) => `- ${result.format}, input ${index}: ${failure.split('\n')[0]}`),
  );
  return [
    '# Fuzzing of the importers',
    '',
    `- ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC, commit ${output('git', 'rev-parse', '--short=12', 'HEAD')}`,
    `- ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}`,
    `- \`${command}\`, seed ${seed}`,
    '',
    'Every input, made by mutation of the recorded cases and of files made to hurt, went through the public `inspect` of dist. It has to',
    'end within 1 s with a result or a GruError (none of code `internal`), in a worker whose heap may have 128 MB in all, and all array',
    'buffers made on the way, freed or not, may have 4 x the file + 64 MB. An input that takes more than 1 s is run twice more, where the',
    "processor's time counts if it is the shorter one; the shortest of the three is judged. Chunks that the host's inflate makes are not",
    'counted.',
    '',
    row(heads),
    row(heads.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...rows,
    '',
    ...(failures.length > 0 ? ['Failures:', '', ...failures] : ['No failures.']),
    '',
  ].join('\n');
}
