import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { ImportContext } from '../../ts/formats/report.ts';
import { parseSafetensors } from '../../ts/io/safetensors.ts';
import type { Tensor, TensorLike } from '../../ts/base/tensor.ts';
import type { Tolerance } from '../tolerances.ts';

/** Folders of cases: the project's own, and those that GRU_CASES names. */
const FOLDERS = [
  fileURLToPath(new URL('../fixtures/cases', import.meta.url)),
  ...(process.env['GRU_CASES']?.split(delimiter).filter((folder) => folder !== '') ?? []),
];

/** A model file of a case, and what the framework that wrote it gave for it. */
export interface Recorded {
  /** `keras_bi_sum/model.h5` */
  label: string;
  folder: string;
  file: string;
  /** Where its inputs and outputs are. */
  io: string;
  meta: Meta;
}

export interface Meta {
  class?: string;
  /** Recorded tensors, in the order of the model's inputs or by their names. */
  inputs?: string[] | Record<string, string>;
  outputs?: string[] | Record<string, string>;
  axes?: Record<string, string>;
  /** Set where the frameworks disagree: such a file is to be refused. */
  disputed?: string | null;
  /** ONNX: `input` where W, R and B are inputs of the graph. */
  weights_as?: string;
  /** Options of the load. */
  load?: ImportContext['options'];
  /** Such a file is to be refused by name. */
  refuse?: boolean;
  /** Recorded states by layer, an lstm's cell states by `<layer>_cell`. */
  states?: Record<string, string>;
  initialStates?: Record<string, string>;
  lengths?: string;
  tolerance: Tolerance;
}

/** A line of `case.json`, which a folder has where its files are loaded or fed each in their own way. */
interface CaseLine extends Pick<
  Meta,
  'inputs' | 'outputs' | 'load' | 'refuse' | 'states' | 'initialStates' | 'lengths'
> {
  file: string;
  inputList?: string[];
  tol?: number;
}

/** Every model file of every case. A folder that holds no case is an error: a wrong path would test nothing. */
export function recordedFiles(): Recorded[] {
  return FOLDERS.flatMap((root) => {
    const files = readdirSync(root).flatMap((name) => filesOf(join(root, name)));
    if (files.length === 0) throw new Error(`${root} holds no case (a folder with a meta.json or a case.json)`);
    return files;
  });
}

function filesOf(folder: string): Recorded[] {
  const json = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8'));
  const recorded = (file: string, meta: Meta): Recorded => ({
    label: `${basename(folder)}/${file}`,
    folder: join(folder, dirname(file)),
    file: basename(file),
    io: join(folder, 'io.safetensors'),
    meta,
  });
  if (existsSync(join(folder, 'case.json'))) {
    return [json('case.json') as CaseLine | CaseLine[]].flat().map(({ file, inputList, tol = 1e-5, ...line }) => {
      return recorded(file, { inputs: inputList ?? [], ...line, tolerance: { atol: tol, rtol: 0 } });
    });
  }
  if (!existsSync(join(folder, 'meta.json'))) return [];
  const meta = json('meta.json') as Meta;
  const files = readdirSync(folder).filter(isModel);
  if (files.length === 0) throw new Error(`${folder} holds no model file`);
  return files.map((file) => recorded(file, meta));
}

function isModel(file: string): boolean {
  if (/^(io\.safetensors|meta\.json)$/.test(file)) return false;
  return /\.(onnx|keras|h5|pt|pth|safetensors)$/.test(file) || file === 'model.json';
}

export function readFile({ folder, file }: Recorded, name = file): Uint8Array {
  return new Uint8Array(readFileSync(join(folder, name)));
}

/** The files beside a model, as `loadModel` finds them at a path. */
export function contextOf({ folder, file }: Recorded, options: ImportContext['options'] = {}): ImportContext {
  const sidecar = (name: string) => {
    const path = join(folder, name);
    return Promise.resolve(existsSync(path) ? new Uint8Array(readFileSync(path)) : undefined);
  };
  return { name: file, sidecar, options };
}

/** The recorded tensors by name: integers as int32, all else as float32. */
export function readIo({ io }: Recorded): Record<string, TensorLike> {
  const { tensors } = parseSafetensors(new Uint8Array(readFileSync(io)));
  return Object.fromEntries(
    [...tensors].map(([name, tensor]) => {
      const { dtype, bytes } = tensor;
      const isBool = dtype === 'BOOL';
      const data = isBool ? Float32Array.from(bytes) : /^[IU]/.test(dtype) ? tensor.ints() : tensor.floats();
      return [name, { data, shape: tensor.shape }];
    }),
  );
}

/** Every value within the case's own tolerance, in the recorded shape. */
export function expectRecorded(
  got: Tensor | undefined,
  want: TensorLike,
  { atol, rtol }: Tolerance,
  what: string,
): void {
  if (!got) expect.fail(`${what}: there is no such output`);
  expect(got.shape, `${what}: shape`).toEqual(want.shape);
  for (let i = 0; i < want.data.length; i++) {
    const a: number = got.data[i]!;
    const b: number = want.data[i]!;
    if (!(Math.abs(a - b) <= atol + rtol * Math.abs(b))) {
      expect.fail(`${what}: value ${i} is ${a}, recorded ${b} (within ${atol} + ${rtol} x)`);
    }
  }
}
