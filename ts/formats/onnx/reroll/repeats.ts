import type { OnnxGraph, OnnxNode } from '../messages.ts';
import { makersOf, withReplaced } from '../nodes.ts';
import { ints, NodeMaker, readAs } from './made.ts';
import { attribute, integerReader, MOST_STEPS } from './steps.ts';

/** All steps of (batch, steps, features) taken apart and put together with each of them several times, as Keras 2 upsamples, become a Tile. */
export function repeats(graph: OnnxGraph): OnnxNode[] {
  const integers = integerReader(graph, MOST_STEPS);
  const makers = makersOf(graph.nodes.filter(({ op }) => op === 'Split'));
  return withReplaced(graph.nodes, (node) => {
    const [first = ''] = node.inputs;
    const split = makers.get(first);
    if (node.op !== 'Concat' || !split || !isOfSteps(split)) return undefined;
    const { outputs } = split;
    const times = node.inputs.length / outputs.length;
    const isAll = node.inputs.every((name, i) => name === outputs[Math.floor(i / times)]);
    const axis = attribute(node, 'axis')?.i;
    if (!Number.isInteger(times) || times < 2 || !isAll || (axis !== 1 && axis !== -2)) return undefined;
    const made = new NodeMaker(node);
    const count = outputs.length;
    // three axes and so many steps, or it is refused
    const three = made.add('Transpose', [split.inputs[0]!], [ints('perm', [0, 1, 2])]);
    const all = made.add('Expand', [three, made.constant([1, count, 1])]);
    const apart = made.add('Reshape', [all, made.constant([0, count, 1, -1])]);
    const repeated = made.add('Tile', [apart, made.constant([1, 1, times, 1])]);
    const shape = made.constant([0, count * times, -1]);
    return [...made.nodes, readAs(node, 'Reshape', [repeated, shape], [])];
  });

  /** Whether each part is one entry of axis 1: where no sizes are given, if there are as many as steps. */
  function isOfSteps(split: OnnxNode): boolean {
    const { ints: stated } = attribute(split, 'split') ?? {};
    const given = split.inputs[1] ? (integers(split.inputs[1]) ?? [0]) : stated;
    const axis = attribute(split, 'axis')?.i ?? 0;
    return (axis === 1 || axis === -2) && split.outputs.length > 1 && (given?.every((size) => size === 1) ?? true);
  }
}
