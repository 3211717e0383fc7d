import type { WeightDtype } from '../../base/weights.ts';

/** A precision that a layer can take. */
export interface Rung {
  dtype: WeightDtype;
  /** What is to be least, in the unit of all layers. */
  cost: number;
  /** The largest error that the layer alone brings to the outputs. */
  error: number;
}

/** Precisions that are worth it: each is cheaper than all that are finer, by more than `margin`. Where i8 is no faster than i16 it is not there. */
export function ladder(rungs: Rung[], margin: number): Rung[] {
  const worth: Rung[] = [];
  for (const rung of rungs) if (worth.every(({ cost }) => rung.cost < cost - margin)) worth.push(rung);
  return worth;
}

/**
 * The cheapest precision of each layer, then finer ones, while the error of all together, measured, is above the bound: first where an
 * error is lost at the least cost. Errors of layers do not just add up, so that this is near the least cost, and never above the bound.
 *
 * @param layers By name: {@link ladder}, from float32 down.
 * @param measure The error of all layers in these precisions; of float32 it is 0.
 */
export async function choose<Measured extends { worst: number }>(
  layers: ReadonlyMap<string, Rung[]>,
  maxError: number,
  measure: (precision: Record<string, WeightDtype>) => Promise<Measured>,
): Promise<{ precision: Record<string, WeightDtype>; difference: Measured }> {
  const at = new Map([...layers].map(([name, rungs]) => [name, rungs.length - 1]));
  for (;;) {
    const precision = Object.fromEntries([...at].map(([name, rung]) => [name, layers.get(name)![rung]!.dtype]));
    const difference = await measure(precision);
    const steps = [...at].flatMap(([name, rung]) => {
      if (rung === 0) return [];
      const [finer, now] = [layers.get(name)![rung - 1]!, layers.get(name)![rung]!];
      const gain = now.error === finer.error ? 0 : now.error - finer.error;
      return [{ name, worth: gain / (finer.cost - now.cost) }];
    });
    const best = steps.reduce((a, b) => (b.worth > a.worth ? b : a), steps[0]!);
    if (difference.worst <= maxError || steps.length === 0) return { precision, difference };
    at.set(best.name, at.get(best.name)! - 1);
  }
}
