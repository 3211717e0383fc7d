import { nodeError } from '../attributes.ts';
import { axisIndex, fullData, numbersOf, requireInput, shapeOf } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { bakedSize, shapeText, sizeText, type Size } from '../size.ts';
import { axesText, feature, featureSize, role, width, type Rows } from '../value.ts';
import { pickConstant, pickRows, pickStep, stepIndex } from './parts.ts';

/** Rows of a table by id (an embedding), or entries of an axis by constant indices. */
export const gather: Operator = (context) => {
  const { attributes, graph, node } = context;
  const data = requireInput(context, 0);
  const indices = requireInput(context, 1);
  const shape = shapeOf(data);
  const axis = axisIndex(context, attributes.int('axis') ?? 0, shape.length);
  if (indices.type === 'rows') {
    if (data.type !== 'constant') throw nodeError(node, 'picks by computed indices from a computed value');
    if (axis !== 0 || data.base.length !== 2)
      throw nodeError(
        node,
        `picks from a table ${shapeText(shape)} along axis ${axis}; supported: rows of a table (ids, features)`,
      );
    if (graph.builder.areCast(indices)) graph.demandIds(indices);
    if (indices.dtype !== 'int32' || width(indices) !== 1)
      throw nodeError(node, `takes ids ${axesText(indices.axes)}; supported: one id a step or a sequence`);
    const { shape: table, data: floats } = numbersOf(context, data, 'the table');
    const [vocabulary, size] = table as [number, number];
    const columns = graph.builder.embedding(
      indices,
      node.name || (node.outputs[0] ?? ''),
      Float32Array.from(floats),
      vocabulary,
      size,
    );
    graph.place(data, `${columns[0]?.ref ?? ''}/embeddings`);
    return [{ ...indices, dtype: 'float32', axes: [...indices.axes, [feature(size)]], columns, exclusive: false }];
  }
  const { shape: indexShape, data: raw } = fullData(context, indices);
  if (data.type === 'constant') {
    const { shape: whole, data: all } = fullData(context, data);
    const size = whole[axis]!;
    const entries = Array.from(raw, (i) => entryIndex(context, i, size));
    const picked = pickConstant(context, { ...data, base: whole, shape: whole, data: all }, axis, entries);
    const base = [...whole.slice(0, axis), ...indexShape, ...whole.slice(axis + 1)];
    return [{ ...picked, base, shape: base }];
  }
  if (indexShape.length > 1) throw nodeError(node, `indices have ${indexShape.length} dimensions; supported: 0 or 1`);
  graph.preferFeature(data.axes[axis]!);
  const axisRole = role(data.axes[axis]!);
  let picked: Rows;
  if (axisRole === 'feature' || axisRole === 'one') {
    const size = featureSize(data.axes[axis]!);
    picked = pickRows(
      context,
      data,
      axis,
      Array.from(raw, (i) => entryIndex(context, i, size)),
    );
  } else {
    const index = raw.length === 1 && axisRole === 'time' ? stepIndex(context, data.axes[axis]!, raw[0]!) : undefined;
    if (index === undefined)
      throw nodeError(
        node,
        `picks ${shapeText(Array.from(raw).slice(0, 20))} of the ${axisRole} axis of ${axesText(data.axes)}; supported: features, the first step, the last step`,
      );
    picked = pickStep(context, data, axis, index);
  }
  return [indexShape.length === 0 ? { ...picked, axes: picked.axes.filter((_, i) => i !== axis) } : picked];
};

function entryIndex(context: NodeContext, index: Size, size: number): number {
  const entry = typeof index === 'number' ? index : bakedSize(index, context.graph.baked);
  if (entry === undefined || !Number.isInteger(entry) || entry < -size || entry >= size) {
    throw nodeError(context.node, `index ${sizeText(index)} is outside of an axis of ${size}`, 'invalid_file');
  }
  return entry < 0 ? entry + size : entry;
}
