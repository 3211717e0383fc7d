import { GruError } from '../../../base/errors.ts';
import type { ReduceSpec } from '../../../spec/spec.ts';
import { nodeText } from '../attributes.ts';
import type { NodeContext } from '../context.ts';
import { equalSizes, sizeText, TIME, type Size } from '../size.ts';
import {
  bakedFactor,
  factorSize,
  feature,
  featureSize,
  isFeature,
  role,
  selectColumns,
  width,
  type Factor,
  type Rows,
} from '../value.ts';
import { layerName } from './columns.ts';
import { moveFirst, pickRows } from './parts.ts';

/** Operators over the steps of computed values. */

/** Makes one row of all steps: those past a sequence's length, where there are lengths, would count in the graph. */
export function reduceSteps(
  context: NodeContext,
  rows: Rows,
  axis: number,
  op: ReduceSpec['reduce'],
  keep: boolean,
): Rows {
  const columns = context.graph.builder.steps.reduce(rows, layerName(context), op);
  const axes = rows.axes.flatMap((factors, i) => (i === axis ? (keep ? [[]] : []) : [factors]));
  return { ...rows, kind: 'vector', axes, columns, reversed: false, exclusive: false };
}

/** Reductions that steps go through. */
export const OVER_TIME: Readonly<Record<string, ReduceSpec['reduce']>> = {
  ReduceSum: 'sum',
  ReduceMax: 'max',
  ReduceMin: 'min',
  ReduceMean: 'mean',
  ReduceL2: 'l2',
};

/** x - max x - log(sum exp(x - max x)) over the steps. */
export function logSoftmaxSteps(context: NodeContext, rows: Rows, axis: number): Rows {
  const { builder } = context.graph;
  const name = layerName(context);
  const most = reduceSteps(context, rows, axis, 'max', true);
  const below = { ...builder.merge([rows, most], `${name}_below`, 'sub'), axes: rows.axes, reversed: rows.reversed };
  const powers = builder.activation(below, `${name}_powers`, 'exp');
  const sum = reduceSteps(context, powers, axis, 'sum', true);
  const result = builder.merge([below, builder.activation(sum, `${name}_log`, 'log')], name, 'sub');
  return { ...result, axes: rows.axes, reversed: rows.reversed };
}

/** More than any number of steps, up to which floats count exactly. */
const BEHIND_ALL = 2 ** 24;

/** The number of the first or last step with the maximum of each feature: that of any other counts from behind all steps. */
export function argMaxSteps(context: NodeContext, rows: Rows, axis: number, isLast: boolean): Rows {
  const { builder } = context.graph;
  const name = layerName(context);
  const most = reduceSteps(context, rows, axis, 'max', true);
  const below = { ...builder.merge([most, rows], `${name}_below`, 'sub'), axes: rows.axes, reversed: rows.reversed };
  const isOther = builder.activation(below, `${name}_other`, 'sign');
  const away = builder.affine({ ...isOther, exclusive: false }, `${name}_away`, isLast ? -BEHIND_ALL : BEHIND_ALL);
  const numbers = numbersOfSteps(context, rows);
  const turned = rows.reversed ? fromLast(context, numbers, axis) : builder.affine(numbers, `${name}_numbers`, undefined, -1); // prettier-ignore
  const all = { ...builder.merge([away, turned], `${name}_steps`, 'sum'), axes: rows.axes, reversed: rows.reversed };
  return { ...reduceSteps(context, all, axis, isLast ? 'max' : 'min', true), whole: true };
}

/** 1, 2, ... of the steps of rows, in the order that they lie in. */
function numbersOfSteps({ graph }: Pick<NodeContext, 'graph'>, rows: Rows): Rows {
  const axes = rows.axes.map((factors) => factors.filter(({ role: r }) => r !== 'feature'));
  return { ...rows, axes, columns: graph.builder.steps.numbersOf(rows), exclusive: false };
}

/** 1, 2, ... as how many steps come after each. */
function fromLast(context: NodeContext, numbers: Rows, axis: number): Rows {
  const count = reduceSteps(context, numbers, axis, 'max', true);
  const after = context.graph.builder.merge([count, numbers], `${layerName(context)}_after`, 'sub');
  return { ...after, axes: numbers.axes, reversed: numbers.reversed };
}

