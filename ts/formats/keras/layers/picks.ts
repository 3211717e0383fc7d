import type { Features, Value } from '../values.ts';
import { describeValue } from '../builder.ts';
import { checkArguments, onlyValue, type Call, type Translate } from './call.ts';
import { asTensor, axisOf, constants, flag, operandsOf, rankOf, setting, tensor } from './operands.ts';
import { MAX_PARTS, takeFeatures, takeStep } from './parts.ts';
import { shown } from '../shown.ts';

/** Operations that take entries of an axis by their numbers, or repeat them. */

function featuresOf(call: Call, settings: readonly string[]): Features {
  const x = asTensor(call, operandsOf(call, settings, 1)[0]);
  if (x.is !== 'features') throw call.fields.unsupported(`cannot read ${describeValue(x)}`);
  return x;
}

/** `tile(x, (1, n, 1))`: TensorFlow calls it multiples. Fewer numbers than axes are those of the last axes. */
export const tile: Translate = (call) => {
  const given = setting(call, 'repeats', 1) ?? setting(call, 'multiples', 1);
  const x = featuresOf(call, ['repeats', 'multiples']);
  const counts = constants(call.fields, 'repeats', Array.isArray(given) ? given : [given]);
  const full = [...Array.from({ length: Math.max(rankOf(x) - counts.length, 0) }, () => 1), ...counts];
  const others = full.filter((count, axis) => axis !== 1 && count !== 1);
  if (full.length !== 3 || others.length > 0)
    throw call.fields.unsupported(`repeats ${describeValue(x)} ${shown(given)} times; supported: one step, (1, n, 1)`);
  return [repeatStep(call, x, full[1]!)];
};

/** `repeat(x, n, axis=1)`. */
export const repeat: Translate = (call) => {
  const given = setting(call, 'repeats', 1);
  const axis = axisOf(call, 2, NaN);
  const x = featuresOf(call, ['repeats', 'axis']);
  const [count, ...more] = constants(call.fields, 'repeats', Array.isArray(given) ? given : [given]);
  if (more.length > 0 || (axis !== 1 && axis !== -2))
    throw call.fields.unsupported(`repeats axis ${axis} ${shown(given)} times; supported: one step, n times, axis 1`);
  return [repeatStep(call, x, count!)];
};

/** The only step of a tensor as so many, as RepeatVector makes them of a vector. */
function repeatStep(call: Call, x: Features, steps: number): Features {
  const { builder, fields, name } = call;
  if (steps < 1) throw fields.invalid(`repeats a step ${steps} times`);
  if (x.kind === 'vector' || builder.stepsOf(x.ref) !== 1)
    throw fields.unsupported(`repeats ${describeValue(x)}; supported: one step, as x[:, None]`);
  const inputs = [takeStep(call, x, 0).ref];
  const ref = builder.add({ type: 'repeat', name: builder.name(name), inputs, steps, ...builder.like(steps) });
  return { is: 'features', ref, kind: 'sequence', size: x.size };
}

/** `take(x, indices, axis)`, TensorFlow's gather: one step, or any features in any order. */
export const take: Translate = (call) => {
  const { builder, fields } = call;
  const names = ['indices', 'axis', 'validate_indices', 'batch_dims'];
  for (const name of names.slice(2)) {
    if (![undefined, null, 0].includes(setting(call, name, NaN) as null))
      throw fields.unsupported(`${name} is not supported`);
  }
  const given = setting(call, 'indices', 1);
  const axis = axisOf(call, 2, 0);
  const x = featuresOf(call, names);
  const place = axis < 0 ? axis + rankOf(x) : axis;
  const isWhole = (n: unknown): n is number => Number.isSafeInteger(n);
  const indices = (Array.isArray(given) ? given : [given]) as unknown[];
  if (indices.length === 0 || !indices.every(isWhole))
    throw fields.unsupported(`indices ${shown(given ?? null)}; supported: constant whole numbers`);
  if (!call.layer.isOperation && indices.some((index) => index < 0))
    throw fields.invalid(`indices ${shown(given)}: TensorFlow counts none from the end`);
  if (place === 1 && x.kind === 'sequence' && isWhole(given)) return [takeStep(call, x, given)];
  if (place !== rankOf(x) - 1 || !Array.isArray(given) || indices.length > MAX_PARTS)
    throw fields.unsupported(
      `takes ${shown(given)} of axis ${axis}; supported: one step (axis 1), up to ${MAX_PARTS} features (axis -1)`,
    );
  const inputs = indices.map((index) => {
    if (index >= x.size || index < -x.size) throw fields.invalid(`takes feature ${index} of ${x.size}`);
    const start = index < 0 ? index + x.size : index;
    return builder.exact(takeFeatures(call, x, { start, stop: start + 1, step: 1 }));
  });
  if (inputs.length === 1) return [{ is: 'features', ref: inputs[0]!, kind: x.kind, size: 1 }];
  const ref = builder.add({ type: 'merge', name: builder.name(call.name), inputs, merge: 'concat' });
  return [{ is: 'features', ref, kind: x.kind, size: inputs.length }];
};

