import { SingleBar } from 'cli-progress';
import { loadModel } from 'gru-wasm';
import { createPool } from 'gru-wasm/pool';
import { stat } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { ResumableOutput } from './output.mjs';
import { readBatches } from './rows.mjs';

/** Scores each row of an NDJSON file; killed and started again, it goes on where it was. See README.md. */

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'model.safetensors' },
    input: { type: 'string', default: 'sequences.ndjson' },
    output: { type: 'string', default: 'scores.ndjson' },
    workers: { type: 'string' },
    batch: { type: 'string', default: '2048' },
    every: { type: 'string', default: '1000' },
  },
});

/** A whole number from `least` on, in digits. */
function whole(name, least) {
  const text = values[name];
  if (/^\d{1,15}$/.test(text) && Number(text) >= least) return Number(text);
  throw new Error(`--${name} must be a whole number from ${least}, got '${text}'`);
}

const [batch, every] = [whole('batch', 1), whole('every', 0)];
const { size: inputSize } = await stat(values.input);
const output = await ResumableOutput.open(values.output, inputSize);
const model = await loadModel(values.model);
const pool = await createPool(model, {
  ...(values.workers !== undefined && { workers: whole('workers', 1) }),
  maxQueue: 2,
});

const bar = new SingleBar({
  format: '{bar} {percentage}% | {rows} rows | {speed} rows/s | {eta_formatted} left',
  noTTYOutput: !process.stderr.isTTY,
  notTTYSchedule: 5000,
});
const start = performance.now();
const rowsBefore = output.rows;
const progress = () => ({
  rows: output.rows,
  speed: Math.round(((output.rows - rowsBefore) / (performance.now() - start)) * 1000),
});
bar.start(inputSize, output.inputOffset, progress());

/** One number a row: the mean of the last hidden state. */
async function score(rows) {
  const sequences = rows.map(({ x }) => Float32Array.from(x.flat()));
  const [{ data, shape }] = Object.values((await pool.run(sequences)).states);
  const hiddenSize = shape[2];
  return rows
    .map(({ id }, i) => {
      const sum = data.subarray(i * hiddenSize, (i + 1) * hiddenSize).reduce((total, h) => total + h, 0);
      return `${JSON.stringify({ id, score: sum / hiddenSize })}\n`;
    })
    .join('');
}

// Batches on their way, in the order of the input: as many as the workers hold and the queue, so memory stays the same
// however long the file is.
const onTheirWay = [];
let lastCheckpoint = performance.now();

async function writeOldest() {
  const { text, rows, end } = onTheirWay.shift();
  await output.append(await text, rows, end);
  bar.update(end, progress());
  if (performance.now() - lastCheckpoint < every) return;
  await output.checkpoint(inputSize);
  lastCheckpoint = performance.now();
}

for await (const { rows, end } of readBatches(values.input, output.inputOffset, batch)) {
  await pool.ready;
  const text = score(rows);
  // Looked at when its turn comes.
  text.catch(() => undefined);
  onTheirWay.push({ text, rows: rows.length, end });
  if (onTheirWay.length > pool.workers + 1) await writeOldest();
}
while (onTheirWay.length > 0) await writeOldest();
await output.checkpoint(inputSize);
bar.stop();
await output.close();
await pool.close();
console.error(`${output.rows} rows in ${values.output}, at ${progress().speed} rows/s`);
