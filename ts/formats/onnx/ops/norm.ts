import type { NormSpec } from '../../../spec/spec.ts';
import { nodeError } from '../attributes.ts';
import { axisIndex, requireConstant } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { axesText, featureSize, isFeature, role, width, type Constant, type Rows } from '../value.ts';
import { columnValues, floatRows, layerName } from './columns.ts';
import { combine } from './combine.ts';
import { reduceSteps } from './over-time.ts';

/** Operators that normalize by what the values are. */

type Norm = Pick<NormSpec, 'norm' | 'epsilon' | 'groups' | 'overTime'>;

/** The axes from `axis` on, which have to be all features of a row. */
function featuresFrom(context: NodeContext, rows: Rows, axis: number): void {
  const wanted = rows.axes.map((_, i) => (i >= axis ? ('feature' as const) : undefined));
  const size = rows.axes.slice(axis).reduce((n, a) => n * featureSize(a), 1);
  if (context.graph.demand(rows, wanted) && size === width(rows)) return;
  throw nodeError(context.node, `attribute 'axis' ${axis} of ${axesText(rows.axes)}; supported: all features of a row`);
}

/** Parameters by their input, each a value a column as `values` makes it. */
export function normalized(
  context: NodeContext,
  rows: Rows,
  spec: Norm,
  values: (constant: Constant) => Float32Array,
): Rows {
  const name = layerName(context);
  const read = ([1, 2] as const).map((i) => {
    if (context.inputs[i] === undefined) return undefined;
    return requireConstant(context, i, i === 1 ? 'the scale' : 'the bias');
  });
  const [scale, shift] = read.map((constant) => constant && values(constant));
  const result = context.graph.builder.norm(rows, name, spec, scale, shift);
  const layer = result.columns[0]?.ref ?? '';
  read.forEach((constant, i) => {
    if (constant) context.graph.place(constant, `${layer}/${i === 0 ? 'scale' : 'shift'}`);
  });
  return result;
}

/** stash_type: in what precision statistics are computed. */
function ignoreStash({ attributes }: NodeContext): void {
  attributes.int('stash_type');
}

function layerNorm(norm: NormSpec['norm']): Operator {
  return (context) => {
    const rows = floatRows(context, 0);
    const axis = axisIndex(context, context.attributes.int('axis') ?? -1, rows.axes.length);
    const epsilon = context.attributes.float('epsilon') ?? 1e-5;
    ignoreStash(context);
    featuresFrom(context, rows, axis);
    return [normalized(context, rows, { norm, epsilon }, (constant) => columnValues(context, rows, constant))];
  };
}

/**
 * (batch, channels, ...): each of `groups` parts of the channels over all axes behind. The batch stays alone; steps may be anywhere
 * behind it.
 */
function overGroups(context: NodeContext, rows: Rows, epsilon: number, groups: number): Norm {
  const [batch, channels] = rows.axes;
  const roles = rows.axes.map((_, axis) =>
    axis === 0 ? ('batch' as const) : axis === 1 ? ('feature' as const) : undefined,
  );
  const alone = batch !== undefined && channels !== undefined && context.graph.demand(rows, roles);
  const kind = batch && role(batch);
  if (
    !alone ||
    !isFeature(channels) ||
    (kind !== 'batch' && kind !== 'one') ||
    rows.axes
      .slice(2)
      .flat()
      .some((f) => f.role === 'batch')
  ) {
    throw nodeError(context.node, `normalizes ${axesText(rows.axes)}; supported: [batch, features, ...]`);
  }
  if (width(rows) % groups > 0 || featureSize(channels) % groups > 0) {
    throw nodeError(context.node, `${featureSize(channels)} channels are no ${groups} equal groups`, 'invalid_file');
  }
  const overTime = rows.axes.flat().some((factor) => factor.role === 'time');
  return { norm: 'standard', epsilon, groups, ...(overTime ? { overTime } : {}) };
}

/** A value a channel, or a value a group of channels, as one a column. */
function ofChannels(context: NodeContext, rows: Rows, constant: Constant): Float32Array {
  const count = constant.base[0] ?? 1;
  const size = width(rows);
  if (constant.base.length !== 1 || size % count > 0) {
    throw nodeError(context.node, 'its parameters do not fit its channels', 'invalid_file');
  }
  context.graph.budget.spend(4 * size);
  return Float32Array.from({ length: size }, (_, i) => Number(constant.data[Math.floor((i * count) / size)]));
}

const instanceNorm: Operator = (context) => {
  const rows = floatRows(context, 0);
  const epsilon = context.attributes.float('epsilon') ?? 1e-5;
  const spec = overGroups(context, rows, epsilon, featureSize(rows.axes[1] ?? []));
  return [normalized(context, rows, spec, (constant) => ofChannels(context, rows, constant))];
};

const groupNorm: Operator = (context) => {
  const rows = floatRows(context, 0);
  const { attributes } = context;
  const groups = attributes.int('num_groups') ?? 0;
  if (groups < 1) throw nodeError(context.node, "attribute 'num_groups' is missing", 'invalid_file');
  const epsilon = attributes.float('epsilon') ?? 1e-5;
  ignoreStash(context);
  const spec = overGroups(context, rows, epsilon, groups);
  return [normalized(context, rows, spec, (constant) => ofChannels(context, rows, constant))];
};

/** x / |x|, and 0 where |x| is. */
const lpNorm: Operator = (context) => {
  const rows = floatRows(context, 0);
  const { attributes, node } = context;
  if ((attributes.int('p') ?? 2) !== 2) throw nodeError(node, "attribute 'p' is 1; supported: 2");
  const { builder } = context.graph;
  const [name, least] = [layerName(context), 2 ** -126];
  const axis = axisIndex(context, attributes.int('axis') ?? -1, rows.axes.length);
  if (role(rows.axes[axis]!) === 'time') {
    const length = reduceSteps(context, rows, axis, 'l2', true);
    const most = builder.activation(length, `${name}_length`, { name: 'clip', alpha: least });
    return [combine(context, rows, most, 'div')];
  }
  featuresFrom(context, rows, axis);
  return [builder.norm(rows, name, { norm: 'unit', epsilon: least })];
};

export const NORM_OPERATORS: Record<string, Operator> = {
  LayerNormalization: layerNorm('standard'),
  RMSNormalization: layerNorm('rms'),
  SimplifiedLayerNormalization: layerNorm('rms'),
  InstanceNormalization: instanceNorm,
  GroupNormalization: groupNorm,
  LpNormalization: lpNorm,
};
