import { readFileSync } from 'node:fs';

/**
 * node scripts/mutate/table.mjs name=mutation.json...
 * The table of a record in bench/records: a row for each report of Stryker's. Mutants that are not in the sample count as errors there.
 */

const KILLED = ['Killed', 'Timeout'];

console.log(
  '| part | mutants | tried | killed or timed out | survived | reached by none of these tests |\n|---|---|---|---|---|---|',
);
const sums = [0, 0, 0, 0, 0];
for (const given of process.argv.slice(2)) {
  const [name, path] = given.split('=');
  const statuses = Object.values(JSON.parse(readFileSync(path, 'utf8')).files).flatMap(({ mutants }) =>
    mutants.filter(({ status }) => status !== 'Ignored').map(({ status }) => status),
  );
  const count = (...of) => statuses.filter((status) => of.includes(status)).length;
  const figures = [statuses.length, count(...KILLED, 'Survived', 'NoCoverage'), count(...KILLED), count('Survived'), count('NoCoverage')]; // prettier-ignore
  console.log(row(name, figures));
  figures.forEach((n, i) => (sums[i] += n));
}
console.log(row('all', sums));

function row(name, [all, tried, killed, survived, unseen]) {
  const number = (n) => n.toLocaleString('en');
  const share = `${number(killed)} (${Math.round((100 * killed) / tried)} %)`;
  return `| ${[name, number(all), number(tried), share, number(survived), number(unseen)].join(' | ')} |`;
}