/** An axis on which all steps and features lie side by side: as features, where the file fixes the steps. */
export function flattenSteps(context: NodeContext, rows: Rows): Rows {
  const { graph } = context;
  const axis = rows.axes.findIndex((factors) => factors.length > 1 && factors.some(({ role: r }) => r === 'time'));
  const factors = rows.axes[axis] ?? [];
  if (factors[0]?.role === 'feature' && factors.every(({ role: r }) => r !== 'batch'))
    return flattenBehind(context, rows, axis);
  const steps = factors[0]?.role === 'time' ? bakedFactor(factors[0], graph.baked) : undefined;
  const features = rows.axes.flat().filter(({ role: r, size }) => r === 'feature' && size !== 1);
  const rest = factors.slice(1);
  if (rows.kind !== 'sequence' || rows.dtype !== 'float32') return rows;
  if (steps === undefined || steps === 1 || !features.every((factor) => rest.includes(factor))) return rows;
  if (features.length === 0 || rest.some(({ role: r }) => r !== 'feature')) return rows;
  const columns = graph.builder.steps.flatten(graph.builder.steps.straight(rows), steps);
  const axes = rows.axes.map((a, i) => (i === axis ? [feature(steps * width(rows))] : a));
  return { ...rows, kind: 'vector', axes, columns, reversed: false, exclusive: false };
}

/** Of an axis whose steps lie behind features, as they do where channels come first. */
function flattenBehind(context: NodeContext, rows: Rows, axis: number): Rows {
  const { length } = rows.axes[axis]!;
  const apart = rows.axes.flatMap((factors, i) => (i === axis ? factors.map((factor) => [factor]) : [factors]));
  const flat = stepsAsFeatures(context, { ...rows, axes: apart });
  if (!flat) return rows;
  const joined = flat.axes.slice(axis, axis + length).flat();
  return { ...flat, axes: [...flat.axes.slice(0, axis), joined, ...flat.axes.slice(axis + length)] };
}

/** All steps of rows as features of a vector, where the file fixes how many there are; undefined where it does not. */
export function stepsAsFeatures({ graph }: NodeContext, rows: Rows): Rows | undefined {
  const axis = rows.axes.findIndex((factors) => role(factors) === 'time');
  const time = rows.axes[axis]?.find((factor) => factor.role === 'time');
  const steps = time && bakedFactor(time, graph.baked);
  if (rows.kind !== 'sequence' || rows.dtype !== 'float32' || rows.scores || steps === undefined) return undefined;
  const columns = graph.builder.steps.flatten(graph.builder.steps.straight(rows), steps);
  const plain = (factor: Factor) => (factor.role === 'feature' ? feature(factor.size!) : factor);
  const others = rows.axes.flatMap((factors, i) => (i === axis ? [] : [factors.map(plain)]));
  const own = { columns, kind: 'vector', reversed: false, exclusive: false } as const;
  return moveFirst({ graph }, { ...rows, ...own, axes: [[feature(steps)], ...others] }, axis);
}

/** The same of all values, but of what are vectors; undefined where one cannot be. */
export function allAsVectors(context: NodeContext, values: readonly Rows[]): Rows[] | undefined {
  const made = values.map((value) => (value.kind === 'vector' ? value : stepsAsFeatures(context, value)));
  return made.every((rows) => rows !== undefined) ? made : undefined;
}

/** Sequences that the file says are of as many steps, on the axis of the first; undefined for what are none, or lie there. */
export function onStepsOfFirst({ graph }: NodeContext, values: readonly Rows[]): Rows[] | undefined {
  const { steps } = graph.builder;
  const times = values.map(({ axes }) => axes.flat().filter((factor) => factor.role === 'time'));
  const [time, count] = [times[0]?.[0], times[0]?.[0] && bakedFactor(times[0][0], graph.baked)];
  if (!time || count === undefined) return undefined;
  const text = sizeText(factorSize(time));
  const fits = times.every(([one, ...more]) => one && more.length === 0 && bakedFactor(one, graph.baked) === count);
  if (!fits || times.every(([one]) => sizeText(factorSize(one!)) === text)) return undefined;
  const [first, ...others] = values.map((value) => steps.straight(value)) as [Rows, ...Rows[]];
  const moved = others.map((rows): Rows => {
    const flat = { ...rows, kind: 'vector', columns: steps.flatten(rows, count) } as const;
    const axes = rows.axes.map((axis) => axis.map((factor) => (factor.role === 'time' ? time : factor)));
    return { ...rows, axes, columns: steps.cutLike(flat, count, width(rows), first), exclusive: false };
  });
  return [first, ...moved];
}

