import { GruError } from '../../base/errors.ts';
import type { InputSpec, LayerSpec, ValueKind, ValueRef } from '../../spec/spec.ts';
import type { Budget } from './limits.ts';
import { checkSlices, type Rows, type Segment } from './value.ts';

/** Shape of a value of the spec. */
interface Known {
  kind: ValueKind;
  size: number;
}

/**
 * Numbers of the steps; zeros and ones; how many of those are ones. A `choice` is a mask that comes of floats: what it leaves out may be no
 * number (the logarithm of what is not above 0), so that no product with 0 takes it away.
 */
export type Whole = 'steps' | 'mask' | 'choice' | 'count';

/** The values of the spec, under names of their own, and the layers that give them. */
export class SpecValues {
  readonly inputs: InputSpec[] = [];
  readonly layers: LayerSpec[] = [];
  readonly #names = new Set<string>();
  /** The number to try next, by name: without it, n layers of one name take n^2 / 2 looks. */
  readonly #next = new Map<string, number>();
  readonly #values = new Map<ValueRef, Known>();
  readonly #made = new Map<string, ValueRef>();
  /** Values that hold whole numbers, though as floats. */
  readonly whole = new Map<ValueRef, Whole>();
  readonly budget: Budget;

  constructor(budget: Budget) {
    this.budget = budget;
  }

  /** A name that nothing else has, without the colon that references use. */
  name(wanted: string): string {
    const base = wanted.replace(/:0$/, '').replaceAll(':', '_') || 'layer';
    let name = base;
    let i = this.#next.get(base) ?? 1;
    while (this.#names.has(name)) name = `${base}_${i++}`;
    this.#next.set(base, i);
    this.#names.add(name);
    return name;
  }

  addInput(input: InputSpec): Segment[] {
    this.inputs.push(input);
    return this.value(input.name, { kind: input.kind ?? 'sequence', size: input.size });
  }

  /** Columns of a value that a layer gives. */
  value(ref: ValueRef, known: Known): Segment[] {
    this.#values.set(ref, known);
    return [{ ref, start: 0, length: known.size }];
  }

  /** Numbers a row. */
  size(ref: ValueRef): number {
    return this.#values.get(ref)!.size;
  }

  add(layer: LayerSpec, known: Known): Segment[] {
    this.layers.push(layer);
    return this.value(layer.name, known);
  }

  /** One value that holds just these columns: the value itself, a slice of it, or several side by side. */
  ref(columns: readonly Segment[], kind: ValueKind): ValueRef {
    checkSlices(columns);
    const parts = columns.map((segment) => this.#slice(segment));
    const [first] = parts;
    if (first === undefined) throw new GruError('unsupported', 'a tensor of the graph has no values');
    if (parts.length === 1) return first;
    const key = JSON.stringify(parts);
    const size = columns.reduce((n, { length }) => n + length, 0);
    const merge = () =>
      this.add({ type: 'merge', name: this.name('concat'), inputs: parts, merge: 'concat' }, { kind, size });
    return this.once(`concat ${key}`, merge);
  }

  #slice({ ref, start, length }: Segment): ValueRef {
    const known = this.#values.get(ref)!;
    if (start === 0 && length === known.size) return ref;
    const layer = () =>
      this.add(
        { type: 'slice', name: this.name(`${ref.split(':')[0] ?? ''}_slice`), inputs: [ref], start, size: length },
        { kind: known.kind, size: length },
      );
    return this.once(`slice ${start} ${length} ${ref}`, layer);
  }

  /** A layer that is made once, whoever asks for it. */
  once(key: string, make: () => Segment[]): ValueRef {
    this.budget.spend(key.length);
    const made = this.#made.get(key) ?? make()[0]!.ref;
    this.#made.set(key, made);
    return made;
  }

  /** The input of a layer that reads these rows. */
  inputOf({ columns, kind }: Rows): [ValueRef] {
    return [this.ref(columns, kind)];
  }
}
