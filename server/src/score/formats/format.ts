import type { InputFile, Sink } from '../files/files.ts';
import type { Port } from '../../core/model.ts';
import type { Result, Row } from '../rows.ts';

/** A part of the input: bytes, or rows of a Parquet file. */
export interface Shard {
  from: number;
  to: number;
}

/** What of a row is read. */
export interface Columns {
  ports: readonly Port[];
  /** The field or column that tells rows apart, where there is one. */
  id: string;
}

/** How a column of the output is to be declared. */
export interface OutputColumns {
  /** Of the first row; undefined: rows have no ids. */
  id: { name: string; kind: 'integer' | 'text' } | undefined;
  outputs: { name: string; datatype: Port['datatype']; isSequence: boolean }[];
}

/** A format of files of sequences. */
export interface SequenceFormat {
  endings: readonly string[];
  /** Cuts a file in shards of about so many bytes of it. */
  split(file: InputFile, bytes: number): Promise<Shard[]>;
  read(file: InputFile, shard: Shard, columns: Columns): Promise<Row[]>;
  /** The results of a shard, as a file of their own. */
  encode(results: readonly Result[], columns: OutputColumns): Uint8Array;
  /** One file of those of all shards, in their order. */
  join(parts: AsyncIterable<Uint8Array>, columns: OutputColumns, sink: Sink): Promise<void>;
}

/** Of text: one behind the other. */
export async function concatenate(
  parts: AsyncIterable<Uint8Array>,
  _columns: OutputColumns,
  sink: Sink,
): Promise<void> {
  for await (const part of parts) await sink.write(part);
}

/** Rows of a result: one of a vector, or one a step. */
export function stepsOf({ data, shape }: { data: Result['outputs'][string]['data']; shape: number[] }): number[][] {
  const size = shape[1] ?? 1;
  return Array.from({ length: shape[0]! }, (_, step) => Array.from(data.subarray(step * size, (step + 1) * size)));
}
