import type { Features, Transposed, Value } from '../values.ts';
import { asFeatures, type Call, type Translate } from './call.ts';
import { describeValue } from '../builder.ts';
import { asTensor, axisOf, constants, operandsOf, rankOf, setting } from './operands.ts';
import { MAX_PARTS, takeFeatures } from './parts.ts';
import { joinNested, toPlainShape } from './shape.ts';
import { turnedScores } from './over-steps.ts';
import { shown } from '../shown.ts';

/** Operations that put axes in, take them away, or exchange them: the batch stays the first. */

/** One number a step, (batch, steps), of values of one feature. */
export const asRow = ({ ref }: Features): Transposed => ({ is: 'transposed', ref, size: 1, flat: true });

/** A new axis of length 1. */
export function expand({ builder, fields, name }: Call, value: Value, axis: number): Value {
  if (value.is === 'transposed' && value.flat) {
    if (axis === 2) return { is: 'features', ref: value.ref, kind: 'sequence', size: 1 };
    if (axis === 1) return { ...value, flat: false };
  }
  if (value.is === 'features' && value.kind === 'vector' && (axis === 1 || axis === 2)) {
    const [steps, size] = axis === 1 ? [1, value.size] : [value.size, 1];
    const like = axis === 1 ? {} : builder.like(steps);
    const own = { name: builder.name(name), inputs: [builder.exact(value)], steps, ...like };
    return { is: 'features', ref: builder.add({ type: 'unflatten', ...own }), kind: 'sequence', size };
  }
  throw fields.unsupported(
    `puts axis ${axis} into ${describeValue(value)}; supported: x[:, None] and x[:, :, None] of (batch, n)`,
  );
}

const ranks = (value: Value) =>
  value.is === 'features' ? rankOf(value) : value.is === 'transposed' && value.flat ? 2 : 3;

export const expandDims: Translate = (call) => {
  const axis = axisOf(call, 1, NaN);
  const x = asTensor(call, operandsOf(call, ['axis'], 1)[0]);
  return [expand(call, x, axis < 0 ? axis + ranks(x) + 1 : axis)];
};

/** Takes away an axis of length 1: the features, or the steps. */
export const squeeze: Translate = (call) => {
  const { builder, fields, name } = call;
  const given = setting(call, 'axis', 1) ?? setting(call, 'squeeze_dims', 2) ?? null;
  const x = asTensor(call, operandsOf(call, ['axis', 'squeeze_dims'], 1)[0]);
  const steps = x.is === 'features' && x.kind === 'sequence' ? builder.stepsOf(x.ref) : undefined;
  const axes = (Array.isArray(given) ? given : given === null ? [] : [given]) as unknown[];
  const places = axes.map((axis) => (typeof axis === 'number' && axis < 0 ? axis + ranks(x) : axis));
  if (x.is === 'features' && x.kind === 'sequence') {
    const isOne = [steps === 1 && 1, x.size === 1 && 2].filter((axis) => axis !== false);
    const [axis, ...more] = places.length > 0 ? places : isOne;
    if (more.length === 0 && axis === 2 && x.size === 1) return [asRow({ ...x, ref: builder.exact(x) })];
    if (more.length === 0 && axis === 1 && steps === 1) {
      const inputs = [builder.exact(x)];
      const ref = builder.add({ type: 'step', name, inputs, index: 0 });
      return [{ is: 'features', ref, kind: 'vector', size: x.size }];
    }
  }
  if (x.is === 'transposed' && !x.flat && x.size === 1 && places.length === 1 && places[0] === 1)
    return [{ ...x, flat: true }];
  throw fields.unsupported(
    `takes axis ${shown(given)} of ${describeValue(x)} away; supported: features or steps of which there is one`,
  );
};

