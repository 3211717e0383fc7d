import { readModel } from '../../ts/formats/index.ts';
import { readStateDict } from '../../ts/formats/pytorch.ts';
import { wrapperPrefix } from '../../ts/formats/pytorch/checkpoint.ts';
import type { BackendCase } from '../backends.ts';
import { wiringOfCase } from './pytorch-wiring.ts';
import { contextOf, expectRecorded, readFile, readIo, type Recorded } from './recorded.ts';

/** PyTorch: x, h0, lengths in; logits, y, hn out, in the axes of meta.json. */
export async function runPytorch(recorded: Recorded, { api }: BackendCase): Promise<void> {
  const { meta } = recorded;
  const io = readIo(recorded);
  const bytes = readFile(recorded);
  const { dict } = await readStateDict(bytes);
  const prefix = wrapperPrefix([...dict.keys()]);
  const local = new Map([...dict].map(([name, entry]) => [name.slice(prefix.length), entry]));
  const outputs = ['logits', 'y'].filter((name) => name in io);
  const options = { pytorch: wiringOfCase(meta.class ?? '', local, outputs) };
  const { spec } = await readModel(bytes, contextOf(recorded, options));
  using model = await api.createModel(spec);

  const timeMajor = meta.axes?.['x']?.startsWith('T,B') === true;
  const names = model.states.map(({ name }) => name);
  // h0 and hn are (layers * directions, batch, hidden): one part a layer.
  const { h0 } = io;
  const initialStates =
    h0 &&
    Object.fromEntries(
      names.map((name, k) => {
        const size = h0.data.length / names.length;
        return [name, (h0.data as Float32Array).subarray(k * size, (k + 1) * size)] as const;
      }),
    );
  const lengths = io['lengths']?.data;
  const run = model.run(io['x']!, { timeMajor, initialStates, ...(lengths ? { lengths } : {}) });
  Object.values(run.outputs).forEach((tensor, i) => {
    expectRecorded(tensor, io[outputs[i]!]!, meta.tolerance, outputs[i]!);
  });
  const { hn } = io;
  if (!hn) return;
  const states = Float32Array.from(names.flatMap((name) => [...run.states[name]!.data]));
  expectRecorded({ data: states, shape: [...hn.shape] }, hn, meta.tolerance, 'hn');
}
