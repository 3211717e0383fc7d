import type { GruModel } from 'gru-wasm';
import { keepsSteps } from '../core/keeps-steps.ts';
import { type Port, type ServedModel, serveModel, type Values } from '../core/model.ts';
import type { InputFile } from './files/files.ts';
import { reopened } from './files/index.ts';
import { FORMATS } from './formats/index.ts';
import type { Parts } from './parts.ts';
import { modelOf, type Plan } from './plan.ts';
import { dataError, type Result, type Row } from './rows.ts';

/** What one run takes: so many sequences, and steps of them with padding. */
const MAX_ROWS = 1024;
const MAX_STEPS = 2 ** 18;

/** Runs a plan's model over its shards. */
export class Scorer {
  private readonly parts: Parts;
  private readonly served: ServedModel;
  private readonly input: InputFile;
  /** Whether sequences of different lengths may run together: each output's rows are those of its sequence. */
  private readonly ragged: boolean;

  private constructor(parts: Parts, model: GruModel) {
    this.parts = parts;
    this.served = serveModel('', model);
    this.input = reopened(parts.plan.input);
    this.ragged = keepsSteps(this.served);
  }

  static async load(parts: Parts): Promise<Scorer> {
    return new Scorer(parts, await modelOf(parts.plan));
  }

  dispose(): void {
    this.served.model.dispose();
  }

  /** Scores a shard and writes its part. @throws CommandError that names the row at fault. */
  async score(shard: number): Promise<void> {
    const { input, output, id, shards } = this.parts.plan;
    const columns = { ports: this.served.inputs, id };
    const rows = await FORMATS[input.format].read(this.input, shards[shard]!, columns);
    const known = output.columns.id ? undefined : rows.find((row) => row.id !== undefined);
    if (known)
      throw dataError(`${known.where}: has an ${id}, which the file's first row has not: give it one there too`);
    const results = this.slices(rows).flatMap((slice) => this.runOrName(slice));
    await this.parts.write(shard, FORMATS[output.format].encode(results, output.columns));
  }

  private slices(rows: readonly Row[]): Row[][] {
    const slices: Row[][] = [];
    let [slice, longest] = [[] as Row[], 0];
    for (const row of rows) {
      const steps = Math.max(longest, ...this.lengthsOf(row));
      if (slice.length === MAX_ROWS || (slice.length > 0 && steps * (slice.length + 1) > MAX_STEPS)) {
        slices.push(slice);
        [slice, longest] = [[], 0];
      }
      slice.push(row);
      longest = Math.max(longest, ...this.lengthsOf(row));
    }
    return slice.length > 0 ? [...slices, slice] : slices;
  }

  private lengthsOf({ inputs }: Row): number[] {
    return this.served.inputs.map(({ name, size }) => inputs[name]!.length / size);
  }

  private runOrName(rows: readonly Row[]): Result[] {
    try {
      return this.run(rows);
    } catch (error) {
      const [row, second] = rows;
      if (!second) throw dataError(`${row!.where}: ${(error as Error).message}`, error);
      return rows.flatMap((row) => this.runOrName([row]));
    }
  }

  private run(rows: readonly Row[]): Result[] {
    if (this.ragged) return this.runTogether(rows);
    const groups = new Map<string, number[]>();
    rows.forEach((row, i) => {
      const lengths = this.lengthsOf(row).join();
      groups.set(lengths, [...(groups.get(lengths) ?? []), i]);
    });
    const results: Result[] = [];
    for (const group of groups.values()) {
      const own = this.runTogether(group.map((i) => rows[i]!));
      group.forEach((i, g) => (results[i] = own[g]!));
    }
    return results;
  }

  private runTogether(rows: readonly Row[]): Result[] {
    const { model, inputs } = this.served;
    const given = Object.fromEntries(inputs.map((port) => [port.name, inputOf(port, rows)]));
    const { outputs } = model.run(given);
    const chosen = this.parts.plan.output.columns.outputs.map(({ name }) => {
      const port = this.served.outputs.find((port) => port.name === name)!;
      return { port, steps: port.hasSteps ? outputs[name]!.shape[1]! : 1, data: outputs[name]!.data };
    });
    return rows.map((row, i) => {
      const steps = this.ragged ? this.lengthsOf(row)[0]! : undefined;
      return {
        id: row.id,
        outputs: Object.fromEntries(
          chosen.map(({ port, steps: padded, data }) => {
            const start = i * padded * port.size;
            const end = start + (port.hasSteps ? (steps ?? padded) : 1) * port.size;
            return [port.name, partOf(port, data.subarray(start, end), this.parts.plan)];
          }),
        ),
      };
    });
  }
}

/** Sequences of one model input: a tensor of vectors, a list of arrays of steps. */
function inputOf(
  { name, datatype, size, hasSteps }: Port,
  rows: readonly Row[],
): Values[] | { data: Values; shape: number[] } {
  const all = rows.map(({ inputs }) => inputs[name]!);
  if (hasSteps) return all;
  const data = datatype === 'INT32' ? new Int32Array(rows.length * size) : new Float32Array(rows.length * size);
  all.forEach((values, i) => {
    data.set(values, i * size);
  });
  return { data, shape: datatype === 'INT32' ? [rows.length] : [rows.length, size] };
}

function partOf({ datatype, hasSteps, size }: Port, data: Values, { last }: Plan): Result['outputs'][string] {
  const row = datatype === 'INT32' ? [] : [size];
  if (!hasSteps) return { data, shape: [size] };
  if (last) return { data: data.subarray(Math.max(data.length - size, 0)), shape: [Math.min(size, data.length)] };
  return { data, shape: [data.length / size, ...row] };
}
