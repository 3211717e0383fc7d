import type { Activation } from '../../../spec/spec.ts';
import { nodeError } from '../attributes.ts';
import { makeConstant, requireConstant, requireInput, shapeOf } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import type { Constant, Rows, Value } from '../value.ts';
import { scaleScores } from './attention.ts';
import { columnValues, floatRows, layerName } from './columns.ts';
import { combine } from './combine.ts';
import { COMPUTE_OPERATORS } from './compute.ts';
import { foldBinary } from './constant.ts';
import { conv } from './conv.ts';
import { permuted } from './layout.ts';
import { normalized } from './norm.ts';

/** Operators of onnxruntime's own domain, which its optimizer makes of standard ones. */

/** Rows with a constant of one number a column added, if the node has that input. */
function biased(context: NodeContext, rows: Rows, index: number): Rows {
  if (!context.inputs[index]) return rows;
  const bias = requireConstant(context, index, 'the bias');
  context.graph.place(bias, `${layerName(context)}/bias`);
  return context.graph.builder.affine(rows, `${layerName(context)}_bias`, undefined, columnValues(context, rows, bias));
}

function activated(activation: Activation | ((context: NodeContext) => Activation)): Operator {
  return (context) => {
    const found = typeof activation === 'function' ? activation(context) : activation;
    return [context.graph.builder.activation(biased(context, floatRows(context, 0), 1), layerName(context), found)];
  };
}

/** Functions that are fused behind a product, and what their parameters are called. */
const FUSED: Record<string, { name: Exclude<Activation, string>['name']; alpha?: number; beta?: number }> = {
  Relu: { name: 'relu' },
  Tanh: { name: 'tanh' },
  Sigmoid: { name: 'sigmoid' },
  Softplus: { name: 'softplus' },
  Softsign: { name: 'softsign' },
  Elu: { name: 'elu', alpha: 1 },
  Selu: { name: 'selu', alpha: 1.6732632423543772, beta: 1.0507009873554805 },
  LeakyRelu: { name: 'leaky_relu', alpha: 0.01 },
  ThresholdedRelu: { name: 'thresholded_relu', alpha: 1 },
  HardSigmoid: { name: 'hard_sigmoid', alpha: 0.2, beta: 0.5 },
  Clip: { name: 'clip', alpha: -3.4028234663852886e38, beta: 3.4028234663852886e38 },
};

/** The function behind a product; `given` are its parameters, in order. */
function fused(context: NodeContext, [result]: (Value | undefined)[], given: readonly (number | undefined)[]): Value[] {
  const { graph, attributes, node } = context;
  const name = attributes.text('activation') ?? '';
  if (result?.type !== 'rows') throw nodeError(node, 'gives no computed value');
  if (name === '') return [result];
  const known = Object.hasOwn(FUSED, name) ? FUSED[name]! : undefined;
  if (!known)
    throw nodeError(
      node,
      `attribute 'activation' '${name}' is not supported; supported: ${Object.keys(FUSED).join(', ')}`,
    );
  const { name: activation, ...defaults } = known;
  const [alpha = defaults.alpha, beta = defaults.beta] = given;
  const parameters = {
    ...(defaults.alpha !== undefined && alpha !== undefined ? { alpha } : {}),
    ...(defaults.beta !== undefined && beta !== undefined ? { beta } : {}),
  };
  return [graph.builder.activation(result, layerName(context), { name: activation, ...parameters })];
}

const fusedGemm: Operator = (context) => {
  const { attributes } = context;
  const [alpha, beta, gamma] = ['alpha', 'beta', 'gamma'].map((name) => attributes.float(`activation_${name}`));
  return fused(context, COMPUTE_OPERATORS['Gemm']!(context), [alpha, beta ?? gamma]);
};

const fusedConv: Operator = (context) => {
  const parameters = context.attributes.floats('activation_params') ?? [];
  const [result] = conv({ ...context, inputs: context.inputs.slice(0, 3) });
  const sum = context.inputs[3] ? combine(context, result as Rows, floatRows(context, 3), 'sum') : result;
  return fused(context, [sum], parameters);
};

/**
 * alpha x y. Of each, `transBatch` puts the first axis behind those of the batch, and then `trans` exchanges the last two.
 */
const fusedMatMul: Operator = (context) => {
  const { attributes, graph, node } = context;
  const alpha = attributes.float('alpha') ?? 1;
  const inputs = ['A', 'B'].map((name, i) => {
    const [isBatch, isTurned] = [attributes.int(`transBatch${name}`), attributes.int(`trans${name}`)];
    const input = requireInput(context, i);
    const [first, ...others] = shapeOf(input).map((_, axis) => axis);
    const last = others.pop();
    if (first === undefined || last === undefined || !(isBatch || isTurned)) return input;
    const [batch, row] = isBatch ? [others, first] : [[first, ...others].slice(0, -1), others.at(-1) ?? first];
    return permuted(context, input, [...batch, ...(isTurned ? [last, row] : [row, last])]);
  });
  const [result] = COMPUTE_OPERATORS['MatMul']!({ ...context, inputs }) as [Rows | Constant];
  if (alpha === 1) return [result];
  if (result.type === 'constant') {
    const factor = makeConstant(context, 'float', [], [alpha], '');
    return [foldBinary({ ...context, node: { ...node, op: 'Mul' } }, result, factor)];
  }
  return [
    result.scores
      ? scaleScores(context, result, result.scores, alpha)
      : graph.builder.affine(result, layerName(context), alpha),
  ];
};

/** Layer normalization of a sum: input, skip, gamma, beta, bias; outputs the result, and as the fourth the sum. */
const skipLayerNormalization: Operator = (context) => {
  const { attributes } = context;
  const sum = biased(context, combine(context, floatRows(context, 0), floatRows(context, 1), 'sum'), 4);
  const epsilon = attributes.float('epsilon') ?? 1e-12;
  const shared: Rows = { ...sum, exclusive: false };
  const parameters = { ...context, inputs: [undefined, context.inputs[2], context.inputs[3]] };
  const result = normalized(parameters, shared, { norm: 'standard', epsilon }, (constant) =>
    columnValues(context, shared, constant),
  );
  return [result, undefined, undefined, shared];
};

export const CONTRIB_OPERATORS: Record<string, Operator> = {
  'com.microsoft.Gelu': activated('gelu'),
  'com.microsoft.BiasGelu': activated('gelu'),
  'com.microsoft.FastGelu': activated('gelu_tanh'),
  'com.microsoft.QuickGelu': activated(({ attributes }) => ({
    name: 'swish',
    alpha: attributes.float('alpha') ?? 1.702,
  })),
  'com.microsoft.FusedGemm': fusedGemm,
  'com.microsoft.FusedMatMul': fusedMatMul,
  'com.microsoft.FusedConv': fusedConv,
  'com.microsoft.SkipLayerNormalization': skipLayerNormalization,
};
