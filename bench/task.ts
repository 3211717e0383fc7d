import { hasCells, layerSizes, sumsOf, type Case } from './cases.ts';
import type { Task, Weights } from './engine.ts';

/** Reproducible numbers in [-scale, scale): mulberry32. */
function floats(length: number, scale: number, seed: number): Float32Array {
  let state = Math.imul(seed, 0x9e3779b9);
  return Float32Array.from({ length }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1) * scale;
  });
}

/** Weights uniform in +-1/sqrt(H), as PyTorch starts them; inputs in +-1. The same in every process. */
export function makeTask(c: Case): Task {
  const { inputSize, hiddenSize: H, steps, batch, resetAfter, h0 } = c;
  const scale = 1 / Math.sqrt(H);
  let seed = 1;
  const layers = layerSizes(c).map(({ inputs, directions }) =>
    Array.from({ length: directions }, (): Weights => {
      const [sums, of] = sumsOf(c, inputs);
      return {
        input: floats(sums * of, scale, seed++),
        recurrent: floats(hasCells(c) ? sums * H : 0, scale, seed++),
        bias: floats(sums, scale, seed++),
        recurrentBias: resetAfter && hasCells(c) ? floats(H, scale, seed++) : undefined,
      };
    }),
  );
  return {
    case: c,
    layers,
    x: floats(batch * steps * inputSize, 1, seed),
    h0: h0 === undefined ? undefined : new Float32Array(batch * H).fill(h0),
  };
}

/** (rows, columns, size) to (columns, rows, size): between batch-major and time-major. */
export function swapRows(data: Float32Array, rows: number, columns: number): Float32Array {
  if (rows === 1 || columns === 1) return data;
  const size = data.length / rows / columns;
  const swapped = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const from = (r * columns + c) * size;
      swapped.set(data.subarray(from, from + size), (c * rows + r) * size);
    }
  }
  return swapped;
}

/** (batch, rows, columns) to (batch, columns, rows). */
export function swapEach(data: Float32Array, batch: number, rows: number): Float32Array {
  const size = data.length / batch;
  const swapped = new Float32Array(data.length);
  for (let b = 0; b < batch; b++) {
    swapped.set(swapRows(data.subarray(b * size, (b + 1) * size), rows, size / rows), b * size);
  }
  return swapped;
}
