/**
 * Silero VAD (version 5 and later, its `silero_vad.onnx`), window by window, beside ONNX Runtime Web.
 *
 *     node bench/vad.ts silero_vad.onnx [--windows 1000]      (Node 24; `npm run build` and `npm ci` in bench before)
 *
 * Each window is 512 samples and the 64 before them, of noise and tones; states go from one to the next, copies included. Engines take turns
 * window by window, one thread each. Every probability and state of ours is that of ONNX Runtime, within 1e-4 (of values above 1 in proportion: cell states
 * reach 20), or nothing is reported.
 */
import * as ort from 'onnxruntime-web';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { loadModel, type Tensor } from '../dist/index.js';
import { commit, machine } from './machine.ts';

const { values, positionals } = parseArgs({
  options: { windows: { type: 'string', default: '1000' } },
  allowPositionals: true,
});
const [file] = positionals;
if (file === undefined) throw new Error('usage: node bench/vad.ts silero_vad.onnx');
const [WINDOW, CONTEXT, UNITS, RATE, TOLERANCE] = [512, 64, 128, 16000, 1e-4];
const count = Number(values.windows);

ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(readFileSync(file), { executionProviders: ['wasm'] });
const initializers = { sr: { data: [RATE], shape: [] } };
const model = await loadModel(file, {
  onnx: { initializers, inputShapes: { input: ['batch', CONTEXT + WINDOW] } },
});

let seed = 1;
const noise = () => ((seed = (seed * 48271) % 0x7fffffff) / 0x7fffffff) * 2 - 1;
const samples = Float32Array.from({ length: CONTEXT + WINDOW * count }, (_, i) => {
  const loud = Math.max(Math.sin((2 * Math.PI * i) / (3 * RATE)), 0);
  return loud * (0.3 * Math.sin((2 * Math.PI * i * (150 + 80 * loud)) / RATE) + 0.1 * noise());
});

const rate = new ort.Tensor('int64', BigInt64Array.of(BigInt(RATE)), []);
let state = new ort.Tensor('float32', new Float32Array(2 * UNITS), [2, 1, UNITS]);
const zeros = (): Tensor => ({ data: new Float32Array(UNITS), shape: [1, UNITS] });
let [h, c] = [zeros(), zeros()];
const times: Record<'theirs' | 'ours', number[]> = { theirs: [], ours: [] };
let worst = 0;
for (let n = 0; n < count; n++) {
  const x = samples.subarray(n * WINDOW, n * WINDOW + CONTEXT + WINDOW);
  let start = performance.now();
  const input = new ort.Tensor('float32', x.slice(), [1, x.length]);
  const theirs = await session.run({ input, state, sr: rate });
  times.theirs.push(performance.now() - start);
  state = theirs['stateN'] as typeof state;
  start = performance.now();
  const { outputs } = model.run({ input: { data: x, shape: [1, x.length, 1] }, 'state.0': h, 'state.1': c });
  times.ours.push(performance.now() - start);
  [h, c] = [outputs['stateN.0']!, outputs['stateN.1']!];
  const ours = [...outputs['output']!.data, ...h.data, ...c.data];
  const want = [...(theirs['output']!.data as Float32Array), ...state.data];
  for (const [i, value] of ours.entries())
    worst = Math.max(worst, Math.abs(value - want[i]!) / Math.max(1, Math.abs(want[i]!)));
}
if (!(worst < TOLERANCE)) throw new Error(`an output is ${worst} from ONNX Runtime's`);

const warm = Math.min(100, Math.floor(count / 4));
const sorted = (list: number[]) => list.slice(warm).sort((a, b) => a - b);
const [theirs, ours] = [sorted(times.theirs), sorted(times.ours)];
const at = (list: number[], part: number) => (1000 * list[Math.floor(part * (list.length - 1))]!).toFixed(0);
console.log(`# Silero VAD

${machine().cpu}, ${new Date().toISOString().slice(0, 10)}, ${commit()}. \`node bench/vad.ts\`: ${count} windows of ${WINDOW} samples (${(WINDOW / RATE) * 1000} ms of sound), in turns; largest difference of a
probability or state ${worst.toExponential(1)}.

| us a window | least | median | p99 |
| --- | --- | --- | --- |
| gru-wasm, ${model.backend} | ${at(ours, 0)} | ${at(ours, 0.5)} | ${at(ours, 0.99)} |
| ONNX Runtime Web ${ort.env.versions.common} | ${at(theirs, 0)} | ${at(theirs, 0.5)} | ${at(theirs, 0.99)} |

${(theirs[theirs.length >> 1]! / ours[ours.length >> 1]!).toFixed(1)} times as fast, by the medians.`);
