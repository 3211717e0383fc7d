import { createGru, type GruModel, type ModelOptions } from 'gru-wasm';
import { noise } from './data.ts';

/** Hidden units, inputs, steps of a sequence, sequences. */
export const CASES = [
  { hiddenSize: 16, inputSize: 1, steps: 128, batch: 1 },
  { hiddenSize: 64, inputSize: 64, steps: 25, batch: 1 },
  { hiddenSize: 256, inputSize: 64, steps: 25, batch: 1 },
  { hiddenSize: 256, inputSize: 64, steps: 25, batch: 8 },
] as const;
type Case = (typeof CASES)[number];

const ENGINES: Record<string, ModelOptions> = {
  wasm: { backend: 'wasm' },
  'wasm, baseline': { backend: 'wasm', deterministic: true },
  JavaScript: { backend: 'js' },
};

export interface Row {
  size: Case;
  /** Microseconds a step of one sequence, the median of the rounds, by engine. */
  micros: Record<string, number>;
  /** The largest difference from JavaScript's output. */
  difference: number;
}

const TOLERANCE = 1e-4;
const ROUNDS = 7;
const ROUND_MS = 40;

function fill(length: number, scale: number, seed: number): Float32Array {
  const numbers = noise(seed);
  return Float32Array.from({ length }, () => numbers.next().value * scale);
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** Lets the page draw, and answer. */
const breath = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** Runs one case on each engine in turns, once their outputs are found to agree. @throws Error where they do not. */
export async function measure(size: Case, signal: AbortSignal): Promise<Row> {
  const { hiddenSize, inputSize, steps, batch } = size;
  const scale = 1 / Math.sqrt(hiddenSize);
  const weights = {
    kernel: fill(inputSize * 3 * hiddenSize, scale, 1),
    recurrentKernel: fill(hiddenSize * 3 * hiddenSize, scale, 2),
    bias: fill(6 * hiddenSize, scale, 3),
  };
  const input = { data: fill(batch * steps * inputSize, 1, 4), shape: [batch, steps, inputSize] };
  const models: [string, GruModel][] = [];
  try {
    for (const [name, options] of Object.entries(ENGINES))
      models.push([name, await createGru({ inputSize, hiddenSize, resetAfter: true }, weights, options)]);
    const reference = models.at(-1)![1].run(input).output.data;
    let difference = 0;
    for (const [name, model] of models) {
      const apart = model
        .run(input)
        .output.data.reduce((most, value, i) => Math.max(most, Math.abs(value - reference[i]!)), 0);
      if (!(apart <= TOLERANCE))
        throw new Error(`the output of ${name} is ${apart} away from JavaScript's: nothing was timed`);
      difference = Math.max(difference, apart);
    }
    const times = new Map(models.map(([name]) => [name, [] as number[]]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, model] of models) {
        signal.throwIfAborted();
        await breath();
        const out = model.run(input);
        const start = performance.now();
        let count = 0;
        do {
          model.run(input, { out });
          count++;
        } while (performance.now() - start < ROUND_MS);
        times.get(name)!.push((1000 * (performance.now() - start)) / (count * steps * batch));
      }
    }
    return { size, difference, micros: Object.fromEntries([...times].map(([name, list]) => [name, median(list)])) };
  } finally {
    for (const [, model] of models) model.dispose();
  }
}

export const engineNames = Object.keys(ENGINES);
