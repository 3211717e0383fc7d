import { nodeError, nodeName } from '../../attributes.ts';
import { floatsOf } from '../../constants.ts';
import type { NodeContext } from '../../context.ts';
import { shapeText } from '../../size.ts';
import type { Constant } from '../../value.ts';
import { part, type CellForm, type DirectionTensors, type DirectionWeights, type RecurrentOperator } from './cell.ts';

/** Sizes, and the weights of each direction in the canonical form. */
export interface NodeWeights {
  inputSize: number;
  hiddenSize: number;
  weights: DirectionWeights[];
}

/** Reads W, R, B and P: what the operator has of them. */
export function readWeights(
  context: NodeContext,
  { gates, peepholes }: RecurrentOperator,
  form: CellForm,
  directions: number,
): NodeWeights {
  const { attributes, graph, node } = context;
  const rows = gates === 1 ? 'n' : `${gates} n`;
  const r = readTensor(context, 2, 'R', [directions, rows, 'n']);
  const hiddenSize = r.shape[2]!;
  const given = attributes.int('hidden_size');
  if (given !== undefined && given !== hiddenSize)
    throw nodeError(node, `attribute 'hidden_size' is ${given}, but R has shape ${shapeText(r.shape)}`, 'invalid_file');
  if (r.shape[1] !== gates * hiddenSize) throw wrongShape(context, 'R', r.shape, [directions, rows, 'n']);
  const w = readTensor(context, 1, 'W', [directions, gates * hiddenSize, 'n']);
  const inputSize = w.shape[2]!;
  if (inputSize < 1 || hiddenSize < 1) throw nodeError(node, `its W has shape ${shapeText(w.shape)}`, 'invalid_file');
  const isGiven = (index: number) => (node.inputs[index] ?? '') !== '';
  const b = isGiven(3) ? readTensor(context, 3, 'B', [directions, 2 * gates * hiddenSize]) : undefined;
  const p = peepholes > 0 && isGiven(7) ? readTensor(context, 7, 'P', [directions, peepholes * hiddenSize]) : undefined;

  const only = node.attributes.find(({ name }) => name === 'direction')?.s ?? 'forward';
  const place = (tensor: WeightTensor | undefined, ...keys: string[]) => {
    const prefix = directions === 2 ? '{forward,reverse}' : only;
    const target = keys.map((key) => `${prefix}.${key}`).join(' and ');
    if (tensor) graph.place(tensor.constant, `${nodeName(node)}/${target}`);
  };
  place(w, 'input');
  place(r, 'recurrent');
  place(b, ...form.biases);
  place(p, 'peepholes');
  // their sum: many nodes may share one B
  graph.budget.spend(2 * (b?.data.length ?? 0));
  const weights = Array.from({ length: directions }, (_, d) => {
    const biases = b && part(b.data, d, directions);
    const tensors: DirectionTensors = {
      input: part(w.data, d, directions),
      recurrent: part(r.data, d, directions),
      biases: biases && { input: part(biases, 0, 2), recurrent: part(biases, 1, 2) },
      peepholes: p && part(p.data, d, directions),
    };
    return form.weights(tensors);
  });
  return { inputSize, hiddenSize, weights };
}

interface WeightTensor {
  constant: Constant;
  shape: number[];
  data: Float32Array;
}

/** Input `index`, which has to be stored in the file; sizes that are texts may be any. */
function readTensor(context: NodeContext, index: number, name: string, shape: (number | string)[]): WeightTensor {
  const { node, inputs } = context;
  const value = inputs[index];
  if (value?.type !== 'constant') {
    const source = node.inputs[index] ?? '';
    if (!source) throw nodeError(node, `input ${name} is missing`, 'invalid_file');
    throw nodeError(
      node,
      `its ${name} ('${source}') is not stored in the file. If it is an input of the graph, give its values when you load the ` +
        `model: { onnx: { initializers: { '${source}': { data, shape } } } }`,
    );
  }
  const read = floatsOf(context, value, name);
  if (read.shape.length !== shape.length || shape.some((size, i) => typeof size === 'number' && size !== read.shape[i]))
    throw wrongShape(context, name, read.shape, shape);
  return { constant: value, ...read };
}

function wrongShape({ node }: NodeContext, name: string, got: number[], expected: (number | string)[]): Error {
  return nodeError(node, `its ${name} has shape ${shapeText(got)}; expected [${expected.join(', ')}]`, 'invalid_file');
}
