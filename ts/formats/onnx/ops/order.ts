import { nodeError } from '../attributes.ts';
import { axisIndex, makeConstant, requireInput } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { BATCH, equalSizes } from '../size.ts';
import { role, type Order, type Rows, type Value } from '../value.ts';
import { pickStepAt } from './pick.ts';
import { holdWhole } from './whole.ts';

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
  const isInput =
    only !== undefined &&
    (graph.builder.inputs.some(({ name, dtype }) => name === only.ref && dtype === 'int32') ||
      (lengths.type === 'rows' && lengths.dtype === 'float32' && holdWhole(context, lengths)));
  const isAll = count.type === 'constant' && count.data.length === 1 && equalSizes(count.data[0]!, BATCH, graph.baked);
  const fits = isAll && isLargest && isSorted && (axis === -1 || axis === 0);
  if (!isInput || lengths.type !== 'rows' || !fits || !graph.demand(lengths, ['batch']))
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
      attributes.int('to');
      return [order];
    case 'Identity':
      return [order];
    case 'Unsqueeze':
      attributes.ints('axes');
      if (order.is === 'given' && !order.step) return [order];
      break;
    case 'Concat': {
      const [first, step] = inputs;
      attributes.int('axis');
      const isOwn = first === order && order.is === 'given' && !order.step && inputs.length === 2;
      if (isOwn && step?.type === 'rows') return [{ ...order, step }];
      break;
    }
    case 'GatherND': {
      const [data] = inputs;
      const isPick =
        data?.type === 'rows' && inputs[1] === order && order.step && (attributes.int('batch_dims') ?? 0) === 0;
      if (!isPick || !graph.demand(data, ['batch'])) break;
      const picked = pickStepAt(context, data, 1, order.step!);
      return [{ ...picked, axes: picked.axes.filter((_, i) => i !== 1) }];
    }
    case 'Shape':
      return [makeConstant(context, 'int', [1], [BATCH], '')];
    case 'ScatterElements': {
      const [, places, values] = inputs;
      const isInverse =
        places?.type === 'order' && places.is === 'sorted' && values?.type === 'order' && values.is === 'given';
      const axis = attributes.int('axis') ?? 0;
      if (isInverse && inputs[0]?.type === 'constant' && (axis === 0 || axis === -1))
        return [{ ...places, is: 'restored' }];
      break;
    }
    case 'Gather': {
      const [data] = inputs;
      if (data?.type === 'rows' && inputs[1] === order) return [reordered(context, data, order)];
    }
  }
  throw nodeError(node, 'computes with numbers of sequences; supported: sorting by lengths, and putting back');
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
