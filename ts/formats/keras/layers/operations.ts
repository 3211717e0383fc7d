import { isRecord } from '../../../base/tensor.ts';
import type { Activation, MergeSpec, RowActivation } from '../../../spec/spec.ts';
import { activationNamed } from '../activation.ts';
import type { Features } from '../values.ts';
import type { Call, Resolved, Translate } from './call.ts';
import { broadcast, joinSteps } from './broadcast.ts';
import { asFeatures, isNothing } from './call.ts';

/**
 * Operations on tensors, by the name of their class in keras.ops: `x + y` is Add. Masks do not go through them.
 *
 * Arguments are by place or by name; a constant may stand for a tensor.
 */
export const OPERATIONS: Record<string, Translate> = {
  Add: (call) => arithmetic(call, 'sum', (c) => affine(1, c)),
  Multiply: (call) => arithmetic(call, 'mul', (c) => affine(c, 0)),
  Subtract: (call) => {
    const [x, y] = operands(call, 2);
    if (typeof x === 'number') return applied(call, tensor(call, y), affine(-1, x));
    if (typeof y === 'number') return applied(call, tensor(call, x), affine(1, -y));
    const [a, b] = pair(call, x, y);
    const negative = activation(call, b, affine(-1, 0), `${call.name}_negative`);
    return merged(call, [a, { ...b, ref: negative }], 'sum');
  },
  TrueDivide: divide,
  Divide: divide,
  Negative: (call) => applied(call, tensor(call, operands(call, 1)[0]), affine(-1, 0)),
  Square: (call) => {
    const x = tensor(call, operands(call, 1)[0]);
    return merged(call, [x, x], 'mul');
  },
  Concatenate: (call) => {
    const axis = number(call, 'axis', 1, -1);
    const [list] = operandsOf(call, ['axis'], 1);
    if (!Array.isArray(list)) throw call.fields.unsupported('takes a list of tensors');
    const parts = list.map((item) => tensor(call, operand(call, item)));
    if (parts.some(({ kind }) => kind !== parts[0]!.kind))
      throw call.fields.unsupported('combines steps with whole sequences');
    const rank = rankOf(parts[0]!);
    const place = axis < 0 ? axis + rank : axis;
    if (rank === 3 && place === 1) return [joinSteps(call, parts)];
    if (place !== rank - 1)
      throw call.fields.unsupported(`axis ${axis} is not supported; supported: features and steps`);
    return merged(call, parts, 'concat');
  },
  GetItem: (call) => {
    const key = call.kwargs.get('slice_spec') ?? call.args[1];
    const [x] = operandsOf(call, ['slice_spec', 'key'], 1);
    return item(call, tensor(call, operand(call, x)), key);
  },
  Softmax: (call) => {
    const axis = number(call, 'axis', 1, -1);
    const x = tensor(call, operand(call, operandsOf(call, ['axis'], 1)[0]));
    if (axis !== -1 && axis !== rankOf(x) - 1)
      throw call.fields.unsupported(`axis ${axis} is not supported; supported: -1, the last`);
    return applied(call, x, 'softmax');
  },
  LeakyRelu: (call) => slope(call, 'leaky_relu', ['negative_slope', 'alpha'], 0.2),
  Elu: (call) => slope(call, 'elu', ['alpha'], 1),
  ...Object.fromEntries(
    Object.entries({
      Relu: 'relu',
      Relu6: 'relu6',
      Sigmoid: 'sigmoid',
      Tanh: 'tanh',
      Softplus: 'softplus',
      Softsign: 'softsign',
      HardSigmoid: 'hard_sigmoid',
      Selu: 'selu',
      Silu: 'silu',
      Exp: 'exponential',
    }).map(([name, fn]): [string, Translate] => [
      name,
      (call) =>
        applied(
          call,
          tensor(call, operands(call, 1)[0]),
          activationNamed(call.fields, 'function', fn, call.builder.dialect),
        ),
    ]),
  ),
};

/** TFOpLambda and SlicingOpLambda of Keras 2: functions of TensorFlow, and the operation that each is. */
export const TF_FUNCTIONS: Record<string, string> = {
  '__operators__.add': 'Add',
  '__operators__.getitem': 'GetItem',
  'math.add': 'Add',
  'math.multiply': 'Multiply',
  'math.subtract': 'Subtract',
  'math.divide': 'Divide',
  'math.truediv': 'Divide',
  'math.negative': 'Negative',
  'math.square': 'Square',
  'math.sigmoid': 'Sigmoid',
  'math.tanh': 'Tanh',
  'math.softplus': 'Softplus',
  'math.exp': 'Exp',
  concat: 'Concatenate',
  'nn.relu': 'Relu',
  'nn.relu6': 'Relu6',
  'nn.leaky_relu': 'LeakyRelu',
  'nn.elu': 'Elu',
  'nn.selu': 'Selu',
  'nn.silu': 'Silu',
  'nn.sigmoid': 'Sigmoid',
  'nn.tanh': 'Tanh',
  'nn.softplus': 'Softplus',
  'nn.softsign': 'Softsign',
  'nn.softmax': 'Softmax',
};

