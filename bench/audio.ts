/**
 * How long a quantum of 128 samples takes the model of examples/audio, in Node and in browsers; writes bench/records/audio.md.
 *
 *     npm run build && node bench/audio.ts        (Node 24: bench/node24 has one)
 *
 * On a busy machine `chrt -f 10` before it gives real-time priority, as systems give their audio threads.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { loadModel } from '../dist/index.js';
import { compileForWorklet, createModelSync } from '../dist/worklet.js';
import { Visit } from '../tests/browser/harness.ts';
import { timeQuanta } from '../tests/browser/quanta.ts';
import { machine } from './machine.ts';

const QUANTA = 20_000;
const BUDGET = (128 / 48_000) * 1000;
const MODEL = 'examples/audio/amp.safetensors';
const root = new URL('../', import.meta.url);

interface Row {
  host: string;
  backend: string;
  times: number[];
  rendered?: number;
}

const rows: Row[] = [];
for (const deterministic of [false, true]) {
  const model = await loadModel(new URL(MODEL, root), { deterministic });
  const core = await compileForWorklet({ deterministic });
  const times = timeQuanta(() => createModelSync(core, model.spec), QUANTA);
  rows.push({ host: `Node ${process.versions.node}`, backend: model.backend, times });
}
for (const name of ['chromium', 'firefox'] as const) {
  const visit = await Visit.start(name);
  try {
    for (const deterministic of [false, true]) {
      const row = await visit.call<Omit<Row, 'host'>>('quanta', `/${MODEL}`, deterministic, QUANTA);
      rows.push({ host: await visit.version(), ...row });
    }
  } finally {
    await visit.stop();
  }
}

const { cpu, cores, system } = machine();
const micro = (ms: number) => (ms * 1000).toFixed(0);
const table = rows.map(({ host, backend, times, rendered }) => {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  const judged = at(0.999) < BUDGET / 4 ? 'met' : 'missed';
  const cells = [at(0.5), at(0.99), at(0.999), at(1)].map(micro);
  return `| ${[host, backend, ...cells, rendered === undefined ? '' : micro(rendered), judged].join(' | ')} |`;
});
const text = `# A quantum of audio

examples/audio: GRU of 16 hidden units and a dense layer, one sample a step, the 128 samples of a quantum a block, ${QUANTA} quanta after 2000
to warm up, in a thread with a clock (worklets have none); the last figure is the mean quantum of a real AudioWorkletProcessor
in an OfflineAudioContext, everything around it included. Microseconds. A quantum at 48 kHz lasts ${micro(BUDGET)}; the
target is p99.9 below a quarter of it, ${micro(BUDGET / 4)}. Maxima are other processes' turns.

${new Date().toISOString().slice(0, 10)}, ${cpu}, ${cores} cores, ${system}.
Made by \`node bench/audio.ts\` (Node 24), load average ${loadavg()[0]!.toFixed(1)}. On a busy machine the priority decides: under a load
of 9, p99.9 was 55 to 200 at real-time priority (\`chrt -f 10\`), as systems run audio threads, and up to 8000 at normal priority.

| host | build | p50 | p99 | p99.9 | max | in an OfflineAudioContext | target |
| --- | --- | --: | --: | --: | --: | --: | --- |
${table.join('\n')}
`;
mkdirSync(new URL('bench/records/', root), { recursive: true });
writeFileSync(new URL('bench/records/audio.md', root), text);
console.log(text);
