/**
 * Two workers of a pool against two single-threaded processes side by side, in turns; copies included. After `npm run setup`:
 *
 *     node bench/pool.mjs [--rounds 15] [--seconds 1.5] [--size 256] [--steps 50] [--batch 32]
 *                          [--cases alone,split,two,three,four] [--backend wasm|js]
 */
import { fork } from 'node:child_process';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { createGru } from '../dist/index.js';
import { createPool } from '../dist/pool.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    seconds: { type: 'string', default: '1.5' },
    size: { type: 'string', default: '256' },
    steps: { type: 'string', default: '50' },
    batch: { type: 'string', default: '32' },
    cases: { type: 'string', default: 'alone,split,two,three,four' },
    backend: { type: 'string', default: 'wasm' },
    child: { type: 'boolean', default: false },
  },
});
const [rounds, seconds, size, steps, batch] = ['rounds', 'seconds', 'size', 'steps', 'batch'].map((k) => +values[k]);

const weights = (length) => Float32Array.from({ length }, (_, i) => Math.sin(i * 1.7) / Math.sqrt(size));
const model = await createGru(
  { inputSize: size, hiddenSize: size, resetAfter: true },
  { kernel: weights(size * 3 * size), recurrentKernel: weights(size * 3 * size) },
  { backend: values.backend },
);
const input = { data: weights(batch * steps * size), shape: [batch, steps, size] };

/** Runs a second, on one thread, whenever the parent says so. */
if (values.child) {
  for (let i = 0; i < (values.backend === 'js' ? 3 : 20); i++) model.run(input);
  process.on('message', () => {
    measure((end) => {
      let runs = 0;
      for (; performance.now() < end; runs++) model.run(input);
      return runs;
    }).then((result) => process.send(result));
  });
  process.send('ready');
} else {
  await main();
}

/** Runs a millisecond, and milliseconds of processor time a run: all threads of this process. */
async function measure(work) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const runs = await work(start + seconds * 1000);
  const wall = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { rate: runs / wall, cpu: (user + system) / 1000 / runs };
}

async function main() {
  const pool = await createPool(model, { workers: 2 });
  const expected = model.run(input);
  const got = await pool.run(input);
  if (got.output.data.some((v, i) => !Object.is(v, expected.output.data[i]))) throw new Error('results differ');

  const children = [0, 1].map(() =>
    fork(import.meta.filename ?? process.argv[1], [...process.argv.slice(2), '--child']),
  );
  const reply = (child) => new Promise((resolve) => child.once('message', resolve));
  await Promise.all(children.map(reply));

  const processes = async () => {
    const [a, b] = await Promise.all(
      children.map((child) => {
        child.send('go');
        return reply(child);
      }),
    );
    return { rate: a.rate + b.rate, cpu: (a.cpu + b.cpu) / 2 };
  };
  const alone = async () => {
    children[0].send('go');
    return reply(children[0]);
  };
  /** `ahead` calls on their way at a time. */
  const pooled = (ahead) =>
    measure(async (end) => {
      let runs = 0;
      const caller = async () => {
        for (; performance.now() < end; runs++) await pool.run(input);
      };
      await Promise.all(Array.from({ length: ahead }, caller));
      return runs;
    });

  const all = { alone, split: () => pooled(1), two: () => pooled(2), three: () => pooled(3), four: () => pooled(4) };
  const unknown = values.cases.split(',').filter((name) => !Object.hasOwn(all, name));
  if (unknown.length > 0) throw new Error(`no case ${unknown.join(', ')}; there is ${Object.keys(all).join(', ')}`);
  const cases = Object.fromEntries(values.cases.split(',').map((name) => [name, all[name]]));
  const ratios = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
  const cpu = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
  const base = [];
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(cases)) {
      // Between two measurements of the processes, so that a load that comes or goes cancels out.
      const before = await processes();
      const now = await run();
      const after = await processes();
      base.push(before.rate, after.rate);
      ratios[name].push((2 * now.rate) / (before.rate + after.rate));
      cpu[name].push((before.cpu + after.cpu) / 2 / now.cpu);
    }
  }
  for (const child of children) child.disconnect();
  await pool.close();

  const quantile = (list, q) => [...list].sort((a, b) => a - b)[Math.round(q * (list.length - 1))];
  console.log(`${cpus()[0].model}, ${cpus().length} CPUs; Node ${process.version}; ${model.backend}`);
  console.log(`I=H=${size}, T=${steps}, B=${batch}; ${rounds} rounds of ${seconds} s`);
  console.log(
    `two processes: median ${(quantile(base, 0.5) * 1000).toFixed(1)} runs/s, best ${(quantile(base, 1) * 1000).toFixed(1)}`,
  );
  console.log(
    '| case | rate: median | quartiles | best | processor time: median | quartiles |\n|---|---|---|---|---|---|',
  );
  for (const [name, list] of Object.entries(ratios)) {
    const [low, middle, high, best] = [0.25, 0.5, 0.75, 1].map((q) => quantile(list, q).toFixed(3));
    const [cpuLow, cpuMiddle, cpuHigh] = [0.25, 0.5, 0.75].map((q) => quantile(cpu[name], q).toFixed(3));
    console.log(`| ${name} | ${middle} | ${low} - ${high} | ${best} | ${cpuMiddle} | ${cpuLow} - ${cpuHigh} |`);
  }
}
