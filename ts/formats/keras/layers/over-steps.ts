import type { RowActivation, ValueRef } from '../../../spec/spec.ts';
import { oneFunction, readActivation } from '../activation.ts';
import type { Features, Scores, Transposed, Value } from '../values.ts';
import type { Call, Translate } from './call.ts';
import {
  asFeatures,
  checkArguments,
  featuresAsSteps,
  firstArgument,
  onlyValue,
  stepsAsFeatures,
  withoutMask,
} from './call.ts';
import { checkSoftmaxMask } from './core.ts';
import { shown } from '../shown.ts';

/**
 * Layers that treat steps as features: what attention is made of where a model writes it out.
 *
 *     Flatten, softmax, RepeatVector, Permute, Multiply     weights of one number a step, beside the features
 *     Dot, softmax, Dot                                     scores, weights, weighted sums; of two vectors their product
 */

function softmaxOverTime({ builder, name }: Call, ref: ValueRef): ValueRef {
  return builder.add({ type: 'timeSoftmax', name, inputs: [ref] });
}

/** An activation or a Softmax layer: over steps where these are the last axis, or axis 1 of features is asked for. */
export function activationOverSteps(inner: Translate): Translate {
  return (call) => {
    const value = onlyValue(call);
    if (value.is === 'features') return (isOverTime(call, value) && featuresOverTime(call, value)) || inner(call);
    if (value.is !== 'transposed' && value.is !== 'scores') return inner(call);
    const { fields, layer, builder } = call;
    if (value.is === 'scores' && value.keys) return inner(plainly(call, value));
    const axis =
      layer.className === 'Softmax' && value.is === 'scores'
        ? axisOfScores(call, value, fields.axis('axis', -1))
        : undefined;
    const rank = value.is === 'transposed' && value.flat ? 2 : 3;
    const found = axis
      ? 'softmax'
      : layer.className === 'Activation'
        ? readActivation(fields, 'activation', builder.dialect)
        : oneFunction(layer.className, fields, rank);
    if (value.is === 'scores' && found !== 'softmax' && found !== 'linear') return inner(plainly(call, value));
    fields.finish();
    checkArguments(call);
    if (value.is === 'transposed') return [activate(call, value, found)];
    return [found === 'linear' ? value : { ...value, keys: axis ?? 'y' }];
  };
}

/** A call on scores as the numbers that they are. */
const plainly = (call: Call, scores: Scores): Call => ({ ...call, args: [{ value: asFeatures(call, scores) }] });

function isOverTime({ layer, fields }: Call, { kind }: Features): boolean {
  return layer.className === 'Softmax' && kind === 'sequence' && [1, -2].includes(fields.axis('axis', -1));
}

function featuresOverTime(call: Call, features: Features): Value[] {
  const { fields, builder } = call;
  fields.finish();
  checkArguments(call);
  checkSoftmaxMask(call, features);
  const { kind, size, mask } = features;
  return [{ is: 'features', ref: softmaxOverTime(call, builder.exact(features)), kind, size, mask }];
}

/** Softmax over an axis of scores. */
export function softmaxOfScores(call: Call, scores: Scores, axis: number): Scores {
  return { ...scores, keys: axisOfScores(call, scores, axis) };
}

/** Whose steps an axis of scores is. */
function axisOfScores({ fields }: Call, { x }: Scores, axis: number): 'x' | 'y' {
  if (axis === -1 || axis === (x.kind === 'vector' ? 1 : 2)) return 'y';
  if (x.kind === 'sequence' && (axis === 1 || axis === -2)) return 'x';
  throw fields.unsupported(`axis ${axis} is not supported; supported: the steps of one of the two`);
}

function activate(call: Call, value: Transposed, activation: RowActivation): Transposed {
  const { builder, name } = call;
  const { ref } = value;
  const made =
    activation === 'softmax'
      ? softmaxOverTime(call, ref)
      : builder.add({ type: 'activation', name, inputs: [ref], activation });
  return { ...value, ref: made };
}

