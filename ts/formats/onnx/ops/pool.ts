import type { PoolSpec } from '../../../spec/spec.ts';
import { nodeError } from '../attributes.ts';
import type { Operator } from '../context.ts';
import { axesText, featureSize, isFeature, role, width } from '../value.ts';
import { floatRows, layerName } from './columns.ts';
import { reduceSteps } from './over-time.ts';
import { innerWindow, overPositions, timeWindow, windows } from './windows.ts';

/** MaxPool, AveragePool: windows over the steps of (batch, features, steps). */
function pool(kind: PoolSpec['pool']): Operator {
  return (context) => {
    const { attributes, graph, node, opset } = context;
    const x = floatRows(context, 0);
    const sizes = attributes.ints('kernel_shape');
    if (!sizes?.length || sizes.some((size) => size < 1 || size > 2 ** 24))
      throw nodeError(node, "attribute 'kernel_shape' is missing or not from 1", 'invalid_file');
    const all = windows(context, sizes);
    const ceil = opset >= 10 && attributes.int('ceil_mode') === 1;
    const countPadding = kind === 'mean' && attributes.int('count_include_pad') === 1;
    // how the indices of maxima are counted, which are not read
    if (kind === 'max') attributes.int('storage_order');
    const inner = innerWindow(x, all);
    const { rows, time } = inner ? { rows: x, time: inner.axis - 2 } : timeWindow(context, x, all, 'pools');
    const { size: window, stride, dilation, padding } = all[time]!;
    const span = (window - 1) * dilation + 1;
    if (typeof padding !== 'string' && padding.some((steps) => steps >= span))
      throw nodeError(node, `attribute 'pads' [${padding.join(', ')}] leaves windows of ${window} steps empty`);
    if (typeof padding === 'string' && dilation > 1)
      throw nodeError(
        node,
        "attributes 'auto_pad' and 'dilations' together mean differing windows in differing runtimes",
      );
    const options = {
      ...(ceil && typeof padding !== 'string' ? { ceil } : {}),
      ...(countPadding ? { countPadding } : {}),
    };
    const spec = { pool: kind, window, stride, dilation, padding, ...options };
    const name = layerName(context);
    if (inner) return [overPositions(context, rows, inner, { type: 'pool', name: graph.builder.name(name), ...spec })];
    return [graph.builder.steps.pool(rows, name, spec)];
  };
}

/** GlobalAveragePool, GlobalMaxPool: of (batch, features, steps), over the steps, or of (batch, steps, features). */
function globalPool(op: 'mean' | 'max'): Operator {
  return (context) => {
    const { graph } = context;
    const rows = floatRows(context, 0);
    const behind = rows.axes.slice(2);
    // how tf2onnx writes the moments of each row: (batch, steps, features)
    const isOfRow = behind.length > 0 && behind.every((axis) => isFeature(axis) && axis.every(({ origin }) => !origin));
    const isSteps = role(rows.axes[1] ?? []) === 'time' && behind.length === 1 && isFeature(behind[0]!);
    if ((isOfRow || isSteps) && behind.reduce((n, axis) => n * featureSize(axis), 1) === width(rows)) {
      const result = graph.builder.reduceFeatures(rows, layerName(context), op);
      return [{ ...result, axes: rows.axes.map((axis, i) => (i < 2 ? axis : [])) }];
    }
    if (rows.axes.length === 3 && graph.demand(rows, ['batch', 'feature', 'time']))
      return [reduceSteps(context, rows, 2, op, true)];
    throw nodeError(context.node, `pools ${axesText(rows.axes)}; supported: (batch, features, steps)`);
  };
}

export const POOL_OPERATORS: Record<string, Operator> = {
  MaxPool: pool('max'),
  AveragePool: pool('mean'),
  GlobalAveragePool: globalPool('mean'),
  GlobalMaxPool: globalPool('max'),
};
