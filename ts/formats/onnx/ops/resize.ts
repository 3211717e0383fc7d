import { nodeError } from '../attributes.ts';
import { integers, numbersOf, axisIndex, requireConstant, requireInput, shapeOf } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { equalSizes, exactQuotient, sizeText, type Size } from '../size.ts';
import { axesText, role, type Rows } from '../value.ts';
import { floatRows, layerName } from './columns.ts';

/** Ways to compute the step that is read, with the roundings by which that is floor(t / factor). */
const NEAREST: Record<string, string[]> = {
  // t / factor
  asymmetric: ['floor'],
  // (t + 1/2) / factor - 1/2: never half way between two steps
  half_pixel: ['round_prefer_floor', 'round_prefer_ceil'],
  half_pixel_symmetric: ['round_prefer_floor', 'round_prefer_ceil'],
  pytorch_half_pixel: ['round_prefer_floor', 'round_prefer_ceil'],
  // (t + 1/2) / factor
  tf_half_pixel_for_nn: ['floor'],
};

/** The factor of each axis that is not left as it is, by axis. */
function factors(
  context: NodeContext,
  x: Rows,
  scales: number | undefined,
  sizes: number | undefined,
): Map<number, Size> {
  const { attributes, inputs, node, opset } = context;
  const rank = x.axes.length;
  const axes = opset >= 18 && node.op === 'Resize' ? attributes.ints('axes') : undefined;
  const indices = axes?.map((axis) => axisIndex(context, axis, rank)) ?? x.axes.map((_, i) => i);
  const shape = shapeOf(x);
  const all = read();
  if (all.length !== indices.length)
    throw nodeError(node, `${all.length} scales or sizes do not fit ${rank} dimensions`, 'invalid_file');
  return new Map(indices.map((axis, i) => [axis, all[i]!] as const).filter(([, factor]) => factor !== 1));

  function read(): Size[] {
    const isGiven = (index: number | undefined) => {
      const value = index === undefined ? undefined : inputs[index];
      return value !== undefined && !(value.type === 'constant' && value.data.length === 0);
    };
    if (isGiven(sizes)) {
      return integers(context, requireInput(context, sizes!), 'sizes').map((size, i) => {
        const own = shape[indices[i] ?? 0]!;
        const factor = equalSizes(size, own, context.graph.baked) ? 1 : exactQuotient(size, own);
        if (factor !== undefined) return factor;
        throw nodeError(
          node,
          `makes ${sizeText(size)} of ${sizeText(own)}; supported: whole numbers of times as many steps`,
        );
      });
    }
    if (scales === undefined) return attributes.floats('scales') ?? [];
    return Array.from(numbersOf(context, requireConstant(context, scales, 'scales'), 'scales').data);
  }
}

/** Each step several times. */
function enlarge(context: NodeContext, x: Rows, factor: Map<number, Size>): Rows {
  const { graph, node } = context;
  const [entry, ...others] = factor;
  if (!entry) return x;
  const [axis, times] = entry;
  const roles = x.axes.map((_, i) => (i === axis ? ('time' as const) : undefined));
  if (others.length > 0 || !graph.demand(x, roles) || role(x.axes[axis]!) !== 'time')
    throw nodeError(node, `resizes axis ${[...factor.keys()].join(', ')} of ${axesText(x.axes)}; supported: the steps`);
  if (typeof times !== 'number' || !Number.isInteger(times) || times < 1)
    throw nodeError(node, `makes ${sizeText(times)} steps of one; supported: whole numbers from 1`);
  return graph.builder.steps.upsample(x, layerName(context), times);
}

const resize: Operator = (context) => {
  const { attributes, node, opset } = context;
  const x = floatRows(context, 0);
  const mode = attributes.text('mode') ?? 'nearest';
  if (mode !== 'nearest') throw nodeError(node, `attribute 'mode' '${mode}' is not supported; supported: nearest`);
  const all = factors(context, x, opset < 11 ? 1 : 2, opset < 11 ? undefined : 3);
  if (opset < 11) return [enlarge(context, x, all)];
  const way = attributes.text('coordinate_transformation_mode') ?? 'half_pixel';
  const rounding = attributes.text('nearest_mode') ?? 'round_prefer_floor';
  // of other modes than nearest, or of other ways than those below
  for (const name of ['cubic_coeff_a', 'extrapolation_value']) attributes.float(name);
  for (const name of ['exclude_outside', 'antialias']) {
    if (attributes.int(name)) throw nodeError(node, `attribute '${name}' 1 is not supported with mode 'nearest'`);
  }
  const policy = attributes.text('keep_aspect_ratio_policy') ?? 'stretch';
  if (policy !== 'stretch') throw nodeError(node, `attribute 'keep_aspect_ratio_policy' '${policy}' is not supported`);
  if (all.size > 0 && !(Object.hasOwn(NEAREST, way) && NEAREST[way]!.includes(rounding)))
    throw nodeError(
      node,
      `attributes 'coordinate_transformation_mode' '${way}' and 'nearest_mode' '${rounding}' read other steps than floor(t / factor)`,
    );
  return [enlarge(context, x, all)];
};

/** Upsample, up to opset 9: Resize by floor(t / factor). */
const upsample: Operator = (context) => {
  const { attributes, node, opset } = context;
  const x = floatRows(context, 0);
  const mode = attributes.text('mode') ?? 'nearest';
  if (mode !== 'nearest') throw nodeError(node, `attribute 'mode' '${mode}' is not supported; supported: nearest`);
  return [enlarge(context, x, factors(context, x, opset < 9 ? undefined : 1, undefined))];
};

export const RESIZE_OPERATORS: Record<string, Operator> = { Resize: resize, Upsample: upsample };
