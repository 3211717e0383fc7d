import type { MergeSpec } from '../../../spec/spec.ts';
import { nodeError } from '../attributes.ts';
import type { NodeContext } from '../context.ts';
import { axesText, featureSize, isFeature, sameAxis, selectColumns, width, type Rows } from '../value.ts';
import { gridOf } from './attention.ts';
import { layerName, padAxes } from './columns.ts';
import { alikeByFile, sameKind } from './join.ts';

/** What two computed values may be combined by. */
export type BinaryOp = Exclude<MergeSpec['merge'], 'concat' | 'prelu' | 'ave'>;

/** Two values element by element, with broadcasting. */
export function combine(context: NodeContext, first: Rows, second: Rows, op: BinaryOp): Rows {
  const { graph, node } = context;
  const rank = Math.max(first.axes.length, second.axes.length);
  const alone = oneKind(context, padAxes(first, rank), padAxes(second, rank));
  const isTurned = alone[0].kind === alone[1].kind && alone[0].reversed !== alone[1].reversed;
  const [x, y] = isTurned ? (alone.map((rows) => graph.builder.steps.straight(rows)) as [Rows, Rows]) : alone;
  const isOne = (axis: Rows['axes'][number]) => isFeature(axis) && featureSize(axis) === 1;
  const axes = x.axes.map((a, i) => {
    const b = y.axes[i]!;
    if (sameAxis(a, b) || isOne(b)) return a;
    return isOne(a) ? b : undefined;
  });
  const grid = gridOf(context, x, y, op === 'sum');
  if (grid) return grid;
  const isWhole = (rows: Rows) => rows.axes.flat().some(({ role }) => role === 'batch');
  // what no input says is the same for all sequences
  const isForAll = x.inputs.length === 0 || y.inputs.length === 0;
  if (axes.includes(undefined) || (isWhole(x) !== isWhole(y) && !isForAll)) {
    const known = alikeByFile(context, [x, y]);
    if (known) return combine(context, ...(known as [Rows, Rows]), op);
    throw nodeError(
      node,
      `combines ${axesText(x.axes)} with ${axesText(y.axes)}; supported: values of one shape, ` +
        'vectors with steps, and what is repeated along features',
    );
  }
  const known = axes as Rows['axes'];
  const both = [x, y].map((rows) => repeated(context, rows, known)) as [Rows, Rows];
  const result = graph.builder.merge(both, layerName(context), op);
  return { ...result, axes: known, reversed: (x.kind === 'sequence' ? x : y).reversed };
}

/** A sequence of one step beside steps or vectors is a vector. */
function oneKind(context: NodeContext, x: Rows, y: Rows): [Rows, Rows] {
  const onTime = ({ axes }: Rows) => axes.flat().some(({ role }) => role === 'time');
  if (onTime(x) !== onTime(y)) {
    const vector = (rows: Rows): Rows =>
      rows.kind === 'vector' || onTime(rows)
        ? rows
        : { ...rows, kind: 'vector', columns: context.graph.builder.steps.step(rows, 0), exclusive: false };
    return [vector(x), vector(y)];
  }
  return sameKind(context, [x, y]) as [Rows, Rows];
}

/** Features repeated along axes that have 1 of them; a row of one number stays so. */
function repeated({ graph }: NodeContext, rows: Rows, axes: Rows['axes']): Rows {
  if (width(rows) === 1) return rows;
  const sizes = axes.map(featureSize);
  const picks = rows.axes.map((axis, i) =>
    featureSize(axis) === sizes[i] ? undefined : Array.from({ length: sizes[i]! }, () => 0),
  );
  if (picks.every((pick) => pick === undefined)) return rows;
  const order = axes.map((_, i) => i);
  return { ...rows, axes, columns: selectColumns(rows, picks, order, graph.budget), exclusive: false };
}