/** Flatten: of one number a step, which may come to weigh features; `inner` flattens what else there is. */
export const flatten =
  (inner: Translate): Translate =>
  (call) => {
    const value = onlyValue(call);
    const plain = value.is === 'scores' || (value.is === 'features' && (value.kind === 'vector' || value.size !== 1));
    return plain ? inner(call) : flattenOne(call);
  };

const flattenOne: Translate = (call) => {
  const { fields, builder } = call;
  // Of one feature both are the same.
  fields.choice('data_format', ['channels_last', 'channels_first']);
  fields.finish();
  checkArguments(call);
  const value = onlyValue(call);
  const row = rowOfSteps(builder, value);
  if (row) return [row];
  if (value.is === 'stacked')
    return [{ is: 'features', ref: value.ref, kind: 'vector', size: value.count * value.size }];
  throw fields.unsupported('puts the features of all steps into one row');
};

/** One number a step as a row. */
function rowOfSteps(builder: Call['builder'], value: Value): Transposed | undefined {
  if (value.is === 'transposed') return value.flat ? value : undefined;
  if (value.is !== 'features' || value.kind === 'vector' || value.size !== 1) return undefined;
  return { is: 'transposed', ref: builder.exact(value), size: 1, flat: true };
}

/** Reshape((-1,)) and Reshape((-1, 1)) of one number a step, of any number of steps; `inner` makes other shapes, of steps that the file fixes. */
export const reshape =
  (inner: Translate): Translate =>
  (call) => {
    const { fields, builder, layer } = call;
    const target = JSON.stringify(layer.config['target_shape']);
    const value = onlyValue(call);
    const isFree = 'ref' in value && builder.stepsOf(value.ref) === undefined;
    const row = isFree && ['[-1]', '[-1,1]'].includes(target) ? rowOfSteps(builder, value) : undefined;
    if (!row) return inner(call);
    fields.ignore('target_shape');
    fields.finish();
    checkArguments(call);
    return [target === '[-1]' ? row : { is: 'features', ref: row.ref, kind: 'sequence', size: 1 }];
  };

/** Permute((2, 1)): steps and features change places. `inner` does it where the file fixes the steps, and nothing else is known of them. */
export const permute =
  (inner: Translate): Translate =>
  (call) => {
    const value = onlyValue(call);
    return value.is === 'features' && (value.kind === 'vector' || call.builder.stepsOf(value.ref) !== undefined)
      ? inner(call)
      : turn(call);
  };

const turn: Translate = (call) => {
  const { fields, builder } = call;
  const dims = JSON.stringify(fields.take('dims'));
  fields.finish();
  checkArguments(call);
  const value = onlyValue(call);
  if (dims === '[1,2]') return [value.is === 'features' ? withoutMask(call, value) : value];
  if (dims !== '[2,1]') throw fields.unsupported(`dims ${dims} is not supported; supported: (2, 1)`);
  if (value.is === 'transposed' && !value.flat) {
    return [{ is: 'features', ref: value.ref, kind: 'sequence', size: value.size }];
  }
  if (value.is === 'features' && value.kind === 'sequence') {
    return [{ is: 'transposed', ref: builder.exact(value), size: value.size, flat: false }];
  }
  if (value.is === 'scores' && value.x.kind === 'sequence') return [turnedScores(value)];
  throw fields.unsupported('supported: of steps of features, and of steps by steps');
};

/** Scores whose two axes of steps change places. */
export const turnedScores = ({ x, y, keys }: Scores): Scores => ({
  is: 'scores',
  x: y,
  y: x,
  ...(keys && { keys: keys === 'x' ? 'y' : 'x' }),
});

/** RepeatVector: of one number a step, which then stands beside each feature; `inner` makes steps of a vector. */
export const repeatVector =
  (inner: Translate): Translate =>
  (call) =>
    onlyValue(call).is === 'transposed' ? widen(call) : inner(call);

const widen: Translate = (call) => {
  const { fields, builder, name } = call;
  const size = fields.size('n');
  fields.finish();
  checkArguments(call);
  const value = onlyValue(call);
  if (value.is !== 'transposed' || !value.flat) throw fields.unsupported('supported: of one number a step, flattened');
  return [{ is: 'transposed', ref: builder.widen(value.ref, name, size), size, flat: false }];
};

