import { nodeError } from '../attributes.ts';
import { axisIndex, fullData, numbersOf, requireInput, shapeOf } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { addSizes, bakedSize, multiplySizes, shapeText, sizeText, type Size } from '../size.ts';
import {
  axesText,
  axisSize,
  feature,
  featureSize,
  joinColumns,
  role,
  takeColumns,
  width,
  type Constant,
  type Rows,
} from '../value.ts';
import { layerName } from './columns.ts';
import { asFloats, holdWhole } from './whole.ts';
import { pickConstant, pickRows, stepIndex } from './parts.ts';
import { numberedStep } from './numbered.ts';

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
    return [embedded(context, indices, data)];
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
    const given = raw.length === 1 && axisRole === 'time' ? raw[0]! : undefined;
    const index = given === undefined ? undefined : (stepIndex(context, data.axes[axis]!, given) ?? stepNumber(context, data.axes[axis]!, given)); // prettier-ignore
    const isFar = index !== undefined && index !== 0 && index !== -1 && (Math.abs(index) > MOST_STEPS || data.dtype !== 'float32'); // prettier-ignore
    if (index === undefined || isFar)
      throw nodeError(
        node,
        `picks ${shapeText(Array.from(raw).slice(0, 20))} of the ${axisRole} axis of ${axesText(data.axes)}; supported: features, the first step, the last step, one by its number`,
      );
    picked = numberedStep(context, data, axis, index);
  }
  return [indexShape.length === 0 ? { ...picked, axes: picked.axes.filter((_, i) => i !== axis) } : picked];
};

/** A step further from both ends is none that a model picks. */
const MOST_STEPS = 2 ** 20;

/** The number of a step, counted from the first or, below 0, from the last. */
function stepNumber({ graph }: NodeContext, axis: Rows['axes'][number], index: Size): number | undefined {
  if (!graph.numbersSteps()) return undefined;
  if (typeof index === 'number') return index;
  const behind = addSizes(index, multiplySizes(axisSize(axis), -1)!);
  return typeof behind === 'number' && behind < 0 ? behind : undefined;
}

/** More ids in a row are no embedding's: each has a layer of its own. */
const MOST_IDS = 64;

/** Rows of a table: one for each whole number of a row, side by side. */
export function embedded(context: NodeContext, indices: Rows, table: Constant): Rows {
  const { graph, node } = context;
  const { builder } = graph;
  const count = width(indices);
  const isId = indices.dtype === 'int32' && count === 1;
  if (!isId && (!holdWhole(context, indices) || count > MOST_IDS))
    throw nodeError(
      node,
      `takes ids ${axesText(indices.axes)}; supported: whole numbers, up to ${MOST_IDS} a step or a sequence`,
    );
  const { shape, data } = numbersOf(context, table, 'the table');
  const [vocabulary, size] = shape as [number, number];
  const floats = Float32Array.from(data);
  graph.budget.spend(4 * floats.length * (count - 1));
  const columns = Array.from({ length: count }, (_, i) => {
    const one: Rows = { ...indices, axes: indices.axes.map((axis) => axis.filter(({ role: r }) => r !== 'feature')), columns: takeColumns(indices.columns, i, 1), exclusive: false }; // prettier-ignore
    const ids = isId ? indices : builder.asIds(asFloats(context, one), `${layerName(context)}_ids`);
    return builder.embedding(ids, layerName(context), floats, vocabulary, size);
  });
  graph.place(table, `${columns[0]?.[0]?.ref ?? ''}/embeddings`);
  const rows: Rows = { ...indices, dtype: 'float32', axes: [...indices.axes, [feature(size)]], columns: joinColumns(columns), exclusive: false }; // prettier-ignore
  delete rows.whole;
  return rows;
}

function entryIndex(context: NodeContext, index: Size, size: number): number {
  const entry = typeof index === 'number' ? index : bakedSize(index, context.graph.baked);
  if (entry === undefined || !Number.isInteger(entry) || entry < -size || entry >= size) {
    throw nodeError(context.node, `index ${sizeText(index)} is outside of an axis of ${size}`, 'invalid_file');
  }
  return entry < 0 ? entry + size : entry;
}
