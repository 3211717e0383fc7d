import type { Features, Transposed, Value } from '../values.ts';
import type { Resolved, Translate } from './call.ts';
import { numbersOf } from './tables.ts';

/**
 * What treats each number alike, of steps as the last axis too, (batch, steps) or (batch, features, steps): it is the same of the values
 * that they are, whose axes change places again behind it.
 */
export function alsoOfRows(translate: Translate): Translate {
  return (call) => {
    const given = [...call.args, ...call.kwargs.values()].flatMap(valuesOf);
    const [first] = given;
    const alike = (value: Value) =>
      value.is === 'transposed' && first?.is === 'transposed' && value.size === first.size && value.flat === first.flat;
    // An array lies along the last axis, which steps are here.
    const arrays = [...call.args, ...call.kwargs.values()].some((one) => typeof numbersOf(one) === 'object');
    if (!first || arrays || !given.every(alike)) return translate(call);
    const args = call.args.map(turned);
    const kwargs = new Map([...call.kwargs].map(([name, argument]) => [name, turned(argument)]));
    return translate({ ...call, args, kwargs }).map((value): Value => {
      if (value.is !== 'features' || value.kind !== 'sequence') throw call.fields.unsupported('gives another shape');
      const { ref, size } = value;
      return { is: 'transposed', ref, size, flat: (first as Transposed).flat };
    });
  };
}

const valuesOf = (argument: Resolved): Value[] =>
  Array.isArray(argument) ? argument.flatMap(valuesOf) : 'value' in argument ? [argument.value] : [];

function turned(argument: Resolved): Resolved {
  if (Array.isArray(argument)) return argument.map(turned);
  if (!('value' in argument) || argument.value.is !== 'transposed') return argument;
  const { ref, size } = argument.value;
  return { value: { is: 'features', ref, kind: 'sequence', size } satisfies Features };
}
