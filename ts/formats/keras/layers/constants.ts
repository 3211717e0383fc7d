import type { MergeSpec } from '../../../spec/spec.ts';
import type { Features } from '../values.ts';
import type { Call } from './call.ts';
import type { Operand } from './operands.ts';
import { activation, rankOf, tensor, withRef } from './operands.ts';
import type { Constants } from './tables.ts';
import { toTable } from './tables.ts';

const isConstants = (operand: Operand | undefined): operand is Constants =>
  typeof operand === 'object' && 'is' in operand && operand.is === 'constants';

/**
 * Of a tensor and an array, which is broadcast as NumPy does it: a number for each feature or, where the file fixes the steps, for each feature of
 * each step. Undefined where neither is an array.
 */
export function withConstants(
  call: Call,
  [x, y]: readonly (Operand | undefined)[],
  merge: MergeSpec['merge'],
): [Features] | undefined {
  const first = isConstants(x);
  const [given, constants] = first ? [y, x] : [x, y];
  if (!isConstants(constants)) return undefined;
  const { builder, fields, name } = call;
  const { shape } = constants;
  const features = tensor(call, given);
  const rank = rankOf(features);
  const size = Math.max(features.size, shape.at(-1) ?? 1);
  if (shape.length > rank || (features.size !== size && features.size !== 1))
    throw fields.invalid(`has an array of shape [${shape.join(', ')}] for ${rank} axes, the last of ${features.size}`);
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  const { steps, values } = toTable(call, 'its array', constants, axes, rank, size);
  const inputs = [builder.exact(features)];
  const kind = features.kind;
  if (steps === undefined) {
    const constant = Float32Array.from(values);
    const own = { constantSize: size, ...(first ? { constantFirst: true } : {}), weights: { constant } };
    return [{ is: 'features', ref: builder.add({ type: 'merge', name, inputs, merge, ...own }), kind, size }];
  }
  if (builder.stepsOf(features.ref) !== steps)
    throw fields.unsupported(`has an array of ${steps} steps; supported where the input shape fixes as many`);
  const table = (of: (value: number) => number) => Float32Array.from(values, of);
  const own = {
    sum: { shift: table((c) => c) },
    mul: { scale: table((c) => c) },
    sub: first ? { scale: table(() => -1), shift: table((c) => c) } : { shift: table((c) => -c) },
    div: { scale: table((c) => (first ? c : 1 / c)) },
  };
  if (!Object.hasOwn(own, merge))
    throw fields.unsupported('has an array with a row for each step; supported with +, -, * and /');
  const inverse =
    merge === 'div' && first ? [activation(call, features, 'reciprocal', builder.name(`${name}_reciprocal`))] : inputs;
  const wide = features.size < size ? [builder.widen(inverse[0]!, builder.name(`${name}_wide`), size)] : inverse;
  const layer = { inputs: wide, inputSize: size, steps, weights: own[merge as keyof typeof own] };
  return [{ ...withRef(features, builder.add({ type: 'scale', name, ...layer })), size }];
}
