import { join } from 'node:path';
import { expect } from 'vitest';
import type { Tensor, TensorLike } from '../../ts/base/tensor.ts';
import type { LstmState } from '../../ts/run/states.ts';
import type { BackendCase } from '../backends.ts';
import { expectRecorded, readIo, type Recorded } from './recorded.ts';

/** PyTorch with the wiring of a case.json: all outputs and final states as recorded, or a refusal by name. */
export async function runPytorchLine(recorded: Recorded, { api }: BackendCase): Promise<void> {
  const { folder, file, meta } = recorded;
  const load = () => api.loadModel(join(folder, file), meta.load);
  if (meta.refuse) {
    const message = expect.stringMatching(/'.+'/) as string;
    await expect(load()).rejects.toMatchObject({ name: 'GruError', message });
    return;
  }
  const io = readIo(recorded);
  using model = await load();
  const { inputs = {}, outputs = {}, states = {}, initialStates, lengths } = meta;
  const given = Object.fromEntries(Object.entries(inputs).map(([name, key]) => [name, io[key]!]));
  const result = model.run(given, {
    ...(initialStates ? { initialStates: bySlot(initialStates, io) } : {}),
    ...(lengths === undefined ? {} : { lengths: io[lengths]!.data }),
  });
  const names = Array.isArray(outputs)
    ? outputs.map((key, i) => [model.outputs[i]!.name, key])
    : Object.entries(outputs);
  for (const [name, key] of names as [string, string][]) {
    expectRecorded(result.outputs[name], io[key]!, meta.tolerance, name);
  }
  for (const [name, key] of Object.entries(states)) {
    const isCell = name.endsWith('_cell');
    const layer = isCell ? name.slice(0, -'_cell'.length) : name;
    const state = result.states[layer] as (Tensor & Partial<LstmState>) | undefined;
    const got = state?.[isCell ? 'cell' : 'hidden'] ?? state;
    expectRecorded(got, io[key]!, meta.tolerance, name);
  }
}

/** `name` and `name_cell` as one `{ hidden, cell }`. */
function bySlot(names: Record<string, string>, io: Record<string, TensorLike>) {
  const layers = Object.keys(names).filter((name) => !name.endsWith('_cell'));
  return Object.fromEntries(
    layers.map((name) => {
      const hidden = io[names[name]!]!;
      const cell = names[`${name}_cell`];
      return [name, cell === undefined ? hidden : { hidden, cell: io[cell]! }];
    }),
  );
}
