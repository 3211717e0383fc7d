import type { OnnxAttribute, OnnxGraph, OnnxNode, OnnxTensor } from '../messages.ts';
import { makersOf } from '../nodes.ts';
import { readTensorData } from '../tensor.ts';

/** A value of which all steps are taken: names of the steps, first to last. */
export interface StepsTaken {
  data: string;
  axis: number;
  steps: string[];
}

/** More are no cells that were written out. */
export const MOST_STEPS = 4096;

export function attribute(node: OnnxNode, name: string): OnnxAttribute | undefined {
  return node.attributes.find((one) => one.name === name);
}

/** Constants of so many whole numbers at most, by name. */
export function integerReader(graph: OnnxGraph, most: number): (name: string | undefined) => number[] | undefined {
  const tensors = new Map<string, OnnxTensor>(graph.initializers.map((tensor) => [tensor.name, tensor]));
  for (const node of graph.nodes) {
    const tensor = node.op === 'Constant' ? attribute(node, 'value')?.t : undefined;
    if (tensor) tensors.set(node.outputs[0] ?? '', tensor);
  }
  return (name) => {
    const tensor = tensors.get(name ?? '');
    if (!tensor || tensor.external || tensor.dims.reduce((n, d) => n * d, 1) > most) return undefined;
    const values = Array.from(readTensorData(tensor, new Map()).data);
    return values.every((value) => typeof value === 'number' && Number.isInteger(value))
      ? (values as number[])
      : undefined;
  };
}

/** Constants of one whole number, by name. */
export function numberReader(graph: OnnxGraph): (name: string | undefined) => number | undefined {
  const integers = integerReader(graph, 1);
  return (name) => {
    const list = integers(name);
    return list?.length === 1 ? list[0] : undefined;
  };
}

/** The values of a graph that are taken step by step. */
export function stepsTaken(graph: OnnxGraph): StepsTaken[] {
  const number = numberReader(graph);
  const makers = makersOf(graph.nodes);
  const found = new Map<string, { data: string; axis: number; steps: Map<number, string> }>();
  const add = (data: string, axis: number, step: number, name: string) => {
    const key = `${axis} ${data}`;
    const taken = found.get(key) ?? { data, axis, steps: new Map<number, string>() };
    taken.steps.set(step, name);
    found.set(key, taken);
  };
  for (const node of graph.nodes) {
    const [from = '', at] = node.inputs;
    const output = node.outputs[0] ?? '';
    const maker = makers.get(from);
    if (node.op === 'Gather') {
      const step = number(at);
      if (step !== undefined) add(from, attribute(node, 'axis')?.i ?? 0, step, output);
    } else if (node.op === 'SequenceAt' && maker?.op === 'SplitToSequence' && maker.inputs.length === 1) {
      const step = number(at);
      const axis = attribute(maker, 'axis')?.i ?? 0;
      if (step !== undefined && attribute(maker, 'keepdims')?.i === 0) add(maker.inputs[0]!, axis, step, output);
    } else if (node.op === 'Squeeze' && maker?.op === 'Split') {
      const axis = attribute(maker, 'axis')?.i ?? 0;
      const dropped = number(at) ?? attribute(node, 'axes')?.ints?.[0];
      if (dropped === axis && maker.inputs.length === 1)
        add(maker.inputs[0]!, axis, maker.outputs.indexOf(from), output);
    } else if (node.op === 'Squeeze' && maker?.op === 'Slice') {
      const [start, end, axis] = [1, 2, 3].map((i) => number(maker.inputs[i]));
      const dropped = number(at) ?? attribute(node, 'axes')?.ints?.[0];
      if (start !== undefined && end === start + 1 && axis !== undefined && dropped === axis)
        add(maker.inputs[0]!, axis, start, output);
    }
  }
  return [...found.values()].flatMap(({ data, axis, steps }) => {
    const list = Array.from({ length: steps.size }, (_, t) => steps.get(t)).filter((name) => name !== undefined);
    const isWhole = list.length === steps.size && list.length >= 2 && list.length <= MOST_STEPS;
    return isWhole ? [{ data, axis, steps: list }] : [];
  });
}
