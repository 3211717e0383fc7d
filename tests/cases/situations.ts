import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect } from 'vitest';
import type { LoadOptions } from '../../ts/api/options.ts';
import type { Tensor, TensorLike } from '../../ts/base/tensor.ts';
import { runOnnx } from '../../ts/formats/onnx.ts';
import type { LayerState } from '../../ts/run/states.ts';
import type { BackendCase } from '../backends.ts';
import { caseFolders, expectRecorded, readIo } from './recorded.ts';
import { filled } from '../filled.ts';
import { refusalOf } from '../formats/refusal.ts';

/** An entry of a case.json: a model file, how it is loaded and fed, and which recorded tensors its results are. */
interface Situation {
  file: string;
  family: string;
  /** Recorded tensors, default io.safetensors. */
  io?: string;
  variant?: string;
  load?: LoadOptions;
  run?: Record<string, unknown>;
  /** Recorded tensor by the model's (for ONNX the graph's) name, or in the model's order. */
  inputs?: Record<string, string>;
  inputList?: string[];
  outputs: Record<string, string> | string[];
  /** By layer; an lstm's cell state is `layer_cell`. */
  states?: Record<string, string>;
  initialStates?: Record<string, string>;
  lengths?: string;
  tol?: number;
  /** Is to be refused, in loading or in running. */
  refuse?: boolean;
}

export interface SituationCase {
  /** `onnxop_rnn_clip/model.onnx` */
  label: string;
  folder: string;
  situation: Situation;
}

/** Every entry of every case.json. */
export function situations(): SituationCase[] {
  const folders = filled(
    caseFolders().filter((folder) => existsSync(join(folder, 'case.json'))),
    'folders with a case.json',
  );
  return folders.flatMap((folder) => {
    const read = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8')) as Situation | Situation[];
    return [read].flat().map((situation) => {
      const { file, variant } = situation;
      return { label: `${basename(folder)}/${file}${variant ? `#${variant}` : ''}`, folder, situation };
    });
  });
}

/** Loads and runs one; all its results have to be what was recorded, or it has to be refused by name. */
export async function runSituation({ folder, situation }: SituationCase, backend: BackendCase): Promise<void> {
  if (situation.refuse) {
    expect(await refusalOf(results(folder, situation, backend))).toMatch(/'.+'/);
    return;
  }
  const tolerance = { atol: situation.tol ?? 1e-5, rtol: 0 };
  const found = await results(folder, situation, backend);
  expect(found).not.toHaveLength(0);
  for (const { name, got, recorded } of found) {
    expectRecorded(got, recorded, tolerance, name);
    const isWhole = !(recorded.data instanceof Float32Array);
    if (situation.family === 'onnx') expect(got?.data, name).toBeInstanceOf(isWhole ? Int32Array : Float32Array);
  }
}

interface Result {
  name: string;
  got: Tensor | undefined;
  recorded: TensorLike;
}

async function results(folder: string, situation: Situation, { api }: BackendCase): Promise<Result[]> {
  const { file, family, io: ioFile, load, run, inputs, inputList, outputs, states, initialStates, lengths } = situation;
  const io = readIo({ folder }, ioFile);
  const tensors = (names: Record<string, string>) =>
    Object.fromEntries(Object.entries(names).map(([name, key]) => [name, io[key]!]));
  using model = await api.loadModel(join(folder, file), load);
  if (family === 'onnx') {
    const got = runOnnx(model, tensors(inputs!));
    return Object.entries(outputs).map(([name, key]) => ({ name, got: got[name], recorded: io[key]! }));
  }
  const listed = inputList && Object.fromEntries(model.inputs.map(({ name }, i) => [name, io[inputList[i]!]!]));
  const result = model.run(listed ?? tensors(inputs!), {
    ...run,
    ...(initialStates && { initialStates: bySlot(tensors(initialStates)) }),
    ...(lengths && { lengths: io[lengths]!.data }),
  });
  const stateOf = (name: string): Tensor | undefined => {
    const all: Record<string, LayerState | undefined> = result.states;
    const cell = all[name.replace(/_cell$/, '')];
    const state = all[name] ?? (cell && 'cell' in cell ? cell.cell : undefined);
    return state && 'hidden' in state ? state.hidden : state;
  };
  const named = Array.isArray(outputs)
    ? outputs.map((key, i) => [model.outputs[i]?.name ?? '', key] as const)
    : Object.entries(outputs);
  const found = [
    ...named.map(([name, key]) => ({ name, got: result.outputs[name] ?? stateOf(name), key })),
    ...Object.entries(states ?? {}).map(([name, key]) => ({ name, got: stateOf(name), key })),
  ];
  // the frameworks' own axes of size 1 are not ours
  return found.map(({ name, got, key }) => ({
    name,
    got: got && { data: got.data, shape: [...io[key]!.shape] },
    recorded: io[key]!,
  }));
}

/** `name` and `name_cell` as one `{ hidden, cell }`. */
function bySlot(
  flat: Record<string, TensorLike>,
): Record<string, TensorLike | { hidden: TensorLike; cell: TensorLike }> {
  return Object.fromEntries(
    Object.entries(flat)
      .filter(([name]) => !name.endsWith('_cell'))
      .map(([name, hidden]) => [name, flat[`${name}_cell`] ? { hidden, cell: flat[`${name}_cell`]! } : hidden]),
  );
}
