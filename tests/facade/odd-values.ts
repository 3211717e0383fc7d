import { expect } from 'vitest';
import { GruError } from '../../ts/base/errors.ts';
import { numbers } from './helpers.ts';

/** Values that nobody should hand in, made anew for each call. */
export const ODD: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  0: () => 0,
  '-1': () => -1,
  '1.5': () => 1.5,
  NaN: () => NaN,
  '2 ** 32': () => 2 ** 32,
  '2 ** 53': () => 2 ** 53,
  'a BigInt': () => 1n,
  'a Symbol': () => Symbol('odd'),
  'a string': () => 'odd',
  'an empty string': () => '',
  'a function': () => () => 1,
  'a class': () => GruError,
  'an empty array': () => [],
  'an array with a hole': () => Array.from({ length: 3 }).fill(undefined),
  'a huge sparse array': () => new Array<number>(2 ** 32 - 1),
  'an array of Symbols': () => [Symbol('odd'), Symbol('odd'), Symbol('odd')],
  'an array in itself': () => {
    const array: unknown[] = [];
    array.push(array, array, array);
    return array;
  },
  'an array many times in itself': () => {
    // 60 ^ 8 copies, if each were one of its own.
    const array: unknown[] = [];
    for (let i = 0; i < 60; i++) array.push(array);
    return array;
  },
  'an object many times in itself': () => {
    const cyclic: Record<string, unknown> = {};
    for (let i = 0; i < 60; i++) cyclic[`k${i}`] = cyclic;
    return cyclic;
  },
  'a sparse array within bounds': () => new Array<number>(2 ** 29),
  'a tensor in itself': () => {
    const cyclic: Record<string, unknown> = { shape: [1] };
    cyclic['data'] = cyclic;
    return cyclic;
  },
  'a tensor of huge dimensions': () => ({ data: new Float32Array(0), shape: [2 ** 52, 0, 3] }),
  'a tensor with a Symbol for a dimension': () => ({ data: numbers(3), shape: [Symbol('odd'), 3] }),
  'a tensor with a cyclic shape': () => {
    const shape: unknown[] = [];
    shape.push(shape, 3);
    return { data: numbers(3), shape };
  },
  'a tensor without data': () => ({ data: undefined, shape: [1, 3] }),
  'an object': () => ({}),
  'an object without a prototype': () => Object.create(null) as object,
  'an object whose toString is 1': () => ({ toString: 1, valueOf: 1 }),
  'an object of Symbols': () => ({ x: Symbol('odd'), [Symbol('odd')]: 1 }),
  'an object in itself': () => {
    const cyclic: Record<string, unknown> = {};
    cyclic['x'] = cyclic;
    return cyclic;
  },
  'a Date': () => new Date(NaN),
  'a Map': () => new Map([['x', 1]]),
  'an empty Map': () => new Map(),
  'a Promise': () => Promise.resolve({}),
  'a Proxy of nothing': () => new Proxy({}, {}),
  'a Proxy of a Float32Array': () => new Proxy(numbers(3), {}),
  'a Proxy of an array of odd length': () =>
    new Proxy([1, 2, 3], { get: (of, key) => (key === 'length' ? Symbol('odd') : Reflect.get(of, key)) as unknown }),
  'a revoked Proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  'a revoked Proxy of an array': () => {
    const { proxy, revoke } = Proxy.revocable([1], {});
    revoke();
    return [proxy, proxy, proxy];
  },
  'only the prototype of a Float32Array': () => Object.create(Float32Array.prototype) as object,
  'only the prototype of an AbortSignal': () => Object.create(AbortSignal.prototype) as object,
  'only the prototype of a Uint8Array': () => Object.create(Uint8Array.prototype) as object,
  'a DataView': () => new DataView(new ArrayBuffer(12)),
  'an ArrayBuffer': () => new ArrayBuffer(12),
  'a Float64Array': () => new Float64Array(3),
  'a BigInt64Array': () => new BigInt64Array(3),
  'an empty BigInt64Array': () => new BigInt64Array(0),
  'Uint8 bytes': () => new Uint8Array(40),
  'a Float32Array whose buffer is gone': () => {
    const array = numbers(3);
    structuredClone(array.buffer, { transfer: [array.buffer] });
    return array;
  },
  'bytes whose buffer is gone': () => {
    const array = new Uint8Array(40);
    structuredClone(array.buffer, { transfer: [array.buffer] });
    return array;
  },
};

/** Hands an odd value to a function, as one of its arguments or inside of one. */
export type Call = (odd: unknown) => unknown;

/** A GruError, or nothing at all. (Some odd values are good for something.) */
export async function refused(call: Call, odd: string, what: string): Promise<void> {
  try {
    await call(ODD[odd]!());
  } catch (error) {
    if (error instanceof GruError && error.code !== 'internal') {
      expect(error.message.length, `${what}, ${odd}`).toBeLessThan(1000);
      return;
    }
    expect.fail(`${what}, given ${odd}: ${String(error)}\n${(error as Error).stack ?? ''}`);
  }
}
