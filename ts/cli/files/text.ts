import { CommandError, EXIT } from '../exit.ts';
import type { ByteSource } from './bytes.ts';
import { idText, isId } from './ids.ts';

/** Longest line: a row of a million values. */
const MAX_LINE = 2 ** 26;

/** What a text of rows is. */
export interface TextForm {
  /** Each line is a JSON array: there are no names before them. */
  json?: boolean;
  /** What is between cells; undefined: what each line has of semicolons, commas, tabs and blanks, in this order. */
  separator?: Separator | undefined;
  /** The cells are ids below this number. */
  vocabularySize?: number | undefined;
}

/**
 * The rows of lines of text, as they come, those of a piece together: `1, 2.5, -3`, or JSON's `[1, 2.5, -3]`. Empty lines are passed over, and so is
 * a line of names before all others.
 *
 * @param size Values a row.
 * @throws CommandError with the line and the value that is none; where there are names, and no rows.
 */
export async function* textRows(
  source: ByteSource,
  size: number,
  { json = false, separator, vocabularySize: ids }: TextForm = {},
): AsyncGenerator<Float32Array> {
  /** Lines so far, those of them that are not empty, and the line of the names, as long as there are no rows. */
  let [line, filled, names] = [0, 0, 0];
  const refuse = (what: string, at = line) => new CommandError(EXIT.data, `${source.name}, line ${at}: ${what}`);
  for await (const lines of textLines(source)) {
    const rows: number[] = [];
    for (const text of lines) {
      line++;
      if (text.trim() === '') continue;
      if (++filled === 1 && !json) {
        const found = namesOf(text, separator, size);
        if (found && found.length !== size)
          throw refuse(
            `${found.length === 1 ? 'one name' : `${found.length} names`}, and the model takes ${size} values a step`,
          );
        if (found) {
          names = line;
          continue;
        }
      }
      const values = json ? parseJson(text) : parseRow(text, separator);
      const wrong = values.findIndex((value) => value === undefined || (ids !== undefined && !isId(value, ids)));
      if (wrong >= 0) {
        const kind = values[wrong] === undefined ? 'number of float32' : idText(ids!);
        const what = values === NO_ROW ? 'is no JSON array' : `value ${wrong + 1} is no ${kind}`;
        throw refuse(`${what}: ${text.trim().slice(0, 60)}`);
      }
      if (values.length !== size) throw refuse(`the model takes ${size} values a step, the line has ${values.length}`);
      for (const value of values) rows.push(value!);
      names = 0;
    }
    if (rows.length > 0) yield Float32Array.from(rows);
  }
  if (names > 0) throw refuse('names of columns, and no row after them', names);
}

/** Lines, those of a piece together; with the `\r` of Windows. */
async function* textLines(source: ByteSource): AsyncGenerator<string[]> {
  const decoder = new TextDecoder();
  /** Of the line that has not ended: joined once, however many pieces it comes in. */
  let begun: string[] = [];
  let length = 0;
  for (let bytes = await source.next(); bytes; bytes = await source.next()) {
    const [end = '', ...lines] = decoder.decode(bytes, { stream: true }).split('\n');
    begun.push(end);
    length += end.length;
    if (length > MAX_LINE) throw new CommandError(EXIT.data, `${source.name}: a line of over ${MAX_LINE} characters`);
    if (lines.length === 0) continue;
    lines.unshift(begun.join(''));
    begun = [lines.pop()!];
    length = begun[0]!.length;
    yield lines;
  }
  const rest = begun.join('');
  if (rest !== '') yield [rest];
}

const NO_ROW: (number | undefined)[] = [undefined];

function parseRow(text: string, separator: Separator | undefined): (number | undefined)[] {
  return /^\s*\[/.test(text) ? parseJson(text) : cellsOf(text, separator).map(numberOf);
}

function parseJson(text: string): (number | undefined)[] {
  try {
    const values = JSON.parse(text) as unknown;
    if (!Array.isArray(values)) return NO_ROW;
    return values.map((value) => (typeof value === 'number' ? held(value) : NOT_FINITE.get(value)));
  } catch {
    return NO_ROW;
  }
}

/** A number that float32 holds; undefined: it is beyond. */
function held(value: number): number | undefined {
  return Number.isFinite(Math.fround(value)) ? value : undefined;
}

/** What JSON says instead of numbers that it has none for. */
const NOT_FINITE = new Map<unknown, number>([
  [null, NaN],
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
]);

const HARD = [';', ',', '\t'] as const;
export type Separator = (typeof HARD)[number] | ' ';

/** Text in quotes, in which two are one. */
const QUOTED = '"(?:[^"]|"")*"';

/** A separator, and the cell behind it. */
const CELLS = Object.fromEntries([
  ...HARD.map((by) => [by, new RegExp(`${by}[^\\S\t]*(${QUOTED}(?=\\s*(?:${by}|$))|[^${by}]*)`, 'g')]),
  [' ', new RegExp(`\\s+(${QUOTED}(?=\\s|$)|\\S+)`, 'g')],
]) as Record<Separator, RegExp>;

/** The cells of a line, without their quotes. */
export function cellsOf(line: string, separator?: Separator): string[] {
  const by = separator ?? separatorOf(line.trim());
  const text = by === ' ' ? line.trim() : line;
  return Array.from((by + text).matchAll(CELLS[by]), ([, cell]) => unquoted(cell!.trim()));
}

/** Between cells alone: in quotes it is a part of one. */
function separatorOf(text: string): Separator {
  const bare = text.includes('"') ? text.replaceAll(new RegExp(QUOTED, 'g'), '') : text;
  return HARD.find((by) => bare.includes(by)) ?? ' ';
}

function unquoted(cell: string): string {
  return /^"[^]*"$/.test(cell) ? cell.slice(1, -1).replaceAll('""', '"') : cell;
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

/** A name begins with a letter: no number of any writing, `1|2`, `'1'`, `$1.5`, does. */
const NAME = /^[\p{L}_][^\p{Cc}\ufffd]*$/u;

/** What stands where a value is missing, or for one that is no number; as `pandas.read_csv` knows it, and spreadsheets write it. */
const MISSING = /^(n\/?a|nan|null|nil|none|missing|undefined|true|false|inf(inity)?|(value|ref|num|div\/0)!|name\?)$/i;

/**
 * The names of columns that a line is, behind the sign of a comment where it has one; undefined: a cell of it is no name, or a value that is missing.
 *
 * @param size Columns, where there is a number of them. A name of the only one may be of several words.
 */
export function namesOf(line: string, separator?: Separator, size?: number): string[] | undefined {
  const text = line.replace(/^\s*#/, '');
  const cells = cellsOf(text, separator);
  const names = size === 1 && separatorOf(text) === ' ' ? cells.slice(0, 1) : cells;
  return names.every((cell) => NAME.test(cell) && !MISSING.test(cell)) ? names : undefined;
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

/** How rows are written: cells, or JSON's arrays. */
export interface RowStyle {
  json: boolean;
  separator: string;
}

/** A row as a line of text. JSON has no infinities: they are texts, NaN is null. */
export function rowText(row: ArrayLike<number>, { json, separator }: RowStyle): string {
  const cells = Array.from(row, (value) => {
    if (Number.isFinite(value)) return shortest(value);
    if (json) return Number.isNaN(value) ? 'null' : `"${value}"`;
    return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  });
  return json ? `[${cells.join(',')}]\n` : `${cells.join(separator)}\n`;
}
