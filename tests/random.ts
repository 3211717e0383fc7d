/** What random cases are made by. */
export type Choices = Pick<Random, 'next' | 'int' | 'pick' | 'chance' | 'floats' | 'fork'>;

/** Reproducible random numbers for tests: mulberry32. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed;
  }

  /** In [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
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
