import { Attributes, nodeError } from '../../attributes.ts';
import type { NodeContext, Operator } from '../../context.ts';
import { feature, featureSize, isFeature, selectColumns, type Factor, type Rows, type Value } from '../../value.ts';
import { pickRows, stackRows } from '../parts.ts';

/**
 * Recurrent nodes of which the sequences are not those of a run, but parts of them, as a Reshape of (batch, time, n, ...) makes them.
 *
 *     (batch x time) sequences of n steps    the steps of each step: words of sentences, characters of words, chunks
 *     (batch x n) sequences                  n values of a sequence, which the same layer reads one by one: bands, channels
 */

/** More of a sequence are not read one by one: each is a layer. */
const MOST_PARTS = 64;

interface Axes {
  time: number;
  batch: number;
}

/** `read` for the parts of sequences where X holds such, else as it is. */
export function alsoOfParts(read: Operator): Operator {
  const ofParts: Operator = (context) => {
    const x = context.inputs[0];
    // asked of the node, for an attribute is taken once
    const layout = context.node.attributes.find(({ name }) => name === 'layout')?.i;
    const axes = layout === 1 ? { time: 1, batch: 0 } : { time: 0, batch: 1 };
    if (x?.type !== 'rows' || x.axes.length !== 3 || x.dtype !== 'float32') return read(context);
    const parts = x.axes[axes.batch]!;
    if (isWith(parts, 'feature') && parts.some(({ role }) => role === 'batch'))
      return ofEachPart(context, ofParts, x, axes);
    return isWith(parts, 'time') && isFeature(x.axes[axes.time]!) ? ofEachStep(context, read, x, axes) : read(context);
  };
  return ofParts;
}

/** Whether an axis has such a factor beside another. */
const isWith = (axis: readonly Factor[], role: Factor['role']) =>
  axis.length > 1 && axis.some((factor) => factor.role === role && (role !== 'feature' || factor.size! > 1));

/** The sequences (batch x n) as n of (batch), each by itself. */
function ofEachPart(context: NodeContext, read: Operator, x: Rows, { batch }: Axes): (Value | undefined)[] {
  const parts = x.axes[batch]!;
  const count = featureSize(parts);
  if (count > MOST_PARTS || context.inputs[4] !== undefined)
    throw nodeError(
      context.node,
      `reads ${count} sequences of each; supported: ${MOST_PARTS}, without input 'sequence_lens'`,
    );
  const others = parts.filter(({ role }) => role !== 'feature');
  const results = Array.from({ length: count }, (_, i) => {
    const picked = pickRows(context, x, batch, [i]);
    const one = { ...picked, axes: x.axes.map((axis, at) => (at === batch ? others : axis)) };
    // attributes are taken once, by each reading; those that the first leaves are refused
    const attributes = i === 0 ? context.attributes : new Attributes(context.node);
    return read({ ...context, attributes, inputs: [one, ...context.inputs.slice(1)] });
  });
  return results[0]!.map((_, output) => {
    const given = results.map((result) => result[output] as Rows);
    const at = given[0]!.axes.findIndex((axis) => axis.some(({ role }) => role === 'batch'));
    const spread = given.map((rows) => ({ ...rows, axes: [...rows.axes.slice(0, at), [], ...rows.axes.slice(at)] }));
    const stacked = stackRows(context, spread, at);
    const axes = stacked.axes.flatMap((axis, i) => (i === at ? [] : i === at + 1 ? [parts] : [axis]));
    return { ...stacked, axes };
  });
}

/** The sequences (batch x time): each step is one, of as many steps as there are of a feature axis, and so a row again. */
function ofEachStep(context: NodeContext, read: Operator, x: Rows, { time, batch }: Axes): (Value | undefined)[] {
  const { builder, budget } = context.graph;
  if (x.kind !== 'sequence' || context.inputs.slice(4).some((input) => input?.type === 'rows'))
    throw nodeError(context.node, 'reads the steps of each step beside lengths or states that the graph computes');
  const steps = featureSize(x.axes[time]!);
  const columns = selectColumns(x, [], [time, batch, 2], budget);
  const cut = builder.steps.cutEach({ ...x, columns }, steps);
  const inner: Factor = { role: 'time', size: undefined, steps };
  const one: Factor = { role: 'batch', size: undefined };
  const alone: Rows = { ...x, axes: x.axes.map((axis, i) => (i === time ? [inner] : i === batch ? [one] : axis)), columns: cut, reversed: false, exclusive: false }; // prettier-ignore
  const results = read({ ...context, inputs: [alone, ...context.inputs.slice(1)] }) as Rows[];
  return results.map((rows) => {
    const isSequence = rows.kind === 'sequence';
    const made = isSequence ? builder.steps.joinEach(rows, steps) : builder.steps.ofEach(rows);
    const axes = rows.axes.map((axis) => (axis.includes(inner) ? [feature(steps)] : axis.includes(one) ? x.axes[batch]! : axis)); // prettier-ignore
    const all: Rows = { ...rows, kind: 'sequence', reversed: x.reversed, axes, columns: made };
    if (!isSequence) return all;
    // columns are (steps, all of one); the axes may have the directions in between
    const order = axes.map((_, i) => i);
    const own = axes.findIndex((_, i) => rows.axes[i]!.includes(inner));
    const first = [own, ...order.filter((i) => i !== own)];
    const laid = { ...all, axes: first.map((i) => axes[i]!) };
    return { ...all, columns: selectColumns(laid, [], order.map((i) => first.indexOf(i)), budget) }; // prettier-ignore
  });
}
