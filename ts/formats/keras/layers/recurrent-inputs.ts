import type { ValueRef } from '../../../spec/spec.ts';
import type { Features, Mask, Value } from '../values.ts';
import type { Call, Resolved } from './call.ts';
import { asFeatures, checkArguments, firstArgument, isNothing } from './call.ts';
import { maskOfCall } from './mask-ops.ts';
import { checkNoMask } from './tfjs.ts';

/** What a recurrent layer reads. */
export interface Inputs {
  features: Features;
  mask: Mask | undefined;
  carried: Mask | undefined;
  /** Initial states in Keras's order: those of a cell or direction together. None, or all. */
  states: ValueRef[];
}

/** The tensors of a call: the sequence, initial states in any of the forms of Keras, and the mask. */
export function readInputs(call: Call, stateSizes: readonly number[]): Inputs {
  const { fields } = call;
  checkArguments(call, 'mask', 'initial_state');
  const first = firstArgument(call);
  // Keras 2 and TensorFlow.js append the states to the first argument.
  const list = Array.isArray(first) ? first : [first];
  const given: Resolved[] = list.slice(1).flat(2);
  for (const more of [call.kwargs.get('initial_state'), call.args[1]]) {
    if (isNothing(more)) continue;
    if (given.length > 0) throw fields.invalid('is given initial states twice');
    for (const one of Array.isArray(more) ? more.flat(2) : [more!]) given.push(one);
  }
  const value = (argument: Resolved | undefined): Value => {
    if (argument === undefined || Array.isArray(argument) || !('value' in argument)) {
      throw fields.unsupported('is given something else than tensors');
    }
    return argument.value;
  };
  const features = asFeatures(call, value(list[0]));
  if (features.kind !== 'sequence') throw fields.invalid('reads a tensor without steps');
  if (given.length > 0 && given.length !== stateSizes.length) {
    throw fields.unsupported(`is given ${given.length} initial states, it has ${stateSizes.length}`);
  }
  const states = given.map((argument, i) => {
    const state = asFeatures(call, value(argument));
    if (state.kind !== 'vector' || state.size !== stateSizes[i]) {
      throw fields.invalid(`initial state ${i} must be vectors of ${stateSizes[i]!}`);
    }
    return state.ref;
  });
  const { used, carried } = maskOfCall(call, features);
  if (!used) checkNoMask(call);
  const dropped = states.length > 0 && used !== undefined && used === carried && isNothing(call.kwargs.get('mask'));
  if (dropped && call.builder.dialect.statesDropMask) {
    call.builder.note(
      `${fields.layer}: initial states are given, so ${call.builder.dialect.label} leaves out the mask`,
    );
    return { features, mask: undefined, carried, states };
  }
  return { features, mask: used, carried, states };
}
