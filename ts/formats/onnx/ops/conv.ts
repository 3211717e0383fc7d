import { nodeError } from '../attributes.ts';
import { floatsOf, requireConstant, requireInput } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { shapeText } from '../size.ts';
import { feature, type Rows, width } from '../value.ts';
import { convOfParts } from '../../transposed-conv.ts';
import { layerName } from './columns.ts';
import { innerWindow, overPositions, timeWindow, windows, type Window } from './windows.ts';

/** W, (first, own, taps...), and its groups; `misfit`: the attribute kernel_shape where it is not that of W. */
function readKernel(context: NodeContext) {
  const { attributes } = context;
  const matrix = requireConstant(context, 1, 'W');
  const { shape, data } = floatsOf(context, matrix, 'W');
  const [first = 0, own = 0, ...sizes] = shape;
  const groups = attributes.int('group') ?? 1;
  const given = attributes.ints('kernel_shape') ?? sizes;
  const isOfW = given.length === sizes.length && given.every((size, i) => size === sizes[i]);
  return { matrix, shape, data, first, own, sizes, groups, misfit: isOfW ? undefined : given };
}

/** Axes (batch, channels, time) with so many channels. */
const withChannels = (axes: Rows['axes'], size: number) => axes.map((axis, i) => (i === 1 ? [feature(size)] : axis));

/** (batch, channels, time), or with an axis of size 1 before or behind the time, along which nothing is convolved. */
export const conv: Operator = (context) => {
  const { graph, inputs, node } = context;
  const given = requireInput(context, 0);
  const { matrix, shape, data, first: outputSize, own, sizes, groups, misfit } = readKernel(context);
  if (misfit) {
    const given = misfit.slice(0, 9).join(', ');
    throw nodeError(node, `attribute 'kernel_shape' [${given}] is not that of W`, 'invalid_file');
  }
  const all = windows(context, sizes);
  if (given.type !== 'rows' || given.dtype !== 'float32')
    throw nodeError(node, 'convolves a constant or whole numbers');
  const inner = innerWindow(given, all);
  const { rows: x, time } = inner
    ? { rows: given, time: inner.axis - 2 }
    : timeWindow(context, given, all, 'convolves');
  const inputSize = width(x) / (inner?.steps ?? 1);
  if (groups < 1 || own < 1 || outputSize < 1 || own * groups !== inputSize || outputSize % groups !== 0) {
    throw nodeError(
      node,
      `W ${shapeText(shape)} in ${groups} groups does not fit ${inputSize} channels`,
      'invalid_file',
    );
  }
  const kernelSize = sizes[time]!;
  graph.budget.spend(4 * data.length);
  const kernel = new Float32Array(data.length);
  for (let o = 0; o < outputSize; o++) {
    for (let c = 0; c < own; c++) {
      for (let tap = 0; tap < kernelSize; tap++) {
        kernel[(o * kernelSize + tap) * own + c] = data[(o * own + c) * kernelSize + tap]!;
      }
    }
  }
  const weights = { kernel, ...(inputs[2] ? { bias: bias(context, outputSize) } : {}) };
  const { stride, dilation, padding } = all[time]!;
  // A runtime convolves what lies behind a sequence's length too.
  const span = (kernelSize - 1) * dilation;
  const causal = typeof padding !== 'string' && padding[0] === span && padding[1] === 0;
  if (!inner && !(causal && stride === 1)) graph.builder.steps.readsAhead = true;
  const axes = withChannels(x.axes, outputSize);
  const name = layerName(context);
  const spec = { inputSize, outputSize, kernelSize, stride, dilation, groups, padding, weights };
  const result = inner
    ? overPositions(context, x, inner, { type: 'conv1d', name: graph.builder.name(name), ...spec })
    : graph.builder.conv1d(x, name, spec, axes);
  const ref = result.columns[0]?.ref ?? '';
  graph.place(matrix, `${ref}/kernel`);
  if (inputs[2]) graph.place(requireConstant(context, 2, 'B'), `${ref}/bias`);
  return [result];
};

