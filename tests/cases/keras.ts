import { expect } from 'vitest';
import { readModel } from '../../ts/formats/index.ts';
import type { ImportedModel } from '../../ts/formats/report.ts';
import { openZip } from '../../ts/io/zip.ts';
import { resolveGraph } from '../../ts/spec/graph.ts';
import type { BackendCase } from '../backends.ts';
import { contextOf, expectRecorded, readFile, readIo, type Recorded } from './recorded.ts';

/** `.weights.h5` holds no config: the one of the `.keras` file beside it is given as an option. */
async function read(recorded: Recorded): Promise<ImportedModel> {
  if (recorded.file !== 'model.weights.h5') return readModel(readFile(recorded), contextOf(recorded));
  const zip = await openZip(readFile(recorded, 'model.keras'), 'model.keras');
  const config = new TextDecoder().decode(await zip.read('config.json'));
  return readModel(readFile(recorded), contextOf(recorded, { keras: { config } }));
}

/** Keras and TensorFlow.js: inputs and outputs in the order of meta.json, all batch first. */
export async function runKeras(recorded: Recorded, { api }: BackendCase): Promise<void> {
  const { meta } = recorded;
  const { spec } = await read(recorded);
  const graph = resolveGraph(spec);
  const io = readIo(recorded);
  const { inputs = ['x', ...('h0' in io ? ['h0'] : [])], outputs = ['y', 'hn'] } = meta;
  expect(graph.inputs.length, 'inputs').toBe(inputs.length);
  expect(graph.outputs.length, 'outputs').toBe(outputs.length);
  using model = await api.createModel(spec);
  const given = Object.fromEntries(graph.inputs.map(({ name }, i) => [name, io[inputs[i]!]!]));
  const results = model.run(given).outputs;
  graph.outputs.forEach(({ name }, i) => {
    expectRecorded(results[name], io[outputs[i]!]!, meta.tolerance, outputs[i]!);
  });
}
