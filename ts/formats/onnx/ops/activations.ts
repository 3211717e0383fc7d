import type { Activation } from '../../../spec/spec.ts';
import { nodeError } from '../attributes.ts';
import { numbersOf, requireConstant, requireInput } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import type { Constant } from '../value.ts';
import { tanhOfGrid } from './attention.ts';
import { floatRows, layerName } from './columns.ts';
import { foldBinary, unary } from './constant.ts';

/** Operators that are an elementwise function. */

function activation(read: Activation | ((context: NodeContext) => Activation)): Operator {
  return (context) => {
    const found = typeof read === 'function' ? read(context) : read;
    return [context.graph.builder.activation(floatRows(context, 0), layerName(context), found)];
  };
}

/** The same, which constants that are computed go through too. */
function either(found: Activation, apply: (x: number) => number): Operator {
  const [computed, constant] = [activation(found), unary(apply)];
  return (context) => (requireInput(context, 0).type === 'constant' ? constant : computed)(context);
}

/** sin x, or cos x. */
function wave(cosine: boolean): Operator {
  const constant = unary(cosine ? Math.cos : Math.sin);
  return (context) =>
    requireInput(context, 0).type === 'constant'
      ? constant(context)
      : [context.graph.builder.sine(floatRows(context, 0), layerName(context), cosine)];
}

/** A function with parameters from attributes; those of the file, else the operator's defaults. */
function withParameters(
  name: Exclude<Activation, string>['name'],
  names: { alpha?: [string, number]; beta?: [string, number] },
): Operator {
  return activation(({ attributes }) => {
    const read = (given: [string, number] | undefined) => given && (attributes.float(given[0]) ?? given[1]);
    const [alpha, beta] = [read(names.alpha), read(names.beta)];
    return { name, ...(alpha === undefined ? {} : { alpha }), ...(beta === undefined ? {} : { beta }) };
  });
}

/** Of sizes too: shapes may be computed with it. */
const neg: Operator = (context) => {
  const x = requireInput(context, 0);
  if (x.type === 'rows') return activation({ name: 'affine', alpha: -1, beta: 0 })(context);
  const zero: Constant = { ...x, base: [], shape: [], data: [0] };
  return [foldBinary({ ...context, node: { ...context.node, op: 'Sub' } }, zero, x)];
};

/** Bounds are attributes before opset 11, inputs since. */
const clip = activation((context) => {
  const { attributes, inputs, node, opset } = context;
  const bound = (index: number, name: string) => {
    if (opset < 11) return attributes.float(name);
    if (!inputs[index]) return undefined;
    const { data } = numbersOf(context, requireConstant(context, index, name), name);
    if (data.length !== 1) throw nodeError(node, `${name} holds ${data.length} values`, 'invalid_file');
    return data[0];
  };
  const finite = (value: number | undefined) => (value !== undefined && Math.abs(value) < 3e38 ? value : undefined);
  const most = finite(bound(2, 'max'));
  let least = finite(bound(1, 'min'));
  // The upper bound wins.
  if (least !== undefined && most !== undefined && least > most) least = most;
  return {
    name: 'clip',
    ...(least === undefined ? {} : { alpha: least }),
    ...(most === undefined ? {} : { beta: most }),
  };
});

const gelu = activation(({ attributes, node }) => {
  const approximate = attributes.text('approximate') ?? 'none';
  if (approximate === 'none') return 'gelu';
  if (approximate === 'tanh') return 'gelu_tanh';
  throw nodeError(node, `attribute 'approximate' is '${approximate}'`, 'invalid_file');
});

/** The nearest whole number, the even one of two. */
function roundEven(x: number): number {
  return Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x);
}

const tanh: Operator = (context) => {
  const x = requireInput(context, 0);
  const grid = x.type === 'rows' ? tanhOfGrid(x) : undefined;
  return grid ? [grid] : activation('tanh')(context);
};

export const ACTIVATION_OPERATORS: Record<string, Operator> = {
  Sigmoid: activation('sigmoid'),
  Tanh: tanh,
  Relu: activation('relu'),
  Softplus: activation('softplus'),
  Softsign: activation('softsign'),
  Mish: activation('mish'),
  HardSwish: activation('hard_swish'),
  Gelu: gelu,
  Clip: clip,
  HardSigmoid: withParameters('hard_sigmoid', { alpha: ['alpha', 0.2], beta: ['beta', 0.5] }),
  Elu: withParameters('elu', { alpha: ['alpha', 1] }),
  Celu: withParameters('celu', { alpha: ['alpha', 1] }),
  Selu: withParameters('selu', { alpha: ['alpha', 1.6732632423543772], beta: ['gamma', 1.0507009873554805] }),
  Swish: withParameters('swish', { alpha: ['alpha', 1] }),
  LeakyRelu: withParameters('leaky_relu', { alpha: ['alpha', 0.01] }),
  ThresholdedRelu: withParameters('thresholded_relu', { alpha: ['alpha', 1] }),
  Shrink: withParameters('shrink', { alpha: ['lambd', 0.5], beta: ['bias', 0] }),
  Erf: activation('erf'),
  Sin: wave(false),
  Cos: wave(true),
  Exp: either('exp', Math.exp),
  Log: either('log', Math.log),
  Sqrt: either('sqrt', Math.sqrt),
  Abs: either('abs', Math.abs),
  Neg: neg,
  Reciprocal: either('reciprocal', (x) => 1 / x),
  Sign: either('sign', Math.sign),
  Round: either('round', roundEven),
  Floor: either('floor', Math.floor),
  Ceil: either('ceil', Math.ceil),
};
