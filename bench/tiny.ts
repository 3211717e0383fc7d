/**
 * Models as audio has them: one input, a GRU or an LSTM of few units, a dense layer of one output, one sample a step.
 *
 *     node bench/tiny.ts [BEFORE] AFTER [--cells after,before,lstm] [--sizes 8,12,16] [--seconds 1]      (Node 24)
 *
 * BEFORE and AFTER are folders that hold a `dist`. Of each: a block of 128 samples by `stream.run` (by `run` with states in builds
 * whose streams take no blocks), and `step`. Calls take turns one by one, and the 2nd percentile of each counts: on a machine that others
 * use too, that is what it takes undisturbed. p99.9 is of the block. Every output is that of the JS backend, within 1e-5.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type * as GruWasm from '../ts/index.ts';
import { commit, machine } from './machine.ts';
import { specOf } from './spec.ts';
import { type Case, caseNamed, GATES } from './cases.ts';
import { makeTask } from './task.ts';

const { values, positionals } = parseArgs({
  options: {
    cells: { type: 'string', default: 'after,before,lstm' },
    sizes: { type: 'string', default: '8,12,16,20,24,32,40,64,80' },
    seconds: { type: 'string', default: '1' },
  },
  allowPositionals: true,
});
if (positionals.length < 1 || positionals.length > 2) throw new Error('usage: node bench/tiny.ts [BEFORE] AFTER');
const SAMPLES = 128;
const STEPS = 32;
const TOLERANCE = 1e-5;

const load = async (folder: string) =>
  (await import(pathToFileURL(resolve(folder, 'dist', 'index.js')).href)) as typeof GruWasm;
const builds = await Promise.all(positionals.map(load));

/** A sample's worth of nanoseconds. */
interface Timed {
  block: number[];
  step: number[];
}

function specFor(cell: string, hiddenSize: number): { spec: GruWasm.ModelSpec; x: Float32Array } {
  const c: Case = { ...caseNamed('grid/after/64,100,1'), inputSize: 1, hiddenSize, steps: SAMPLES };
  const kind = cell === 'lstm' ? { cell: 'lstm' as const, resetAfter: false } : { resetAfter: cell === 'after' };
  const task = makeTask({ ...c, ...kind });
  const { inputs, layers } = specOf(task);
  const kernel = task.layers[0]![0]!.recurrent.slice(0, hiddenSize);
  const dense = { name: 'dense', type: 'dense' as const, inputSize: hiddenSize, outputSize: 1, weights: { kernel } };
  return { spec: { inputs, layers: [...layers, dense] }, x: task.x };
}

/** One block from where the last one ended. */
function blocks(model: GruWasm.GruModel, x: Float32Array): (out: Float32Array) => void {
  const stream = model.createStream();
  if ('run' in stream) return (out) => void stream.run(x, out);
  let states: GruWasm.RunResult['states'] | undefined;
  return (out) => {
    const result = model.run(x, states ? { initialStates: states } : {});
    states = result.states;
    out.set(result.output.data);
  };
}

async function check(library: typeof GruWasm, spec: GruWasm.ModelSpec, x: Float32Array, got: Float32Array) {
  const { output } = (await library.createModel(spec, { backend: 'js' })).run(x);
  const off = got.reduce((most, y, i) => Math.max(most, Math.abs(y - output.data[i]!)), 0);
  if (!(off <= TOLERANCE)) throw new Error(`${off} from the JS backend`);
}

const at = (list: number[], share: number) =>
  list.toSorted((a, b) => a - b)[Math.min(list.length - 1, Math.floor(share * list.length))]!;

async function measure(cell: string, size: number): Promise<Timed[]> {
  const { spec, x } = specFor(cell, size);
  const out = new Float32Array(SAMPLES);
  const [one, y] = [x.slice(0, 1), new Float32Array(1)];
  const calls: (() => void)[] = [];
  for (const [i, library] of builds.entries()) {
    const model = await library.createModel(structuredClone(spec), { backend: 'wasm' });
    const block = blocks(model, x);
    block(out);
    if (i === builds.length - 1) await check(library, spec, x, out);
    const stream = model.createStream();
    calls.push(
      () => {
        block(out);
      },
      () => {
        for (let k = 0; k < STEPS; k++) stream.step(one, y);
      },
    );
  }
  const times = calls.map((): number[] => []);
  for (const call of calls) {
    const end = performance.now() + 200;
    while (performance.now() < end) call();
  }
  await new Promise((done) => setTimeout(done, 20));
  const end = performance.now() + 1000 * +values.seconds * builds.length;
  while (performance.now() < end) {
    calls.forEach((call, i) => {
      const start = performance.now();
      call();
      times[i]!.push(((performance.now() - start) * 1e6) / (i % 2 === 0 ? SAMPLES : STEPS));
    });
  }
  return builds.map((_, b) => ({ block: times[2 * b]!, step: times[2 * b + 1]! }));
}

const { cpu } = machine();
console.log(`${cpu}; Node ${process.version}; ${commit()}; ${new Date().toISOString().slice(0, 10)}`);
console.log(`ns a sample; p99.9 of a block of ${SAMPLES} in us\n`);
const two = builds.length === 2;
const heads = ['units', ...(two ? ['block before', 'step before'] : []), 'block', 'step', 'step over block', 'p99.9'];
console.log(
  `| ${[...heads, ...(two ? ['before / after'] : [])].join(' | ')} |\n|${'---|'.repeat(heads.length + +two)}`,
);
for (const cell of values.cells.split(',')) {
  if (!(cell in { after: 0, before: 0, ...GATES })) throw new Error(`no cell '${cell}'`);
  for (const size of values.sizes.split(',').map(Number)) {
    const results = await measure(cell, size);
    const [before, after] = two ? [results[0], results[1]!] : [undefined, results[0]!];
    const ns = (list: number[]) => at(list, 0.02);
    const [block, step] = [ns(after.block), ns(after.step)];
    const old = before ? [ns(before.block), ns(before.step)] : [];
    const cells = [...old, block, step, step - block].map((time) => time.toFixed(0));
    const slowest = ((at(after.block, 0.999) * SAMPLES) / 1000).toFixed(0);
    const ratio = before ? [(ns(before.block) / block).toFixed(2)] : [];
    console.log(`| ${[`${cell} ${size}`, ...cells, slowest, ...ratio].join(' | ')} |`);
  }
}
