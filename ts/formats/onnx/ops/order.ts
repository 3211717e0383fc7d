import { nodeError } from '../attributes.ts';
import { axisIndex, castTo, requireInput } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { BATCH, equalSizes, type Size } from '../size.ts';
import { factorSize, role, type Constant, type Order, type Rows, type Value } from '../value.ts';
import { layerName } from './columns.ts';
import { combine } from './combine.ts';
import { partOfShape } from './constant.ts';
import { pickStepAt } from './pick.ts';
import { asFloats, holdWhole } from './whole.ts';

/**
 * Sequences sorted by their lengths, as pack_padded_sequence does it, and put back: results do not depend on the order, so it is only kept
 * account of.
 */

/** Lengths, the longest first, and which sequences they are of. */
export const topK: Operator = (context) => {
  const { attributes, graph, node } = context;
  const lengths = requireInput(context, 0);
  const count = requireInput(context, 1);
  const axis = attributes.int('axis') ?? -1;
  const isLargest = (attributes.int('largest') ?? 1) === 1;
  const isSorted = (attributes.int('sorted') ?? 1) === 1;
  if (lengths.type === 'rows' && lengths.kind === 'sequence') graph.demandVector(lengths);
  const [only] = lengths.type === 'rows' && lengths.axes.length === 1 ? lengths.columns : [];
  const isOfInput = () => graph.builder.inputs.some(({ name }) => name === only?.ref);
  // an input of whole numbers may be one of floats by now, for what else reads it
  const isKnown = lengths.type === 'rows' && (lengths.dtype === 'int32' ? isOfInput() : holdWhole(context, lengths));
  const isAll = count.type === 'constant' && count.data.length === 1 && equalSizes(count.data[0]!, BATCH, graph.baked);
  const fits = isAll && isLargest && isSorted && (axis === -1 || axis === 0);
  if (!only || !isKnown || !fits || !graph.demand(lengths, ['batch']))
    throw nodeError(
      node,
      `takes the ${isLargest ? 'largest' : 'smallest'} of '${node.inputs[0] ?? ''}'; supported: lengths of all sequences, sorted from the longest on`,
    );
  return [
    { ...lengths, sortedBy: only.ref },
    { type: 'order', is: 'sorted', by: only.ref },
  ];
};

export const gatherNd: Operator = ({ node }) => {
  throw nodeError(node, 'is supported for one step of each sequence only');
};

export const scatterElements: Operator = ({ node }) => {
  throw nodeError(node, 'is supported for the order of sorted sequences only');
};

