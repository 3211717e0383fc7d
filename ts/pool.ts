export { createPool } from './pool/create.ts';
export type { PoolOptions, PoolRunOptions } from './pool/options.ts';
export type { GruPool, PoolResult } from './pool/types.ts';
export type { PoolWorker } from './pool/worker.ts';
export type { ModelInput } from './run/inputs.ts';
export type { GruModel } from './api/model.ts';
export type { RunOptions } from './run/options.ts';
export type { RunResult } from './run/result.ts';
export { GruError, type GruErrorCode } from './base/errors.ts';
