import { nodeError } from '../attributes.ts';
import { requireInput } from '../constants.ts';
import type { Operator } from '../context.ts';
import { countReaders, neededNodes } from '../nodes.ts';

/** The branch that is taken, where that is known when the model is loaded. */
export const branch: Operator = (context) => {
  const { attributes, graph, node, scope } = context;
  const branches = [attributes.graph('else_branch'), attributes.graph('then_branch')] as const;
  const condition = requireInput(context, 0);
  if (condition.type !== 'constant') {
    const [input] = condition.inputs;
    const name = input === undefined ? 'name' : graph.inputName(input);
    throw nodeError(
      node,
      `the condition ('${node.inputs[0] ?? ''}') is computed in a run; supported: constants. ` +
        `{ onnx: { initializers: { '${name}': { data, shape } } } } gives an input that it follows from when the model is loaded`,
    );
  }
  const { data } = condition;
  const taken = data.length === 1 && typeof data[0] === 'number' ? branches[data[0] === 0 ? 0 : 1] : undefined;
  if (!taken || !scope)
    throw nodeError(node, 'its condition is not one number that is known, or its branch is missing');
  const outputs = taken.outputs.map(({ name }) => name);
  if (outputs.length !== node.outputs.length)
    throw nodeError(node, `has ${node.outputs.length} outputs, its branch ${outputs.length}`, 'invalid_file');
  const nodes = neededNodes(taken.nodes, outputs);
  const inner = scope.inner({
    graph,
    readers: countReaders(nodes, outputs),
    initializers: taken.initializers,
    seen: (value) => (value.type === 'rows' ? { ...value, exclusive: false } : value),
    reading: () => undefined,
  });
  for (const one of nodes) inner.read(one);
  return outputs.map((name) => inner.value(name));
};
