import type { SpecBuilder } from '../builder.ts';
import { isSince } from '../dialect.ts';
import type { Condition, Features, Mask, Test, Value } from '../values.ts';
import type { Call, Resolved, Translate } from './call.ts';
import { checkArguments, isNothing } from './call.ts';
import { operandsOf } from './operands.ts';
import { combined, compare, TRUTH } from './truth.ts';

/**
 * Operations with which Keras 3 writes masks into a functional model:
 *
 *     Embedding    NotEqual(ids, 0)
 *     Masking      Any(NotEqual(x, mask_value), axis -1)
 *     Concatenate  Any(Concatenate(LogicalOr(ExpandDims(mask), ZerosLike(x)), OnesLike(y), ...), axis -1),
 *                  from 3.4 to 3.10 with BroadcastTo(ExpandDims(mask), shape of x)
 *     Add, ...     LogicalOr(mask, mask)
 *     Attention    ConvertToTensor(mask of the query)
 */
export const MASK_OPERATIONS: Record<string, Translate> = {
  NotEqual: (call) => {
    const [left, right] = operandsOf(call, [], 2);
    const value = left && !Array.isArray(left) && 'value' in left ? left.value : undefined;
    const constant = right && !Array.isArray(right) && 'constant' in right ? right.constant : undefined;
    if (!value || typeof constant !== 'number' || isRowOfSteps(value)) return compare('NotEqual')(call);
    if (value.is === 'ids' && value.kind === 'sequence') {
      if (constant !== 0) throw call.fields.unsupported(`compares ids with ${constant}; supported: 0`);
      return [{ is: 'condition', kind: 'steps', test: 'mask', mask: call.builder.maskOfIds(value.input) }];
    }
    if (value.is !== 'features') throw call.fields.unsupported('compares truth values');
    return [{ is: 'condition', kind: 'features', test: 'differs', features: value, from: constant }];
  },

  Any: (call) => [reduce(call, 'sum')],
  All: (call) => [reduce(call, 'mul')],

  LogicalOr: (call) => {
    const conditions = operandsOf(call, [], 2).map((argument) => asCondition(call, argument));
    if (conditions.some(({ test }) => test === 'holds' || test === 'differs')) return [combined(call, 'max')];
    const tests = conditions.filter((c) => !(c.test === 'constant' && !c.value));
    if (tests.some((c) => c.test === 'constant')) return [{ ...conditions[0]!, test: 'constant', value: true }];
    const kind = conditions.some((c) => c.kind === 'features') ? 'features' : 'steps';
    if (tests.length === 0) return [{ is: 'condition', kind, test: 'constant', value: false }];
    const masks = tests.map((c) => uniform(call, c));
    return [{ is: 'condition', kind, test: 'mask', mask: call.builder.combineMasks(masks, 'sum') }];
  },

  ExpandDims: (call) => {
    call.fields.expect('axis', [-1], 'a mask gets a last axis only');
    call.fields.finish();
    checkArguments(call);
    const condition = asCondition(call, call.args[0]);
    if (condition.kind !== 'steps') throw call.fields.unsupported('expands what has features already');
    return [{ ...condition, kind: 'features', one: true }];
  },

  // To the shape of the features, over which a mask is the same.
  BroadcastTo: (call) => {
    call.fields.ignore('shape');
    call.fields.finish();
    checkArguments(call, 'shape');
    const condition = asCondition(call, call.args[0]);
    if (condition.kind !== 'features') throw call.fields.unsupported('repeats a mask along other axes than the last');
    return [{ ...condition, one: false }];
  },

  // Of the mask that Attention hands on.
  ConvertToTensor: (call) => {
    for (const name of ['sparse', 'ragged']) call.fields.expect(name, [null, false], 'masks are dense');
    call.fields.expect('dtype', [null, 'bool'], 'masks are truth values');
    call.fields.finish();
    checkArguments(call);
    return [asCondition(call, call.args[0])];
  },

  ...TRUTH,
  ZerosLike: (call) => [like(call, false)],
  OnesLike: (call) => [like(call, true)],

  Concatenate: (call) => {
    call.fields.expect('axis', [-1], 'masks are concatenated along the last axis only');
    call.fields.finish();
    checkArguments(call);
    const [parts] = call.args;
    if (!Array.isArray(parts)) throw call.fields.invalid('takes a list of tensors');
    const conditions = parts.map((part) => asCondition(call, part));
    if (conditions.some(({ kind, test }) => kind !== 'features' || test === 'concat')) {
      throw call.fields.unsupported('concatenates something else than masks of features');
    }
    return [{ is: 'condition', kind: 'features', test: 'concat', parts: conditions }];
  },
};

/** Tensors of the shape of another, all true or all false. */
function like(call: Call, value: boolean): Condition {
  const { kwargs } = call;
  call.fields.expect('dtype', ['bool'], 'masks are truth values');
  call.fields.finish();
  if (!isNothing(kwargs.get('dtype')) && !isBool(kwargs.get('dtype'))) {
    throw call.fields.unsupported('makes numbers; supported: truth values of a mask');
  }
  checkArguments(call, 'dtype');
  const [argument] = call.args;
  const of: Value | undefined =
    argument && !Array.isArray(argument) && 'value' in argument ? argument.value : undefined;
  const features = of?.is === 'features' || (of?.is === 'condition' && of.kind === 'features');
  return { is: 'condition', kind: features ? 'features' : 'steps', test: 'constant', value };
}

function isBool(argument: Resolved | undefined): boolean {
  return argument !== undefined && !Array.isArray(argument) && 'constant' in argument && argument.constant === 'bool';
}

