import { type OnnxGraph, type OnnxNode, type OnnxValueInfo, isStandard } from './messages.ts';
import { RECURRENT } from './ops/recurrent/index.ts';

type Shape = NonNullable<OnnxValueInfo['shape']>;

/**
 * The graph with what its recurrent nodes say of the shapes of its inputs, where the file leaves them free: the operators fix the
 * ranks of what they read, and stored weights its sizes.
 */
export function shapedByNodes(graph: OnnxGraph, dimsOf: (name: string) => readonly number[] | undefined): OnnxGraph {
  const wanted = new Map<string, Shape>();
  for (const node of graph.nodes) {
    if (!isStandard(node.domain) || !Object.hasOwn(RECURRENT, node.op)) continue;
    for (const [i, shape] of shapesOf(node, dimsOf).entries()) {
      const name = node.inputs[i];
      if (shape && name !== undefined && !wanted.has(name)) wanted.set(name, shape);
    }
  }
  const inputs = graph.inputs.map((info) => {
    const found = wanted.get(info.name);
    const { shape = found } = info;
    if (!found || shape?.length !== found.length) return info;
    return { ...info, shape: shape.map((size, i) => (typeof size === 'string' && found[i] !== '' ? found[i]! : size)) };
  });
  return { ...graph, inputs };
}

/** By the place of an input: X is (steps, batch, I), W (D, gates H, I), R (D, gates H, H), the initial states (D, batch, H). */
function shapesOf(node: OnnxNode, dimsOf: (name: string) => readonly number[] | undefined): (Shape | undefined)[] {
  const [inputSize, hiddenSize] = [node.inputs[1], node.inputs[2]].map((name) => dimsOf(name ?? '')?.[2]);
  const directions = dimsOf(node.inputs[1] ?? '')?.[0];
  if (inputSize === undefined || hiddenSize === undefined || directions === undefined) return [];
  const isBatchFirst = node.attributes.some(({ name, i }) => name === 'layout' && i === 1);
  const states: Shape = isBatchFirst ? ['', directions, hiddenSize] : [directions, '', hiddenSize];
  return [['', '', inputSize], undefined, undefined, undefined, [''], states, states];
}
