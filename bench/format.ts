import { type Case, GROUPS, loadPasses } from './cases.ts';
import { type BenchRecord, type CaseResult, type EngineResult, ratio, resultOf, spread } from './record.ts';
import { judge, type Target, type Value } from './targets.ts';

const digits = (x: number) => (x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2));

export const time = (microseconds: number) =>
  microseconds >= 1e6
    ? `${digits(microseconds / 1e6)} s`
    : microseconds >= 1000
      ? `${digits(microseconds / 1000)} ms`
      : `${digits(microseconds)} us`;

export const bytes = (n: number) => (n >= 1e6 ? `${digits(n / 2 ** 20)} MB` : `${digits(n / 1024)} KB`);

const amount = (target: Target, value: number) => `${digits(value)}${target.unit === 'x' ? '' : ' '}${target.unit}`;

/** What one engine did in one case. */
export function cell(record: BenchRecord, { case: c, flops }: CaseResult, engine: string, base: string): string {
  const result = record.cases.find((r) => r.case.name === c.name)?.engines.find((e) => e.engine === engine);
  if (!result) return '';
  const all = spread(result.rounds);
  if (result.status !== 'ok' || !all) return result.status === 'failed' ? `FAILED: ${result.why ?? ''}` : '-';
  const around = `±${((50 * (all.q3 - all.q1)) / all.median).toFixed(0)}%`;
  if (c.loop) {
    const rate = c.loop.name === 'loads' ? c.loop.bytes * loadPasses(c.loop.bytes) : flops;
    return `${digits(rate / all.median / 1000)} ${c.loop.name === 'loads' ? 'GB/s' : 'GFLOP/s'} ${around}`;
  }
  const times = engine === base ? undefined : ratio(record, c.name, base, engine);
  return `${time(all.median)} ${around}${times === undefined ? '' : ` (${digits(times)}x)`}`;
}

/** Speed of an engine of ours, and its share of the ceiling of the same rounds. */
export function speed(record: BenchRecord, { case: c, flops }: CaseResult, engine: string): string {
  const median = spread(resultOf(record, c.name, engine)?.rounds ?? [])?.median;
  const share = ratio(record, c.name, engine, 'ceiling-relaxed');
  if (median === undefined || flops === 0) return '';
  return `${digits(flops / median / 1000)} GFLOP/s${share === undefined ? '' : `, ${(100 * share).toFixed(0)}%`}`;
}

export interface Table {
  title: string;
  head: string[];
  rows: string[][];
}

/** One table a group of cases: engines in columns, ours first, and how many times as long as it the others take. */
export function groupTables(record: BenchRecord): Table[] {
  return Object.entries(GROUPS).flatMap(([group, title]) => {
    const cases = record.cases.filter((r) => r.case.group === group);
    if (cases.length === 0) return [];
    const isShown = (engine: string) =>
      (group === 'ceiling' || !engine.startsWith('ceiling')) &&
      cases.some((c) => c.engines.some((e) => e.engine === engine && e.status !== 'left out'));
    const engines = record.engines.map((e) => e.name).filter(isShown);
    const base = engines[0] ?? '';
    const showsSpeed = group !== 'ceiling' && group !== 'cold' && engines.length > 0;
    return [
      {
        title,
        head: ['case', ...engines, ...(showsSpeed ? [`${base}: speed, share of ceiling`] : [])],
        rows: cases.map((c) => [
          shortName(c.case),
          ...engines.map((engine) => cell(record, c, engine, base)),
          ...(showsSpeed ? [speed(record, c, base)] : []),
        ]),
      },
    ];
  });
}

/** A case in one line, for while the run goes on. */
export function caseLine(record: BenchRecord, result: CaseResult): string {
  const base = result.engines[0]?.engine ?? '';
  const timed = result.engines.filter(
    (e) => e.status !== 'left out' && (result.case.loop !== undefined || !e.engine.startsWith('ceiling')),
  );
  return `${result.case.name}: ${timed.map((e) => `${e.engine} ${cell(record, result, e.engine, base)}`).join(' | ')}`;
}

