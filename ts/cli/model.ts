import { Command, InvalidArgumentError, Option } from 'commander';
import { inspect, loadModel } from '../api/default.ts';
import type { ModelOptions } from '../api/api.ts';
import type { GruModel } from '../api/model.ts';
import type { ReadOptions } from '../api/read.ts';
import { DTYPES, type WeightDtype } from '../base/weights.ts';
import type { Precision } from '../formats/precision.ts';
import { CommandError, EXIT } from './exit.ts';
import { readBytes } from './files/bytes.ts';
import { decimal } from './files/text.ts';

/** Options of how a model is read, as given on the command line. */
export interface ReadFlags {
  layers?: string;
  options?: string;
}

/** And of what computes. */
export interface ModelFlags extends ReadFlags {
  backend: Choice;
  precision?: WeightDtype;
}

export const BACKENDS = ['auto', 'wasm', 'baseline', 'js'] as const;
export type Choice = (typeof BACKENDS)[number];

/** `--layers` and `--options`, for all commands that read a model. */
export function readOptions(command: Command): Command {
  return command
    .option(
      '--layers <json>',
      'PyTorch: how the modules of a state dict are connected, as JSON or a .json file; `gru inspect` prints a guess',
    )
    .option(
      '--options <text>',
      'what a file does not say, as errors and `gru inspect` print it: "{ onnx: { node: \'GRU_17\' } }"; or a .json file of it',
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

/** Options of the library that are of a format, by its name. */
const OF_FORMATS = ['keras', 'onnx', 'pytorch'];

export async function readFlags({ layers, options }: ReadFlags): Promise<ReadOptions> {
  const given = options === undefined ? {} : await literal('--options', options);
  const stray = Object.keys(given).find((name) => !OF_FORMATS.includes(name));
  if (stray !== undefined) {
    const known = '{ keras: { ... } }, { onnx: { ... } } or { pytorch: { ... } }';
    throw new CommandError(EXIT.usage, `--options: '${stray}' is no format that has options: it takes ${known}`);
  }
  if (layers === undefined) return given;
  if ('pytorch' in given) throw new CommandError(EXIT.usage, '--layers and --options both say how PyTorch is read');
  const wiring = await literal('--layers', layers);
  return { ...given, pytorch: Array.isArray(wiring) ? { layers: wiring } : wiring };
}

/** What JSON writes in another way than messages, and JavaScript: strings in single quotes, names before a colon. */
const TOKENS = /"(?:[^"\\]|\\.)*"|'([^']*)'|([A-Za-z_$][\w$]*)(?=\s*:)/g;

/** The object or list of an option: its text, or a file of it. */
async function literal(option: string, given: string): Promise<object> {
  const inline = /^\s*[[{]/.test(given);
  const text = inline ? given : (await readBytes(given)).toString();
  const json = text.replaceAll(TOKENS, (token, string?: string, name?: string) => {
    const other = string ?? name;
    return other === undefined ? token : JSON.stringify(other);
  });
  try {
    return Object(JSON.parse(json)) as object;
  } catch (cause) {
    const where = inline ? option : given;
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

/** Whether what is said of reading is for this file: for its format, or, where it cannot be read without, perhaps. */
export async function takesOptions(path: string, flags: ReadFlags): Promise<boolean> {
  const names = Object.keys(await readFlags(flags));
  const format = await inspect(path).then(
    (found) => found.format.toLowerCase(),
    () => undefined,
  );
  return format === undefined || names.some((name) => format.startsWith(name));
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
