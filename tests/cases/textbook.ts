import { expect } from 'vitest';
import { readModel } from '../../ts/formats/index.ts';
import type { BackendCase } from '../backends.ts';
import { contextOf, expectRecorded, readFile, readIo, type Recorded } from './recorded.ts';

/** The textbook's cell as three dense layers in a safetensors file: x and h0 in, y and hn out, batch first. */
export async function runTextbook(recorded: Recorded, { api }: BackendCase): Promise<void> {
  const io = readIo(recorded);
  const { spec } = await readModel(readFile(recorded), contextOf(recorded));
  using model = await api.createModel(spec);
  const { output, states } = model.run(io['x']!, io['h0'] ? { initialStates: io['h0'].data as Float32Array } : {});
  expectRecorded(output, io['y']!, recorded.meta.tolerance, 'y');
  const [state] = Object.values(states);
  expect(state?.shape[0]).toBe(1);
  expectRecorded({ ...state!, shape: state!.shape.slice(1) }, io['hn']!, recorded.meta.tolerance, 'hn');
}
