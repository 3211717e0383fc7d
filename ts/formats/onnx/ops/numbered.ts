import type { NodeContext } from '../context.ts';
import type { Size } from '../size.ts';
import { selectColumns, type Rows } from '../value.ts';
import { layerName } from './columns.ts';
import { padSteps } from './pad.ts';
import { pickStep, stackRows } from './parts.ts';
import { inTurn } from './whole.ts';

/**
 * Steps by their numbers, of sequences of any number of steps. A graph fails, or takes fewer, for a sequence that has not so many; here they are
 * no numbers then.
 */

/** Steps further from the first one are not taken one by one. */
const MOST_FIRST = 256;

/** More last steps are not taken one by one. */
const MOST_LAST = 64;

/** Steps from one number to another, as steps of their own; undefined for what no numbers say, or too far from the first step. */
export function numberedSteps(
  context: NodeContext,
  rows: Rows,
  axis: number,
  start: Size,
  end: Size,
): Rows | undefined {
  if (typeof start !== 'number' || typeof end !== 'number' || start < 0 || end <= start || end > MOST_FIRST)
    return undefined;
  const { budget, builder } = context.graph;
  const count = end - start;
  if (count === 1) return numberedStep(context, rows, axis, start);
  const taken = Array.from({ length: count }, (_, i) => firstBehind(context, rows, axis, start + i));
  const vector = atLeast(context, rows, end, stackRows(context, taken, axis));
  const time = { role: 'time', size: undefined, steps: count } as const;
  const axes = rows.axes.map((factors, i) => (i === axis ? [time] : factors));
  const order = [axis, ...vector.axes.flatMap((_, i) => (i === axis ? [] : [i]))];
  const columns = builder.steps.cut({ ...vector, columns: selectColumns(vector, [], order, budget) }, count);
  return { ...vector, kind: 'sequence', axes, columns };
}

/** The step that so many others come before; zeros where there are not so many. */
function firstBehind(context: NodeContext, rows: Rows, axis: number, count: number): Rows {
  return pickStep(context, count === 0 ? rows : padSteps(context, rows, -count, 0, {}), axis, 0);
}

/** A step by its number: from the first on, or from the last, -1, backwards. */
export function numberedStep(context: NodeContext, rows: Rows, axis: number, index: number): Rows {
  if (index === 0 || index === -1) return pickStep(context, rows, axis, index);
  const step =
    index < 0
      ? pickStep(context, padSteps(context, rows, 0, index + 1, {}), axis, -1)
      : firstBehind(context, rows, axis, index);
  return atLeast(context, rows, index < 0 ? -index : index + 1, step);
}

/** A vector of a sequence as it is; no numbers where the sequence has not so many steps: 0 sqrt(steps - count) is added. */
function atLeast(context: NodeContext, rows: Rows, count: number, vector: Rows): Rows {
  const { builder } = context.graph;
  const name = layerName(context);
  const axes = vector.axes.map((factors) => factors.filter(({ role: r }) => r !== 'feature'));
  const numbers: Rows = { ...rows, columns: builder.steps.numbersOf(rows), exclusive: false };
  const known: Rows = { ...vector, axes, columns: builder.steps.step(numbers, -1), exclusive: false };
  const root = inTurn(context, builder.affine(known, `${name}_more`, undefined, -count), `${name}_enough`, ['sqrt', { name: 'affine', alpha: 0, beta: 0 }]); // prettier-ignore
  return { ...builder.merge([vector, root], name, 'sum'), axes: vector.axes };
}

/**
 * So many last steps, as features of the whole sequence: each is the last one where those behind it are taken away.
 */
export function lastSteps(context: NodeContext, rows: Rows, axis: number, count: number): Rows | undefined {
  if (count > MOST_LAST || rows.dtype !== 'float32') return undefined;
  const steps = Array.from({ length: count }, (_, i) => {
    const behind = count - 1 - i;
    return pickStep(context, behind === 0 ? rows : padSteps(context, rows, 0, -behind, {}), axis, -1);
  });
  return atLeast(context, rows, count, stackRows(context, steps, axis));
}
