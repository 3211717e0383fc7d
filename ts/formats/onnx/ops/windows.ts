import type { Conv1dSpec, PoolSpec } from '../../../spec/spec.ts';
import { nodeError } from '../attributes.ts';
import type { NodeContext } from '../context.ts';
import { axesText, feature, featureSize, isFeature, role, selectColumns, width, type Rows } from '../value.ts';
import { asOneStep, withRoles } from './over-time.ts';

/** What the attributes of a convolution or a pool say of one axis. */
export interface Window {
  size: number;
  stride: number;
  dilation: number;
  padding: NonNullable<PoolSpec['padding']>;
}

function list(context: NodeContext, name: string, count: number, fallback: number): number[] {
  const values = context.attributes.ints(name) ?? Array<number>(count).fill(fallback);
  const least = name === 'pads' ? 0 : 1;
  if (values.length !== count || values.some((v) => v < least || v > 2 ** 24)) {
    throw nodeError(context.node, `attribute '${name}' [${values.slice(0, 9).join(', ')}] is not supported`);
  }
  return values;
}

/** The windows of each axis behind batch and channels. */
export function windows(context: NodeContext, sizes: readonly number[]): Window[] {
  const { attributes, node } = context;
  const count = sizes.length;
  const strides = list(context, 'strides', count, 1);
  const dilations = list(context, 'dilations', count, 1);
  const auto = attributes.text('auto_pad') ?? 'NOTSET';
  const pads = list(context, 'pads', 2 * count, 0);
  if (!['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'].includes(auto)) {
    throw nodeError(node, `attribute 'auto_pad' '${auto}' is unknown`, 'invalid_file');
  }
  if (auto !== 'NOTSET' && pads.some((steps) => steps > 0)) {
    throw nodeError(node, `attributes 'auto_pad' ${auto} and 'pads' contradict each other`);
  }
  const same = auto === 'SAME_UPPER' ? 'same' : auto === 'SAME_LOWER' ? 'sameLower' : undefined;
  return strides.map((stride, i) => ({
    size: sizes[i]!,
    stride,
    dilation: dilations[i]!,
    padding: same ?? [pads[i]!, pads[i + count]!],
  }));
}

/**
 * A window over features of each step: (steps beside batch, channels, positions), as TimeDistributed convolves. undefined where there
 * is none.
 */
export function innerWindow(
  x: Rows,
  all: readonly Window[],
): { axis: number; window: Window; steps: number } | undefined {
  const [batch = [], ...features] = x.axes;
  const isSteps = x.kind === 'sequence' && !x.reversed && batch.some(({ role: r }) => r === 'time');
  if (!isSteps || x.axes.length !== all.length + 2 || !features.every(isFeature)) return undefined;
  const wide = all.flatMap((_, i) => (featureSize(x.axes[i + 2]!) > 1 || all[i]!.size > 1 ? [i] : []));
  const at = wide.length === 1 ? wide[0] : undefined;
  const isFlat = ({ size, padding }: Window) =>
    size === 1 && (typeof padding === 'string' || padding.every((n) => n === 0));
  if (at === undefined || !all.every((window, i) => i === at || isFlat(window))) return undefined;
  return { axis: at + 2, window: all[at]!, steps: featureSize(x.axes[at + 2]!) };
}

/** A layer over the positions of each step; the rows stay (channels, positions). */
export function overPositions(
  { graph }: NodeContext,
  rows: Rows,
  { axis, steps }: { axis: number; steps: number },
  layer: Conv1dSpec | PoolSpec,
): Rows {
  const made = graph.builder.steps.inEach(rows, layer.name, steps, layer);
  const channels = layer.type === 'conv1d' ? layer.outputSize : width(rows) / steps;
  const result: Rows = {
    ...rows,
    axes: [[feature(made.steps)], [feature(channels)]],
    columns: made.columns,
    exclusive: false,
  };
  const columns = selectColumns(result, [], [1, 0], graph.budget);
  const axes = rows.axes.map((a, i) => (i === 1 ? [feature(channels)] : i === axis ? [feature(made.steps)] : a));
  return { ...result, axes, columns };
}

/**
 * Which of the windows goes over the time of (batch, channels, time), or of the same with an axis of size 1 before or behind the time,
 * along which nothing happens.
 */
export function timeWindow(
  context: NodeContext,
  x: Rows,
  all: readonly Window[],
  what: string,
): { rows: Rows; time: number } {
  const isFlat = (i: number) => all[i]!.size === 1 && role(x.axes[i + 2] ?? []) === 'one';
  const time = all.length === 2 && isFlat(1) && !isFlat(0) ? 0 : all.length - 1;
  const flat = all.flatMap((_, i) => (i === time ? [] : [i]));
  const isPadded = ({ padding }: Window) => typeof padding !== 'string' && padding.some((steps) => steps > 0);
  const known = x.axes.length === all.length + 2 && (all.length === 1 || all.length === 2) && flat.every(isFlat);
  const roles = x.axes.map((_, i) =>
    i === 0 ? ('batch' as const) : i === 1 ? ('feature' as const) : i === time + 2 ? ('time' as const) : undefined,
  );
  const given = known ? withRoles(context, x, roles) : undefined;
  const isRow = given?.kind === 'vector' && given.dtype === 'float32' && given.axes[time + 2]!.length === 0;
  const rows = isRow ? asOneStep(context, given, time + 2) : given;
  const isTime = rows?.kind === 'sequence' && role(rows.axes[time + 2]!) === 'time';
  if (!isTime || flat.some((i) => isPadded(all[i]!))) {
    throw nodeError(context.node, `${what} ${axesText(x.axes)}; supported: [batch, channels, time], over the time`);
  }
  if (rows.reversed) throw nodeError(context.node, `${what} reversed time`);
  return { rows, time };
}