function asCondition(call: Call, argument: Resolved | undefined): Condition {
  if (argument && !Array.isArray(argument) && 'value' in argument && argument.value.is === 'condition') {
    return argument.value;
  }
  throw call.fields.unsupported('is applied to something else than masks; supported: masks of layers');
}

/** One number a step, in a row. */
const isRowOfSteps = (value: Value) => value.is === 'transposed' && value.flat;

/** any or all over the features of each step. */
function reduce(call: Call, merge: 'sum' | 'mul'): Condition {
  call.fields.expect('axis', [-1, 2], 'masks are reduced over the last axis only');
  call.fields.expect('keepdims', [false], 'a mask has one value a step');
  call.fields.finish();
  checkArguments(call);
  const condition = asCondition(call, call.args[0]);
  if (condition.kind !== 'features') throw call.fields.unsupported('reduces the steps of a mask');
  const test = reduced(call, condition, merge);
  // the test may be the condition itself, which says features
  return { ...test, is: 'condition', kind: 'steps' };
}

function reduced(call: Call, test: Test, merge: 'sum' | 'mul'): Test {
  if (test.test === 'differs') {
    if (merge === 'mul') throw call.fields.unsupported('all features differing is not supported; supported: any');
    const features = { ...test.features, ref: call.builder.exact(test.features) };
    return { test: 'mask', mask: call.builder.maskOf(features, test.from).mask };
  }
  if (test.test === 'holds') throw call.fields.unsupported('reduces comparisons; supported: masks, x != a number');
  if (test.test !== 'concat') return test;
  const parts = test.parts.map((part) => reduced(call, part, merge));
  const decisive = merge === 'sum';
  if (parts.some((p) => p.test === 'constant' && p.value === decisive)) return { test: 'constant', value: decisive };
  const masks = parts.filter((p) => p.test === 'mask').map(({ mask }) => mask);
  if (masks.length === 0) return { test: 'constant', value: !decisive };
  return { test: 'mask', mask: call.builder.combineMasks(masks, merge) };
}

/** A condition that is the same for all features of a step. */
function uniform(call: Call, test: Test): Mask {
  if (test.test === 'mask') return test.mask;
  throw call.fields.unsupported('combines features; supported: masks of steps');
}

/** A mask argument as what a layer is to use: undefined where all steps count. */
export function maskOfCondition(call: Call, condition: Condition): Mask | undefined {
  if (condition.kind !== 'steps') throw call.fields.unsupported('its mask has more than one value a step');
  if (condition.test === 'mask') return condition.mask;
  if (condition.test === 'holds') {
    const { ref } = condition.numbers();
    return { key: ref, ref: () => ref };
  }
  if (condition.test === 'constant' && condition.value) return undefined;
  throw call.fields.unsupported('its mask leaves no steps');
}

/**
 * The mask of what a layer makes of several inputs, as its framework does it (`and`, `or`, `lost`: see ../dialect.ts). A mask
 * that holds everywhere and none are the same here.
 */
export function mergedMask(
  builder: SpecBuilder,
  masks: readonly (Mask | undefined)[],
  concat: boolean,
  unknown: (why: string) => Mask,
): Mask | undefined {
  const present = masks.filter((mask) => mask !== undefined);
  if (present.length === 0) return undefined;
  const { framework, mergeMasks, label } = builder.dialect;
  if (framework === 'tfjs' && !concat)
    return unknown(`${label} gives a mask of the wrong shape when it merges masked inputs`);
  switch (mergeMasks) {
    case 'and':
      return builder.combineMasks(present, 'mul');
    case 'or':
      return present.length === masks.length ? builder.combineMasks(present, 'sum') : undefined;
    case 'lost':
      return undefined;
    default:
      return unknown(VERSION_TELLS);
  }
}

/** Why a merge of masked inputs is refused. */
export const VERSION_TELLS =
  'what becomes of masks that are merged depends on the version of Keras, which the file does not say; add keras_version to the config';

/** The mask that a call is to use: the argument `mask`, or the one that came with its input. */
export function maskOfCall(call: Call, features: Value): { used: Features['mask']; carried: Features['mask'] } {
  const carried = features.is === 'features' ? features.mask : undefined;
  let given = call.kwargs.get('mask');
  // TensorFlow 2 and Keras with initial states: a list of masks, one an input.
  while (Array.isArray(given)) given = given[0];
  // Keras 3 writes null where it found no mask when the model was made; one that comes with the input counts then.
  if (given === undefined || ('constant' in given && given.constant === null)) return { used: carried, carried };
  if (!('value' in given)) throw call.fields.unsupported('its mask is a constant');
  const used = maskOfValue(call, given.value);
  // Keras 3.0 to 3.10 hand on the mask that came with the input, not the one that is given.
  const { dialect } = call.builder;
  return { used, carried: dialect.framework === 'keras3' && !isSince(dialect, 3, 11) ? carried : used };
}

function maskOfValue(call: Call, value: Value): Mask | undefined {
  if (value.is === 'features') {
    const { ref, kind, size } = value;
    if (kind !== 'sequence' || size !== 1) throw call.fields.unsupported('its mask has more than one value a step');
    return { key: ref, ref: () => ref };
  }
  if (value.is !== 'condition') throw call.fields.unsupported('its mask is made of ids');
  return maskOfCondition(call, value);
}

/** What a layer reads that hands on the mask it is given. */
export function withMaskOfCall(call: Call, features: Features): Features {
  return { ...features, mask: maskOfCall(call, features).carried };
}
