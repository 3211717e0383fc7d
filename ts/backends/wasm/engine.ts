import type { InitOutput } from '../../../crate/pkg/baseline/gru_wasm.js';
import { GruError } from '../../base/errors.ts';

/** What an instance of the Rust core exports: crate/bindings. */
export type Engine = InitOutput;

/** Names of `EngineError` (crate/src/error.rs) by number. */
const FAILURES = ['none', 'out of memory', 'invalid argument', 'id out of range', 'invalid handle'];
const OUT_OF_MEMORY = 1;
const ID_OUT_OF_RANGE = 3;

/** Passes a result on. @throws GruError for a negative one; `what` names the action that failed. */
export function checked(result: number, what: string): number {
  if (result >= 0) return result;
  const failure = FAILURES[-result] ?? `error ${-result}`;
  if (-result === OUT_OF_MEMORY) throw new GruError('out_of_memory', `${what}: out of WebAssembly memory`);
  if (-result === ID_OUT_OF_RANGE) throw new GruError('id_out_of_range', `${what}: an id is outside its embedding`);
  throw new GruError('internal', `${what}: ${failure}`);
}
