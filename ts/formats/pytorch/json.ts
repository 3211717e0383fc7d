import { GruError } from '../../base/errors.ts';
import { describe } from '../../base/tensor.ts';
import { parseJson } from '../../io/json.ts';
import { readNested } from '../../io/nested.ts';
import type { SourceTensor, StateDict } from './source.ts';

/** Reads a state dict written as JSON, names to nested lists, as the PyTorch examples of RTNeural do. */
export function readJsonDict(bytes: Uint8Array, what: string): StateDict {
  return jsonDict(parseJson(bytes, what), what);
}

/** @throws GruError `invalid_file` for anything but names and nested lists. */
export function jsonDict(object: Record<string, unknown>, what: string): StateDict {
  return new Map(
    Object.entries(object).map(([name, value]): [string, SourceTensor] => {
      if (typeof value !== 'number' && !Array.isArray(value)) {
        throw new GruError('invalid_file', `${what}: '${name}' is ${describe(value)}, no list of numbers`);
      }
      const { shape, data } = readNested(value, `${what}: '${name}'`);
      return [name, { shape, dtype: 'float32', floats: () => Promise.resolve(data) }];
    }),
  );
}
