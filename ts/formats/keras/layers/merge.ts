import type { MergeSpec, ValueRef } from '../../../spec/spec.ts';
import type { Features, Mask } from '../values.ts';
import { besideFirst, broadcast, joinSteps } from './broadcast.ts';
import type { Call, Translate } from './call.ts';
import { asFeatures, checkArguments, firstArgument, unknownMask } from './call.ts';
import { mergedMask, VERSION_TELLS } from './mask-ops.ts';

const ELEMENTWISE: Record<string, MergeSpec['merge']> = {
  Add: 'sum',
  Multiply: 'mul',
  Average: 'ave',
  Subtract: 'sub',
  Minimum: 'min',
  Maximum: 'max',
};

/** The tensors that a layer merges: two or more. */
function readTensors(call: Call): Features[] {
  const { fields } = call;
  const argument = firstArgument(call);
  if (!Array.isArray(argument)) throw fields.unsupported('takes a list of tensors');
  const values = argument.map((item): Features => {
    if (Array.isArray(item) || !('value' in item)) throw fields.unsupported('takes a list of tensors');
    return asFeatures(call, item.value);
  });
  if (values.length < 2) throw fields.unsupported('takes two tensors or more');
  return values;
}

function maskOf({ builder, fields }: Call, values: readonly Features[], concat: boolean): Mask | undefined {
  const masks = values.map(({ mask }) => mask);
  return mergedMask(builder, masks, concat, (why) => unknownMask(`${fields.layer}: ${why}`));
}

/** One element by another. A tensor without steps counts for each, as Keras puts an axis of length 1 into it. */
const elementwise: Translate = (call) => {
  const { fields, builder, name, layer } = call;
  const tensors = readTensors(call);
  fields.finish();
  checkArguments(call);
  const merge = ELEMENTWISE[layer.className]!;
  if (merge === 'sub' && tensors.length !== 2) throw fields.invalid('takes two tensors');
  const { values, kind, size } = broadcast(call, tensors);
  const mask = maskOf(call, tensors, false);
  if (merge === 'min' || merge === 'max') extreme(call, values, size, merge);
  else {
    const inputs = merge === 'mul' ? factors(call, values, mask) : values.map((value) => builder.exact(value));
    builder.add({ type: 'merge', name, inputs, merge });
  }
  return [{ is: 'features', ref: name, kind, size, mask }];
};

/** Features side by side, or steps one after another. */
const concatenate: Translate = (call) => {
  const { fields, builder, name, perStep } = call;
  const values = readTensors(call);
  const [{ kind }] = values as [Features];
  const rank = kind === 'sequence' && !perStep ? 3 : 2;
  const axis = fields.axis('axis', -1);
  fields.finish();
  checkArguments(call);
  if (values.some((value) => value.kind !== kind)) throw fields.unsupported('concatenates steps with whole sequences');
  const place = axis < 0 ? axis + rank : axis;
  if (place === 1 && rank === 3) {
    const masked = values.some((value) => value.mask);
    const mask = masked ? unknownMask(`${fields.layer}: joins the steps of masked tensors`) : undefined;
    return [{ ...joinSteps(call, values), mask }];
  }
  if (place !== rank - 1) throw fields.unsupported(`axis ${axis} is not supported; supported: features and steps`);
  const mask = maskOf(call, values, true);
  const inputs = besideFirst(call, values).map((value) => builder.exact(value));
  builder.add({ type: 'merge', name, inputs, merge: 'concat' });
  return [{ is: 'features', ref: name, kind, size: values.reduce((sum, value) => sum + value.size, 0), mask }];
};

/** Whether values are masked and the version is one whose merge layers look at masked entries: since Keras 3.4. */
function looksAtMasks({ builder, fields }: Call, values: readonly Features[]): boolean {
  const masked = values.some((value) => value.mask);
  if (masked && builder.dialect.mergeMasks === undefined) throw fields.unsupported(VERSION_TELLS);
  return masked && builder.dialect.mergeMasks === 'or';
}

/**
 * Minimum and Maximum: since Keras 3.4 a masked entry takes no part in it, and where none counts the first input's is the result. One
 * input after the other: of `a` and `b`, masked by `m` and `n`, it is min(where(m, a, b), where(n, b, a)).
 */
function extreme(call: Call, values: readonly Features[], size: number, merge: 'min' | 'max'): void {
  const { builder, name } = call;
  const inputs = values.map((value) => builder.exact(value));
  if (!looksAtMasks(call, values)) {
    builder.add({ type: 'merge', name, inputs, merge });
    return;
  }
  let [before] = inputs as [ValueRef];
  let { mask } = values[0]!;
  values.slice(1).forEach((value, i) => {
    const [input, own] = [inputs[i + 1]!, value.mask];
    const next = own ? builder.where(own, input, before, size) : input;
    // Where one mask is both's, `next` is `before` already where it does not hold.
    const last = mask && mask.key !== own?.key ? builder.where(mask, before, next, size) : before;
    mask = mask && own && builder.combineMasks([mask, own], 'sum');
    const isLast = i === values.length - 2;
    before = builder.add({ type: 'merge', name: isLast ? name : builder.name(name), inputs: [last, next], merge });
  });
}

/** What Multiply multiplies: since Keras 3.4 masked entries are 1 in it, and where no input counts the product is 0. */
function factors(call: Call, values: readonly Features[], mask: Mask | undefined): ValueRef[] {
  const { builder } = call;
  if (!looksAtMasks(call, values)) return values.map((value) => builder.exact(value));
  // One mask for all: where it does not hold, the product is 0 whatever is multiplied.
  const same = mask !== undefined && values.every((value) => value.mask?.key === mask.key);
  const refs = values.map((value) =>
    value.mask && !same ? builder.onesWhereMasked(value, value.mask) : builder.exact(value),
  );
  return mask ? [...refs, builder.wideMask(mask, 1, true)] : refs;
}

/** Layers that merge tensors, by class. */
export const MERGES: Record<string, Translate> = {
  Concatenate: concatenate,
  ...Object.fromEntries(Object.keys(ELEMENTWISE).map((name) => [name, elementwise])),
};
