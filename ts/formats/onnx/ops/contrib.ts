import type { Activation } from '../../../spec/spec.ts';
import { nodeError } from '../attributes.ts';
import { requireConstant } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import type { Rows, Value } from '../value.ts';
import { columnValues, floatRows, layerName } from './columns.ts';
import { combine } from './combine.ts';
import { COMPUTE_OPERATORS } from './compute.ts';
import { conv } from './conv.ts';
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
  LeakyRelu: { name: 'leaky_relu', alpha: 0.01 },
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
  const parameters = [attributes.float('activation_alpha'), attributes.float('activation_beta')];
  attributes.float('activation_gamma');
  return fused(context, COMPUTE_OPERATORS['Gemm']!(context), parameters);
};

const fusedConv: Operator = (context) => {
  const parameters = context.attributes.floats('activation_params') ?? [];
  const [result] = conv({ ...context, inputs: context.inputs.slice(0, 3) });
  const sum = context.inputs[3] ? combine(context, result as Rows, floatRows(context, 3), 'sum') : result;
  return fused(context, [sum], parameters);
};

/** alpha x y, of which y may be turned. */
const fusedMatMul: Operator = (context) => {
  const { attributes, graph, node } = context;
  for (const name of ['transA', 'transBatchA', 'transBatchB']) {
    if (attributes.int(name)) throw nodeError(node, `attribute '${name}' 1 is not supported`);
  }
  const alpha = attributes.float('alpha') ?? 1;
  const y = context.inputs[1];
  const turned = attributes.int('transB') === 1 && y?.type === 'constant';
  if (attributes.int('transB') === 1 && !turned)
    throw nodeError(node, "attribute 'transB' 1 of a computed value is not supported");
  const inputs = [context.inputs[0], turned ? transposed(context) : y];
  const [result] = COMPUTE_OPERATORS['MatMul']!({ ...context, inputs }) as [Rows];
  if (alpha === 1) return [result];
  if (result.scores) return [{ ...result, scores: { ...result.scores, scale: result.scores.scale * alpha } }];
  const scale = new Float32Array(result.columns.reduce((n, { length }) => n + length, 0)).fill(alpha);
  return [graph.builder.affine(result, layerName(context), scale, undefined)];
};

function transposed(context: NodeContext): Value {
  const matrix = requireConstant(context, 1, 'the matrix');
  const [rows, columns, ...others] = matrix.base;
  if (rows === undefined || columns === undefined || others.length > 0)
    throw nodeError(context.node, "attribute 'transB' 1 is supported for matrices");
  context.graph.budget.spend(8 * matrix.data.length);
  const data = Float32Array.from(matrix.data, (_, i) =>
    Number(matrix.data[(i % rows) * columns + Math.floor(i / rows)]),
  );
  return { ...matrix, base: [columns, rows], shape: [columns, rows], data };
}

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
