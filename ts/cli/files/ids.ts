import { CommandError, EXIT } from '../exit.ts';

/** What ids below `size` are called where one is none. */
export const idText = (size: number) => `id from 0 to ${size - 1}`;

/** Whether a value is an id below `size`. */
export const isId = (value: number, size: number) => Number.isInteger(value) && value >= 0 && value < size;

/** float32 has each integer up to this one. */
const EXACT = 2 ** 24;

/**
 * Ids of a file, which the model would name without it.
 *
 * @param before Values of the file that come before these.
 * @throws CommandError with the first that is none.
 */
export function checkIds(values: ArrayLike<number | bigint>, size: number, what: string, before = 0): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (isId(Number(value), size)) continue;
    const about = values instanceof Float32Array && Math.abs(values[i]!) > EXACT ? 'about ' : '';
    throw new CommandError(EXIT.data, `${what}: value ${before + i + 1} is no ${idText(size)}: ${about}${value}`);
  }
}