/** Reads a node that reads numbers of sequences; undefined for any other. */
export function readOrder(context: NodeContext): (Value | undefined)[] | undefined {
  const { attributes, graph, inputs, node } = context;
  const orders = inputs.filter((value) => value?.type === 'order');
  const [order] = orders;
  if (!order) return undefined;
  switch (node.op) {
    case 'Cast':
      castTo(context);
      return [order];
    case 'Identity':
      return [order];
    case 'Unsqueeze':
      attributes.ints('axes');
      // [sequences, 1] of one number of both is the list that GatherND takes
      if (order.is === 'given' && (!order.step || order.flat)) return [order];
      break;
    case 'Concat': {
      const step = inputs.find((value) => value !== order);
      attributes.int('axis');
      const isOwn = order.is === 'given' && !order.step && !order.flat && inputs.length === 2;
      if (isOwn && step?.type === 'rows') return [{ ...order, step, ...(inputs[0] === step && { stepFirst: true }) }];
      break;
    }
    case 'GatherND': {
      const [data] = inputs;
      const { step, stepFirst, flat } = order;
      const isPick = data?.type === 'rows' && inputs[1] === order && (attributes.int('batch_dims') ?? 0) === 0;
      if (isPick && flat) return [pickRow(context, data, order)];
      if (!isPick || !step || !graph.demand(data, stepFirst ? [undefined, 'batch'] : ['batch'])) break;
      const axis = stepFirst ? 0 : 1;
      const picked = pickStepAt(context, data, axis, step);
      return [{ ...picked, axes: picked.axes.filter((_, i) => i !== axis) }];
    }
    case 'Add':
    case 'Sub':
    case 'Mul': {
      const counted = flatOrder(context);
      if (counted) return [counted];
      break;
    }
    case 'Reshape':
      attributes.int('allowzero');
      if (order.is === 'given' && isFlat(context, inputs[1])) return [order];
      break;
    case 'Shape':
      return [partOfShape(context, [BATCH])];
    case 'ScatterElements': {
      const [, places, values] = inputs;
      const isInverse =
        places?.type === 'order' && places.is === 'sorted' && values?.type === 'order' && values.is === 'given';
      const axis = attributes.int('axis') ?? 0;
      const isPlain = (attributes.text('reduction') ?? 'none') === 'none';
      if (isInverse && isPlain && inputs[0]?.type === 'constant' && (axis === 0 || axis === -1))
        return [{ ...places, is: 'restored' }];
      break;
    }
    case 'Gather': {
      const [data] = inputs;
      if (data?.type === 'constant' && inputs[1] === order && !order.flat && isOfAll(context, data)) return [data];
      if (data?.type === 'rows' && inputs[1] === order)
        return [order.flat ? pickRow(context, data, order) : reordered(context, data, order)];
    }
  }
  throw nodeError(
    node,
    'computes with numbers of sequences; supported: sorting by lengths, and putting back; one step of each sequence',
  );
}

/** Whether a constant, along the axis that is picked from, is the same for all sequences: initial states of zeros. */
function isOfAll(context: NodeContext, { base, shape }: Constant): boolean {
  const axis = axisIndex(context, context.attributes.int('axis') ?? 0, shape.length);
  return base[axis] === 1 && equalSizes(shape[axis]!, BATCH, context.graph.baked) === true;
}

const isOnly = (value: Value | undefined): value is Constant => value?.type === 'constant' && value.data.length === 1;

/** Whether a shape is of one axis, of as many as there are. */
function isFlat({ graph }: NodeContext, shape: Value | undefined): boolean {
  const [size] = isOnly(shape) ? Array.from(shape.data) : [];
  return size === -1 || (size !== undefined && equalSizes(size, BATCH, graph.baked) === true);
}

/** Numbers of rows of all steps of all sequences: sequence times its size + step times its size. */
function flatOrder(context: NodeContext): Order | undefined {
  const { inputs, node } = context;
  const [x, y] = inputs;
  if (node.op === 'Mul') {
    const [order, size] = isOnly(y) ? [x, y] : [y, x];
    if (order?.type !== 'order' || order.is !== 'given' || order.step || order.flat || !isOnly(size)) return undefined;
    return { ...order, flat: { sequence: size.data[0]!, step: 1 } };
  }
  const orders = inputs.filter((value) => value?.type === 'order');
  if (orders.some(({ is, step, flat }) => is !== 'given' || (step !== undefined && !flat))) return undefined;
  const [order, other] = orders;
  if (!order) return undefined;
  const { flat = { sequence: 1, step: 1 }, step } = order;
  if (other) {
    // a step times the batch + a sequence
    const own = other.flat ?? { sequence: 1, step: 1 };
    const fits = node.op === 'Add' && (flat.sequence === 0 || own.sequence === 0) && !(step && other.step);
    if (!fits) return undefined;
    const [of, from] = step ? [flat, step] : [own, other.step];
    return from && { type: 'order', is: 'given', step: from, flat: { sequence: flat.sequence === 0 ? own.sequence : flat.sequence, step: of.step } }; // prettier-ignore
  }
  const added = inputs.find((value) => value !== order);
  if (node.op === 'Sub' && x !== order) return undefined;
  if (isOnly(added)) {
    const [term] = Array.from(added.data);
    if (!step || flat.step !== 1 || typeof term !== 'number') return undefined;
    const shift = node.op === 'Add' ? term : -term;
    return { ...order, step: context.graph.builder.affine(step, `${layerName(context)}_step`, undefined, shift) };
  }
  if (added?.type !== 'rows' || flat.step !== 1 || !holdWhole(context, added)) return undefined;
  const numbers = asFloats(context, added);
  if (!step) return node.op === 'Add' ? { ...order, flat, step: numbers } : undefined;
  return { ...order, flat, step: combine(context, step, numbers, node.op === 'Add' ? 'sum' : 'sub') };
}

