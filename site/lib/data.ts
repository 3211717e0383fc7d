import type { GruModel, InputInfo, TensorLike } from 'gru-wasm';

/** Ways to fill an input with numbers. */
export const SIGNALS = {
  noise: 'random numbers, always the same',
  sine: 'sine waves, one frequency a feature',
  pulse: '1 at the first step, then 0',
} as const;
export type Signal = keyof typeof SIGNALS;

/** Numbers in -1 .. 1 that are the same at each visit (Park and Miller's generator). */
export function* noise(seed = 1): Generator<number, never> {
  for (let state = seed; ;) {
    state = (state * 48271) % 2147483647;
    yield (2 * state) / 2147483647 - 1;
  }
}

/** One sequence for an input of a model. */
export function generate({ shape, dtype, vocabularySize = 2 }: InputInfo, signal: Signal, steps: number): TensorLike {
  const size = dtype === 'int32' ? 1 : shape.reduce<number>((n, d) => (typeof d === 'number' ? n * d : n), 1);
  const rows = shape.includes('steps') ? steps : 1;
  const numbers = noise();
  const value = (t: number, i: number): number =>
    signal === 'noise' ? numbers.next().value : signal === 'sine' ? Math.sin((t * (i + 1)) / 8) : t === 0 ? 1 : 0;
  const values = Array.from({ length: rows * size }, (_, k) => value(Math.floor(k / size), k % size));
  const dims = shape.slice(1).map((d) => (d === 'steps' ? rows : (d as number)));
  if (dtype === 'int32') {
    const id = (v: number) => Math.min(vocabularySize - 1, Math.floor(((v + 1) / 2) * vocabularySize));
    return { data: Int32Array.from(values, id), shape: dims };
  }
  return { data: Float32Array.from(values), shape: dims };
}

/** Rows of numbers, separated by commas, semicolons, tabs or blanks; a first line without numbers is a header. */
export function parseRows(text: string): number[][] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const cells = lines.map((line) => line.trim().split(/[\s,;]+/));
  if (cells[0]?.every((cell) => Number.isNaN(Number(cell)))) cells.shift();
  const rows = cells.map((row) => row.map(Number));
  rows.forEach((row, i) => {
    const bad = row.findIndex(Number.isNaN);
    if (bad >= 0) throw new Error(`row ${i + 1} of the data: '${cells[i]![bad]}' is not a number`);
  });
  return rows;
}

/** A tensor for an input from rows, one a step. */
export function fromRows({ name, shape, dtype }: InputInfo, rows: number[][]): TensorLike {
  const values = rows.flat();
  if (dtype === 'int32')
    return { data: Int32Array.from(values), shape: shape.includes('steps') ? [values.length] : [] };
  const size = shape.at(-1) as number;
  const wrong = rows.findIndex((row) => row.length !== size);
  if (wrong >= 0)
    throw new Error(
      `row ${wrong + 1} of the data has ${rows[wrong]!.length} numbers; input '${name}' takes ${size} a step`,
    );
  return { data: Float32Array.from(values), shape: shape.includes('steps') ? [rows.length, size] : [size] };
}

/** The first columns of an output, for a plot. */
export function columns(model: GruModel, name: string, data: ArrayLike<number>, most = 6): Record<string, number[]> {
  const { shape, dtype } = model.outputs.find((output) => output.name === name)!;
  const size = dtype === 'int32' ? 1 : (shape.at(-1) as number);
  const count = Math.min(size, most);
  const rows = data.length / size;
  // A vector is drawn along its features.
  if (!shape.includes('steps')) return { [name]: Array.from(data) };
  return Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      `${name}[${i}]`,
      Array.from({ length: rows }, (__, t) => data[t * size + i]!),
    ]),
  );
}

/** The wiring that an error of a PyTorch reader suggests, as JSON. */
export function suggestedLayers(message: string): string | undefined {
  const list = /layers: (\[.*?\])\s*\}\s*\}/s.exec(message)?.[1];
  return list?.replace(/(\w+):/g, '"$1":').replaceAll("'", '"');
}
