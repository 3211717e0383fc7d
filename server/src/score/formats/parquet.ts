import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from 'hyparquet';
import { CommandError } from 'gru-wasm/command';
import { compressors } from 'hyparquet-compressors';
import { ByteWriter, type ColumnSource, ParquetWriter, type SchemaElement } from 'hyparquet-writer';
import type { InputFile, Sink } from '../files/files.ts';
import { dataError, type Result, type RowId, rowOf } from '../rows.ts';
import { type OutputColumns, type SequenceFormat, type Shard, stepsOf } from './format.ts';

/**
 * A row a sequence, a column an input: lists of numbers, or lists of steps. A shard is a row group, or some that are small: there may be millions in a file.
 */
export const parquet: SequenceFormat = {
  endings: ['.parquet'],
  async split(input, bytes) {
    const { metadata } = await opened(input);
    const shards: Shard[] = [];
    let [from, to, held] = [0, 0, 0];
    for (const { num_rows, total_byte_size } of metadata.row_groups) {
      to += Number(num_rows);
      held += Number(total_byte_size);
      if (held < bytes) continue;
      shards.push({ from, to });
      [from, held] = [to, 0];
    }
    return to > from ? [...shards, { from, to }] : shards;
  },
  async read(input, { from, to }, { ports, id }) {
    const { file, metadata } = await opened(input);
    const names = parquetSchema(metadata).children.map(({ element }) => element.name);
    const columns = [id, ...ports.map(({ name }) => name)].filter((name) => names.includes(name));
    const rows = await parquetReadObjects({ file, metadata, columns, rowStart: from, rowEnd: to, compressors });
    return rows.map((fields, i) => rowOf(fields, ports, id, `${input.path}, row ${from + i}`));
  },
  encode(results, columns) {
    const writer = new ByteWriter();
    const file = new ParquetWriter({ writer, schema: schemaOf(columns) });
    if (results.length > 0) void file.write(groupOf(columnsOf(results, columns)));
    void file.finish();
    return writer.getBytes();
  },
  async join(parts, columns, sink) {
    const writer = new SinkWriter(sink);
    const file = new ParquetWriter({ writer, schema: schemaOf(columns) });
    for await (const part of parts) {
      const rows = await parquetReadObjects({ file: part.slice().buffer });
      if (rows.length === 0) continue;
      const names = Object.keys(rows[0]!);
      // Which flushes the writer.
      await file.write(groupOf(names.map((name) => ({ name, data: rows.map((row) => row[name] as unknown) }))));
    }
    await file.finish();
    await writer.flush();
  },
};

interface Opened {
  file: AsyncBuffer;
  metadata: FileMetaData;
}

/** Those whose metadata have been read, which is some requests to an object store. */
const read = new WeakMap<InputFile, Promise<Opened>>();

function opened(input: InputFile): Promise<Opened> {
  const known = read.get(input);
  if (known) return known;
  const file = open(input);
  read.set(input, file);
  file.catch(() => read.delete(input));
  return file;
}

async function open(input: InputFile): Promise<Opened> {
  const { path, bytes } = input;
  const file: AsyncBuffer = {
    byteLength: bytes,
    async slice(start, end = bytes) {
      const { buffer, byteOffset, byteLength } = await input.read(start, Math.min(end, bytes));
      return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
    },
  };
  try {
    return { file, metadata: await parquetMetadataAsync(file) };
  } catch (cause) {
    if (cause instanceof CommandError) throw cause;
    throw dataError(`${path}: no Parquet file: ${(cause as Error).message}`, cause);
  }
}

/** A row group of all rows. */
const groupOf = (columnData: ColumnSource[]) => ({ columnData, rowGroupSize: Infinity });

function columnsOf(results: readonly Result[], { id, outputs }: OutputColumns): ColumnSource[] {
  const columns: ColumnSource[] = outputs.map(({ name, isSequence }) => ({
    name,
    data: results.map(({ outputs: { [name]: output } }) => {
      return isSequence && output!.shape.length > 1 ? stepsOf(output!) : Array.from(output!.data);
    }),
  }));
  if (id) columns.unshift({ name: id.name, data: results.map((result) => idValue(result.id, id.kind)) });
  return columns;
}

function idValue(id: RowId, kind: 'integer' | 'text'): string | bigint | null {
  if (id === undefined) return null;
  if (kind === 'text') return String(id);
  if (typeof id === 'bigint' && id !== BigInt.asIntN(64, id))
    throw dataError(`the id ${id} is beyond the 64 bits of Parquet's INT64`);
  if (typeof id === 'bigint' || Number.isSafeInteger(id)) return BigInt(id);
  throw dataError(
    `the id ${JSON.stringify(id)} is no whole number, as that of the first row is: Parquet has one type a column`,
  );
}

function schemaOf({ id, outputs }: OutputColumns): SchemaElement[] {
  const columns = outputs.map(({ name, datatype, isSequence }) => {
    const element = (name: string): SchemaElement[] => [
      { name, type: datatype === 'INT32' ? 'INT32' : 'FLOAT', repetition_type: 'REQUIRED' },
    ];
    const isList = isSequence && datatype === 'FP32';
    return listOf(name, isList ? listOf('element', element('element')) : element('element'));
  });
  const kind = { integer: { type: 'INT64' }, text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' } } as const;
  if (id) columns.unshift([{ name: id.name, repetition_type: 'OPTIONAL', ...kind[id.kind] }]);
  return [{ name: 'root', num_children: columns.length }, ...columns.flat()];
}

function listOf(name: string, element: SchemaElement[]): SchemaElement[] {
  return [
    { name, converted_type: 'LIST', repetition_type: 'REQUIRED', num_children: 1 },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    ...element,
  ];
}

/** Hands over what has been written: a row group is in memory, not the file. */
class SinkWriter extends ByteWriter {
  private readonly sink: Sink;

  constructor(sink: Sink) {
    super();
    this.sink = sink;
  }

  async flush(): Promise<void> {
    const bytes = new Uint8Array(this.buffer, 0, this.index).slice();
    this.index = 0;
    await this.sink.write(bytes);
  }
}