/** Tensors beside each other on a new axis. */
export const stack: Translate = (call) => {
  const { builder, fields, name } = call;
  const axis = axisOf(call, 1, 0);
  const [list] = operandsOf(call, ['axis'], 1);
  if (!Array.isArray(list)) throw fields.unsupported('takes a list of tensors');
  const values = list.map((item) => asTensor(call, item));
  const at = axis < 0 ? axis + 3 : axis;
  const inputs = values.map((value) =>
    value.is === 'features' ? builder.exact(value) : 'ref' in value ? value.ref : '',
  );
  const count = inputs.length;
  const joined = (suffix: string) =>
    count === 1
      ? inputs[0]!
      : builder.add({ type: 'merge', name: builder.name(name + suffix), inputs, merge: 'concat' });
  if (values.every((value) => value.is === 'transposed' && value.flat)) {
    if (at === 2) return [{ is: 'features', ref: joined(''), kind: 'sequence', size: count }];
    if (at === 1) return [{ is: 'transposed', ref: joined(''), size: count, flat: false }];
  }
  const [first] = values;
  const isVector = (value: Value): value is Features => value.is === 'features' && value.kind === 'vector';
  if (first && isVector(first) && values.every((value) => isVector(value) && value.size === first.size)) {
    const [steps, size] = at === 1 ? [count, first.size] : [first.size, count];
    const own = {
      name: builder.name(name),
      inputs: [joined('_row')],
      steps,
      ...(at === 2 ? { transposed: true } : {}),
    };
    const like = builder.like(steps);
    if (at === 1 || at === 2)
      return [{ is: 'features', ref: builder.add({ type: 'unflatten', ...own, ...like }), kind: 'sequence', size }];
  }
  throw fields.unsupported(
    `stacks ${values.map(describeValue).join(', ')} on axis ${axis}; supported: vectors of one size, or rows of one number a step, behind the batch`,
  );
};

/** Parts of the features, side by side as they are. */
export const split: Translate = (call) => {
  const { fields } = call;
  const tf = call.kwargs.has('num_or_size_splits');
  const name = tf ? 'num_or_size_splits' : 'indices_or_sections';
  const given = setting(call, name, 1);
  const axis = axisOf(call, 2, 0);
  const x = asFeaturesOf(call, operandsOf(call, [name, 'axis'], 1)[0]);
  if (axis !== -1 && axis !== rankOf(x) - 1)
    throw fields.unsupported(`axis ${axis} is not supported; supported: features`);
  const numbers = constants(fields, name, Array.isArray(given) ? given : [given]);
  const count = Array.isArray(given) ? numbers.length : numbers[0]!;
  if (count > MAX_PARTS) throw fields.unsupported(`cuts features into ${count} parts; at most ${MAX_PARTS}`);
  let ends = numbers;
  if (!Array.isArray(given)) {
    const size = x.size / numbers[0]!;
    if (!Number.isInteger(size) || size < 1)
      throw fields.invalid(`does not cut ${x.size} features into ${numbers[0]!} parts`);
    ends = Array.from({ length: numbers[0]! - 1 }, (_, i) => (i + 1) * size);
  } else if (tf) ends = sizesToEnds(call, numbers, x.size);
  return [0, ...ends].map((start, i) => takeFeatures(call, x, { start, stop: ends[i] ?? null, step: 1 }));
};

/** Sizes of parts, of which one may be -1, as the ends of all but the last. */
function sizesToEnds({ fields }: Call, sizes: readonly number[], size: number): number[] {
  const known = sizes.reduce((sum, n) => sum + Math.max(n, 0), 0);
  let end = 0;
  const ends = sizes.map((n) => (end += n === -1 ? size - known : n));
  if (end !== size || sizes.filter((n) => n < 0).length > 1) throw fields.invalid(`does not cut ${size} features so`);
  return ends.slice(0, -1);
}

/** Another shape of each sample, its numbers in their order: the first number is the batch's. */
export const reshape: Translate = (call) => {
  const { builder, fields } = call;
  const given = setting(call, 'newshape', 1) ?? setting(call, 'shape', 1);
  const x = asTensor(call, operandsOf(call, ['newshape', 'shape'], 1)[0]);
  const [batch, ...shape] = constants(fields, 'shape', Array.isArray(given) ? given : [given]);
  const isNested = x.is === 'nested' && !x.ids;
  const features = isNested ? joinNested(call, x) : asFeatures(call, x);
  const steps = features.kind === 'vector' ? 1 : builder.stepsOf(features.ref);
  // with -1 in front whatever is left over would be sequences
  const isSample = steps !== undefined && shape.reduce((n, d) => n * d, 1) === steps * features.size;
  if (batch !== -1 || !isSample || shape.length < 1)
    throw fields.unsupported(
      `makes the shape ${shown(given)} of ${describeValue(x)}; supported: (-1, ...) of as many numbers as a sequence has, where the input shape fixes its steps`,
    );
  return [toPlainShape(call, features, shape)];
};