/** TensorFlowOpLayer of TensorFlow 2.0 to 2.3: nodes of its graphs. */
export const TF_NODES: Record<string, string> = {
  AddV2: 'Add',
  Add: 'Add',
  Mul: 'Multiply',
  Sub: 'Subtract',
  RealDiv: 'Divide',
  Neg: 'Negative',
  Square: 'Square',
  Relu: 'Relu',
  Sigmoid: 'Sigmoid',
  Tanh: 'Tanh',
  Softplus: 'Softplus',
  Softsign: 'Softsign',
};

/** What the arguments of operations are called. */
const OPERAND_NAMES = ['x', 'x1', 'x2', 'y', 'a', 'features', 'logits', 'tensor', 'input', 'inputs', 'xs', 'values'];

/** The tensors and constants that an operation is called on. */
function operandsOf(call: Call, settings: readonly string[], count: number): Resolved[] {
  const { args, kwargs, fields } = call;
  const found = args.slice(0, count);
  for (const [name, value] of kwargs) {
    if (settings.includes(name) || (name === 'name' && !Array.isArray(value)) || isNothing(value)) continue;
    if (!OPERAND_NAMES.includes(name) || found.length >= count)
      throw fields.unsupported(`is called with ${name}, which is not supported`);
    found.push(value);
  }
  if (found.length < count) throw fields.invalid(`takes ${count} tensors`);
  if (args.slice(count + settings.length).some((argument) => !isNothing(argument)))
    throw fields.unsupported('is called with more arguments than are supported');
  fields.ignore('name');
  fields.finish();
  return found;
}

type Operand = Features | number | Resolved[];

function operands(call: Call, count: number): Operand[] {
  return operandsOf(call, [], count).map((argument) => operand(call, argument));
}

function operand(call: Call, argument: Resolved | undefined): Operand {
  if (argument === undefined) throw call.fields.invalid('an argument is missing');
  if (Array.isArray(argument)) return argument;
  if ('value' in argument) return asFeatures(call, argument.value);
  let { constant } = argument;
  // a NumPy or TensorFlow constant
  if (isRecord(constant) && isRecord(constant['config'])) constant = constant['config']['value'];
  if (typeof constant === 'number') return constant;
  throw call.fields.unsupported('is given a constant that is no number');
}

function tensor({ fields }: Call, value: Operand | undefined): Features {
  if (value === undefined || typeof value === 'number' || Array.isArray(value))
    throw fields.unsupported('takes a tensor');
  return value;
}

/** A setting: a field of the operation's config, a keyword, or an argument by its place. */
function number(call: Call, name: string, place: number, fallback: number): number {
  const given = call.kwargs.get(name) ?? call.args[place];
  const own = call.fields.take(name);
  if (isNothing(given)) return typeof own === 'number' ? own : fallback;
  const value = Array.isArray(given) || !('constant' in given!) ? undefined : given.constant;
  if (typeof value !== 'number') throw call.fields.unsupported(`${name} must be a number`);
  return value;
}

const rankOf = ({ kind }: Features) => (kind === 'sequence' ? 3 : 2);

const affine = (alpha: number, beta: number): Activation => ({ name: 'affine', alpha, beta });

function divide(call: Call) {
  const [x, y] = operands(call, 2);
  if (typeof y === 'number') return applied(call, tensor(call, x), affine(1 / y, 0));
  throw call.fields.unsupported('divides by a tensor; supported: by a number');
}

function slope(call: Call, name: 'leaky_relu' | 'elu', settings: string[], fallback: number) {
  const alpha = settings.reduce((found, setting) => number(call, setting, 1, found), fallback);
  return applied(call, tensor(call, operand(call, operandsOf(call, settings, 1)[0])), { name, alpha });
}

function arithmetic(call: Call, merge: 'sum' | 'mul', by: (constant: number) => Activation) {
  const [x, y] = operands(call, 2);
  if (typeof x === 'number') return applied(call, tensor(call, y), by(x));
  if (typeof y === 'number') return applied(call, tensor(call, x), by(y));
  return merged(call, pair(call, x, y), merge);
}

