import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { ImportContext } from '../../ts/formats/report.ts';
import { parseSafetensors } from '../../ts/io/safetensors.ts';
import type { Tensor, TensorLike } from '../../ts/base/tensor.ts';
import type { Tolerance } from '../tolerances.ts';

/** Folders of cases: the project's own, and those that GRU_CASES names. */
const ROOTS = [
  fileURLToPath(new URL('../fixtures/cases', import.meta.url)),
  ...(process.env['GRU_CASES']?.split(delimiter).filter((folder) => folder !== '') ?? []),
];

/** A model file of a case, and what the framework that wrote it gave for it. */
export interface Recorded {
  /** `keras_bi_sum/model.h5` */
  label: string;
  folder: string;
  file: string;
  meta: Meta;
}

export interface Meta {
  class?: string;
  inputs?: string[];
  outputs?: string[];
  axes?: Record<string, string>;
  /** Set where the frameworks disagree: such a file is to be refused. */
  disputed?: string | null;
  /** ONNX: `input` where W, R and B are inputs of the graph. */
  weights_as?: string;
  tolerance: Tolerance;
}

/** The folders of all cases. One that holds none is an error: a wrong path would test nothing. */
export function caseFolders(): string[] {
  return ROOTS.flatMap((root) => {
    const folders = readdirSync(root)
      .map((name) => join(root, name))
      .filter((folder) => ['meta.json', 'case.json'].some((file) => existsSync(join(folder, file))));
    if (folders.length === 0) throw new Error(`${root} holds no case (a folder with a meta.json or a case.json)`);
    return folders;
  });
}

/** Every model file of every case with a meta.json. */
export function recordedFiles(): Recorded[] {
  const folders = caseFolders().filter((folder) => existsSync(join(folder, 'meta.json')));
  return folders.flatMap((folder) => {
    const meta = JSON.parse(readFileSync(join(folder, 'meta.json'), 'utf8')) as Meta;
    const files = readdirSync(folder).filter(isModel);
    if (files.length === 0) throw new Error(`${folder} holds no model file`);
    return files.map((file) => ({ label: `${basename(folder)}/${file}`, folder, file, meta }));
  });
}

function isModel(file: string): boolean {
  if (/^(io\.safetensors|meta\.json)$/.test(file)) return false;
  return /\.(onnx|keras|h5|pt|pth|safetensors)$/.test(file) || file === 'model.json';
}

export function readFile({ folder, file }: Pick<Recorded, 'folder' | 'file'>, name = file): Uint8Array {
  return new Uint8Array(readFileSync(join(folder, name)));
}

/** The files beside a model, as `loadModel` finds them at a path. */
export function contextOf(
  { folder, file }: Pick<Recorded, 'folder' | 'file'>,
  options: ImportContext['options'] = {},
): ImportContext {
  const sidecar = (name: string) => {
    const path = join(folder, name);
    return Promise.resolve(existsSync(path) ? new Uint8Array(readFileSync(path)) : undefined);
  };
  return { name: file, sidecar, options };
}

/** The recorded tensors by name: integers as int32, all else as float32. */
export function readIo({ folder }: Pick<Recorded, 'folder'>, file = 'io.safetensors'): Record<string, TensorLike> {
  const { tensors } = parseSafetensors(readFile({ folder, file }));
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
    const b = Number(want.data[i]!);
    // NaN and infinities are themselves alone.
    if (!Object.is(a, b) && !(Math.abs(a - b) <= atol + rtol * Math.abs(b))) {
      expect.fail(`${what}: value ${i} is ${a}, recorded ${b} (within ${atol} + ${rtol} x)`);
    }
  }
}
