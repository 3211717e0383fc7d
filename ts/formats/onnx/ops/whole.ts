import type { RowActivation } from '../../../spec/spec.ts';
import { nodeError, nodeName } from '../attributes.ts';
import type { NodeContext } from '../context.ts';
import { NUMBERS } from '../spec-ids.ts';
import type { Whole } from '../spec-values.ts';
import type { Rows, Value } from '../value.ts';

/**
 * Whole numbers that a graph computes with: lengths, masks, what is counted of them. Layers hold them as floats, which are exact up to 2^24; a
 * mask is zeros and ones.
 */

/** Which whole numbers these rows are known to hold, if they do. */
export function wholeOf({ graph }: NodeContext, value: Value | undefined): Whole | undefined {
  const [first, ...others] = value?.type === 'rows' ? value.columns : [];
  const is = first && graph.builder.whole.get(first.ref);
  // of several columns all, as of a mask that is repeated for each feature
  return others.every(({ ref }) => graph.builder.whole.get(ref) === is) ? is : undefined;
}

/** Rows of zeros and ones, and known to be. */
export function asMask({ graph }: NodeContext, rows: Rows, is: 'mask' | 'choice' = 'mask'): Rows {
  graph.builder.whole.set(rows.columns[0]!.ref, is);
  return rows;
}

/** Whether rows hold whole numbers. */
export function holdWhole(context: NodeContext, rows: Rows): boolean {
  return rows.dtype === 'int32' || rows.whole === true || wholeOf(context, rows) !== undefined;
}

/** What kind of mask a value is, if it is one. */
export function maskOf(context: NodeContext, value: Value | undefined): 'mask' | 'choice' | undefined {
  const is = wholeOf(context, value);
  return is === 'mask' || is === 'choice' ? is : undefined;
}

/** Functions of floats, one after the other. */
export function inTurn(context: NodeContext, rows: Rows, name: string, steps: readonly RowActivation[]): Rows {
  const { builder } = context.graph;
  const nameOf = (i: number) => (i === steps.length - 1 ? name : `${name}_${i}`);
  return steps.reduce<Rows>((x, f, i) => builder.activation({ ...x, exclusive: false }, nameOf(i), f), rows);
}

/** Rows as floats: whole numbers of an input of the graph, and ids that a layer computes, become such. */
export function asFloats(context: NodeContext, rows: Rows): Rows {
  if (rows.dtype === 'float32') return rows;
  const { builder } = context.graph;
  const name = `${nodeName(context.node)}_numbers`;
  const known = builder.floatsOf(rows) ?? builder.numbersOf(rows, name);
  const isGiven = builder.inputs.some((input) => rows.columns.length === 1 && input.name === rows.columns[0]!.ref);
  if (!known && !isGiven)
    throw nodeError(context.node, "reads whole numbers; supported: floats computed from the model's inputs");
  const is = maskOf(context, rows);
  const floats = known ?? builder.functionOf(rows, name, NUMBERS);
  return { ...(is ? asMask(context, floats, is) : floats), whole: true };
}

/** x towards zero: sign(x) floor(|x|). */
export function truncated(context: NodeContext, rows: Rows): Rows {
  const name = nodeName(context.node);
  const size = inTurn(context, rows, `${name}_size`, ['abs', 'floor']);
  const sign = inTurn(context, rows, `${name}_sign`, ['sign']);
  return { ...context.graph.builder.merge([size, sign], name, 'mul'), whole: true };
}
