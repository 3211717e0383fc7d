import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { createGru } from 'gru-wasm';
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

/** Makes sequences of random ids to score, and a model (untrained: what it says means nothing) to score them with. */

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    sequences: { type: 'string', default: 'sequences.ndjson' },
    model: { type: 'string', default: 'model.safetensors' },
  },
});

const SIZE = 8;
const HIDDEN = 32;

/** The same numbers each time. */
let state = 1;
const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
const weights = (length) => Float32Array.from({ length }, () => random() - 0.5);

const gru = await createGru(
  { inputSize: SIZE, hiddenSize: HIDDEN, resetAfter: true },
  { kernel: weights(SIZE * 3 * HIDDEN), recurrentKernel: weights(HIDDEN * 3 * HIDDEN) },
);
await writeFile(values.model, gru.save());

const file = createWriteStream(values.sequences);
for (let id = 0; id < Number(values.rows); id++) {
  // Lengths are log-uniform in 1 to 30: most sequences are short, and the batches ragged.
  const steps = Math.floor(Math.exp(random() * Math.log(31)));
  const x = Array.from({ length: steps }, () => Array.from({ length: SIZE }, () => Math.round(random() * 100) / 100));
  if (!file.write(`${JSON.stringify({ id, x })}\n`)) await once(file, 'drain');
}
file.end();
await once(file, 'close');
