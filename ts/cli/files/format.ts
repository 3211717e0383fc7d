import { extname } from 'node:path';
import { CommandError, EXIT } from '../exit.ts';

/** Formats of inputs and outputs, by the endings of their files. */
const ENDINGS = {
  csv: ['.csv', '.txt'],
  tsv: ['.tsv'],
  ndjson: ['.ndjson', '.jsonl'],
  f32: ['.f32', '.raw', '.bin'],
  wav: ['.wav'],
  npy: ['.npy'],
  npz: ['.npz'],
  safetensors: ['.safetensors'],
} as const;

export type DataFormat = keyof typeof ENDINGS;

export const FORMATS = Object.keys(ENDINGS) as DataFormat[];

/** Whether a file of it has lines. */
export function isText(format: DataFormat): boolean {
  return format === 'csv' || format === 'tsv' || format === 'ndjson';
}

/** The format that the ending of a file says; undefined: none. */
export function endingOf(path: string): DataFormat | undefined {
  const ending = extname(path).toLowerCase();
  return FORMATS.find((format) => (ENDINGS[format] as readonly string[]).includes(ending));
}

/** The format of a file of data, as `--input-format` or `--output-format` says it, else by its ending. `-` is text. */
export function formatOf(path: string, given: DataFormat | undefined, option: string): DataFormat {
  if (given !== undefined) return given;
  if (path === '-') return 'csv';
  if (path === '') throw new CommandError(EXIT.usage, 'the name of a file of data is an empty string');
  const found = endingOf(path);
  if (found) return found;
  throw new CommandError(EXIT.usage, `${path}: its ending does not say its format; add ${option} ${FORMATS.join('|')}`);
}

/** The format of a file of several tensors, by its ending. */
export function tensorFormatOf(path: string, option: string): 'npz' | 'safetensors' {
  const found = (['npz', 'safetensors'] as const).find((format) => path.toLowerCase().endsWith(`.${format}`));
  if (found) return found;
  throw new CommandError(EXIT.usage, `${option} ${path}: several tensors go into .npz or .safetensors`);
}