/** Steps and features change places. */
export const transpose: Translate = (call) => {
  const { fields, builder } = call;
  for (const name of ['conjugate']) fields.expect(name, [false, null], 'numbers are real');
  const names = ['axes', 'perm', 'axis1', 'axis2', 'conjugate'];
  const [a, b] = [setting(call, 'axis1', 1), setting(call, 'axis2', 2)];
  const given = a === undefined ? (setting(call, 'axes', 1) ?? setting(call, 'perm', 1)) : undefined;
  const x = asTensor(call, operandsOf(call, names, 1)[0]);
  const order = given ?? (a === undefined ? undefined : swapped(ranks(x), a, b));
  if (JSON.stringify(order) === JSON.stringify(Array.from({ length: ranks(x) }, (_, i) => i))) return [x];
  if (JSON.stringify(order) === '[0,2,1]') {
    if (x.is === 'features' && x.kind === 'sequence')
      return [{ is: 'transposed', ref: builder.exact(x), size: x.size, flat: false }];
    if (x.is === 'transposed' && !x.flat) return [{ is: 'features', ref: x.ref, kind: 'sequence', size: x.size }];
    if (x.is === 'scores' && x.x.kind === 'sequence') return [turnedScores(x)];
  }
  throw fields.unsupported(
    `orders the axes of ${describeValue(x)} as ${shown(order ?? null)}; supported: (0, 2, 1) of steps of features`,
  );
};

function swapped(rank: number, a: unknown, b: unknown): number[] {
  const order = Array.from({ length: rank }, (_, i) => i);
  const at = (axis: unknown) => (typeof axis === 'number' && axis < 0 ? axis + rank : Number(axis));
  [order[at(a)], order[at(b)]] = [at(b), at(a)];
  return order;
}

function asFeaturesOf(call: Call, argument: Parameters<typeof asTensor>[1]): Features {
  const x = asTensor(call, argument);
  if (x.is !== 'features') throw call.fields.unsupported(`cannot cut ${describeValue(x)}`);
  return { is: 'features', ref: call.builder.exact(x), kind: x.kind, size: x.size };
}

/** Zeros before and behind the steps. */
export const pad: Translate = (call) => {
  const { builder, fields } = call;
  const given = setting(call, 'pad_width', 1) ?? setting(call, 'paddings', 1);
  const mode = setting(call, 'mode', 2) ?? 'constant';
  const isConstant = mode === 'constant' || mode === 'CONSTANT';
  const value = setting(call, 'constant_values', 3) ?? 0;
  const names = ['pad_width', 'paddings', 'mode', 'constant_values'];
  const x = asFeaturesOf(call, operandsOf(call, names, 1)[0]);
  const isPair = (one: unknown) =>
    Array.isArray(one) && one.length === 2 && one.every((n) => Number.isSafeInteger(n) && (n as number) >= 0);
  const pairs = Array.isArray(given) && given.every(isPair) ? (given as [number, number][]) : [];
  const others = pairs.filter(([before, after], axis) => axis !== 1 && before + after > 0);
  if (x.kind !== 'sequence' || pairs.length !== 3 || others.length > 0 || value !== 0 || !isConstant)
    throw fields.unsupported(
      `pads ${describeValue(x)} by ${shown(given ?? null)}; supported: steps by zeros, as ((0, 0), (2, 0), (0, 0))`,
    );
  const [before, after] = pairs[1]!;
  const own = { name: builder.name(call.name), inputs: [x.ref], before, after };
  return [{ ...x, ref: builder.add({ type: 'pad', ...own }) }];
};