function pair(call: Call, x: Operand | undefined, y: Operand | undefined): [Features, Features] {
  const [a, b] = [tensor(call, x), tensor(call, y)];
  // Dimensions are matched from the last one on: the batch of a vector would meet the steps.
  if (a.kind !== b.kind) throw call.fields.unsupported('combines steps with whole sequences');
  const { values } = broadcast(call, [a, b]);
  return values as [Features, Features];
}

function merged(call: Call, parts: readonly Features[], merge: MergeSpec['merge']): [Features] {
  const { builder, name } = call;
  const kind = parts.some((part) => part.kind === 'sequence') ? 'sequence' : 'vector';
  const size = Math.max(...parts.map((part) => part.size));
  const inputs = parts.map((part) => builder.exact(part));
  if (inputs.length < 2) return [{ is: 'features', ref: inputs[0]!, kind, size }];
  builder.add({ type: 'merge', name, inputs, merge });
  const all = merge === 'concat' ? parts.reduce((sum, part) => sum + part.size, 0) : size;
  return [{ is: 'features', ref: name, kind, size: all }];
}

function activation({ builder }: Call, x: Features, fn: RowActivation, name: string): string {
  return builder.add({ type: 'activation', name, inputs: [builder.exact(x)], activation: fn });
}

function applied(call: Call, x: Features, fn: RowActivation): [Features] {
  return [{ is: 'features', ref: activation(call, x, fn, call.name), kind: x.kind, size: x.size }];
}

/** One place of a key: all of a dimension, a part of it, or one. */
type Place = { start: number | null; stop: number | null } | number | 'rest';

/** `x[:, -1]`, `x[:, 0]`, `x[:, :, a:b]`, `x[..., a:b]`. */
function item(call: Call, x: Features, key: Resolved | undefined): [Features] {
  const { fields, builder, name } = call;
  const rank = rankOf(x);
  const places = (Array.isArray(key) ? key : [key]).map((one) => place(call, one));
  const rest = places.indexOf('rest');
  const all: Place = { start: null, stop: null };
  const fill = Array.from({ length: rank - places.filter((one) => one !== 'rest').length }, () => all);
  places.splice(rest < 0 ? places.length : rest, rest < 0 ? 0 : 1, ...fill);
  const refuse = () => fields.unsupported('takes other parts than x[:, -1], x[:, 0] and x[:, :, a:b] do');
  if (places.length !== rank || !isAll(places[0], Infinity)) throw refuse();
  let found: Features = { is: 'features', ref: builder.exact(x), kind: x.kind, size: x.size };
  if (x.kind === 'sequence') {
    const steps = places[1];
    if (steps === 0 || steps === -1) {
      const ref = builder.add({ type: 'step', name, inputs: [found.ref], index: steps });
      found = { ...found, ref, kind: 'vector' };
    } else if (!isAll(steps, Infinity)) throw refuse();
  }
  const features = places[rank - 1]!;
  if (isAll(features, x.size)) return [found];
  if (typeof features === 'number' || features === 'rest') throw refuse();
  const at = (index: number | null, fallback: number) =>
    index === null ? fallback : Math.max(0, Math.min(index < 0 ? index + x.size : index, x.size));
  const start = at(features.start, 0);
  const size = at(features.stop, x.size) - start;
  if (size < 1) throw fields.invalid('takes no features');
  const last = found.kind === x.kind ? name : builder.name(`${name}_features`);
  const ref = builder.add({ type: 'slice', name: last, inputs: [found.ref], start, size });
  return [{ ...found, ref, size }];
}

function isAll(one: Place | undefined, size: number): boolean {
  return typeof one === 'object' && (one.start ?? 0) === 0 && (one.stop === null || one.stop >= size);
}

/** As the config writes it: a whole number, `{ start, stop, step }`, or the same as an object of class `__slice__`. */
function place({ fields }: Call, one: Resolved | undefined): Place {
  let constant = one !== undefined && !Array.isArray(one) && 'constant' in one ? one.constant : undefined;
  if (Number.isInteger(constant)) return constant as number;
  if (isRecord(constant) && String(constant['class_name']).includes('llipsis')) return 'rest';
  if (isRecord(constant) && constant['class_name'] === '__slice__') constant = constant['config'];
  if (isRecord(constant) && 'start' in constant && 'stop' in constant) {
    const { start, stop, step = null } = constant;
    const isIndex = (value: unknown) => value === null || Number.isInteger(value);
    if (isIndex(start) && isIndex(stop) && (step === null || step === 1))
      return { start: start as number | null, stop: stop as number | null };
  }
  throw fields.unsupported(`takes the part ${JSON.stringify(constant ?? null).slice(0, 80)}, which is not supported`);
}
