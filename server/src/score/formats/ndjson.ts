import { shortest } from 'gru-wasm/command';
import { byteRanges, linesOf } from './lines.ts';
import { dataError, type Result, type Row, type RowId, rowOf } from '../rows.ts';
import { concatenate, type SequenceFormat } from './format.ts';

/** A JSON object a line, `{"id": 17, "x": [[0.1, 0.2], [0.3, 0.4]]}`; for a model of one input its value alone will do. */
export const ndjson: SequenceFormat = {
  endings: ['.ndjson', '.jsonl'],
  split: byteRanges,
  async read(file, shard, { ports, id }) {
    const lines = await linesOf(file, shard);
    return lines.map(({ at, text }) => {
      const where = `${file.path}, byte ${at}`;
      const value = parse(text, where);
      if (Array.isArray(value) && ports.length === 1)
        return finite(rowOf({ [ports[0]!.name]: value }, ports, '', where));
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
        return finite(rowOf(value as Record<string, unknown>, ports, id, where));
      }
      throw dataError(`${where}: a row must be an object with the fields ${ports.map(({ name }) => name).join(', ')}`);
    });
  },
  encode(results, { id }) {
    const name = id && JSON.stringify(id.name);
    const texts = results.map((result) => {
      const fields = Object.entries(result.outputs).map(([key, output]) => `${JSON.stringify(key)}:${textOf(output)}`);
      if (name !== undefined) fields.unshift(`${name}:${idText(result.id)}`);
      return `{${fields.join(',')}}\n`;
    });
    return Buffer.from(texts.join(''));
  },
  join: concatenate,
};

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw dataError(`${where}: no JSON: ${(cause as Error).message}`, cause);
  }
}

/** JSON has no infinities: what has become one is beyond what was meant, as 1e999. @throws CommandError. */
function finite(row: Row): Row {
  for (const [name, values] of Object.entries(row.inputs)) {
    const wrong = values.findIndex((value) => Math.abs(value) === Infinity);
    if (wrong >= 0) throw dataError(`${row.where}: input '${name}' has a number beyond float32 as number ${wrong + 1}`);
  }
  return row;
}

const idText = (id: RowId) => (id === undefined ? 'null' : typeof id === 'bigint' ? String(id) : JSON.stringify(id));

function textOf({ data, shape: [first, size] }: Result['outputs'][string]): string {
  if (size === undefined) return listOf(data);
  const steps = Array.from({ length: first! }, (_, step) => listOf(data.subarray(step * size, (step + 1) * size)));
  return `[${steps.join(',')}]`;
}

/** JSON has no words for infinities and NaN: they are null. */
function listOf(values: Float32Array | Int32Array): string {
  const texts: string[] = [];
  for (const value of values) texts.push(Number.isFinite(value) ? shortest(value) : 'null');
  return `[${texts.join(',')}]`;
}
