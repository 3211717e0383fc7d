import { onlyInput, specError } from './check.ts';
import type { ValueShape } from './kind.ts';
import type { AnyLayer, ValueKind } from './spec.ts';

/** The one input of a layer, of steps; of `size` values a row where that is given. */
export function onlySteps(layer: AnyLayer, inputs: ValueShape[], size?: number): ValueShape {
  const input = onlyInput(layer, inputs, size);
  if (input.kind !== 'sequence') throw specError(layer, 'takes a value of steps, its input has one row a sequence');
  return input;
}

/** Checks that what a field names, if it is given, is one number a step (or a sequence). */
export function checkMask(layer: AnyLayer, field: string, mask: ValueShape | undefined, kind: ValueKind): void {
  if (!mask || (mask.kind === kind && mask.size === 1 && mask.dtype === 'float32')) return;
  const rows = kind === 'sequence' ? 'step' : 'sequence';
  throw specError(
    layer,
    `${field} must be a float32 value of one number a ${rows}, got a ${mask.kind} of ${mask.size}`,
  );
}
