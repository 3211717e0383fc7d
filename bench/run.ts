import { existsSync } from 'node:fs';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import ora from 'ora';
import { type Case, CASES, GROUPS, heats } from './cases.ts';
import type { Engine } from './engine.ts';
import { ENGINES } from './engines/index.ts';
import type { Host } from './hosts/host.ts';
import { nodeHost } from './hosts/node.ts';
import { commit, cpuSlug, machine, rustc, versionsOf } from './machine.ts';
import { Bench } from './measure.ts';
import { type BenchRecord, readRecord, type Settings } from './record.ts';
import { caseLine } from './format.ts';
import { printErrors, printRecord, printTargets, writeRecord } from './report.ts';
import { sizesOf } from './size.ts';

const FULL: Settings = {
  quick: false,
  rounds: 15,
  turn: 40,
  warmUp: 200,
  budget: 2,
  leastRounds: 3,
  coldStarts: 10,
  slowest: Infinity,
};
const QUICK: Settings = {
  quick: true,
  rounds: 5,
  turn: 15,
  warmUp: 60,
  budget: 0.5,
  leastRounds: 1,
  coldStarts: 3,
  slowest: 150,
};
const RECORDS = fileURLToPath(new URL('records/', import.meta.url));

const { values, positionals } = parseArgs({
  options: {
    list: { type: 'boolean' },
    case: { type: 'string', multiple: true },
    engine: { type: 'string', multiple: true },
    quick: { type: 'boolean' },
    check: { type: 'boolean' },
    json: { type: 'string' },
    browser: { type: 'string' },
    'browser-path': { type: 'string' },
    compare: { type: 'boolean' },
    report: { type: 'boolean' },
  },
  allowPositionals: true,
});

const matches = (patterns: string[] | undefined, name: string) =>
  patterns?.some((pattern) => new RegExp(pattern).test(name)) ?? true;

function chosen(): { cases: Case[]; engines: Engine[] } {
  const kind = values.browser === undefined ? 'node' : 'page';
  return {
    cases: CASES.filter((c) => matches(values.case, c.name) && (!values.quick || c.quick || values.case !== undefined)),
    engines: ENGINES.filter((e) => e.hosts.includes(kind) && (matches(values.engine, e.name) || e.isCeiling)),
  };
}

async function host(): Promise<Host> {
  if (values.browser === undefined) return nodeHost;
  const { browserHost } = await import('./hosts/browser.ts');
  return browserHost(values.browser, values['browser-path'] ?? '');
}

const clock = (seconds: number) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;

async function measureAll(): Promise<BenchRecord> {
  const { cases, engines } = chosen();
  const settings = {
    ...(values.quick ? QUICK : FULL),
    ...(values.check && { rounds: 1, turn: 0, warmUp: 0, coldStarts: 1 }),
  };
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  const spinner = ora({ stream: process.stderr }).start();
  let where = '';
  const place = await host();
  const bench = new Bench(place, settings, (text) => (spinner.text = `${clock(seconds())} ${where}${text}`));
  const record: BenchRecord = {
    date: new Date().toISOString(),
    commit: commit(),
    machine: machine(),
    host: place.title,
    slug: place.slug,
    v8: place.kind === 'node' ? process.versions.v8 : '',
    rustc: rustc(),
    settings,
    engines: engines.map(({ name, packages, flags = [] }) => ({ name, versions: versionsOf(packages), flags })),
    cases: [],
    sizes: [],
    seconds: 0,
    load: [loadavg()[0]!, 0],
  };
  try {
    await bench.open(engines);
    const all = heats(cases);
    for (const [i, heat] of all.entries()) {
      where = `${i + 1}/${all.length} `;
      const results = await (heat[0]!.kind === 'cold'
        ? bench.coldStarts(heat[0]!, engines)
        : bench.measure(heat, engines));
      record.cases.push(...results);
      spinner.clear();
      for (const result of values.check ? [] : results) console.log(caseLine(record, result));
    }
    where = 'sizes: ';
    for (const engine of engines.filter(
      () => !values.check && (values.case === undefined || matches(values.case, 'size')),
    )) {
      spinner.text = `${where}${engine.name}`;
      const sizes = await sizesOf(engine).catch((error: unknown) => {
        console.error(`size of ${engine.name}: ${String(error)}`);
        process.exitCode = 1;
        return [];
      });
      record.sizes.push(...sizes);
    }
    record.cases.sort((a, b) => CASES.indexOf(a.case) - CASES.indexOf(b.case));
  } finally {
    spinner.stop();
    await bench.close();
    await place.close();
  }
  return { ...record, seconds: seconds(), load: [record.load[0], loadavg()[0]!] };
}

/** The runs of a day stand beside each other: `name`, `name-2`, ... */
function freeName(base: string): string {
  for (let i = 1; ; i++) {
    const name = i === 1 ? base : `${base}-${i}`;
    if (!existsSync(`${name}.json`)) return name;
  }
}

function list(): void {
  const { cases, engines } = chosen();
  for (const [group, title] of Object.entries(GROUPS)) {
    const inGroup = cases.filter((c) => c.group === group);
    if (inGroup.length > 0)
      console.log(`${title}\n${inGroup.map((c) => `  ${c.name}${c.quick ? '  (quick)' : ''}`).join('\n')}`);
  }
  console.log(`Engines\n${engines.map((e) => `  ${e.name}${e.flags ? `  (${e.flags.join(' ')})` : ''}`).join('\n')}`);
}

async function main(): Promise<void> {
  if (values.list) {
    list();
  } else if (values.compare) {
    printTargets(positionals.map(readRecord));
  } else if (values.report) {
    for (const file of positionals) await writeRecord(readRecord(file), file.replace(/\.json$/, ''));
  } else {
    const record = await measureAll();
    if (values.check) printErrors(record);
    else printRecord(record);
    const base = `${RECORDS}${record.date.slice(0, 10)}-${cpuSlug(record.machine)}-${record.slug}`;
    const isWhole = [values.case, values.engine, values.quick, values.check].every((option) => option === undefined);
    const file = values.json ?? (isWhole ? freeName(base) : undefined);
    if (file !== undefined) {
      await writeRecord(record, file.replace(/\.json$/, ''));
      console.log(`written: ${file.replace(/\.json$/, '')}.json, .md and .svg`);
    }
    if (record.cases.some((c) => c.engines.some((e) => e.status === 'failed'))) process.exitCode = 1;
  }
}

await main();
