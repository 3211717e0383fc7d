import type { RowActivation } from '../../../spec/spec.ts';
import type { Features } from '../values.ts';
import type { Call, Translate } from './call.ts';
import { firstArgument, unknownMask } from './call.ts';
import { operand, operandsOf, setting, tensor } from './operands.ts';
import { shown } from '../shown.ts';
import { castCondition } from './truth.ts';

const FLOATS = ['float16', 'bfloat16', 'float32', 'float64'];
/** Smaller ones wrap around what they cannot hold. */
const INTEGERS = ['int32', 'int64'];

/** A tensor in another type. Numbers are float32 here whatever their type: float32 holds whole ones up to 2^24. */
export const cast: Translate = (call) => {
  const { fields, builder } = call;
  const dtype = setting(call, 'dtype', 1);
  const known = typeof dtype === 'string' && [...FLOATS, ...INTEGERS, 'bool'].includes(dtype);
  if (!known) {
    const types = [...FLOATS, ...INTEGERS, 'bool'].join(', ');
    throw fields.unsupported(`to the type ${shown(dtype ?? null)}; supported: ${types}`);
  }
  const [argument] = operandsOf(call, ['dtype'], 1);
  const value = argument && !Array.isArray(argument) && 'value' in argument ? argument.value : undefined;
  if (value?.is === 'ids' && dtype !== 'bool') return [value];
  if (value?.is === 'condition') {
    if (dtype === 'bool') return [value];
    return [castCondition(call, value)];
  }
  const x = tensor(call, operand(call, firstArgument(call)));
  if (dtype === 'bool') return [{ is: 'condition', kind: 'features', test: 'differs', features: x, from: 0 }];
  if (dtype !== 'float32') builder.note(`${fields.layer}: to ${dtype}, computed in float32 here`);
  const whole = INTEGERS.includes(dtype) ? truncated(call, x) : builder.exact(x);
  // A tensor that has the type already is handed on with its mask, and a new one has none.
  const mask = x.mask && unknownMask(`${fields.layer} is given a mask, which Keras hands on for some types`);
  return [{ is: 'features', ref: whole, kind: x.kind, size: x.size, mask }];
};

/** floor(max(x, 0)) - floor(max(-x, 0)): toward 0. */
function truncated({ builder, name }: Call, x: Features): string {
  const apply = (input: string, suffix: string, activation: RowActivation) =>
    builder.add({ type: 'activation', name: builder.name(`${name}_${suffix}`), inputs: [input], activation });
  const from = builder.exact(x);
  const below = apply(from, 'negative', { name: 'affine', alpha: -1, beta: 0 });
  const inputs = [from, below].map((input, i) => {
    const side = i === 0 ? 'above' : 'below';
    return apply(apply(input, side, 'relu'), `${side}_whole`, 'floor');
  });
  return builder.add({ type: 'merge', name, inputs, merge: 'sub' });
}
