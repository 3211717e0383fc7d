import { cellsOf, namesOf, numberOf, type Separator, shortest } from 'gru-wasm/command';
import type { InputFile } from '../files/files.ts';
import { byteRanges, type Line, linesOf } from './lines.ts';
import { dataError, type RowId, valuesOf } from '../rows.ts';
import { concatenate, type SequenceFormat } from './format.ts';

/** Text between whose cells is a comma, or what its ending says. */
export const csv = delimited(['.csv']);
export const tsv = delimited(['.tsv'], '\t');

/**
 * A sequence a line: its values one after another, (steps x size) of them; empty cells at the end are none. With a first line of names, the column
 * that is called as the id is that.
 *
 * @param separator What is between cells; undefined: what each line has, written is a comma.
 */
function delimited(endings: readonly string[], separator?: Separator): SequenceFormat {
  return {
    endings,
    split: byteRanges,
    async read(file, shard, { ports, id }) {
      const [port, second] = ports;
      if (second)
        throw dataError(
          `${file.path}: a CSV file holds one input, the model has ${ports.length}: use NDJSON or Parquet`,
        );
      const names = await headOf(file, separator);
      const lines = await linesOf(file, shard);
      const head = names && lines[0]?.at === names.at ? lines.shift() : undefined;
      if (head && lines.length === 0 && shard.to >= file.bytes) {
        throw dataError(`${file.path}, byte ${head.at}: names of columns, and no row after them`);
      }
      const column = names?.cells.indexOf(id) ?? -1;
      return lines.map(({ at, text }) => {
        const where = `${file.path}, byte ${at}`;
        if (text.split('"').length % 2 === 0)
          throw dataError(
            `${where}: a quote that its line does not close: a row is one line, and NDJSON has ids of several`,
          );
        const cells = cellsOf(text, separator);
        if (column > 0 && column === names!.cells.length - 1 && cells.length > names!.cells.length)
          throw dataError(
            `${where}: has ${cells.length} cells, with ${id} as column ${column + 1}: put ${id} first where rows differ`,
          );
        const [own] = column < 0 ? [] : cells.splice(column, 1);
        while (cells.at(-1) === '') cells.pop();
        const values = cells.map((cell, i) => {
          const value = numberOf(cell);
          if (value === undefined) throw dataError(`${where}: value ${i + 1} is no number: ${cell.slice(0, 60)}`);
          return value;
        });
        return { id: own, inputs: { [port!.name]: valuesOf(port!, values, where) }, where };
      });
    },
    encode(results, { id }) {
      const texts = results.map((result) => {
        const cells = Object.values(result.outputs).flatMap(({ data }) => Array.from(data, cellOf));
        return `${(id ? [quoted(result.id), ...cells] : cells).join(separator ?? ',')}\n`;
      });
      return Buffer.from(texts.join(''));
    },
    join: concatenate,
  };
}

/** A line of names, and where it is. */
interface Names {
  at: number;
  cells: string[];
}

/** Those that have been read: all shards of a file have the same. */
const read = new WeakMap<InputFile, Promise<Names | undefined>>();

/** The first line that is not empty, where its cells are names. */
function headOf(file: InputFile, separator: Separator | undefined): Promise<Names | undefined> {
  const known = read.get(file);
  if (known) return known;
  const names = firstLine(file).then((first) => {
    const cells = first && namesOf(first.text, separator);
    return cells && { at: first.at, cells };
  });
  read.set(file, names);
  // Of what has failed once the next shard is to be told anew.
  names.catch(() => read.delete(file));
  return names;
}

async function firstLine(file: InputFile): Promise<Line | undefined> {
  for (let to = 1; ; to *= 64) {
    const [first] = await linesOf(file, { from: 0, to: Math.min(to, file.bytes) });
    if (first || to >= file.bytes) return first;
  }
}

function cellOf(value: number): string {
  if (Number.isFinite(value)) return shortest(value);
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
}

/** @throws CommandError for one that would be two lines, which shards are cut between. */
function quoted(id: RowId): string {
  const text = id === undefined ? '' : String(id);
  if (/[\n\r]/.test(text)) {
    throw dataError(`the id ${JSON.stringify(text)} has a line break, which a line has not: write NDJSON or Parquet`);
  }
  return /[",;\s]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
