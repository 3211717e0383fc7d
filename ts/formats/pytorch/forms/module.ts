import { GruError } from '../../../base/errors.ts';
import type { Tensors } from '../tensors.ts';

/**
 * A module of the state dict: the start of its tensors' names, without the last dot (`encoder.gru`; '' for tensors without a
 * prefix); or, where tensors are not named as PyTorch does, their names by those that PyTorch uses:
 * `{ weight_ih: 'enc_w_ih', weight_hh: 'enc_w_hh', bias_ih: 'enc_b_ih', bias_hh: 'enc_b_hh' }`.
 */
export type PytorchModule = string | Record<string, string>;

/**
 * The names in the file of a module's tensors, by PyTorch's names for them.
 *
 * @param needed Tensors that it always has.
 * @param optional Tensors that are named only where the file, or the user, has them.
 */
export function moduleTensors<N extends string, O extends string>(
  kind: string,
  module: PytorchModule,
  tensors: Tensors,
  needed: readonly N[],
  optional: readonly O[] = [],
): Record<N, string> & Partial<Record<O, string>> {
  const keys: readonly string[] = [...needed, ...optional];
  const found: Record<string, string> = {};
  if (typeof module === 'string') {
    const name = tensors.local(module);
    for (const key of keys) {
      const full = name === '' ? key : `${name}.${key}`;
      if (tensors.has(full) || (needed as readonly string[]).includes(key)) found[key] = full;
    }
  } else {
    const stray = Object.keys(module).find((key) => !keys.includes(key));
    if (stray !== undefined || needed.some((key) => !module[key])) {
      throw new GruError(
        'invalid_argument',
        `${kind}: give the names of its tensors ${keys.join(', ')}, not '${stray ?? 'nothing'}'`,
      );
    }
    for (const [key, name] of Object.entries(module)) found[key] = tensors.local(name);
  }
  return found as Record<N, string> & Partial<Record<O, string>>;
}
