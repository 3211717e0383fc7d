import type { KerasModel } from '../config.ts';
import type { Value } from '../values.ts';
import type { Call, Resolved } from './call.ts';
import { checkArguments, firstArgument } from './call.ts';
import { maskOfCall } from './mask-ops.ts';

/** What a model that is a layer of another is called on: a tensor for each of its inputs, each with its mask. */
export function nestedInputs(call: Call, model: KerasModel): Value[] {
  const { fields, kwargs } = call;
  checkArguments(call, 'mask');
  const argument = firstArgument(call);
  const list = Array.isArray(argument) ? argument : [argument];
  if (list.length !== model.inputs.length)
    throw fields.invalid(`is called on ${list.length} tensors, it has ${model.inputs.length} inputs`);
  const masks = kwargs.get('mask');
  return list.map((item, i) => {
    if (Array.isArray(item) || !('value' in item)) throw fields.unsupported('is given something else than tensors');
    const { value } = item;
    if (value.is !== 'features') return value;
    const mask: Resolved | undefined = Array.isArray(masks) ? masks[i] : masks;
    const { used } = maskOfCall({ ...call, kwargs: new Map(mask ? [['mask', mask]] : []) }, value);
    if (call.builder.dialect.framework !== 'keras3') return { ...value, mask: used };
    // The model gets the very tensor, whose mask layers inside of it may take.
    value.mask = used;
    return value;
  });
}
