/** What random cases are made by. */
export type Choices = Pick<Random, 'next' | 'int' | 'pick' | 'chance' | 'floats' | 'fork'>;

/** Pseudo-random numbers in [0, 1), the same on each run (mulberry32). */
export function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What tests choose by `random`. */
export class Random {
  /** In [0, 1). */
  readonly next: () => number;

  constructor(seed: number) {
    this.next = random(seed);
  }

  /** A whole number in [from, to]. */
  int(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.int(0, choices.length - 1)] as T;
  }

  chance(p: number): boolean {
    return this.next() < p;
  }

  /** Others, for values of which it matters little what they are. */
  fork(): Random {
    return new Random(this.int(0, 2 ** 31 - 1));
  }

  /** Numbers in [-scale, scale). */
  floats(length: number, scale = 1): Float32Array {
    return Float32Array.from({ length }, () => (2 * this.next() - 1) * scale);
  }
}
