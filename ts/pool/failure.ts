import { GruError, type GruErrorCode } from '../base/errors.ts';

/** The error itself where it is one of ours; engines say "Array buffer allocation failed", "Invalid typed array length". */
export function toGruError(error: unknown, where: string, otherwise: GruErrorCode = 'internal'): GruError {
  if (error instanceof GruError) return error;
  return new GruError(error instanceof RangeError ? 'out_of_memory' : otherwise, `${where}: ${textOf(error)}`, {
    cause: error,
  });
}

/** What was thrown may be anything: an object without a prototype has no text. */
function textOf(error: unknown): string {
  try {
    return String(error);
  } catch {
    return 'something that has no text was thrown';
  }
}
