import { Command, InvalidArgumentError, Option } from 'commander';
import { inspect, loadModel } from '../api/default.ts';
import type { ModelOptions, ReadOptions } from '../api/options.ts';
import type { GruModel } from '../api/model.ts';
import { isRecord } from '../base/tensor.ts';
import { DTYPES, type WeightDtype } from '../base/weights.ts';
import type { Precision } from '../formats/precision.ts';
import type { OnnxOptions } from '../formats/onnx/options.ts';
import type { PytorchOptions } from '../formats/pytorch/options.ts';
import { CommandError, EXIT } from './exit.ts';
import { readBytes } from './files/bytes.ts';
import type { NamedFile } from './files/place.ts';
import { decimal } from './files/text.ts';

/** Options of how a model is read, as given on the command line. */
export interface ReadFlags {
  layers?: string;
  onnx?: string;
}

/** And of what computes. */
export interface ModelFlags extends ReadFlags {
  backend: Choice;
  precision?: WeightDtype;
}

export const BACKENDS = ['auto', 'wasm', 'baseline', 'js'] as const;
export type Choice = (typeof BACKENDS)[number];

/** `--layers` and `--onnx`, for all commands that read a model. */
export function readOptions(command: Command): Command {
  return command
    .option(
      '--layers <json>',
      'PyTorch: how the modules of a state dict are connected, as JSON or a .json file; `gru inspect` prints a guess',
    )
    .option(
      '--onnx <json>',
      'ONNX: node, outputs, initializers, inputShapes, states, as JSON or a .json file: what the graph leaves open',
    );
}

/** `--backend` and `--precision` too. */
export function modelOptions(command: Command): Command {
  return readOptions(command)
    .addOption(
      new Option(
        '--backend <name>',
        'what computes: baseline is wasm with the same bits on every machine, js has these bits too',
      )
        .choices(BACKENDS)
        .default('auto'),
    )
    .addOption(
      new Option(
        '--precision <dtype>',
        'of the weights that products are made with; default: what the file has',
      ).choices(DTYPES),
    );
}

/** What the library calls a backend of the command line. */
export function backendOptions(choice: Choice): ModelOptions {
  return choice === 'baseline' ? { backend: 'wasm', deterministic: true } : { backend: choice };
}

/** The files that a command reads, for {@link refuseLoss}. `--input` may be `name=file`, of a name that only the model knows. */
export function readFiles(
  model: string | undefined,
  { layers, onnx }: ReadFlags,
  inputs: readonly string[] = [],
  states?: string,
): NamedFile[] {
  return [
    { what: 'the model', path: model },
    ...inputs.flatMap((text) => [text, text.slice(text.indexOf('=') + 1)]).map((path) => ({ what: 'an input', path })),
    { what: 'the states to start from', path: states },
    { what: 'the file of --layers', path: layers },
    { what: 'the file of --onnx', path: onnx },
  ];
}

export async function readFlags({ layers, onnx }: ReadFlags): Promise<ReadOptions> {
  const options: ReadOptions = {};
  if (layers !== undefined) {
    const wiring = await readJson('--layers', layers, 'pytorch');
    options.pytorch = (Array.isArray(wiring) ? { layers: wiring } : wiring) as PytorchOptions;
  }
  if (onnx !== undefined) options.onnx = (await readJson('--onnx', onnx, 'onnx')) as OnnxOptions;
  return options;
}

/** What JSON writes in another way than messages, and JavaScript: strings in single quotes, names before a colon. */
const TOKENS = /"(?:[^"\\]|\\.)*"?|'([^']*)'|([A-Za-z_$][\w$]*)(\s*:)?/g;

/** JSON, or the name of a file of it; and what errors and `gru inspect` print of the option, `{ onnx: { node: 'GRU_17' } }`, as it is printed. */
async function readJson(flag: string, given: string, option: string): Promise<unknown> {
  const inline = /^\s*[[{]/.test(given);
  const text = inline ? given : (await readBytes(given)).toString();
  const json = text.replaceAll(TOKENS, (token, string?: string, name?: string, colon?: string) => {
    if (string !== undefined) return JSON.stringify(string);
    return colon === undefined ? token : JSON.stringify(name) + colon;
  });
  try {
    const value = JSON.parse(json) as Record<string, unknown>;
    return isRecord(value) && Object.keys(value).join() === option ? value[option] : value;
  } catch (cause) {
    const where = inline ? flag : given;
    throw new CommandError(EXIT.usage, `${where}: not JSON: ${(cause as Error).message}`, { cause });
  }
}

/** Loads the model of a command. */
export async function openModel(
  path: string,
  flags: ReadFlags,
  choice: Choice,
  precision?: Precision,
): Promise<GruModel> {
  return loadModel(path, { ...backendOptions(choice), ...(await readFlags(flags)), precision });
}

/** Those of the flags that are for this file: `--layers` where it has tensors by PyTorch's names, and does not say its wiring. */
export async function flagsFor(path: string, { layers, onnx }: ReadFlags): Promise<ReadFlags> {
  if (onnx !== undefined && path.endsWith('.onnx')) return { onnx };
  const takesLayers = layers !== undefined && (await inspect(path)).format.startsWith('PyTorch');
  return takesLayers ? { layers } : {};
}

/** A number from 0, of an option. */
export function fromZero(text: string): number {
  const value = decimal(text);
  if (!(value >= 0)) throw new InvalidArgumentError('a number from 0 is needed.');
  return value;
}

/** A whole number from 1, of an option. */
export function count(text: string): number {
  const value = decimal(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1 is needed.');
  return value;
}
