import { GruError, type Name, nameText } from '../base/errors.ts';
import { describe, shapeText } from '../base/tensor.ts';
import type { GraphInput } from '../spec/graph.ts';

/**
 * Reads ids into memory of ours: each once (`first` is one that has been read), and checked there. `what`: a part of the input, by name.
 *
 * @throws GruError `id_out_of_range` saying which id, where, and the range.
 */
export function readIds(
  input: GraphInput,
  from: ArrayLike<unknown>,
  into: Int32Array,
  shape?: readonly number[],
  what?: Name,
  first: unknown = from[0],
): void {
  const limit = input.vocabularySize;
  for (let i = 0; i < into.length; i++) {
    const given = i === 0 ? first : from[i];
    // A BigInt that a number does not hold is beyond any limit.
    const id = typeof given === 'bigint' ? Number(given) : given;
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= limit) {
      throw badId(input, given, i, shape ?? [into.length], what);
    }
    into[i] = id;
  }
}

function badId(input: GraphInput, id: unknown, index: number, shape: readonly number[], what?: Name): GruError {
  const position = shape.map((_, d) => {
    const below = shape.slice(d + 1).reduce((n, size) => n * size, 1);
    return Math.floor(index / below) % shape[d]!;
  });
  const got = typeof id === 'number' ? String(id) : describe(id);
  const range = `a whole number from 0 to ${input.vocabularySize - 1}`;
  const where = nameText(what ?? `input '${input.name}'`);
  return new GruError('id_out_of_range', `${where}: the id at ${shapeText(position)} must be ${range}, got ${got}`);
}