/** Dot over two axes of which each is steps or features. */
export const dot: Translate = (call) => {
  const { fields } = call;
  const axes = fields.take('axes');
  const unit = fields.flag('normalize', false);
  fields.finish();
  checkArguments(call);
  const list = firstArgument(call);
  const given = (Array.isArray(list) ? list : []).map((item) =>
    !Array.isArray(item) && 'value' in item ? item.value : undefined,
  );
  const [left, right] = given.every(isRow) ? given.map((value) => value && rowOf(call, value)) : given;
  if (!left || !right || given.length !== 2) throw fields.unsupported('takes two tensors');
  const [a, b] = (Array.isArray(axes) ? axes : [axes, axes]) as unknown[];
  const unitOf = (value: Value, axis: unknown) => (unit ? normalized(call, value, axisOf(call, value, axis)) : value);
  return [contract(call, unitOf(left, a), a, unitOf(right, b), b)];
};

/** Steps of features where they are transposed. */
const turnedBack = (value: Value): Value =>
  value.is === 'transposed' && !value.flat
    ? { is: 'features', ref: value.ref, kind: 'sequence', size: value.size }
    : value;

/** The product of two tensors over an axis of each. */
export function contract(call: Call, x: Value, a: unknown, y: Value, b: unknown): Value {
  const [first, second] = [axisOf(call, x, a), axisOf(call, y, b)];
  const [left, right] = [turnedBack(x), turnedBack(y)];
  const made = dotOf(call, left, first, right, second) ?? flipped(dotOf(call, right, second, left, first));
  if (made) return made;
  throw call.fields.unsupported(
    `multiplies ${first} by ${second}, axes ${shown(a)} and ${shown(b)}, which is not supported`,
  );
}

/** Whether a tensor has one row a sequence. */
function isRow(value: Value | undefined): boolean {
  return (value?.is === 'features' && value.kind === 'vector') || (value?.is === 'transposed' && value.flat);
}

/** One number a step as the features of a row, where the file fixes the steps. */
function rowOf(call: Call, value: Value): Value {
  return (value.is === 'transposed' ? stepsAsFeatures(call, value) : undefined) ?? value;
}

/** The least that Keras divides by where a vector is shorter: of the sum of squares 1e-12 in Keras 2, 1e-7 in TensorFlow.js. */
const LEAST = { keras3: 1e-7, keras2: 1e-6, tfjs: Math.sqrt(1e-7) };

/** Every vector along the axis made one of length 1. */
export function normalized(
  { builder, fields, name }: Call,
  value: Value,
  axis: string,
  epsilon = LEAST[builder.dialect.framework],
): Value {
  if (value.is !== 'features' && value.is !== 'transposed') throw fields.unsupported(`normalizes ${axis}`);
  const { size } = value;
  const ref = builder.add({
    type: 'norm',
    name: builder.name(`${name}_unit`),
    inputs: [value.is === 'features' ? builder.exact(value) : value.ref],
    inputSize: size,
    norm: 'unit',
    epsilon,
    ...(axis === 'steps' ? { groups: size, overTime: true } : {}),
    weights: {},
  });
  return value.is === 'transposed' ? { ...value, ref } : { is: 'features', ref, kind: value.kind, size };
}

/** What an axis of a tensor runs over. */
function axisOf({ fields }: Call, value: Value, axis: unknown): string {
  const names = axesOf(value);
  const at = typeof axis === 'number' && axis < 0 ? axis + names.length : axis;
  const found = typeof at === 'number' ? names[at] : undefined;
  if (found === undefined || at === 0) throw fields.unsupported(`axes ${shown(axis)} is not supported`);
  return found;
}

/** What each axis of a tensor runs over. */
export function axesOf(value: Value): string[] {
  switch (value.is) {
    case 'features':
      return value.kind === 'sequence' ? ['batch', 'steps', 'features'] : ['batch', 'features'];
    case 'transposed':
      return value.flat ? ['batch', 'steps'] : ['batch', 'features', 'steps'];
    case 'scores':
      return value.x.kind === 'vector' ? ['batch', 'steps of y'] : ['batch', 'steps of x', 'steps of y'];
    default:
      return [];
  }
}

