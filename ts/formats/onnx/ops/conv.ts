import { nodeError } from '../attributes.ts';
import { floatsOf, requireConstant, requireInput } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { shapeText } from '../size.ts';
import { feature, width } from '../value.ts';
import { innerWindow, overPositions, timeWindow, windows } from './windows.ts';

/** (batch, channels, time), or with an axis of size 1 before or behind the time, along which nothing is convolved. */
export const conv: Operator = (context) => {
  const { attributes, graph, inputs, node } = context;
  const given = requireInput(context, 0);
  const matrix = requireConstant(context, 1, 'W');
  const { shape, data } = floatsOf(context, matrix, 'W');
  const [outputSize = 0, own = 0, ...sizes] = shape;
  const groups = attributes.int('group') ?? 1;
  const kernelShape = attributes.ints('kernel_shape') ?? sizes;
  if (kernelShape.length !== sizes.length || kernelShape.some((size, i) => size !== sizes[i])) {
    const given = kernelShape.slice(0, 9).join(', ');
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
  const axes = x.axes.map((axis, i) => (i === 1 ? [feature(outputSize)] : axis));
  const name = node.name || (node.outputs[0] ?? '');
  const spec = { inputSize, outputSize, kernelSize, stride, dilation, groups, padding, weights };
  const result = inner
    ? overPositions(context, x, inner, { type: 'conv1d', name: graph.builder.name(name), ...spec })
    : graph.builder.conv1d(x, name, spec, axes);
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
