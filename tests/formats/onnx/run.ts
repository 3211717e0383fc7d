import { readFileSync } from 'node:fs';
import type { Backend } from '../../../ts/backends/backend.ts';
import { stepsOf } from '../../../ts/formats/onnx/binding.ts';
import { bindInputs, bindOutput, type GraphBinding, readOnnx } from '../../../ts/formats/onnx.ts';
import type { ImportContext, ImportedModel } from '../../../ts/formats/report.ts';
import { parseSafetensors } from '../../../ts/io/safetensors.ts';
import { resolveGraph } from '../../../ts/spec/graph.ts';
import type { Tensor, TensorLike } from '../../../ts/base/tensor.ts';

export type Tensors = Record<string, TensorLike>;

/** Runs an imported model on tensors in the graph's own axes; results in the graph's own axes, by name. */
export function runGraph(backend: Backend, { spec, report }: ImportedModel, tensors: Tensors): Record<string, Tensor> {
  const binding = report.graph!;
  const run = bindInputs(binding, inputsOf(binding, tensors));
  const graph = resolveGraph(spec);
  const state = backend.compile(graph).createState(run.batch);
  const lengthsOf = (axis: string) => run.lengths ?? Array<number>(run.batch).fill(stepsOf({ axis }, run));
  state.setLengths(graph.axes.map((axis) => ({ lengths: lengthsOf(axis) })));
  for (const [i, { name, kind, dtype, size, axis }] of graph.inputs.entries()) {
    const lengths = lengthsOf(graph.axes[axis]!);
    const all = run.inputs[name]!.data;
    const into = dtype === 'int32' ? state.inputIds(i) : state.inputFloats(i);
    // rows of ragged sequences follow each other without padding
    let to = 0;
    for (let b = 0; b < run.batch; b++) {
      const count = size * (kind === 'sequence' ? lengths[b]! : 1);
      const from = b * size * (kind === 'sequence' ? stepsOf({ axis: graph.axes[axis]! }, run) : 1);
      into.set(all.subarray(from, from + count), to);
      to += count;
    }
  }
  state.run();
  const values = Object.fromEntries(
    graph.outputs.map(({ name, dtype }, i) => [
      name,
      (dtype === 'int32' ? state.outputIds(i) : state.output(i)).slice(),
    ]),
  );
  state.free();
  return Object.fromEntries(binding.outputs.map((bound) => [bound.name, bindOutput(bound, values, run) as Tensor]));
}

/** Those of recorded tensors that a graph takes: results lie beside them. */
export const inputsOf = ({ inputs }: GraphBinding, tensors: Tensors): Tensors =>
  Object.fromEntries(inputs.filter(({ name }) => name in tensors).map(({ name }) => [name, tensors[name]!]));

export function readTensors(path: string): Tensors {
  const { tensors } = parseSafetensors(readFileSync(path));
  return Object.fromEntries(
    [...tensors].map(([name, tensor]) => {
      const data = tensor.dtype.startsWith('I') ? tensor.ints() : tensor.floats();
      return [name, { data, shape: tensor.shape }];
    }),
  );
}

export function importFile(
  path: string,
  options: NonNullable<ImportContext['options']>['onnx'] = {},
): Promise<ImportedModel> {
  return readOnnx(readFileSync(path), {
    sidecar: (name) => {
      try {
        return Promise.resolve(readFileSync(new URL(name, new URL(path, 'file:///'))));
      } catch {
        return Promise.resolve(undefined);
      }
    },
    options: { onnx: options },
  });
}

/** The largest amount by which |got - expected| exceeds atol + rtol |expected|; below 0 where all is well. */
export function excess(
  got: Tensor | undefined,
  expected: TensorLike,
  { atol, rtol }: { atol: number; rtol: number },
): number {
  if (got?.shape.join() !== [...expected.shape].join()) return Infinity;
  let worst = -Infinity;
  for (let i = 0; i < got.data.length; i++) {
    const want = Number(expected.data[i]!);
    const difference = Math.abs(got.data[i]! - want) - atol - rtol * Math.abs(want);
    worst = Math.max(worst, Number.isNaN(difference) ? Infinity : difference);
  }
  return worst;
}