/** Which feature is the greatest: ids. */
export const argmax: Translate = (call): Value[] => {
  const { builder, fields, name } = call;
  const axis = axisOf(call, 1, 0);
  const type = setting(call, 'output_type', 2) ?? 'int64';
  const keeps = flag(call, 'keepdims', NaN);
  const x = featuresOf(call, ['axis', 'output_type', 'keepdims']);
  if (keeps || (axis !== -1 && axis !== rankOf(x) - 1))
    throw fields.unsupported(`of axis ${axis}${keeps ? ', kept' : ''}; supported: the last, not kept`);
  if (type !== 'int64' && type !== 'int32')
    throw fields.unsupported(`to the type ${shown(type)}; supported: int64, int32`);
  const ref = builder.add({ type: 'argmax', name, inputs: [builder.exact(tensor(call, x))] });
  return [{ is: 'ids', input: ref, kind: x.kind, made: true }];
};

/** Most columns of a row of zeros and a one. */
const MAX_CLASSES = 65_536;

/** For each id a row of zeros with a one at its place. */
export const oneHot: Translate = (call): Value[] => {
  const { builder, fields } = call;
  const count = setting(call, 'num_classes', 1) ?? setting(call, 'depth', 1);
  const axis = axisOf(call, 2, -1);
  const names = ['num_classes', 'depth', 'axis', 'dtype', 'sparse', 'on_value', 'off_value', 'indices'];
  const dtype = setting(call, 'dtype', 3) ?? 'float32';
  const [on, off] = [setting(call, 'on_value', NaN) ?? 1, setting(call, 'off_value', NaN) ?? 0];
  fields.expect('sparse', [false, null], 'tensors are dense');
  const given = call.kwargs.get('indices');
  const [x] = given ? [given] : operandsOf(call, names, 1);
  const ids = asTensor(call, x);
  if (ids.is !== 'ids' || ids.whole)
    throw fields.unsupported(`of ${describeValue(ids)}; supported: of an input of ids, or of argmax`);
  if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 1 || count > MAX_CLASSES)
    throw fields.unsupported(`of ${shown(count ?? null)} classes; supported: a constant from 1 to ${MAX_CLASSES}`);
  const rank = ids.kind === 'sequence' ? 3 : 2;
  if ((axis !== -1 && axis !== rank - 1) || on !== 1 || off !== 0 || dtype === 'bool')
    throw fields.unsupported('supported: numbers 1 and 0 along the last axis');
  const ref = builder.add({ type: 'oneHot', name: call.name, inputs: [ids.input], size: count });
  return [{ is: 'features', ref, kind: ids.kind, size: count }];
};

/** CategoryEncoding: of one id a row, of several which of them there are, or how many times each. */
export const categoryEncoding: Translate = (call): Value[] => {
  const { builder, fields, name } = call;
  const size = fields.size('num_tokens');
  if (size > MAX_CLASSES) throw fields.unsupported(`num_tokens ${size}; supported: up to ${MAX_CLASSES}`);
  const mode = fields.choice('output_mode', ['multi_hot', 'one_hot', 'count', 'multiHot', 'oneHot']);
  fields.expect('sparse', [false, null], 'tensors are dense');
  fields.finish();
  checkArguments(call);
  const ids = onlyValue(call);
  if (ids.is !== 'ids' || ids.whole) throw fields.unsupported(`of ${describeValue(ids)}; supported: an input of ids`);
  const inputs = [builder.add({ type: 'oneHot', name: builder.name(`${name}_rows`), inputs: [ids.input], size })];
  const made = { is: 'features', kind: 'vector', size } as const;
  if (ids.kind === 'vector') return [{ ...made, ref: inputs[0]! }];
  if (mode === 'count' || mode.startsWith('multi'))
    return [{ ...made, ref: builder.add({ type: 'reduce', name, inputs, reduce: mode === 'count' ? 'sum' : 'max' }) }];
  if (builder.stepsOf(ids.input) !== 1) return [{ ...made, kind: 'sequence', ref: inputs[0]! }];
  return [{ ...made, ref: builder.add({ type: 'step', name, inputs, index: 0 }) }];
};
