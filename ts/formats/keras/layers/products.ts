import type { Value } from '../values.ts';
import type { Call, Resolved, Translate } from './call.ts';
import { activation, asTensor, axisOf, number, operandsOf, setting, withRef } from './operands.ts';
import { axesOf, contract, normalized } from './over-steps.ts';
import { numbersOf } from './tables.ts';
import { shown } from '../shown.ts';

/** Rows by columns: of TensorFlow also of what is transposed first. */
const matmul: Translate = (call) => {
  const settings = [
    'transpose_a',
    'transpose_b',
    'adjoint_a',
    'adjoint_b',
    'a_is_sparse',
    'b_is_sparse',
    'output_type',
  ];
  const isSet = (name: string) => call.kwargs.has(name) && setting(call, name, NaN) === true;
  const [a, b] = ['a', 'b'].map((side) => isSet(`transpose_${side}`) || isSet(`adjoint_${side}`));
  const [x, y] = operandsOf(call, settings, 2).map((argument) => asTensor(call, argument)) as [Value, Value];
  if (axesOf(x).length !== 3 || axesOf(y).length !== 3)
    throw call.fields.unsupported('multiplies other tensors than of three axes; Dot and Dense do');
  return [contract(call, x, a ? 1 : 2, y, b ? 2 : 1)];
};

/** Of two tensors the products over one axis, of each sequence: `btf,bsf->bts`. */
const einsum: Translate = (call) => {
  const given = call.fields.take('subscripts');
  const found = operandsOf(call, [], 2).map((argument) => asTensor(call, argument)) as [Value, Value];
  const [left, right] = found;
  const refuse = () =>
    call.fields.unsupported(`${shown(given)} is not supported; supported: two tensors over one axis, as btf,bsf->bts`);
  const match = /^(\w)(\w+),\1(\w+)->\1(\w+)$/.exec(String(given).replaceAll(' ', ''));
  if (!match) throw refuse();
  const [x, y, made] = match.slice(2) as [string, string, string];
  const isOnce = [x, y, made].every((letters) => !/(\w).*\1/.test(letters) && !letters.includes(match[1]!));
  if (!isOnce || [x, y].some((letters, i) => axesOf(found[i]!).length !== letters.length + 1)) throw refuse();
  const over = Array.from(x).find((letter) => y.includes(letter) && !made.includes(letter)) ?? '';
  const [restX, restY] = [x.replace(over, ''), y.replace(over, '')];
  const [a, b] = [x.indexOf(over) + 1, y.indexOf(over) + 1];
  if (over !== '' && made === restX + restY) return [contract(call, left, a, right, b)];
  if (over !== '' && made === restY + restX) return [contract(call, right, b, left, a)];
  throw refuse();
};

/** Vectors of length 1, over features or steps. */
function unit(least: (call: Call) => number): Translate {
  return (call) => {
    const axis = axisOf(call, 1, -1);
    call.fields.expect('order', [2], 'the length of a vector is meant');
    const epsilon = least(call);
    const x = asTensor(call, operandsOf(call, ['axis', 'epsilon'], 1)[0]);
    const found = x.is === 'features' ? axesOf(x).at(axis) : undefined;
    if (found === undefined || found === 'batch')
      throw call.fields.unsupported(`axis ${axis} is not supported; supported: steps, features`);
    return [normalized(call, x, found, epsilon)];
  };
}

/** Scores times a number, as attention scales them before its softmax; `factor` makes it of the constant. */
export function alsoOfScores(translate: Translate, factor: (constant: number) => number): Translate {
  return (call) => {
    const { builder, name } = call;
    const isScores = (one: Resolved | undefined) => !!one && 'value' in one && one.value.is === 'scores';
    if (![...call.args, ...call.kwargs.values()].some(isScores)) return translate(call);
    const [x, y] = operandsOf(call, [], 2);
    const constant = y && numbersOf(y);
    const scores = asTensor(call, x);
    if (scores.is !== 'scores' || scores.keys || typeof constant !== 'number') return translate(call);
    const by = { name: 'affine', alpha: factor(constant), beta: 0 } as const;
    return [{ ...scores, x: withRef(scores.x, activation(call, scores.x, by, builder.name(`${name}_scaled`))) }];
  };
}

/** Products of tensors, and what makes them cosines, by the name of their class in keras.ops or of TensorFlow's function. */
export const PRODUCTS: Record<string, Translate> = {
  Matmul: matmul,
  Einsum: einsum,
  Normalize: unit((call) => number(call, 'epsilon', 2, 1e-7)),
  // TensorFlow's least is of the sum of squares.
  L2Normalize: unit((call) => Math.sqrt(number(call, 'epsilon', 2, 1e-12))),
};
