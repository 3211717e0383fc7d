import { createHash } from 'node:crypto';
import type { GruModel } from 'gru-wasm';
import { CommandError, EXIT, refuseLoss } from 'gru-wasm/command';
import { digestOf, type Port, serveModel } from '../core/model.ts';
import { load } from '../models.ts';
import { UsageError } from '../words.ts';
import type { FileVersion } from './files/files.ts';
import { disk } from './files/disk.ts';
import { filesOf, inputOf } from './files/index.ts';
import type { OutputColumns, Shard } from './formats/format.ts';
import { FORMATS, type FormatName, formatOf } from './formats/index.ts';
import type { Row } from './rows.ts';

/** What `gru score` is asked for. */
export interface ScoreOptions {
  model: string;
  input: string;
  output: string;
  inputFormat: string | undefined;
  outputFormat: string | undefined;
  /** Outputs by name; empty: the model's first. */
  select: readonly string[];
  /** Of outputs with steps the last one alone. */
  last: boolean;
  /** The field that goes from input rows to output rows. */
  id: string;
  shardBytes: number;
  /** Relaxed SIMD, where this machine has it: faster, and not the same bits on every machine. */
  relaxed: boolean;
}

/** All that has to be known to score a shard, on any machine that sees the same files. */
export interface Plan {
  /** Of this file; a later version may have another. */
  format: number;
  model: { path: string; digest: string; relaxed: boolean };
  input: FileVersion & { format: FormatName };
  output: { path: string; format: FormatName; columns: OutputColumns };
  last: boolean;
  id: string;
  shards: Shard[];
}

export const FORMAT = 2;

/** So many parts, and files of them, at most: shards of large files are larger. */
const MAX_SHARDS = 20_000;

/** Reads the model and the first shard's rows. @throws CommandError, GruError for what cannot be scored. */
export async function planOf(options: ScoreOptions): Promise<Plan> {
  const [format, outputFormat] = [
    formatOf(options.input, options.inputFormat, '--input-format'),
    formatOf(options.output, options.outputFormat, '--output-format'),
  ];
  const pathOf = (path: string) => filesOf(path).resolve(path);
  const output = pathOf(options.output);
  await refuseLoss(
    [{ what: '--output', path: output }],
    [
      { what: 'the model', path: pathOf(options.model) },
      { what: 'the input', path: pathOf(options.input) },
    ],
  );
  const input = await inputOf(pathOf(options.input));
  const model = { path: pathOf(options.model), relaxed: options.relaxed };
  const loaded = await openModel(model);
  const served = serveModel('', loaded);
  const outputs = selected(served.outputs, options);
  const shards = await FORMATS[format].split(input, Math.max(options.shardBytes, Math.ceil(input.bytes / MAX_SHARDS)));
  const columns = { ports: served.inputs, id: options.id };
  // The names of columns may fill shards of their own.
  let first: Row | undefined;
  for (const shard of shards) if ((first = (await FORMATS[format].read(input, shard, columns))[0])) break;
  const id = idOf(first, options.id);
  if (id && outputs.some(({ name }) => name === id.name))
    throw new UsageError(`--id ${id.name}: an output of the model has that name; --select others, or rename the field`);
  return {
    format: FORMAT,
    model: { ...model, digest: digestOf(loaded) },
    input: { path: input.path, bytes: input.bytes, version: input.version, format },
    output: { path: output, format: outputFormat, columns: { id, outputs } },
    last: options.last,
    id: options.id,
    shards,
  };
}

function selected(ports: readonly Port[], { select, last }: ScoreOptions): OutputColumns['outputs'] {
  const names = select.length > 0 ? select : ports.slice(0, 1).map(({ name }) => name);
  return names.map((name) => {
    const port = ports.find((port) => port.name === name);
    if (!port) throw new UsageError(`--select ${name}: the model gives ${ports.map(({ name }) => name).join(', ')}`);
    return { name, datatype: port.datatype, isSequence: port.hasSteps && !last };
  });
}

function idOf(row: Row | undefined, name: string): OutputColumns['id'] {
  if (row?.id === undefined) return undefined;
  return { name, kind: typeof row.id === 'bigint' || Number.isSafeInteger(row.id) ? 'integer' : 'text' };
}

/** The model of a plan. @throws CommandError where the file has become another. */
export async function modelOf({ model }: Pick<Plan, 'model'>): Promise<GruModel> {
  const loaded = await openModel(model);
  if (digestOf(loaded) === model.digest) return loaded;
  throw new CommandError(EXIT.file, `${model.path} is another model than when its file was split`);
}

/** From a disk with the files beside it that it names; an object is read as a whole. */
async function openModel({ path, relaxed }: Pick<Plan['model'], 'path' | 'relaxed'>): Promise<GruModel> {
  const files = filesOf(path);
  if (files === disk) return load(path, { deterministic: !relaxed });
  const bytes = await files.readWhole(path);
  if (bytes) return load(bytes, { deterministic: !relaxed });
  throw new CommandError(EXIT.file, `${path}: no such object`);
}

/** Tells runs apart. */
export const planId = (plan: Plan) => createHash('sha256').update(JSON.stringify(plan)).digest('hex').slice(0, 16);
