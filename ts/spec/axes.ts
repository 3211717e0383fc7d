import { GruError } from '../base/errors.ts';
import { describe } from '../base/tensor.ts';
import type { ValueRef } from '../layers/spec.ts';

const DEFAULT_AXIS = 'time';

/** Most axes: the core takes a bit of 32 for each. */
export const MAX_AXES = 31;

/** A sequence value, and the number of its axis. */
export interface OnAxis {
  ref: ValueRef;
  axis: number;
}

/** How the values of a graph lie on axes. */
export interface Axes {
  /** Names by number. */
  readonly names: string[];
  /** The axis of an input of steps. @throws GruError `invalid_spec`. */
  of(input: string, given: unknown): number;
  /** What a vector has instead. @throws GruError `invalid_spec`. */
  none(input: string, given: unknown): number;
  /** The axis of a layer that reads these values. @throws GruError `invalid_spec` where they lie on several. */
  common(read: readonly OnAxis[], reader: () => string): number;
}

/** Axes as the inputs of a spec name them. */
export class NamedAxes implements Axes {
  readonly #names: string[] = [];

  /** A model of vectors alone has one too. */
  get names(): string[] {
    return this.#names.length > 0 ? this.#names : [DEFAULT_AXIS];
  }

  of(input: string, given: unknown = DEFAULT_AXIS): number {
    if (typeof given !== 'string' || given === '') {
      throw invalid(`input '${input}': axis must be a name, got ${describe(given)}`);
    }
    const known = this.#names.indexOf(given);
    if (known >= 0) return known;
    if (this.#names.length === MAX_AXES) throw invalid(`input '${input}': more than ${MAX_AXES} axes`);
    return this.#names.push(given) - 1;
  }

  none(input: string, given: unknown): number {
    if (given === undefined) return 0;
    throw invalid(`input '${input}': a vector lies on no axis, got ${describe(given)}`);
  }

  common(read: readonly OnAxis[], reader: () => string): number {
    const [first] = read;
    const other = read.find(({ axis }) => axis !== first!.axis);
    if (!other) return first?.axis ?? 0;
    const on = ({ ref, axis }: OnAxis) => `'${ref}' of the axis '${this.#names[axis]!}'`;
    throw invalid(`${reader()} reads ${on(first!)} and ${on(other)}: the values of a layer lie on one axis`);
  }
}

/** Axes as the layers need them: each input of steps has one of its own, until a layer reads two. (Union by path halving.) */
export class JoinedAxes implements Axes {
  readonly names: string[] = [];
  readonly #parents: number[] = [];

  of(input: string): number {
    this.names.push(input);
    return this.#parents.push(this.#parents.length) - 1;
  }

  none(): number {
    return 0;
  }

  common(read: readonly OnAxis[]): number {
    const [first, ...others] = read;
    if (!first) return 0;
    // The first input of an axis stands for all on it.
    for (const { axis } of others) {
      const [a, b] = [this.root(first.axis), this.root(axis)];
      this.#parents[Math.max(a, b)] = Math.min(a, b);
    }
    return first.axis;
  }

  /** The first input of the axis on which input number `i` lies. */
  root(i: number): number {
    const parents = this.#parents;
    while (parents[i] !== i) i = parents[i] = parents[parents[i]!]!;
    return i;
  }
}

function invalid(message: string): GruError {
  return new GruError('invalid_spec', message);
}
