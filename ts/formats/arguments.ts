import { GruError } from '../base/errors.ts';
import { ownCopy } from '../base/own-copy.ts';
import { checkCallback, checkKnown, describe, isRecord } from '../base/tensor.ts';
import { isGone, kindOf } from '../base/typed-array.ts';
import type { ImportContext } from './report.ts';

// What the functions of `gru-wasm/formats/*` are handed by callers, who may call them by themselves.

function invalid(message: string): GruError {
  return new GruError('invalid_argument', message);
}

/** @throws GruError `invalid_argument` for what is no Uint8Array, or one whose buffer is gone. */
export function checkBytes(what: string, bytes: unknown): asserts bytes is Uint8Array {
  if (kindOf(bytes) !== 'Uint8Array') throw invalid(`${what}: the file must be a Uint8Array, got ${describe(bytes)}`);
  if (isGone(bytes as Uint8Array)) throw invalid(`${what}: the file's Uint8Array is detached`);
}

/** @throws GruError `invalid_argument` unless it is a record. */
export function checkRecord(what: string, value: unknown): asserts value is Record<string, unknown> {
  if (!isRecord(value)) throw invalid(`${what} must be an object by name, got ${describe(value)}`);
}

export function checkName(what: string, value: unknown): asserts value is string | undefined {
  if (value !== undefined && typeof value !== 'string')
    throw invalid(`${what} must be a string, got ${describe(value)}`);
}

/** The bytes that may still be unpacked, if that is bounded. */
export function checkBudget(what: string, value: unknown): asserts value is ImportContext['budget'] {
  if (value !== undefined && !(isRecord(value) && typeof value['spend'] === 'function'))
    throw invalid(`${what} must be an object with spend(bytes), got ${describe(value)}`);
}

/** A copy of what a reader may be given besides the bytes, its options to their last array. @throws GruError `invalid_argument` naming what is odd. */
export function ownContext(what: string, context: unknown): ImportContext {
  checkKnown(what, context as ImportContext, ['name', 'sidecar', 'budget', 'options', 'describing']);
  const { name, sidecar, budget, options = {}, describing } = context as Record<keyof ImportContext, unknown>;
  checkName(`${what}: name`, name);
  checkCallback(`${what}: sidecar`, sidecar);
  checkBudget(`${what}: budget`, budget);
  checkRecord(`${what}: options`, options);
  const beside = sidecar && sidecarOf(`${what}: sidecar`, sidecar as NonNullable<ImportContext['sidecar']>);
  return { name, sidecar: beside, budget, options: ownCopy(options), describing } as ImportContext;
}

function sidecarOf(what: string, read: NonNullable<ImportContext['sidecar']>): ImportContext['sidecar'] {
  return async (name) => {
    const bytes: unknown = await read(name);
    if (bytes === undefined) return undefined;
    checkBytes(`${what}('${name}')`, bytes);
    return bytes;
  };
}
