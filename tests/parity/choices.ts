import fc, { type GeneratorValue } from 'fast-check';
import { type Choices, Random } from '../random.ts';

/** Choices by fast-check, so that a case which fails shrinks: to small sizes, and to what is listed first or left out. */
export function choices(draw: GeneratorValue): Choices {
  const int = (min: number, max: number) => draw(() => fc.integer({ min, max }));
  const fork = () => new Random(int(0, 2 ** 31 - 1));
  return {
    int,
    fork,
    next: () => int(0, 2 ** 24 - 1) / 2 ** 24,
    pick: <T>(list: readonly T[]) => list[int(0, list.length - 1)] as T,
    chance: (p) => int(0, 999) >= 1000 * (1 - p),
    floats: (length, scale) => fork().floats(length, scale),
  };
}
