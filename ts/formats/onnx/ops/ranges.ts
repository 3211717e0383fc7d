import { nodeError } from '../attributes.ts';
import { axisIndex, integers } from '../constants.ts';
import type { NodeContext } from '../context.ts';
import { sizeText, type Size } from '../size.ts';

/** What a Slice takes of an axis. */
export interface Range {
  axis: number;
  start: Size;
  end: Size;
  step: number;
}

/** Of each axis that a Slice names. */
export function ranges(context: NodeContext, shape: readonly Size[]): Range[] {
  const { attributes, inputs, node, opset } = context;
  const read = (i: number, what: string): Size[] | undefined => {
    if (opset < 10) return attributes.ints(what);
    return inputs[i] && integers(context, inputs[i], what);
  };
  const [starts, ends, axes] = [read(1, 'starts'), read(2, 'ends'), read(3, 'axes')];
  const steps = opset < 10 ? undefined : read(4, 'steps');
  if (!starts || !ends) throw nodeError(node, 'starts or ends are missing', 'invalid_file');
  const count = starts.length;
  if ([ends, axes, steps].some((list) => list && list.length !== count) || count > shape.length) {
    throw nodeError(node, 'starts, ends, axes and steps do not fit each other', 'invalid_file');
  }
  return starts.map((start, i) => {
    const step = steps?.[i] ?? 1;
    if (typeof step !== 'number' || step === 0 || !Number.isInteger(step))
      throw nodeError(node, `step ${sizeText(step)} is not supported`);
    const axis = axisIndex(context, (axes?.[i] ?? i) as number, shape.length);
    return { axis, start, end: ends[i]!, step };
  });
}
