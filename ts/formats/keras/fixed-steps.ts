import { layerKind } from '../../layers/index.ts';
import { stepsOf } from '../../spec/derived-axes.ts';
import type { LayerSpec, ValueRef } from '../../spec/spec.ts';

/** How many steps sequences have, where a file's shapes fix it: those of inputs, and what layers make of them. */
export class FixedSteps {
  /** By name of an input or a layer. */
  readonly #steps = new Map<string, number>();
  /** Values on axes of inputs, or made of those, by their steps. */
  readonly #values = new Map<number, ValueRef>();

  addInput(name: string, steps: unknown): void {
    if (!Number.isSafeInteger(steps) || (steps as number) < 1) return;
    this.#steps.set(name, steps as number);
    if (!this.#values.has(steps as number)) this.#values.set(steps as number, name);
  }

  add(layer: LayerSpec): void {
    const kind = layerKind(layer.type)!;
    const rule = kind.axis?.(layer);
    const extra = kind.extraInputs?.(layer) ?? [];
    const read = [...(layer.inputs ?? []), ...extra].map((ref) => (ref === undefined ? undefined : this.of(ref)));
    const known = rule?.mul === 0 ? 0 : read.find((steps) => steps !== undefined);
    if (known === undefined) return;
    const steps = rule ? stepsOf(rule, known) : known;
    this.#steps.set(layer.name, steps);
    if (rule && rule.mul > 0 && !this.#values.has(steps)) this.#values.set(steps, layer.name);
  }

  of(ref: ValueRef): number | undefined {
    return this.#steps.get(ref.split(':')[0]!);
  }

  valueOf(steps: number): ValueRef | undefined {
    return this.#values.get(steps);
  }
}