/** The product where the first one is what weighs the second, or asks it. */
function dotOf(call: Call, x: Value, first: string, y: Value, second: string): Value | undefined {
  const { builder, name } = call;
  if (y.is !== 'features') return undefined;
  if (x.is === 'scores' && y.kind === 'sequence' && second === 'steps') {
    return x.keys && first === `steps of ${x.keys}` ? attend(call, x, y) : undefined;
  }
  if (second === 'steps' && first === 'steps' && (x.is === 'transposed' || x.is === 'features')) {
    const inputs = [x.is === 'features' ? builder.exact(x) : x.ref, builder.exact(y)];
    builder.add({ type: 'weightedSum', name, inputs });
    const flat = x.is === 'transposed' && x.flat;
    return flat
      ? { is: 'features', ref: name, kind: 'vector', size: y.size }
      : { is: 'stacked', ref: name, count: x.size, size: y.size };
  }
  if (x.is === 'features' && first === 'features' && second === 'steps')
    return byColumn(call, x, y) ?? rowsBySteps(call, x, y);
  if (x.is !== 'features' || first !== 'features' || second !== 'features' || x.size !== y.size) return undefined;
  if (y.kind === 'sequence') return { is: 'scores', x, y };
  if (x.kind === 'sequence') return undefined;
  const products = { name: builder.name(`${name}_products`), inputs: [x.ref, y.ref] };
  const inputs = [builder.add({ type: 'merge', ...products, merge: 'mul' })];
  return {
    is: 'features',
    ref: builder.add({ type: 'reduceFeatures', name, inputs, reduce: 'sum' }),
    kind: 'vector',
    size: 1,
  };
}

/** Each step by a column, (batch, n, 1): a number a step, the sum of its features times the numbers of the column. */
function byColumn({ builder, name }: Call, x: Features, y: Features): Value | undefined {
  if (x.kind === 'vector' || y.size !== 1 || builder.stepsOf(y.ref) !== x.size) return undefined;
  const own = { name: builder.name(`${name}_row`), inputs: [builder.exact(y)], steps: x.size };
  const row = builder.add({ type: 'flatten', ...own });
  const products = { name: builder.name(`${name}_products`), inputs: [builder.exact(x), row] };
  const inputs = [builder.add({ type: 'merge', ...products, merge: 'mul' })];
  const ref = builder.add({ type: 'reduceFeatures', name, inputs, reduce: 'sum' });
  return { is: 'features', ref, kind: 'sequence', size: 1 };
}

/** Each row, of as many numbers as the other has steps, by these: their sum with the numbers as weights. */
function rowsBySteps(call: Call, x: Features, y: Features): Value | undefined {
  const { builder, name } = call;
  const isFixed = x.kind === 'vector' || builder.stepsOf(x.ref) !== undefined;
  if (!isFixed || builder.stepsOf(y.ref) !== x.size) return undefined;
  const weights = featuresAsSteps(call, x);
  builder.add({ type: 'weightedSum', name, inputs: [weights.ref, builder.exact(y)] });
  return x.kind === 'vector'
    ? { is: 'features', ref: name, kind: 'vector', size: y.size }
    : { is: 'stacked', ref: name, count: weights.size, size: y.size };
}

/** The product with its factors in the other order: of what is not a row a sequence steps and columns change places. */
function flipped(value: Value | undefined): Value | undefined {
  return value?.is === 'features' && value.kind === 'vector' ? value : value?.is === 'scores' ? value : undefined;
}

/** Weights by values: an attention layer. Masks that came with the tensors Dot does not see. */
function attend({ builder, name }: Call, { x, y, keys }: Scores, values: Features): Value {
  const [query, key] = keys === 'y' ? [x, y] : [y, x];
  const inputs = [query, key, values].map((features) => builder.exact(features));
  builder.add({ type: 'attention', name, inputs, inputSize: query.size });
  return { is: 'features', ref: name, kind: query.kind, size: values.size };
}
