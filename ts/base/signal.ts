import { GruError } from './errors.ts';
import { describe } from './tensor.ts';

/**
 * By what is asked of it: an `AbortSignal` of another realm is no instance of ours.
 *
 * @throws GruError `invalid_argument` for an option that is neither an AbortSignal nor left out.
 */
export function checkSignal(name: string, value: unknown): void {
  if (value === undefined || isSignal(value)) return;
  throw new GruError('invalid_argument', `${name} must be an AbortSignal, got ${describe(value)}`);
}

function isSignal(value: unknown): boolean {
  try {
    const { aborted, throwIfAborted, addEventListener } = value as Record<keyof AbortSignal, unknown>;
    return aborted !== undefined && [throwIfAborted, addEventListener].every((f) => typeof f === 'function');
  } catch {
    return false;
  }
}