/** The sizes of the result that attributes give: steps left out before, and how many more there are than `stride` of each. */
function extent(
  context: NodeContext,
  { size, stride, dilation, padding }: Window,
  axis: number,
): { left: number; more: number } {
  const { attributes, node } = context;
  const put = attributes.ints('output_padding')?.[axis] ?? 0;
  if (attributes.ints('output_shape') !== undefined) throw nodeError(node, "attribute 'output_shape' is not supported");
  if (put < 0 || put >= Math.max(stride, dilation))
    throw nodeError(node, `attribute 'output_padding' ${put} does not fit its stride ${stride}`, 'invalid_file');
  const span = (size - 1) * dilation + 1;
  if (typeof padding === 'string' && put > 0) throw nodeError(node, "attribute 'output_padding' beside 'auto_pad'");
  if (padding === 'valid' || typeof padding !== 'string') {
    const [left, right] = padding === 'valid' ? [0, 0] : padding;
    return { left, more: span - stride - left - right + put };
  }
  if (span < stride)
    throw nodeError(node, `attribute 'auto_pad' of ${size} taps and a stride of ${stride} differs between runtimes`);
  const over = span - stride;
  return { left: padding === 'same' ? Math.floor(over / 2) : Math.ceil(over / 2), more: 0 };
}

/** (batch, channels, time): each step is laid, times the taps of W (channels, outputs of a group, taps), over `stride` steps and those behind. */
export const convTranspose: Operator = (context) => {
  const { graph, inputs, node } = context;
  const given = requireInput(context, 0);
  const { matrix, shape, data, first: inputSize, own, sizes, groups, misfit } = readKernel(context);
  if (misfit) throw nodeError(node, `attribute 'kernel_shape' is not that of W ${shapeText(shape)}`, 'invalid_file');
  const all = windows(context, sizes);
  if (given.type !== 'rows' || given.dtype !== 'float32') throw nodeError(node, 'takes a constant or whole numbers');
  const { rows: x, time } = timeWindow(context, given, all, 'lays out');
  if (width(x) !== inputSize || groups < 1 || inputSize % groups !== 0 || own < 1)
    throw nodeError(
      node,
      `W ${shapeText(shape)} in ${groups} groups does not fit ${width(x)} channels`,
      'invalid_file',
    );
  const window = all[time]!;
  const { size: kernelSize, stride, dilation } = window;
  if (stride > 1 && dilation > 1)
    throw nodeError(node, `attributes 'strides' ${stride} and 'dilations' ${dilation} are not supported together`);
  const [outputSize, channels] = [own * groups, inputSize / groups];
  const { left, more } = extent(context, window, time);
  const weight = (tap: number, o: number, c: number) =>
    Math.floor(o / own) === Math.floor(c / channels) ? data[(c * own + (o % own)) * kernelSize + tap]! : 0;
  graph.budget.spend(4 * (kernelSize + stride) * inputSize * outputSize);
  const {
    conv: spec,
    factor,
    crop,
  } = convOfParts({
    ...{ inputSize, outputSize, kernelSize, stride, dilation, left, more, weight },
    bias: inputs[2] && bias(context, outputSize),
  });
  const { steps } = graph.builder;
  steps.readsAhead = true;
  const name = layerName(context);
  const parts = graph.builder.conv1d(x, `${name}_parts`, spec, withChannels(x.axes, factor * outputSize));
  const ref = parts.columns[0]?.ref ?? '';
  graph.place(matrix, `${ref}/kernel`);
  if (inputs[2]) graph.place(requireConstant(context, 2, 'B'), `${ref}/bias`);
  const apart = steps.split(parts, name, factor, withChannels(parts.axes, outputSize));
  return [crop.before === 0 && crop.after === 0 ? apart : steps.pad(apart, name, crop)];
};

function bias(context: NodeContext, outputSize: number): Float32Array {
  const { data } = floatsOf(context, requireConstant(context, 2, 'B'), 'B');
  if (data.length === outputSize) return data.slice();
  throw nodeError(context.node, `B has ${data.length} values for ${outputSize} outputs`, 'invalid_file');
}
