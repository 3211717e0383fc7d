import { exactQuotient, type Baked, type Size } from './size.ts';
import { bakedFactor, factorSize, feature, featureSize, isFeature, type Factor } from './value.ts';

/**
 * Groups the factors of a tensor into axes of other sizes, without changing their order; splits features where an axis
 * takes a part of them. A size that the file bakes in stands for the batch or the steps that it was made of.
 *
 * @param target sizes of the axes; one may be -1: what the others leave
 * @returns undefined if the factors do not fit
 */
export function regroup(
  axes: readonly (readonly Factor[])[],
  target: readonly Size[],
  baked: Baked,
): Factor[][] | undefined {
  const factors = axes.flat();
  const open = target.indexOf(-1);
  const head: Factor[][] = [];
  for (const size of open < 0 ? target : target.slice(0, open)) {
    const axis = take(factors, size, baked, false);
    if (!axis) return undefined;
    head.push(axis);
  }
  if (open < 0) {
    const rest = factors.filter((factor) => bakedFactor(factor, baked) !== 1);
    return rest.length === 0 ? settle(head, baked) : undefined;
  }
  const tail: Factor[][] = [];
  for (const size of target.slice(open + 1).reverse()) {
    const axis = take(factors, size, baked, true);
    if (!axis) return undefined;
    tail.unshift(axis);
  }
  return settle([...head, factors, ...tail], baked);
}

/**
 * A batch, or steps, of which the file says that they are 1 may be anywhere: among features they would be no axis of rows. Tools
 * that slim a graph put [time, directions, 1, features] into [time, 1, all features] so.
 */
function settle(axes: Factor[][], baked: Baked): Factor[][] {
  let settled = axes;
  for (const role of ['batch', 'time'] as const) {
    if (baked[role] !== 1) continue;
    const isRole = (factor: Factor) => factor.role === role;
    const from = settled.findIndex((axis) => axis.some(isRole) && axis.some((factor) => factor.role === 'feature'));
    const empty = settled.findIndex((axis) => isFeature(axis) && featureSize(axis) === 1);
    const to = empty >= 0 ? empty : settled.findIndex((axis) => axis.every((factor) => factor.role !== 'feature'));
    if (from < 0 || to < 0) continue;
    const moved = settled[from]!.filter(isRole);
    settled = settled.map((axis, i) =>
      i === from
        ? axis.filter((factor) => !isRole(factor))
        : i === to
          ? [...(i === empty ? [] : axis), ...moved]
          : axis,
    );
  }
  return settled;
}

/** Takes factors whose product is `size` from the start, or the end, of the list. */
function take(factors: Factor[], size: Size, baked: Baked, fromEnd: boolean): Factor[] | undefined {
  let want = size;
  const axis: Factor[] = [];
  while (want !== 1 || axis.length === 0) {
    const at = fromEnd ? factors.length - 1 : 0;
    const factor = factors[at];
    const known = factor && bakedFactor(factor, baked);
    if (want === 1 && known !== 1) return [];
    if (!factor) return undefined;
    // a batch or steps where a plain number is wanted are what they were at export
    const rest = exactQuotient(want, factorSize(factor)) ?? (known && exactQuotient(want, known));
    const parts = typeof want === 'number' ? want : want.k === 0 ? want.c : 1;
    if (rest) {
      want = rest;
    } else if (factor.role === 'time' && known === undefined && axis.length === 0 && typeof want === 'number') {
      // a number in the place of steps that the file leaves free: a tracer's, and the whole axis
      want = 1;
    } else if (factor.role === 'feature' && parts > 1 && factor.size! % parts === 0) {
      factors[at] = feature(factor.size! / parts);
      axis[fromEnd ? 'unshift' : 'push'](feature(parts));
      want = exactQuotient(want, parts)!;
      continue;
    } else {
      return undefined;
    }
    factors.splice(at, 1);
    axis[fromEnd ? 'unshift' : 'push'](factor);
  }
  return axis;
}
