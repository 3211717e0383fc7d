import type { ConvPadding } from '../../../spec/spec.ts';
import { nodeError } from '../attributes.ts';
import { floatsOf, requireConstant, requireInput } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { shapeText } from '../size.ts';
import { axesText, feature, role, width, type Rows } from '../value.ts';

/** What the attributes say of one axis that is convolved. */
interface Window {
  stride: number;
  dilation: number;
  padding: ConvPadding;
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
function windows(context: NodeContext, sizes: readonly number[]): Window[] {
  const { attributes, node } = context;
  const count = sizes.length;
  const kernel = attributes.ints('kernel_shape') ?? sizes;
  if (kernel.length !== count || kernel.some((size, i) => size !== sizes[i])) {
    throw nodeError(
      node,
      `attribute 'kernel_shape' [${kernel.slice(0, 9).join(', ')}] is not that of W`,
      'invalid_file',
    );
  }
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
    stride,
    dilation: dilations[i]!,
    padding: same ?? [pads[i]!, pads[i + count]!],
  }));
}

/** (batch, channels, time), or with an axis of size 1 before or behind the time, along which nothing is convolved. */
export const conv: Operator = (context) => {
  const { attributes, graph, inputs, node } = context;
  const x = requireInput(context, 0);
  const matrix = requireConstant(context, 1, 'W');
  const { shape, data } = floatsOf(context, matrix, 'W');
  const [outputSize = 0, own = 0, ...sizes] = shape;
  const groups = attributes.int('group') ?? 1;
  const all = windows(context, sizes);
  if (x.type !== 'rows' || x.dtype !== 'float32') throw nodeError(node, 'convolves a constant or whole numbers');
  const isFlat = (i: number) => sizes[i] === 1 && role(x.axes[i + 2] ?? []) === 'one';
  const time = sizes.length === 2 && isFlat(1) && !isFlat(0) ? 0 : sizes.length - 1;
  const flat = sizes.flatMap((_, i) => (i === time ? [] : [i]));
  const refuse = () =>
    nodeError(
      node,
      `convolves ${axesText(x.axes)} by ${shapeText(shape)}; supported: [batch, channels, time], over the time`,
    );
  if (x.axes.length !== shape.length || sizes.length < 1 || sizes.length > 2 || !flat.every(isFlat)) throw refuse();
  const roles = x.axes.map((_, i) => (i === 0 ? 'batch' : i === 1 ? 'feature' : i === time + 2 ? 'time' : undefined));
  if (!graph.demand(x, roles) || role(x.axes[time + 2]!) !== 'time' || x.kind !== 'sequence') throw refuse();
  for (const i of flat) {
    const { padding } = all[i]!;
    if (typeof padding !== 'string' && padding.some((steps) => steps > 0)) throw refuse();
  }
  if (x.reversed) throw nodeError(node, 'convolves reversed time');
  const inputSize = width(x);
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
  if (!(causal && stride === 1)) graph.fromEnd ??= `${node.op} node '${node.name}' (where it looks ahead)`;
  const axes = x.axes.map((axis, i) => (i === 1 ? [feature(outputSize)] : axis));
  const name = node.name || (node.outputs[0] ?? '');
  const result = graph.builder.conv1d(
    x,
    name,
    { inputSize, outputSize, kernelSize, stride, dilation, groups, padding, weights },
    axes,
  );
  const ref = result.columns[0]?.ref ?? '';
  graph.place(matrix, `${ref}/kernel`);
  if (inputs[2]) graph.place(requireConstant(context, 2, 'B'), `${ref}/bias`);
  return [result];
};

function bias(context: NodeContext, outputSize: number): Float32Array {
  const { data } = floatsOf(context, requireConstant(context, 2, 'B'), 'B');
  if (data.length === outputSize) return data.slice();
  throw nodeError(context.node, `B has ${data.length} values for ${outputSize} outputs`, 'invalid_file');
}

/** Takes away the last steps of a convolution: zeros behind its input that it need not have read; undefined where it is none. */
export function trimmed({ graph }: NodeContext, rows: Rows, steps: number): Rows | undefined {
  return graph.builder.trimConv(rows, steps) ? rows : undefined;
}
