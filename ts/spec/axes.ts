import { GruError } from '../base/errors.ts';
import { describe } from '../base/tensor.ts';
import type { AxisRule } from '../layers/kind.ts';
import type { ValueRef } from '../layers/spec.ts';
import { derive, type DerivedAxis, each, isIdentity, isSameRule, NO_AXIS } from './derived-axes.ts';

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
  /** Names by number, of those that inputs lie on. */
  readonly names: string[];
  /** Those that layers make; numbers go on behind the names. */
  readonly derived: readonly DerivedAxis[];
  /** The axis of an input of steps. @throws GruError `invalid_spec`. */
  of(input: string, given: unknown): number;
  /** What a vector has instead. @throws GruError `invalid_spec`. */
  none(input: string, given: unknown): number;
  /** The axis of a layer that reads these values. @throws GruError `invalid_spec` where they lie on several. */
  common(read: readonly OnAxis[], reader: () => string): number;
  /** The axis that a layer makes of another, or of none. @throws GruError `invalid_spec`. */
  derive(from: number, rule: AxisRule, maker: () => string): number;
  /** The axis of so many steps for each step of another. @throws GruError `invalid_spec`. */
  nest(from: number, steps: number, maker: () => string): number;
  /** What an axis was made of; undefined: it is an input's. */
  made(axis: number): DerivedAxis | undefined;
}

/** Axes as the inputs of a spec name them. */
export class NamedAxes implements Axes {
  readonly derived: DerivedAxis[] = [];
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
    const on = ({ ref, axis }: OnAxis) => `'${ref}' of ${this.#describe(axis)}`;
    throw invalid(`${reader()} reads ${on(first!)} and ${on(other)}: the values of a layer lie on one axis`);
  }

  derive(from: number, rule: AxisRule, maker: () => string): number {
    return this.#add(derive(from, this.made(from), rule), maker);
  }

  nest(from: number, steps: number, maker: () => string): number {
    return this.#add(each(from, steps), maker);
  }

  made(axis: number): DerivedAxis | undefined {
    return this.derived[axis - this.names.length];
  }

  #add(made: DerivedAxis, maker: () => string): number {
    const { length } = this.names;
    if (isIdentity(made)) return made.from;
    if (made.each === 0) throw invalid(`${maker()}: no step is left of those that each step has`);
    const known = this.derived.findIndex((axis) => axis.from === made.from && isSameRule(axis, made));
    if (known >= 0) return length + known;
    if (length + this.derived.length >= MAX_AXES) throw invalid(`${maker()}: more than ${MAX_AXES} axes`);
    return length + this.derived.push(made) - 1;
  }

  #describe(axis: number): string {
    const { names } = this;
    const made = this.made(axis);
    if (!made) return `the axis '${names[axis]!}'`;
    if (made.each !== undefined) return `${made.each} steps for each step of ${this.#describe(made.from)}`;
    if (made.from === NO_AXIS) return `an axis of ${Math.floor(made.add / made.div)} steps`;
    return `(${made.mul} * steps + ${made.add}) / ${made.div} of ${this.#describe(made.from)}`;
  }
}

/** Axes as the layers need them: each input of steps has one of its own, until a layer reads two. (Union by path halving.) */
export class JoinedAxes implements Axes {
  readonly names: string[] = [];
  readonly derived: DerivedAxis[] = [];
  readonly #parents: number[] = [];
  /** By number of axis: what it was made of. */
  readonly #made: (DerivedAxis | undefined)[] = [];

  of(input: string): number {
    this.names.push(input);
    return this.#add(undefined);
  }

  none(): number {
    return 0;
  }

  common(read: readonly OnAxis[]): number {
    const [first, ...others] = read;
    if (!first) return 0;
    for (const { axis } of others) this.#join(first.axis, axis);
    return first.axis;
  }

  derive(from: number, rule: AxisRule): number {
    const made = derive(from, this.made(from), rule);
    return isIdentity(made) ? made.from : this.#add(made);
  }

  nest(from: number, steps: number): number {
    return this.#add(each(from, steps));
  }

  made(axis: number): DerivedAxis | undefined {
    return axis === NO_AXIS ? undefined : this.#made[this.root(axis)];
  }

  /** The first of the axes that are one with axis number `i`. */
  root(i: number): number {
    const parents = this.#parents;
    while (parents[i] !== i) i = parents[i] = parents[parents[i]!]!;
    return i;
  }

  #add(made: DerivedAxis | undefined): number {
    this.#made.push(made);
    return this.#parents.push(this.#parents.length) - 1;
  }

  /** The first input of an axis stands for all on it; what was made in the same way of two axes makes these one. */
  #join(i: number, k: number): void {
    const [first, second] = [this.root(i), this.root(k)].sort((a, b) => a - b) as [number, number];
    if (first === second) return;
    const [a, b] = [this.#made[first], this.#made[second]];
    this.#parents[second] = first;
    if (a && b && a.from !== NO_AXIS && b.from !== NO_AXIS && isSameRule(a, b)) this.#join(a.from, b.from);
  }
}

function invalid(message: string): GruError {
  return new GruError('invalid_spec', message);
}
