import { cellsOf, numberOf, shortest } from 'gru-wasm/command';
import type { InputFile } from '../files/files.ts';
import { byteRanges, linesOf } from './lines.ts';
import { dataError, type RowId, valuesOf } from '../rows.ts';
import { concatenate, type SequenceFormat } from './format.ts';

/** Bytes in which the line of names is looked for. */
const HEAD = 1;

/**
 * A sequence a line: its values one after another, (steps x size) of them; empty cells at the end are none. With a first line of names, the column
 * that is called as the id is that.
 */
export const csv: SequenceFormat = {
  endings: ['.csv', '.tsv'],
  split: byteRanges,
  async read(file, shard, { ports, id }) {
    const [port, second] = ports;
    if (second)
      throw dataError(`${file.path}: a CSV file holds one input, the model has ${ports.length}: use NDJSON or Parquet`);
    const names = await namesOf(file);
    const lines = await linesOf(file, shard);
    if (names && lines[0]?.at === 0) lines.shift();
    const column = names?.indexOf(id) ?? -1;
    return lines.map(({ at, text }) => {
      const where = `${file.path}, byte ${at}`;
      const cells = cellsOf(text);
      const [own] = column < 0 ? [] : cells.splice(column, 1);
      while (cells.at(-1) === '') cells.pop();
      const values = cells.map((cell) => {
        const value = numberOf(cell);
        if (value === undefined) throw dataError(`${where}: no number: ${cell.slice(0, 60)}`);
        return value;
      });
      return { id: own, inputs: { [port!.name]: valuesOf(port!, values, where) }, where };
    });
  },
  encode(results, { id }) {
    const texts = results.map((result) => {
      const cells = Object.values(result.outputs).flatMap(({ data }) => Array.from(data, cellOf));
      return `${(id ? [quoted(result.id), ...cells] : cells).join(',')}\n`;
    });
    return Buffer.from(texts.join(''));
  },
  join: concatenate,
};

/** Those that have been read: all shards of a file have the same. */
const read = new WeakMap<InputFile, Promise<string[] | undefined>>();

/** The first line, where no cell of it is a number. */
function namesOf(file: InputFile): Promise<string[] | undefined> {
  const known = read.get(file);
  if (known) return known;
  const names = linesOf(file, { from: 0, to: HEAD }).then(([first]) => {
    const cells = first && cellsOf(first.text);
    return cells?.every((cell) => numberOf(cell) === undefined) ? cells : undefined;
  });
  read.set(file, names);
  // Of what has failed once the next shard is to be told anew.
  names.catch(() => read.delete(file));
  return names;
}

function cellOf(value: number): string {
  if (Number.isFinite(value)) return shortest(value);
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
}

function quoted(id: RowId): string {
  const text = id === undefined ? '' : String(id);
  return /[",;\s]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
