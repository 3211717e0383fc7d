import { elements, numbersOf } from '../constants.ts';
import type { NodeContext } from '../context.ts';
import { bakedSize } from '../size.ts';
import { axisSize, feature, role, type Constant, type Rows } from '../value.ts';
import { embedded } from './gather.ts';
import { pickConstant } from './parts.ts';
import { stepNumbers } from './step-numbers.ts';

/**
 * A constant that has a row for each step of these rows, as many as the file fixes, as the embedding of the numbers of the steps (learned positions,
 * windows): a run of more steps is refused. undefined for any other constant.
 */
export function constantOfSteps(context: NodeContext, rows: Rows, constant: Constant): Rows | undefined {
  const { graph } = context;
  const base = [...Array<number>(Math.max(rows.axes.length - constant.base.length, 0)).fill(1), ...constant.base];
  const at = rows.axes.findIndex((axis) => role(axis) === 'time');
  const steps = at < 0 ? undefined : bakedSize(axisSize(rows.axes[at]!), graph.baked);
  const fits =
    base.length === rows.axes.length &&
    base.every((size, i) => size === 1 || i === at || ['feature', 'one'].includes(role(rows.axes[i]!)));
  if (
    steps === undefined ||
    rows.kind !== 'sequence' ||
    constant.dtype !== 'float' ||
    !fits ||
    base[at] !== steps ||
    steps === 1
  )
    return undefined;
  const { data } = numbersOf(context, { ...constant, shape: constant.base }, 'the constant');
  const whole = { ...constant, base, shape: base, data };
  const size = elements(base) / steps;
  graph.budget.spend(8 * data.length);
  const ofSteps = Array.from({ length: steps }, (_, t) => Array.from(pickConstant(context, whole, at, [t]).data));
  const table = { ...constant, base: [steps, size], shape: [steps, size], data: ofSteps.flat() };
  const numbers = stepNumbers(context, axisSize(rows.axes[at]!));
  const made = embedded(context, numbers, table);
  const axes = base.map((n, i) => (i === at ? made.axes[0]! : n > 1 ? [feature(n)] : []));
  return { ...made, axes };
}
