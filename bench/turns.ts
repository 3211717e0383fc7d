/**
 * Two builds of this library in turns: what a change costs or gains, row by row.
 *
 *     node bench/turns.ts BEFORE AFTER [--processes 3] [--rounds 40] [--milliseconds 8] [--case PATTERN]... [--backend wasm|js] [--precision i16|i8]
 *
 * BEFORE and AFTER are folders that hold a `dist`. Both must give the same bits. Each process has both builds; in each round
 * they run in the order before, after, after, before. A row's ratio is time after / time before: the median over the
 * rounds, then over the processes, because where large arrays come to lie changes from one process to the next.
 */
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type * as GruWasm from '../ts/index.ts';
import { type Case, CASES } from './cases.ts';
import type { Runner } from './engine.ts';
import { gruWasm, quantized } from './engines/gru-wasm.ts';
import { commit, machine } from './machine.ts';
import { makeTask } from './task.ts';

const { values, positionals } = parseArgs({
  options: {
    processes: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '40' },
    milliseconds: { type: 'string', default: '8' },
    case: { type: 'string', multiple: true, default: ['^(grid|step|layers|odd)/'] },
    backend: { type: 'string', default: 'wasm' },
    precision: { type: 'string' },
    child: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const [processes, rounds, milliseconds] = [+values.processes, +values.rounds, +values.milliseconds];
const cases = CASES.filter(
  ({ name, kind }) => ['run', 'step'].includes(kind) && values.case.some((pattern) => new RegExp(pattern).test(name)),
);

const median = (list: number[]) => [...list].sort((a, b) => a - b)[list.length >> 1]!;

/** Milliseconds a call. */
function time(runner: Runner, x: Float32Array, calls: number): number {
  const start = performance.now();
  for (let i = 0; i < calls; i++) void runner.run(x);
  return (performance.now() - start) / calls;
}

/** A build of ours, and its folder. */
interface Build {
  folder: string;
  library: typeof GruWasm;
}

async function measure(c: Case, builds: Build[]): Promise<number> {
  const task = makeTask(c);
  const backend = values.backend === 'js' ? 'js' : 'wasm-relaxed';
  const runners: Runner[] = [];
  for (const { folder, library } of builds) {
    const load = () => Promise.resolve(library);
    const { precision } = values;
    const engine =
      precision === 'i16' || precision === 'i8' ? quantized(precision, load) : gruWasm(backend, backend, load);
    await engine.load();
    try {
      runners.push(await engine.prepare(task));
    } catch (error) {
      throw new Error(`${c.name}: the build in ${folder} runs no such ${c.cell}`, { cause: error });
    }
  }
  const x = c.kind === 'step' ? task.x.subarray(0, c.inputSize) : task.x;
  const outputs = await Promise.all(runners.map(async (runner) => Buffer.from((await runner.run(x)).slice().buffer)));
  if (!outputs[0]!.equals(outputs[1]!)) throw new Error(`${c.name}: the builds give different bits`);

  const [before, after] = runners as [Runner, Runner];
  for (const runner of runners) {
    const end = performance.now() + 150;
    while (performance.now() < end) await runner.run(x);
  }
  const calls = Math.max(1, Math.round(milliseconds / time(before, x, 3)));
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const [a, b, d, e] = [before, after, after, before].map((runner) => time(runner, x, calls)) as [
      number,
      number,
      number,
      number,
    ];
    ratios.push((b + d) / (a + e));
  }
  for (const runner of runners) runner.free?.();
  return median(ratios);
}

if (values.child) {
  const builds = await Promise.all(
    positionals.map(async (folder): Promise<Build> => {
      const library = (await import(pathToFileURL(resolve(folder, 'dist', 'index.js')).href)) as typeof GruWasm;
      return { folder, library };
    }),
  );
  for (const c of cases) console.log(JSON.stringify([c.name, await measure(c, builds)]));
} else {
  if (positionals.length !== 2) throw new Error('two folders are needed: before and after');
  const ratios = new Map<string, number[]>(cases.map(({ name }) => [name, []]));
  for (let i = 0; i < processes; i++) {
    const args = ['--disable-warning=ExperimentalWarning', fileURLToPath(import.meta.url), ...process.argv.slice(2)];
    const lines = execFileSync(process.execPath, [...args, '--child'], { encoding: 'utf8' })
      .trim()
      .split('\n');
    for (const line of lines) {
      const [name, ratio] = JSON.parse(line) as [string, number];
      ratios.get(name)!.push(ratio);
    }
  }
  const { cpu } = machine();
  console.log(
    `${cpu}; Node ${process.version}; ${values.precision ?? values.backend}; ${commit()}; ${new Date().toISOString().slice(0, 10)}`,
  );
  console.log(`time after / time before; ${processes} processes, ${rounds} rounds of 4 x ${milliseconds} ms\n`);
  console.log('| row | median | each process |\n|---|---|---|');
  for (const [name, list] of ratios) {
    console.log(`| ${name} | ${median(list).toFixed(3)} | ${list.map((ratio) => ratio.toFixed(3)).join(', ')} |`);
  }
  const all = [...ratios.values()].map(median);
  const mean = Math.exp(all.reduce((sum, ratio) => sum + Math.log(ratio), 0) / all.length);
  console.log(`\ngeometric mean ${mean.toFixed(4)}, worst ${Math.max(...all).toFixed(3)}`);
}
