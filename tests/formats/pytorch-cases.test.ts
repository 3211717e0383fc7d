import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readPytorch, readStateDict } from '../../ts/formats/pytorch.ts';
import { wrapperPrefix } from '../../ts/formats/pytorch/checkpoint.ts';
import { parseSafetensors } from '../../ts/formats/safetensors.ts';
import type { GruModel } from '../../ts/model.ts';
import type { Tensor } from '../../ts/tensor.ts';
import { BACKENDS } from '../backends.ts';
import { expectClose } from '../facade/helpers.ts';
import type { Tolerance } from '../tolerances.ts';
import { wiringOfCase } from './pytorch-wiring.ts';

const here = fileURLToPath(new URL('../fixtures/cases', import.meta.url));
const folders = [here, process.env['GRU_CASES']].filter((folder) => folder !== undefined && existsSync(folder));
const cases = folders.flatMap((folder) =>
  readdirSync(folder!)
    .filter((name) => name.startsWith('torch_'))
    .map((name) => join(folder!, name)),
);
const files = cases.flatMap((folder) =>
  readdirSync(folder)
    .filter((file) => !file.startsWith('io.') && /\.(pt|pth|safetensors)$/.test(file))
    .map((file) => ({ folder, file, label: `${folder.split('/').at(-1)}/${file}` })),
);

interface Meta {
  class: string;
  axes: Record<string, string>;
  tolerance: Tolerance;
}

function readCase(folder: string) {
  const io = parseSafetensors(new Uint8Array(readFileSync(join(folder, 'io.safetensors')))).tensors;
  const meta = JSON.parse(readFileSync(join(folder, 'meta.json'), 'utf8')) as Meta;
  const floats = (name: string): Tensor | undefined => {
    const found = io.get(name);
    return found && { data: found.floats(), shape: found.shape };
  };
  return { io, meta, floats };
}

/** Part `k` of `count`: hidden states are (layers * directions, batch, hidden). */
function part(data: Float32Array, k: number, count: number): Float32Array {
  return data.subarray((k * data.length) / count, ((k + 1) * data.length) / count);
}

function finalStates(states: Record<string, Tensor>, names: string[]): Float32Array {
  return Float32Array.from(names.flatMap((name) => [...states[name]!.data]));
}

/** Runs a case, time-major where it is. */
function runCase(model: GruModel, { io, meta, floats }: ReturnType<typeof readCase>) {
  const timeMajor = meta.axes['x']!.startsWith('T,B');
  const names = model.states.map(({ name }) => name);
  const ids = io.get('x')!.dtype.startsWith('I');
  const x = ids ? { data: io.get('x')!.ints(), shape: io.get('x')!.shape } : floats('x')!;
  const h0 = floats('h0');
  const initialStates =
    h0 && Object.fromEntries(names.map((name, k) => [name, part(h0.data, k, names.length)] as const));
  const lengths = io.get('lengths')?.ints();
  return model.run(x, { timeMajor, initialStates, ...(lengths ? { lengths } : {}) });
}

test('cases are here', () => {
  expect(files.length).toBeGreaterThanOrEqual(34);
});

describe.each(BACKENDS)('$name', ({ api }) => {
  test.each(files)('$label', async ({ folder, file }) => {
    const recorded = readCase(folder);
    const { meta, floats, io } = recorded;
    const bytes = new Uint8Array(readFileSync(join(folder, file)));
    const { dict } = await readStateDict(bytes);
    const prefix = wrapperPrefix([...dict.keys()]);
    const shapes = new Map(
      [...dict].map(([name, entry]) => [name.slice(prefix.length), typeof entry === 'string' ? entry : entry.shape]),
    );
    const outputs = ['logits', 'y'].filter((name) => io.has(name));
    const { spec, report } = await readPytorch(bytes, {
      options: { pytorch: wiringOfCase(meta.class, shapes, outputs) },
    });
    expect(report.tensors.map(({ source }) => source).sort()).toEqual([...dict.keys()].sort());
    using model = await api.createModel(spec);
    const run = runCase(model, recorded);
    Object.values(run.outputs).forEach((tensor, i) => {
      const name = outputs[i]!;
      expect(tensor.shape, name).toEqual(floats(name)!.shape);
      expectClose(tensor.data, floats(name)!.data, meta.tolerance, name);
    });
    const names = model.states.map(({ name }) => name);
    expectClose(finalStates(run.states, names), floats('hn')!.data, meta.tolerance, 'hn');
  });
});
