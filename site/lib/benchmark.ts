import { GruError } from 'gru-wasm';
import { noise } from './data.ts';
import type { Engine, Runner, Task } from './engines.ts';

/** Hidden units, inputs, steps of a sequence, sequences. */
export const CASES = [
  { hiddenSize: 16, inputSize: 1, steps: 128, batch: 1 },
  { hiddenSize: 64, inputSize: 64, steps: 25, batch: 1 },
  { hiddenSize: 256, inputSize: 64, steps: 25, batch: 1 },
  { hiddenSize: 256, inputSize: 64, steps: 25, batch: 8 },
] as const;
type Size = Pick<Task, 'hiddenSize' | 'inputSize' | 'steps' | 'batch'>;

export interface Row {
  size: Size;
  /** Microseconds a step of one sequence, the median of the rounds, by engine; or why it does not run this. */
  micros: Record<string, number | string>;
  /** The largest difference of an output from the last engine's, of all engines that compute in float32. */
  difference: number;
  /** The same of each engine. */
  differences: Record<string, number>;
}

const TOLERANCE = 1e-4;
const ROUNDS = 7;
const ROUND_MS = 40;

function fill(length: number, scale: number, seed: number): Float32Array {
  const numbers = noise(seed);
  return Float32Array.from({ length }, () => numbers.next().value * scale);
}

/** A GRU of a size, with weights and input that are the same at each visit. */
export function taskOf(size: Size, resetAfter: boolean): Task {
  const { hiddenSize, inputSize, steps, batch } = size;
  const scale = 1 / Math.sqrt(hiddenSize);
  return {
    ...size,
    resetAfter,
    kernel: fill(inputSize * 3 * hiddenSize, scale, 1),
    recurrentKernel: fill(hiddenSize * 3 * hiddenSize, scale, 2),
    bias: fill((resetAfter ? 6 : 3) * hiddenSize, scale, 3),
    data: fill(batch * steps * inputSize, 1, 4),
  };
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** Lets the page draw, and answer. */
const breath = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** Where a value of (batch, steps, hiddenSize) lies in what an engine gives. */
function place({ layout }: Runner, { batch, steps, hiddenSize }: Task, k: number): number {
  if (layout === 'batch-major') return k;
  const [b, t] = [Math.floor(k / (steps * hiddenSize)), Math.floor(k / hiddenSize) % steps];
  return (t * batch + b) * hiddenSize + (k % hiddenSize);
}

/**
 * Runs one case on each engine in turns, once their outputs are found to agree with the last one's.
 * @throws Error where they do not.
 */
export async function measure(size: Size, resetAfter: boolean, engines: Engine[], signal: AbortSignal): Promise<Row> {
  const task = taskOf(size, resetAfter);
  const refusals = engines.flatMap(({ name, refuses }) => {
    const reason = refuses?.(task);
    return reason === undefined ? [] : [[name, reason] as const];
  });
  const micros: Row['micros'] = Object.fromEntries(refusals);
  const runners: [string, Runner][] = [];
  try {
    for (const { name, prepare } of engines) {
      if (name in micros) continue;
      try {
        runners.push([name, await prepare(task)]);
      } catch (error) {
        // A browser without wasm has the JavaScript backend to measure.
        if (!(error instanceof GruError && error.code === 'backend_unavailable')) throw error;
        micros[name] = error.message;
      }
    }
    const [, last] = runners.at(-1)!;
    const reference = Float32Array.from(await last.run());
    const differences: Row['differences'] = {};
    const tolerances = new Map(engines.map(({ name, tolerance }) => [name, tolerance]));
    for (const [name, runner] of runners) {
      const output = await runner.run();
      const apart = reference.reduce(
        (most, value, k) => Math.max(most, Math.abs(value - output[place(runner, task, k)]!)),
        output.length === reference.length ? 0 : NaN,
      );
      if (!(apart <= (tolerances.get(name) ?? TOLERANCE)))
        throw new Error(`the output of ${name} is ${apart} away from ${runners.at(-1)![0]}'s: nothing was timed`);
      differences[name] = apart;
    }
    const float32 = Object.entries(differences).filter(([name]) => tolerances.get(name) === undefined);
    const difference = Math.max(...float32.map(([, apart]) => apart));
    const times = new Map(runners.map(([name]) => [name, [] as number[]]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, { run }] of runners) {
        signal.throwIfAborted();
        await breath();
        const start = performance.now();
        let count = 0;
        do {
          const result = run();
          if (result instanceof Promise) await result;
          count++;
        } while (performance.now() - start < ROUND_MS);
        times.get(name)!.push((1000 * (performance.now() - start)) / (count * size.steps * size.batch));
      }
    }
    for (const [name, list] of times) micros[name] = median(list);
    return { size, difference, differences, micros };
  } finally {
    for (const [, { free }] of runners) free();
  }
}
