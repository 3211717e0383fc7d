import { expect, test } from 'vitest';
import { copyInto, lengthOf } from '../../ts/base/foreign.ts';
import { allocate, ints } from '../../ts/base/limits.ts';
import { floatsOf } from '../../ts/base/numbers.ts';

/** A million blocks of a call are each named by their number: texts that only errors need. */
test('what holds asks for no text of an error', () => {
  const never = () => {
    throw new Error('a name was asked for');
  };
  const floats = new Float32Array(3);
  expect(lengthOf(floats, never)).toBe(3);
  expect(lengthOf(new Float32Array(0), never)).toBe(0);
  expect(lengthOf([1, 2], never)).toBe(2);
  expect(floatsOf(never, [1, 2n, 3])).toEqual(Float32Array.of(1, 2, 3));
  expect(floatsOf(never, floats)).toBe(floats);
  copyInto(new Float32Array(3), 0, floats, 3, never);
  expect(ints(2, never)).toEqual(new Int32Array(2));
  expect(allocate(2, never, () => 5)).toBe(5);
});

test.each(['block 7', () => 'block 7'])('an error names it, given as text or by a function', (name) => {
  const gone = new Float32Array(3);
  structuredClone(gone, { transfer: [gone.buffer] });
  const holey = new Proxy([], { get: (_, key) => (key === 'length' ? -1 : undefined) });
  for (const use of [
    () => lengthOf(gone, name),
    () => lengthOf(holey, name),
    () => floatsOf(name, 'x'),
    () => floatsOf(name, [Symbol('x')]),
    () => floatsOf(name, [1e39]),
    () => {
      copyInto(new Float32Array(3), 0, gone, 3, name);
    },
    () => ints(2 ** 31, name),
    () => allocate(2 ** 20, name, () => new Float32Array(2 ** 40)),
  ]) {
    expect(use).toThrow(/^block 7: /);
  }
});
