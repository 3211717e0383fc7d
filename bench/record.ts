import { mean, medianSorted, quantileSorted } from 'simple-statistics';
import { readFileSync } from 'node:fs';
import type { Case } from './cases.ts';
import type { SizeResult } from './size.ts';

/** What a run leaves behind: everything that its tables, charts and verdicts are made of. */
export interface BenchRecord {
  date: string;
  commit: string;
  machine: Machine;
  host: string;
  slug: string;
  v8: string;
  rustc: string;
  settings: Settings;
  engines: { name: string; versions: string[]; flags: string[] }[];
  cases: CaseResult[];
  sizes: SizeResult[];
  seconds: number;
  /** Processes that wanted to run, averaged over a minute, before and after: others' work shows in the times. */
  load: [before: number, after: number];
}

export interface Machine {
  cpu: string;
  cores: number;
  caches: string;
  memory: string;
  system: string;
}

export interface Settings {
  quick: boolean;
  /** Times that each engine has its turn. */
  rounds: number;
  /** Milliseconds of a turn. */
  turn: number;
  warmUp: number;
  /** Seconds that one engine may take with one case; it then has fewer rounds, but at least `leastRounds`. */
  budget: number;
  leastRounds: number;
  coldStarts: number;
  /** With `--quick`: engines that need more milliseconds a call are left out. */
  slowest: number;
}

export interface CaseResult {
  case: Case;
  flops: number;
  engines: EngineResult[];
}

export interface EngineResult {
  engine: string;
  status: 'ok' | 'failed' | 'left out';
  /** Why it was not timed. */
  why?: string;
  /** Largest distance from the float64 reference. */
  error?: number;
  /** Microseconds a call: the median of each turn. */
  rounds: number[];
  firstCall?: number;
}

export interface Spread {
  median: number;
  q1: number;
  q3: number;
  min: number;
  max: number;
}

export function spread(values: number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const q = (p: number) => quantileSorted(sorted, p);
  return { median: medianSorted(sorted), q1: q(0.25), q3: q(0.75), min: sorted[0]!, max: sorted.at(-1)! };
}

export const geometricMean = (values: number[]) => Math.exp(mean(values.map(Math.log)));

export function resultOf(record: BenchRecord, caseName: string, engine: string): EngineResult | undefined {
  const results = record.cases.find((c) => c.case.name === caseName)?.engines;
  return results?.find((e) => e.engine === engine && e.status === 'ok' && e.rounds.length > 0);
}

/** How many times as long `b` takes as `a`: the median over the rounds in which both had their turn. */
export function ratioOf(a: EngineResult | undefined, b: EngineResult | undefined): number | undefined {
  if (!a || !b) return undefined;
  const rounds = Math.min(a.rounds.length, b.rounds.length);
  return spread(Array.from({ length: rounds }, (_, i) => b.rounds[i]! / a.rounds[i]!))?.median;
}

export const ratio = (record: BenchRecord, caseName: string, engine: string, other: string) =>
  ratioOf(resultOf(record, caseName, engine), resultOf(record, caseName, other));

export const readRecord = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as BenchRecord;
