import { GruError } from '../base/errors.ts';
import { describe } from '../base/tensor.ts';

/** Most axes of an array written as nested lists. */
const MAX_AXES = 8;

/** An array that JSON holds as nested lists of numbers. */
export interface NestedArray {
  shape: number[];
  data: Float32Array;
}

/**
 * Nested lists of numbers, all of one length at each level, as an array in row-major order. A number alone has no axes.
 *
 * @throws GruError `invalid_file` naming the array.
 */
export function readNested(value: unknown, what: string): NestedArray {
  const shape: number[] = [];
  for (let first = value; Array.isArray(first); first = first[0] as unknown) {
    shape.push(first.length);
    if (shape.length > MAX_AXES) throw new GruError('invalid_file', `${what} has more than ${MAX_AXES} axes`);
  }
  // Lists within lists are counted as they are met: the product of the lengths would be one of lengths that are not there.
  const numbers: number[] = [];
  const fill = (item: unknown, axis: number): void => {
    if (axis === shape.length) {
      if (typeof item !== 'number') throw new GruError('invalid_file', `${what}: ${describe(item)} is no number`);
      numbers.push(item);
      return;
    }
    if (!Array.isArray(item) || item.length !== shape[axis]) {
      const got = Array.isArray(item) ? `one of ${item.length}` : describe(item);
      throw new GruError('invalid_file', `${what}: its rows are not alike: lists of ${shape[axis]!} items and ${got}`);
    }
    for (const inner of item) fill(inner, axis + 1);
  };
  fill(value, 0);
  return { shape, data: Float32Array.from(numbers) };
}
