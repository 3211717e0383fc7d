import { nodeError } from '../attributes.ts';
import { castTo, plainIntegers, requireConstant } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { equalSizes, FREE, shapeText } from '../size.ts';
import { dtypeClass } from '../tensor.ts';
import type { Constant, Rows, Value } from '../value.ts';
import { forgetLater } from './attention.ts';

/** Masks of steps by steps by which each step has a part in itself and in later ones: of causal attention. */

/** Of a constant that is one number for all steps by as many steps. */
export const trilu: Operator = (context) => {
  const { attributes, inputs, node } = context;
  const constant = requireConstant(context, 0, 'its input');
  const isUpper = (attributes.int('upper') ?? 1) !== 0;
  const [diagonal = 0] = inputs[1] ? plainIntegers(context, inputs[1], 'k') : [];
  const { data, shape } = constant;
  const [rows, columns] = shape.slice(-2);
  const isSquare = rows !== undefined && columns !== undefined && equalSizes(rows, columns, FREE) === true;
  const isAll =
    Array.prototype.every.call(data, (value) => value === data[0]) && shape.slice(0, -2).every((size) => size === 1);
  if (!isSquare || !isAll || typeof data[0] !== 'number' || diagonal !== (isUpper ? 1 : 0))
    throw nodeError(
      node,
      `takes a part of ${shapeText(shape)}; supported: of one number for steps by steps, up to the own step, or the later ones`,
    );
  const [within, later] = isUpper ? [0, data[0]] : [data[0], 0];
  return [{ type: 'causal', within, later, steps: rows }];
};

/** Reads a node that reads such a mask; undefined for any other. */
export function readCausal(context: NodeContext): (Value | undefined)[] | undefined {
  const { inputs, node } = context;
  const at = inputs.findIndex((value) => value?.type === 'causal');
  const mask = inputs[at];
  if (mask?.type !== 'causal') return undefined;
  const made = (apply: (value: number) => number): Value[] => [
    { ...mask, within: apply(mask.within), later: apply(mask.later) },
  ];
  const numbers = inputs.map((value) => (value?.type === 'constant' ? oneNumber(value) : undefined));
  const [number] = numbers.filter((value) => value !== undefined);
  switch (node.op) {
    case 'Cast':
      return made(dtypeClass(castTo(context)) === 'bool' ? (value) => Number(value !== 0) : (value) => value);
    case 'Identity':
      return [mask];
    case 'Not':
      return made((value) => Number(value === 0));
    case 'Equal':
      if (number !== undefined) return made((value) => Number(value === number));
      break;
    case 'Mul':
      if (number !== undefined) return made((value) => (value === 0 ? 0 : value * number));
      break;
    case 'Where': {
      const [, yes, no] = numbers;
      if (at !== 0) break;
      if (yes !== undefined && no !== undefined) return made((value) => (value !== 0 ? yes : no));
      const scores = inputs[yes === undefined ? 1 : 2];
      const low = yes ?? no;
      const isLater = (mask.later !== 0) === (yes !== undefined) && (mask.within !== 0) === (yes === undefined);
      if (isLater && low !== undefined && isScores(scores)) return [forgetLater(context, scores, mask, low)];
      break;
    }
    case 'Add': {
      const scores = inputs[1 - at];
      if (mask.within === 0 && isScores(scores)) return [forgetLater(context, scores, mask, mask.later)];
    }
  }
  throw nodeError(node, 'reads a mask of steps by steps; supported: of scores of attention, before their softmax');
}

function isScores(value: Value | undefined): value is Rows {
  return value?.type === 'rows' && value.scores !== undefined;
}

function oneNumber({ data }: Constant): number | undefined {
  return data.length === 1 && typeof data[0] === 'number' ? data[0] : undefined;
}
