import { specError } from './check.ts';
import type { AnyLayer, ValueKind } from './spec.ts';

interface Read {
  ref: string;
  kind: ValueKind;
  axis: number;
}

/**
 * The axis whose steps are sequences to a layer: those that it makes one of (`nests`), or those of what it reads. `made`: what an axis was made of, if it
 * was. In models of layers of the core alone no step is a sequence.
 */
export type Nesting = (
  layer: AnyLayer,
  nests: boolean | undefined,
  read: readonly (Read | undefined)[],
  made: (axis: number) => { from: number; each?: number } | undefined,
) => number | undefined;

/** @throws GruError `invalid_spec` for steps of steps of steps, and for what lies beside steps of steps. */
export const stepsAsSequences: Nesting = (layer, nests, read, made) => {
  const isSteps = (value: Read | undefined): value is Read => value?.kind === 'sequence';
  const sequences = read.filter(isSteps);
  const outer = sequences.map(({ axis }) => (made(axis)?.each === undefined ? undefined : made(axis)!.from));
  const nested = outer.find((axis) => axis !== undefined);
  if (nests && nested !== undefined) throw specError(layer, 'each: what it reads are steps of steps already');
  if (nests && sequences.length === 0) throw specError(layer, 'each: its input has one row a sequence, no steps');
  if (nests || nested === undefined) return nests ? sequences[0]!.axis : undefined;
  const other = read.find(
    (value) => value && (!isSteps(value) || (value.axis !== nested && made(value.axis)?.from !== nested)),
  );
  if (other) throw specError(layer, `reads '${other.ref}' beside steps of steps; supported: what has a row a step`);
  return nested;
};