/** A vector at each step, where an axis of size 1 becomes as long as there are steps of a value: of the graph's inputs, or made of them. */
export function repeatSteps(
  { graph, node }: NodeContext,
  rows: Rows,
  before: readonly Size[],
  after: readonly Size[],
): Rows | undefined {
  const { baked, builder } = graph;
  const [axis, ...others] = after.flatMap((size, i) => (before[i] === 1 && size !== 1 ? [i] : []));
  if (axis === undefined || others.length > 0 || rows.kind !== 'vector' || rows.dtype !== 'float32') return undefined;
  const given = after[axis]!;
  const steps = typeof given === 'number' && given > 1 && given === baked.time ? TIME : given;
  const columns = builder.steps.repeat(rows, steps);
  if (!columns) return undefined;
  graph.counted ??= nodeText(node);
  const time: Factor = { role: 'time', size: baked.time, ...(equalSizes(steps, TIME, baked) ? {} : { steps }) };
  const axes = rows.axes.map((a, i) => (i === axis ? [time] : a));
  return { ...rows, kind: 'sequence', axes, columns, exclusive: false };
}

/**
 * Rows whose axes have these roles; undefined where they have not. Features in the place of time become the steps that they are; so do, in a
 * graph that fixes its steps and is read in no other way, steps in the place of features become features.
 *
 * @throws GruError `unsupported` for an axis of an input that something else reads in another role
 */
export function withRoles(
  context: NodeContext,
  rows: Rows,
  roles: readonly (Factor['role'] | undefined)[],
): Rows | undefined {
  const { graph } = context;
  const axis = roles.indexOf('time');
  const at = rows.axes.findIndex((factors) => role(factors) === 'time');
  const isElsewhere = graph.flattensSteps() && at >= 0 && roles[at] === 'feature';
  try {
    if (graph.demand(rows, [...roles])) return rows;
  } catch (cause) {
    if (!(cause instanceof GruError) || !isElsewhere) throw cause;
  }
  const flat = (isElsewhere ? stepsAsFeatures(context, rows) : undefined) ?? rows;
  const found = axis < 0 ? flat : stepsOf(context, flat, axis);
  return found && graph.demand(found, [...roles]) ? found : undefined;
}

/** A vector as a sequence of one step, along an axis on which it has nothing. */
export function asOneStep({ graph }: Pick<NodeContext, 'graph'>, rows: Rows, axis: number): Rows {
  const columns = graph.builder.steps.cut(rows, 1);
  const axes = rows.axes.map((a, i): Factor[] => (i === axis ? [{ role: 'time', size: undefined, steps: 1 }] : a));
  return { ...rows, kind: 'sequence', axes, columns, exclusive: false };
}

/** Steps with as many of each beside it, as the steps that they are; undefined for rows without such an axis. */
export function repeatedSteps(context: NodeContext, rows: Rows): Rows | undefined {
  const axis = rows.axes.findIndex(
    ([time, ...rest]) => time?.role === 'time' && isFeature(rest) && featureSize(rest) > 1,
  );
  return axis < 0 ? undefined : stepsOf(context, rows, axis);
}

/** With the steps that an axis of features is: those of a vector, or as many of each step as it has the same row of. */
function stepsOf(context: NodeContext, rows: Rows, axis: number): Rows | undefined {
  const { graph, node } = context;
  const factors = rows.axes[axis] ?? [];
  if (rows.dtype !== 'float32' || rows.reversed || factors.some(({ origin, role: r }) => origin && r !== 'time'))
    return undefined;
  if (rows.kind === 'vector' && isFeature(factors)) {
    const steps = featureSize(factors);
    const others = rows.axes.flatMap((_, i) => (i === axis ? [] : [i]));
    const columns = graph.builder.steps.cut(
      { ...rows, columns: selectColumns(rows, [], [axis, ...others], graph.budget) },
      steps,
    );
    const axes = rows.axes.map((a, i): Factor[] => (i === axis ? [{ role: 'time', size: undefined, steps }] : a));
    return { ...rows, kind: 'sequence', axes, columns, exclusive: false };
  }
  const [time, ...rest] = factors;
  if (time?.role !== 'time' || rest.length === 0 || !isFeature(rest)) return undefined;
  const [count, alone] = [featureSize(rest), rows.axes.map((a, i) => (i === axis ? rest : a))];
  const row = (entry: number) => pickRows(context, { ...rows, axes: alone }, axis, [entry]);
  const [first, ...more] = Array.from({ length: count }, (_, i) => row(i));
  if (!first || more.some(({ columns }) => JSON.stringify(columns) !== JSON.stringify(first.columns))) return undefined;
  const one = { ...first, axes: rows.axes.map((a, i) => (i === axis ? [time] : a)) };
  return graph.builder.steps.upsample(one, node.name || (node.outputs[0] ?? ''), count);
}