/** Whole numbers of sequences times how many sequences there are: a part of the number of a row, where the steps come first. */
export function timesBatch(context: NodeContext, x: Rows | Constant, y: Rows | Constant): Order | undefined {
  const [rows, size] = isOnly(y) ? [x, y] : [y, x];
  if (rows.type !== 'rows' || rows.kind !== 'vector' || !isOnly(size) || !holdWhole(context, rows)) return undefined;
  const [times] = Array.from(size.data) as [Size];
  if (typeof times === 'number' || times.t !== 0 || equalSizes(times, BATCH, context.graph.baked) !== true)
    return undefined;
  return { type: 'order', is: 'given', step: asFloats(context, rows), flat: { sequence: 0, step: BATCH } };
}

/** One step of each sequence, of rows of all steps of all of them. */
function pickRow(context: NodeContext, data: Rows, { step, flat }: Order): Rows {
  const { attributes, graph, node } = context;
  const axis = node.op === 'GatherND' ? 0 : axisIndex(context, attributes.int('axis') ?? 0, data.axes.length);
  const factors = (data.axes[axis] ?? []).filter(({ role: r, size }) => r !== 'feature' || size !== 1);
  const [outer, inner] = factors;
  const fits =
    factors.length === 2 &&
    step !== undefined &&
    (outer!.role === 'batch' ? inner!.role === 'time' : outer!.role === 'time' && inner!.role === 'batch');
  const isSize = (given: Size, wanted: Size) => equalSizes(given, wanted, graph.baked) === true;
  const [slow, fast] = outer?.role === 'batch' ? [flat!.sequence, flat!.step] : [flat!.step, flat!.sequence];
  if (!fits || !isSize(fast, 1) || !isSize(slow, factorSize(inner!)))
    throw nodeError(node, 'takes rows of all steps of all sequences by numbers that do not count them so');
  const axes = [...data.axes.slice(0, axis), [outer!], [inner!], ...data.axes.slice(axis + 1)];
  const time = outer!.role === 'time' ? axis : axis + 1;
  // what lies outside of a sequence is a step of another: no number here
  const picked = pickStepAt(context, { ...data, axes, exclusive: false }, time, step, true);
  return { ...picked, axes: picked.axes.filter((_, i) => i !== time) };
}

function reordered(context: NodeContext, data: Rows, { is, by }: Order): Rows {
  const { attributes, graph, node } = context;
  const axis = axisIndex(context, attributes.int('axis') ?? 0, data.axes.length);
  const isBatch = graph.demand(
    data,
    data.axes.map((_, i) => (i === axis ? 'batch' : undefined)),
  );
  const before = is === 'restored' ? by : undefined;
  if (!isBatch || role(data.axes[axis]!) !== 'batch' || data.sortedBy !== before)
    throw nodeError(node, 'takes sequences in an order that does not fit them');
  const rows = { ...data };
  delete rows.sortedBy;
  return is === 'sorted' && by !== undefined ? { ...rows, sortedBy: by } : rows;
}

/** What the sequences of a node's inputs are sorted by. @throws GruError `unsupported` for several orders. */
export function sortedBy({ inputs, node }: NodeContext): string | undefined {
  const orders = inputs.flatMap((value) => (value?.type === 'rows' ? [value.sortedBy] : []));
  if (orders.some((by) => by !== orders[0])) throw nodeError(node, 'combines sorted sequences with others');
  return orders[0];
}
