import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readKeras } from '../../ts/formats/keras.ts';
import type { ImportContext, ImportedModel } from '../../ts/formats/report.ts';
import { readTfjs } from '../../ts/formats/tfjs.ts';
import { openZip } from '../../ts/formats/zip.ts';
import { parseSafetensors } from '../../ts/formats/safetensors.ts';
import { resolveGraph } from '../../ts/graph.ts';
import { BACKENDS } from '../backends.ts';

/** Folders of cases: the recorded ones, and those named in GRU_CASES. */
const CASES = [
  new URL('../fixtures/cases/', import.meta.url),
  ...(process.env['GRU_CASES']?.split(delimiter) ?? []).map((path) => pathToFileURL(`${path}/`)),
];
const FAMILIES = /^(keras|tfjs|seed)_/;
const MODEL_FILES = ['model.keras', 'model.h5', 'model.weights.h5', 'model.json'];

interface Meta {
  inputs?: string[];
  outputs?: string[];
  io: Record<string, { shape: number[] }>;
  tolerance: { atol: number; rtol: number };
}

/** Reads a model file of a case as a user would: with the other files of its folder at hand. */
async function readCase(folder: URL, file: string): Promise<ImportedModel> {
  const bytes = new Uint8Array(readFileSync(new URL(file, folder)));
  const context: ImportContext = {
    name: file,
    sidecar: (name) => {
      const url = new URL(name, folder);
      return Promise.resolve(existsSync(url) ? new Uint8Array(readFileSync(url)) : undefined);
    },
  };
  if (file === 'model.json') return readTfjs(bytes, context);
  if (file !== 'model.weights.h5') return readKeras(bytes, context);
  const zip = await openZip(new Uint8Array(readFileSync(new URL('model.keras', folder))), 'model.keras');
  const config = new TextDecoder().decode(await zip.read('config.json'));
  return readKeras(bytes, { ...context, options: { keras: { config } } });
}

const folders = CASES.flatMap((cases) =>
  readdirSync(cases)
    .filter((name) => FAMILIES.test(name))
    .map((name) => ({ name, folder: new URL(`${name}/`, cases) })),
);

describe.each(folders)('$name', ({ folder }) => {
  const files = readdirSync(folder).filter((file) => MODEL_FILES.includes(file));
  const meta = JSON.parse(readFileSync(new URL('meta.json', folder), 'utf8')) as Meta;
  const { tensors } = parseSafetensors(new Uint8Array(readFileSync(new URL('io.safetensors', folder))));
  const { inputs: inputNames = ['x', 'h0'], outputs: outputNames = ['y', 'hn'] } = meta;

  test.each(files)('%s', async (file) => {
    const { spec, report } = await readCase(folder, file);
    const graph = resolveGraph(spec);
    expect(graph.inputs.length).toBe(inputNames.length);
    expect(graph.outputs.length).toBe(outputNames.length);
    expect(report.format).not.toBe('');
    for (const { api, name: backend } of BACKENDS) {
      const model = await api.createModel(spec);
      const given = Object.fromEntries(
        graph.inputs.map(({ name: input, dtype }, i) => {
          const tensor = tensors.get(inputNames[i]!)!;
          return [input, { data: dtype === 'int32' ? tensor.ints() : tensor.floats(), shape: tensor.shape }];
        }),
      );
      const { outputs } = model.run(given);
      graph.outputs.forEach(({ name: output }, i) => {
        const expected = tensors.get(outputNames[i]!)!;
        const got = outputs[output]!;
        expect(got.shape, backend).toEqual(expected.shape);
        const { atol, rtol } = meta.tolerance;
        expected.floats().forEach((value, j) => {
          const off = Math.abs(got.data[j]! - value);
          if (!(off <= atol + rtol * Math.abs(value))) {
            expect.fail(`${backend}: ${output}[${j}] is ${got.data[j]!}, recorded ${value}`);
          }
        });
      });
      model.dispose();
    }
  });
});
