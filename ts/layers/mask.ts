import { specError } from './check.ts';
import type { ValueShape } from './kind.ts';
import type { AnyLayer, ValueRef } from './spec.ts';

/** @throws GruError `invalid_spec` where a value is given as a mask that is none: one number a step. */
export function checkMask(spec: AnyLayer, ref: ValueRef | undefined, mask: ValueShape | undefined): void {
  if (mask && (mask.kind !== 'sequence' || mask.size !== 1)) throw specError(spec, `'${ref ?? ''}' is no mask`);
}
