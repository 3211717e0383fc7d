import { CommandError, EXIT } from '../exit.ts';
import type { ByteSource } from './bytes.ts';

/** Longest line: a row of a million values. */
const MAX_LINE = 2 ** 26;

/**
 * The rows of lines of text, as they come, those of a piece together: `1, 2.5, -3` with commas, semicolons, tabs or spaces, or JSON's
 * `[1, 2.5, -3]`. Empty lines are passed over, and so is a first line of names.
 *
 * @param size Values a row.
 * @param json Whether each line is JSON: there are no names before them.
 */
export async function* textRows(source: ByteSource, size: number, json = false): AsyncGenerator<Float32Array> {
  let line = 0;
  for await (const lines of textLines(source)) {
    const rows: number[] = [];
    for (const text of lines) {
      line++;
      if (text.trim() === '') continue;
      const values = json ? parseJson(text) : parseRow(text);
      const wrong = values.findIndex((value) => value === undefined);
      if (line === 1 && wrong >= 0 && !json && isNames(text)) continue;
      const where = `${source.name}, line ${line}`;
      if (wrong >= 0) {
        const what = values === NO_ROW ? 'is no JSON array' : `value ${wrong + 1} is no number of float32`;
        throw new CommandError(EXIT.data, `${where}: ${what}: ${text.slice(0, 60)}`);
      }
      if (values.length !== size) {
        throw new CommandError(
          EXIT.data,
          `${where}: the model takes ${size} values a step, the line has ${values.length}`,
        );
      }
      for (const value of values) rows.push(value!);
    }
    if (rows.length > 0) yield Float32Array.from(rows);
  }
}

/** Lines, those of a piece together. */
async function* textLines(source: ByteSource): AsyncGenerator<string[]> {
  const decoder = new TextDecoder();
  let rest = '';
  for (let bytes = await source.next(); bytes; bytes = await source.next()) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split(/\r?\n/);
    rest = lines.pop()!;
    if (rest.length > MAX_LINE)
      throw new CommandError(EXIT.data, `${source.name}: a line of over ${MAX_LINE} characters`);
    if (lines.length > 0) yield lines;
  }
  if (rest !== '') yield [rest];
}

const NO_ROW: (number | undefined)[] = [undefined];

function parseRow(text: string): (number | undefined)[] {
  return /^\s*\[/.test(text) ? parseJson(text) : cellsOf(text).map(numberOf);
}

function parseJson(text: string): (number | undefined)[] {
  try {
    const values = JSON.parse(text) as unknown;
    if (!Array.isArray(values)) return NO_ROW;
    return values.map((value) => (value === null ? NaN : typeof value === 'number' ? held(value) : undefined));
  } catch {
    return NO_ROW;
  }
}

/** A number that float32 holds; undefined: it is beyond. */
function held(value: number): number | undefined {
  return Number.isFinite(Math.fround(value)) ? value : undefined;
}

/** The cells of a line, without their quotes. */
export function cellsOf(text: string): string[] {
  return text
    .split(/[,;]/)
    .flatMap((part) => part.trim().split(/\s+/))
    .map((cell) => cell.replace(/^"(.*)"$/, '$1'));
}

/** Digits, a point, an exponent: JavaScript takes `0x10`, `0b1` and `0o7` for numbers too, which no program writes as such. */
const DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

/** The decimal number that a text is; NaN: it is none. */
export function decimal(text: string): number {
  return DECIMAL.test(text) ? Number(text) : NaN;
}

/** The number that a cell is; undefined: it is none. */
export function numberOf(cell: string): number | undefined {
  if (/^nan$/i.test(cell)) return NaN;
  const infinite = /^([+-]?)inf(inity)?$/i.exec(cell);
  if (infinite) return infinite[1] === '-' ? -Infinity : Infinity;
  return held(decimal(cell));
}

/** A header: text, and no cell of it is a number, one that is too large, or one that only JavaScript takes for one. */
function isNames(text: string): boolean {
  if (/[^\P{Cc}\t]|\ufffd/u.test(text) || /^\s*[[{]/.test(text)) return false;
  const isName = (cell: string) => cell === '' || Number.isNaN(Number(cell.replace(/^[+-]/, '')));
  return cellsOf(text).every((cell) => numberOf(cell) === undefined && isName(cell));
}

/** The fewest digits that give the same float32 back. */
export function shortest(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return String(value);
  for (let digits = 6; digits < 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(Number(value.toPrecision(9)));
}

/** A row as a line of CSV or NDJSON. */
export function rowText(row: ArrayLike<number>, json: boolean): string {
  const cells = Array.from(row, (value) => {
    if (Number.isFinite(value)) return shortest(value);
    return json ? 'null' : Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  });
  return json ? `[${cells.join(',')}]\n` : `${cells.join(',')}\n`;
}
