import { GruError } from '../../base/errors.ts';
import { checkKnown, describe, isRecord } from '../../base/tensor.ts';

/** Options for files of Keras. */
export interface KerasOptions {
  /** The model's config, where the file holds weights only: what `model.to_json()` returns, parsed or not. */
  config?: string | object;
}

/** Checks what a TypeScript compiler would. @throws GruError `invalid_argument` naming the option. */
export function checkKerasOptions(options: unknown): asserts options is KerasOptions {
  checkKnown('keras', options as KerasOptions, ['config']);
  const { config } = options as Record<keyof KerasOptions, unknown>;
  if (config !== undefined && typeof config !== 'string' && !isRecord(config))
    throw new GruError(
      'invalid_argument',
      `keras.config must be what model.to_json() returns, a string or an object, got ${describe(config)}`,
    );
}
