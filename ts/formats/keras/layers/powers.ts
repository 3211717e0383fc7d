import type { MergeSpec } from '../../../spec/spec.ts';
import type { Features } from '../values.ts';
import type { Call, Translate } from './call.ts';
import { withConstants } from './constants.ts';
import { activation, applied, merged, type Operand, operands, pair, tensor, withRef } from './operands.ts';

/** Of a tensor and a number, the same for each feature. */
function withNumber(call: Call, x: Features, merge: MergeSpec['merge'], value: number): [Features] {
  const { builder, name } = call;
  const [inputs, constant] = [[builder.exact(x)], Float32Array.of(value)];
  builder.add({ type: 'merge', name, inputs, merge, constantSize: 1, weights: { constant } });
  return [{ is: 'features', ref: name, kind: x.kind, size: x.size }];
}

const divide: Translate = (call) => {
  const [x, y] = operands(call, 2);
  if (typeof y === 'number') return applied(call, tensor(call, x), { name: 'affine', alpha: 1 / y, beta: 0 });
  if (typeof x !== 'number') return withConstants(call, [x, y], 'div') ?? merged(call, pair(call, x, y), 'div');
  const divisor = tensor(call, y);
  const one = activation(call, divisor, 'reciprocal', call.builder.name(`${call.name}_reciprocal`));
  return applied(call, withRef(divisor, one), { name: 'affine', alpha: x, beta: 0 });
};

const power: Translate = (call) => {
  const [x, y] = operands(call, 2);
  const found = withConstants(call, [x, y], 'pow');
  if (found) return found;
  const base = tensor(call, x);
  if (typeof y !== 'number') return merged(call, pair(call, base, y), 'pow');
  return y === 2 ? square(call, base) : withNumber(call, base, 'pow', y);
};

const square = (call: Call, x: Operand | undefined): [Features] => {
  const base = tensor(call, x);
  return merged(call, [base, base], 'mul');
};

const squaredDifference: Translate = (call) => {
  const [x, y] = operands(call, 2);
  const found = withConstants({ ...call, name: call.builder.name(`${call.name}_difference`) }, [x, y], 'sub');
  if (found) return square(call, found[0]);
  const [a, b] = pair(call, x, y);
  const inputs = [a, b].map((part) => call.builder.exact(part));
  const ref = call.builder.add({
    type: 'merge',
    name: call.builder.name(`${call.name}_difference`),
    inputs,
    merge: 'sub',
  });
  return square(call, withRef({ ...a, size: Math.max(a.size, b.size) }, ref));
};

/** Quotients and powers, by the name of their class in keras.ops or of TensorFlow's function. */
export const POWERS: Record<string, Translate> = {
  TrueDivide: divide,
  Divide: divide,
  Power: power,
  Square: (call) => square(call, operands(call, 1)[0]),
  SquaredDifference: squaredDifference,
  Rsqrt: (call) => withNumber(call, tensor(call, operands(call, 1)[0]), 'pow', -0.5),
};
