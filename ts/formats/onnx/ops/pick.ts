import { nodeError } from '../attributes.ts';
import { axisIndex, requireInput } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { axesText, role, type Rows } from '../value.ts';
import { layerName } from './columns.ts';
import { asFloats, holdWhole, inTurn } from './whole.ts';

/**
 * The step of each sequence that a whole number says, from the end where it is below 0: as the last one is taken of so many. `isWithin`: of
 * a number that is no step's, NaN.
 */
export function pickStepAt(context: NodeContext, rows: Rows, axis: number, at: Rows, isWithin = false): Rows {
  const { graph, node } = context;
  const { builder } = graph;
  const name = layerName(context);
  const [first] = at.columns;
  const isOne = first !== undefined && at.columns.every(({ ref, start }) => ref === first.ref && start === first.start);
  if (
    !isOne ||
    !holdWhole(context, at) ||
    at.kind !== 'vector' ||
    rows.kind !== 'sequence' ||
    rows.reversed ||
    role(rows.axes[axis]!) !== 'time'
  )
    throw nodeError(
      node,
      `picks by ${axesText(at.axes)} of ${axesText(rows.axes)}; supported: a step by one whole number a sequence`,
    );
  const vector = (columns: Rows['columns']): Rows => ({
    ...rows,
    kind: 'vector',
    axes: [[]],
    columns,
    exclusive: false,
  });
  const index = vector(asFloats(context, { ...at, axes: [[]], columns: [{ ...first, length: 1 }] }).columns);
  // 1, 2, ..., of which the last is how many steps there are
  const steps: Rows = { ...rows, axes: [[]], columns: builder.steps.numbersOf(rows), exclusive: false };
  const counted = (): Rows => {
    const count = vector(builder.steps.reduce(steps, `${name}_count`, 'max'));
    const isNegative = inTurn(context, index, `${name}_negative`, [{ name: 'affine', alpha: -1, beta: 0 }, { name: 'clip', alpha: 0, beta: 1 }]); // prettier-ignore
    const fromEnd = builder.merge([isNegative, count], `${name}_from_end`, 'mul');
    return builder.merge([index, fromEnd], `${name}_index`, 'sum');
  };
  const wanted = builder.affine(isWithin ? index : counted(), `${name}_step`, undefined, 1);
  const away = builder.merge([steps, wanted], `${name}_away`, 'sub');
  const is = inTurn(context, away, `${name}_is`, ['abs', { name: 'clip', alpha: 0, beta: 1 }, { name: 'affine', alpha: -1, beta: 1 }]); // prettier-ignore
  const columns = builder.steps.weightedSum(is, rows, name);
  const axes = rows.axes.map((a, i) => (i === axis ? [] : a));
  const inputs = [...new Set([...rows.inputs, ...at.inputs])];
  const picked: Rows = { ...rows, kind: 'vector', axes, columns, inputs, exclusive: false };
  if (!isWithin) return picked;
  const found = vector(builder.steps.reduce(is, `${name}_found`, 'sum'));
  return builder.merge([picked, found], `${name}_within`, 'div');
}

export const gatherElements: Operator = (context) => {
  const { attributes, node } = context;
  const [data, at] = [requireInput(context, 0), requireInput(context, 1)];
  if (data.type !== 'rows' || at.type !== 'rows') throw nodeError(node, 'is supported for computed values and indices');
  return [pickStepAt(context, data, axisIndex(context, attributes.int('axis') ?? 0, data.axes.length), at)];
};
