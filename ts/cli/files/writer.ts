import type { Values } from '../../base/typed-array.ts';
import { NPY_HEADER, writeNpyHeader } from '../../io/npy.ts';
import { CommandError, EXIT } from '../exit.ts';
import { type DataFormat, isText } from './format.ts';
import type { Packed } from './packed.ts';
import { openSink, type Sink } from './sink.ts';
import { rowText } from './text.ts';
import { writeWavHeader } from './wav.ts';

/** What rows are written as. */
export interface RowForm {
  name: string;
  dtype: 'float32' | 'int32';
  /** Values a row. */
  size: number;
  sound?: Packed['sound'] | undefined;
}

/** Writes rows as they come; a header that counts them is written again at the end. */
export class RowWriter {
  private readonly sink: Sink;
  private readonly format: DataFormat;
  private readonly form: RowForm;
  private values = 0;
  /** Of the safetensors header: it is as long the second time. */
  private length = 0;

  private constructor(sink: Sink, format: DataFormat, form: RowForm) {
    this.sink = sink;
    this.format = format;
    this.form = form;
  }

  static async open(path: string, format: DataFormat, form: RowForm): Promise<RowWriter> {
    if (format === 'npz') throw new CommandError(EXIT.usage, `${path}: npz is written of whole runs: use npy`);
    const writer = new RowWriter(
      await openSink(path, { binary: !isText(format), patched: hasHeader(format) }),
      format,
      form,
    );
    if (hasHeader(format)) await writer.sink.write(writer.header());
    return writer;
  }

  async write(rows: Values): Promise<void> {
    const { size } = this.form;
    this.values += rows.length;
    if (!isText(this.format)) {
      const floats = this.format === 'wav' && rows instanceof Int32Array ? Float32Array.from(rows) : rows;
      await this.sink.write(new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength));
      return;
    }
    let text = '';
    const style = { json: this.format === 'ndjson', separator: this.format === 'tsv' ? '\t' : ',' };
    for (let at = 0; at < rows.length; at += size) text += rowText(rows.subarray(at, at + size), style);
    await this.sink.write(Buffer.from(text));
  }

  /** Puts the file in its place. */
  async end(shape?: readonly number[]): Promise<void> {
    if (hasHeader(this.format)) await this.sink.patch(this.header(shape));
    await this.sink.commit();
  }

  abort(): Promise<void> {
    return this.sink.abort();
  }

  private header(shape: readonly number[] = [this.values / this.form.size, this.form.size]): Uint8Array {
    const { name, dtype, size, sound } = this.form;
    if (this.format === 'npy') return writeNpyHeader(dtype === 'int32' ? 'i4' : 'f4', shape);
    if (this.format === 'wav') return writeWavHeader(this.values, sound?.channels ?? size, sound?.rate ?? 16_000);
    const entry = { dtype: dtype === 'int32' ? 'I32' : 'F32', shape, data_offsets: [0, this.values * 4] };
    const json = Buffer.from(JSON.stringify({ [name]: entry }));
    this.length ||= Math.ceil((json.length + 128) / 256) * 256;
    const bytes = new Uint8Array(this.length).fill(0x20);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - 8), true);
    bytes.set(json, 8);
    return bytes;
  }
}

function hasHeader(format: DataFormat): boolean {
  return format === 'npy' || format === 'wav' || format === 'safetensors';
}

/** A `.npy` file. */
export function npyBytes(data: Values, shape: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(NPY_HEADER + data.byteLength);
  bytes.set(writeNpyHeader(data instanceof Int32Array ? 'i4' : 'f4', shape));
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), NPY_HEADER);
  return bytes;
}
