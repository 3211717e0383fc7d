import CliTable from 'cli-table3';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { chart } from './chart.ts';
import { aboutLines, errorTable, groupTables, leftOutLines, sizeTable, type Table, targetTable } from './format.ts';
import type { BenchRecord } from './record.ts';

function print({ title, head, rows }: Table): void {
  if (rows.length === 0) return;
  const table = new CliTable({
    head,
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
  });
  // Two lines a cell: with ten engines one line is wider than most terminals.
  table.push(
    ...rows.map((row) =>
      row.map((text) => text.replace(/(?<=%) \(|(?<=FLOP\/s), /, (gap) => `\n${gap.trim().replace(',', '')}`)),
    ),
  );
  console.log(`\n${title}\n${table.toString()}`);
}

export function printTargets(records: BenchRecord[]): void {
  const table = targetTable(records);
  print({ ...table, head: table.head.slice(0, 4), rows: table.rows.map((row) => row.slice(0, 4)) });
  const missed = table.rows.filter((row) => row[4] !== '');
  for (const [what, limit, , , where] of missed) console.log(`misses ${limit ?? ''}, ${what ?? ''}: ${where ?? ''}`);
}

export const printErrors = (record: BenchRecord) => {
  print(errorTable(record));
};

export function printRecord(record: BenchRecord): void {
  console.log(`\n${aboutLines(record).join('\n')}`);
  console.log(
    'times: median over the rounds, ± half the distance between the quartiles; (how many times as long as the first)',
  );
  for (const table of groupTables(record)) print(table);
  print(sizeTable(record));
  for (const line of leftOutLines(record)) console.log(line);
  printTargets([record]);
}

function markdown({ title, head, rows }: Table): string {
  const line = (cells: string[]) => `| ${cells.map((c) => c.replaceAll('|', '\\|')).join(' | ')} |`;
  return `## ${title}\n\n${[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')}\n`;
}

/** Five digits are more than any clock gives; bytes and FLOPs are whole numbers. */
const shortened = (_: string, value: unknown) =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;

/** JSON, a Markdown page of the same tables, and the chart that it shows: `base`.json, .md and .svg. */
export async function writeRecord(record: BenchRecord, base: string): Promise<void> {
  mkdirSync(dirname(base), { recursive: true });
  const name = base.split('/').at(-1)!;
  writeFileSync(`${base}.json`, `${JSON.stringify(record, shortened)}\n`);
  const svg = await chart(record);
  if (svg !== undefined) writeFileSync(`${base}.svg`, svg);
  const page = [
    `# ${name}\n`,
    aboutLines(record)
      .map((line) => `- ${line}\n`)
      .join(''),
    ...(svg === undefined ? [] : [`![Speed against ONNX Runtime Web, and share of the ceiling](./${name}.svg)\n`]),
    markdown(targetTable([record])),
    'Times are medians over the rounds, ± half the distance between the quartiles; in brackets how many times as long as the first',
    'engine takes (median of the ratios of each round). The ceiling is what loops of nothing but the same multiply-adds, or for one',
    'sequence the loads of the recurrent weights, take in the same rounds; copies in and out are on top of it, but for kernels.\n',
    ...groupTables(record).map(markdown),
    markdown(sizeTable(record)),
    leftOutLines(record)
      .map((line) => `- ${line}\n`)
      .join(''),
  ];
  writeFileSync(`${base}.md`, page.join('\n'));
}