export const shortName = ({ name, group }: Case) => name.slice(group.length + 1);

/** Why engines were not timed, each reason once. */
export function leftOutLines(record: BenchRecord): string[] {
  const reasons = new Map<string, string[]>();
  for (const { case: c, engines } of record.cases) {
    for (const { engine, status, why } of engines) {
      if (status === 'ok') continue;
      const key = `${engine} ${status}: ${why ?? ''}`.replace(/one call took .*/, 'slow');
      reasons.set(key, [...(reasons.get(key) ?? []), c.name]);
    }
  }
  return [...reasons].map(
    ([key, cases]) =>
      `${key} (${cases.length} cases: ${cases.slice(0, 3).join(', ')}${cases.length > 3 ? ', ...' : ''})`,
  );
}

/** How far each engine's output is from the float64 reference, and which were not checked. */
export function errorTable(record: BenchRecord): Table {
  const engines = record.engines.map((e) => e.name).filter((name) => !name.startsWith('ceiling'));
  const text = (e: EngineResult | undefined) =>
    e === undefined ? '' : e.status === 'failed' ? `FAILED: ${e.why ?? ''}` : (e.error?.toExponential(1) ?? '-');
  const rows = record.cases
    .filter((r) => r.case.loop === undefined)
    .map((r) => [r.case.name, ...engines.map((name) => text(r.engines.find((e) => e.engine === name)))]);
  return { title: 'Largest distance from the float64 reference', head: ['case', ...engines], rows };
}

export function sizeTable(record: BenchRecord): Table {
  return {
    title: 'What a user downloads',
    head: ['engine', 'raw', 'minified + gzip'],
    rows: record.sizes.map((s) => [
      s.part === undefined ? s.engine : `${s.engine}, on demand: ${s.part}`,
      bytes(s.raw),
      bytes(s.gzip),
    ]),
  };
}

export function targetTable(records: BenchRecord[]): Table {
  const list = (target: Target, values: Value[]) =>
    values
      .map(({ row, value }) => `${row} ${amount(target, value)}`)
      .slice(0, 6)
      .join('; ') + (values.length > 6 ? '; ...' : '');
  return {
    title: records.length === 1 ? 'Targets' : `Targets, worst of ${records.length} runs`,
    head: ['target', 'limit', 'measured', 'verdict', 'where it misses'],
    rows: judge(records).map(({ target, worst, met, missed, note }) => [
      target.what,
      target.limit === undefined ? '' : `${target.sense === 'at least' ? '>=' : '<='} ${amount(target, target.limit)}`,
      worst ? amount(target, worst.value) : '-',
      met === undefined ? note : met ? 'pass' : 'MISS',
      met === false ? list(target, missed) : '',
    ]),
  };
}

export function aboutLines({
  machine: m,
  load,
  host,
  v8,
  commit,
  rustc,
  date,
  engines,
  settings,
  seconds,
}: BenchRecord): string[] {
  const versions = engines.flatMap((e) => e.versions).filter((v, i, all) => all.indexOf(v) === i);
  const flags = engines.filter((e) => e.flags.length > 0).map((e) => `${e.name}: ${e.flags.join(' ')}`);
  return [
    `${m.cpu}, ${m.cores} cores, caches ${m.caches}, ${m.memory}, ${m.system}`,
    `${host}${v8 ? `, V8 ${v8}` : ''}; ${versions.join(', ')}; ${rustc}; commit ${commit}; ${date}`,
    `one thread; ${settings.rounds} rounds of ${settings.turn} ms an engine, engines taking turns${settings.quick ? ' (--quick)' : ''}; ${(seconds / 60).toFixed(1)} minutes; load ${load.map((l) => l.toFixed(1)).join(' before, ')} after (1 is the benchmark alone)`,
    ...(flags.length > 0 ? [`flags: ${flags.join('; ')}`] : []),
  ];
}
