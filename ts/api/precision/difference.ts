import type { Values } from '../../base/typed-array.ts';

/** How far outputs are from those of the same model in float32. */
export interface Difference {
  /** The largest distance of a value; of ids (`argmax`), which are the same or not, 1 for one that is another. Infinity where one of two is a NaN. */
  worst: number;
  /** The root of the mean of the squares of all distances. */
  rms: number;
}

/** How far one array of some outputs, or several, are from others of the same lengths. */
export function apart(...pairs: [got: Values, want: Values][]): Difference {
  let [worst, squares, count] = [0, 0, 0];
  for (const [a, b] of pairs) {
    const ids = b instanceof Int32Array;
    for (let i = 0; i < b.length; i++) {
      if (Object.is(a[i], b[i])) continue;
      const distance = ids ? 1 : Math.abs(a[i]! - b[i]!);
      worst = Number.isNaN(distance) ? Infinity : Math.max(worst, distance);
      squares += Number.isNaN(distance) ? Infinity : distance * distance;
    }
    count += b.length;
  }
  return { worst, rms: Math.sqrt(squares / Math.max(count, 1)) };
}
