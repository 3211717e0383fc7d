import { stat } from 'node:fs/promises';
import type { GruModel } from '../api/model.ts';
import type { Tensor } from '../base/tensor.ts';
import type { Values } from '../base/typed-array.ts';
import type { ModelInput } from '../run/inputs.ts';
import type { InputInfo, OutputInfo } from '../spec/info.ts';
import { allocate } from '../base/limits.ts';
import { CommandError, EXIT } from './exit.ts';
import { ByteSource } from './files/bytes.ts';
import { type DataFormat, formatOf } from './files/format.ts';
import { checkIds } from './files/ids.ts';
import { collect, openRows } from './files/rows.ts';
import { readTensors } from './files/tensors.ts';

/** Of an option that may be given again. */
export function append(value: string, all: string[] | undefined): string[] {
  return [...(all ?? []), value];
}

/** Values a row: 1 for ids. */
export function rowSize({ shape }: InputInfo | OutputInfo): number {
  const size = shape.at(-1);
  return typeof size === 'number' ? size : 1;
}

/**
 * What `--input` gives, as a whole: a file for the model's only input, `name=file`, or a file of tensors named as the inputs.
 *
 * @throws CommandError where an input is missing, or there is one too many.
 */
export async function readInputs(
  model: GruModel,
  given: readonly string[],
  formatGiven: DataFormat | undefined,
): Promise<Record<string, ModelInput>> {
  const inputs = new Map<string, ModelInput>();
  const give = (port: InputInfo, tensor: Tensor, path: string) => {
    const { name, vocabularySize: ids } = port;
    if (inputs.has(name)) throw new CommandError(EXIT.usage, `--input: '${name}' is given twice`);
    if (ids !== undefined) checkIds(tensor.data, ids, path);
    inputs.set(name, asInput(port, tensor));
  };
  for (const text of given) {
    const named = model.inputs.find(({ name }) => text.startsWith(`${name}=`));
    const path = named ? text.slice(named.name.length + 1) : text;
    if (!named) await checkName(model, path);
    const format = formatOf(path, formatGiven, '--input-format');
    const port = named ?? (model.inputs.length === 1 ? model.inputs[0] : undefined);
    if (format === 'npy' || format === 'npz' || format === 'safetensors') {
      const tensors = await readTensors(path, format);
      const [only] = tensors.values();
      if (port && only && tensors.size === 1) give(port, only, path);
      else takeNamed(path, model.inputs, tensors, give);
      continue;
    }
    if (!port)
      throw new CommandError(EXIT.usage, `--input ${path}: say for which input: ${model.inputs[0]!.name}=${path}`);
    const size = rowSize(port);
    const { blocks } = (await openRows(await ByteSource.open(path), format, size, port.vocabularySize))!;
    give(port, await collect(blocks, size), path);
  }
  const missing = model.inputs.find(({ name }) => !inputs.has(name));
  if (missing)
    throw new CommandError(EXIT.usage, `nothing for input '${missing.name}': add --input ${missing.name}=FILE`);
  return Object.fromEntries(inputs);
}

/** @throws CommandError for `name=file` of an input that is not there, unless a file is called so. */
export async function checkName({ inputs }: GruModel, text: string): Promise<void> {
  const [, name] = /^([^=]+)=/.exec(text) ?? [];
  if (name === undefined || (await stat(text).catch(() => undefined))) return;
  const names = inputs.map((input) => input.name).join(', ');
  throw new CommandError(EXIT.usage, `--input ${text}: the model has no input '${name}': it has ${names}`);
}

/** Tensors by the names of inputs; some of a file may be for something else. */
function takeNamed(
  path: string,
  ports: readonly InputInfo[],
  tensors: Map<string, Tensor>,
  give: (port: InputInfo, tensor: Tensor, path: string) => void,
): void {
  const named = ports.filter(({ name }) => tensors.has(name));
  for (const port of named) give(port, tensors.get(port.name)!, path);
  if (named.length > 0) return;
  const names = (of: Iterable<string>) => [...of].slice(0, 8).join(', ');
  throw new CommandError(
    EXIT.data,
    `${path}: its tensors (${names(tensors.keys())}) are none of the inputs ${names(ports.map(({ name }) => name))}`,
  );
}

/** A tensor in the shape that the model takes: files of rows have a last axis of 1 for ids, and one row for what has no steps. */
function asInput(port: InputInfo, { data, shape }: Tensor): Tensor {
  const size = rowSize(port);
  if (port.dtype === 'int32')
    return { data, shape: shape.at(-1) === 1 && shape.length > 1 ? shape.slice(0, -1) : shape };
  if (!port.shape.includes('steps')) return { data, shape: shape.length === 2 && shape[0] === 1 ? [size] : shape };
  return { data, shape: size === 1 && shape.at(-1) !== 1 ? [...shape, 1] : shape };
}

/** One sequence for each input: features between -1 and 1, and ids; the same at each call. */
export function randomInputs(model: GruModel, steps = 20): Record<string, Tensor<Values>> {
  let seed = 1;
  const next = () => (seed = (seed * 48_271) % 0x7fff_ffff) / 0x7fff_ffff;
  return Object.fromEntries(
    model.inputs.map((port) => {
      const shape = port.shape.flatMap((d) => (d === 'batch' ? [] : [d === 'steps' ? steps : d]));
      const length = shape.reduce((n, d) => n * d, 1);
      const ids = port.vocabularySize;
      const value = () => (ids === undefined ? 2 * next() - 1 : Math.floor(next() * ids));
      const type = ids === undefined ? Float32Array : Int32Array;
      const data = allocate<Values>(length, `${steps} steps`, () => new type(length));
      return [port.name, { data: data.map(value), shape }];
    }),
  );
}
