import { nodeError } from '../attributes.ts';
import { broadcastIndex, numbersOf, requireInput } from '../constants.ts';
import type { NodeContext } from '../context.ts';
import { shapeText } from '../size.ts';
import { axesText, featureSize, role, width, type Constant, type Factor, type Rows } from '../value.ts';
import { numbersOfScores } from './attention.ts';
import { asFloats } from './whole.ts';

/** What operators that compute read. */

export function layerName({ node }: NodeContext): string {
  return node.name || (node.outputs[0] ?? '');
}

export function floatRows(context: NodeContext, index: number): Rows {
  const value = requireInput(context, index);
  const numbers =
    value.type === 'rows' && value.scores
      ? numbersOfScores(context.graph.builder, value, layerName(context))
      : undefined;
  if (numbers) return numbers;
  if (value.type === 'rows' && value.scores)
    throw nodeError(
      context.node,
      `reads scores of steps by steps ${axesText(value.axes)}; supported: Softmax, MatMul, a factor`,
    );
  if (value.type === 'rows') return asFloats(context, value);
  throw nodeError(context.node, `input ${index} is a constant; supported: floats computed from the model's inputs`);
}

/** One value a column of a constant that is broadcast over rows. */
export function columnValues(context: NodeContext, rows: Rows, constant: Constant): Float32Array {
  const { data } = numbersOf(context, { ...constant, shape: constant.base }, 'the constant');
  const rank = rows.axes.length;
  const base = [...Array<number>(Math.max(rank - constant.base.length, 0)).fill(1), ...constant.base];
  const refuse = (why: string) =>
    nodeError(context.node, `combines ${axesText(rows.axes)} with a constant ${shapeText(constant.shape)}: ${why}`);
  if (base.length > rank) throw refuse('it has more dimensions');
  const sizes = rows.axes.map(featureSize);
  // Zeros for each of so many sequences, as the file was exported for.
  const isOfBatch = (size: number, axis: number) =>
    size > 1 && size === context.graph.baked.batch && role(rows.axes[axis]!) === 'batch';
  const isSame = base.some(isOfBatch) && Array.from(data).every((value) => value === data[0]);
  const fits = base.every((size, axis) => {
    if (size === 1 || (isSame && isOfBatch(size, axis))) return true;
    const kind = role(rows.axes[axis]!);
    return (kind === 'feature' || kind === 'one') && size === sizes[axis];
  });
  if (!fits) throw refuse('it differs from step to step or from sequence to sequence, or repeats features');
  const size = width(rows);
  context.graph.budget.spend(4 * size);
  if (isSame) return new Float32Array(size).fill(data[0]!);
  const index = broadcastIndex(base, sizes);
  return Float32Array.from({ length: size }, (_, i) => data[index(i)]!);
}

/** Puts axes of size 1 before those of a value, so that it has as many as a constant that it is combined with. */
export function padAxes(rows: Rows, rank: number): Rows {
  return { ...rows, axes: [...Array<Factor[]>(Math.max(rank - rows.axes.length, 0)).fill([]), ...rows.axes] };
}
