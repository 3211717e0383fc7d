import { GruError } from '../../base/errors.ts';
import type { AxisRule, ValueShape } from '../../layers/kind.ts';
import { layerKind } from '../../layers/index.ts';
import { derive, type DerivedAxis, isIdentity, isSameRule, NO_AXIS, stepsOf } from '../../spec/derived-axes.ts';
import type { InputSpec, LayerSpec, ValueRef } from '../../spec/spec.ts';

/** A value's shape, and how many steps its sequences have, where that is known. */
interface Known extends ValueShape {
  steps: number | undefined;
  /** The axis they lie on: 0, of inputs, or the number of one that was made. */
  axis: number;
  /** Its sequences are steps of others. */
  nested: boolean;
}

/** How many steps sequences have, where a file's shapes fix it: those of inputs, and what layers make of them. */
export class FixedSteps {
  readonly #known = new Map<ValueRef, Known>();
  /** Values on axes of inputs, or made of those, by their steps. */
  readonly #values = new Map<number, ValueRef>();
  /** Axes that layers made, the first of which is number 1. */
  readonly #made: DerivedAxis[] = [];

  addInput({ name, kind = 'sequence', dtype, size }: InputSpec, given: unknown): void {
    const steps =
      kind === 'sequence' && Number.isSafeInteger(given) && (given as number) > 0 ? (given as number) : undefined;
    this.#known.set(name, { kind, dtype, size, steps, axis: 0, nested: false });
    if (steps !== undefined && !this.#values.has(steps)) this.#values.set(steps, name);
  }

  /** `each`: to the layer, steps are sequences. */
  add(layer: LayerSpec, each: boolean): void {
    const kind = layerKind(layer.type)!;
    const look = (ref: ValueRef | undefined) => (ref === undefined ? undefined : this.#seen(ref, each));
    const main = (layer.inputs ?? []).map(look);
    const extra = (kind.extraInputs?.(layer) ?? []).map(look);
    if (!main.every((value) => value !== undefined)) return;
    let ports;
    try {
      ports = kind.ports(layer, main, extra);
    } catch (error) {
      // Who resolves the graph will say it.
      if (error instanceof GruError) return;
      throw error;
    }
    const read = [...main, ...extra].find((value) => value?.kind === 'sequence');
    const from = read?.steps;
    const rule = kind.axis?.(layer);
    const own = rule && (rule.mul === 0 || from !== undefined) ? stepsOf(rule, from ?? 0) : rule ? undefined : from;
    const axis = rule ? this.#derive(rule.mul === 0 ? NO_AXIS : (read?.axis ?? 0), rule) : (read?.axis ?? 0);
    for (const { port, ...shape } of ports) {
      const isSequence = shape.kind === 'sequence';
      const known = { ...shape, steps: isSequence ? own : undefined, axis, nested: each && isSequence };
      this.#known.set(`${layer.name}:${port}`, known);
      if (port === (kind.mainPort?.(layer) ?? ports[0]!.port)) this.#known.set(layer.name, known);
    }
    const isNew = rule && rule.mul > 0 && own !== undefined && !each;
    if (isNew && !this.#values.has(own)) this.#values.set(own, layer.name);
  }

  /** Makes what was a row for each step that is a sequence a sequence again, of as many steps as another value. */
  join(ref: ValueRef, like: ValueRef): void {
    const known = this.#known.get(ref);
    if (known) this.#known.set(ref, { ...known, kind: 'sequence', steps: this.of(like) });
  }

  /** Whether two values lie on one axis. */
  areBeside(x: ValueRef, y: ValueRef): boolean {
    return this.#known.get(x)?.axis === this.#known.get(y)?.axis;
  }

  #derive(from: number, rule: AxisRule): number {
    const made = derive(from, this.#made[from - 1], rule);
    if (isIdentity(made)) return made.from;
    const known = this.#made.findIndex((other) => other.from === made.from && isSameRule(other, made));
    return known >= 0 ? known + 1 : this.#made.push(made);
  }

  of(ref: ValueRef): number | undefined {
    return this.#known.get(ref)?.steps;
  }

  valueOf(steps: number): ValueRef | undefined {
    return this.#values.get(steps);
  }

  #seen(ref: ValueRef, each: boolean): Known | undefined {
    const known = this.#known.get(ref);
    return known && each && !known.nested ? { ...known, kind: 'vector', steps: undefined } : known;
  }
}
