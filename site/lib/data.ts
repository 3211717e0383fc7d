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

/** Whether an input has a row a step. */
export const isSequence = ({ shape }: InputInfo): boolean => shape.includes('steps');

/** Numbers, or ids, in a row of an input. */
export const sizeOf = ({ shape, dtype }: InputInfo): number =>
  dtype === 'int32' ? 1 : shape.reduce<number>((n, d) => (typeof d === 'number' ? n * d : n), 1);

/** One sequence for an input of a model, of a value from -1 to 1 a step and feature; ids go from the first to the last of the vocabulary. */
export function fill(input: InputInfo, steps: number, value: (step: number, feature: number) => number): TensorLike {
  const size = sizeOf(input);
  const rows = isSequence(input) ? steps : 1;
  const values = Array.from({ length: rows * size }, (_, k) => value(Math.floor(k / size), k % size));
  const shape = input.shape.slice(1).map((d) => (d === 'steps' ? rows : (d as number)));
  if (input.dtype === 'float32') return { data: Float32Array.from(values), shape };
  const { vocabularySize = 2 } = input;
  const id = (v: number) => Math.min(vocabularySize - 1, Math.floor(((v + 1) / 2) * vocabularySize));
  return { data: Int32Array.from(values, id), shape };
}

/** One sequence for an input of a model. */
export function generate(input: InputInfo, signal: Signal, steps: number): TensorLike {
  const numbers = noise();
  return fill(input, steps, (t, i) =>
    signal === 'noise' ? numbers.next().value : signal === 'sine' ? Math.sin((t * (i + 1)) / 8) : t === 0 ? 1 : 0,
  );
}

/** A comma, semicolon or tab with blanks around it, or blanks alone: a tab behind a tab is an empty cell. */
const SEPARATOR = /\s*[,;]\s*| *\t *|\s+/;
/** JavaScript takes `0x10`, `0b1` and `0o7` for numbers too, which no program writes as such. */
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
/** Not numbers, but written by programs where numbers stand. */
const NO_VALUE = /^[+-]?(nan|inf|infinity)$/i;

/**
 * Rows of numbers, separated by commas, semicolons, tabs or blanks; a first line of words is a header.
 * @throws Error naming the row and the value that is no finite number; or if there is no row
 */
export function parseRows(text: string): number[][] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const cells = lines.map((line) => line.trim().split(SEPARATOR));
  const isWord = (cell: string) => Number.isNaN(Number(cell.replace(/^[+-]/, ''))) && !NO_VALUE.test(cell);
  const header = cells[0]?.some(isWord) && cells[0].every((cell) => cell === '' || isWord(cell));
  if (header) cells.shift();
  if (cells.length === 0)
    throw new Error(`the data has no row of numbers${header ? `, only a header: '${lines[0]}'` : ''}`);
  return cells.map((row, i) =>
    row.map((cell, k) => {
      if (cell === '') throw new Error(`row ${i + 1} of the data: value ${k + 1} is empty`);
      const value = DECIMAL.test(cell) ? Number(cell) : NaN;
      if (Number.isNaN(value) && !NO_VALUE.test(cell))
        throw new Error(`row ${i + 1} of the data: '${cell}' is not a number`);
      if (!Number.isFinite(value)) throw new Error(`row ${i + 1} of the data: '${cell}' is not a finite number`);
      return value;
    }),
  );
}

/** @throws Error naming the first value that does not pass, and its row. */
function checkValues(rows: number[][], passes: (value: number) => boolean, rule: string): void {
  rows.forEach((row, i) => {
    const bad = row.find((value) => !passes(value));
    if (bad !== undefined) throw new Error(`row ${i + 1} of the data: ${bad} is ${rule}`);
  });
}

/**
 * A tensor for an input from rows, one a step; ids may stand beside each other too.
 * @throws Error naming the row, and the value, that the input does not take
 */
export function fromRows(input: InputInfo, rows: number[][]): TensorLike {
  const { name, shape, dtype, vocabularySize } = input;
  const values = rows.flat();
  const steps = isSequence(input);
  if (dtype === 'int32') {
    const most = (vocabularySize ?? 2 ** 31) - 1;
    const isId = (value: number) => Number.isInteger(value) && value >= 0 && value <= most;
    checkValues(rows, isId, `no id: input '${name}' takes whole numbers from 0 to ${most}`);
    if (!steps && values.length !== 1) throw new Error(`the data has ${values.length} ids; input '${name}' takes one`);
    return { data: Int32Array.from(values), shape: steps ? [values.length] : [] };
  }
  const dims = shape.filter((d) => typeof d === 'number');
  const size = sizeOf(input);
  const wrong = rows.findIndex((row) => row.length !== size);
  if (wrong >= 0)
    throw new Error(
      `row ${wrong + 1} of the data has ${rows[wrong]!.length} numbers; input '${name}' takes ${size}${steps ? ' a step' : ''}`,
    );
  if (!steps && rows.length !== 1) throw new Error(`the data has ${rows.length} rows; input '${name}' takes one`);
  checkValues(rows, (value) => Number.isFinite(Math.fround(value)), 'too large for float32');
  return { data: Float32Array.from(values), shape: steps ? [rows.length, ...dims] : dims };
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
