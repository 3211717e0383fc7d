/* eslint-disable @typescript-eslint/unbound-method -- the originals are called on the spied object */
import { vi } from 'vitest';
import { Hdf5File } from '../../ts/formats/hdf5/file.ts';

/** Looks into lists, maps, sets and texts while something runs: each compares at least once. A walk counts its steps. */
export async function looks(run: () => unknown): Promise<number> {
  let n = 0;
  const lists = ['some', 'find', 'findIndex', 'findLast', 'filter', 'every', 'map', 'flatMap', 'forEach'] as const;
  const counted = (prototype: object, name: string, cost: (self: never, argument: never, result: never) => number) => {
    const original = Reflect.get(prototype, name) as (...args: unknown[]) => unknown;
    return vi.spyOn(prototype as Record<string, () => unknown>, name).mockImplementation(function (
      this: unknown,
      ...args: unknown[]
    ) {
      const result: unknown = original.apply(this, args);
      n += cost(this as never, args[0] as never, result as never);
      return result;
    });
  };
  const spies = [
    ...lists.map((name) => {
      const original = Array.prototype[name] as (...args: unknown[]) => unknown;
      return vi.spyOn(Array.prototype, name).mockImplementation(function (this: unknown[], f: unknown, self: unknown) {
        const counting = (...args: unknown[]) => {
          n++;
          return (f as (...args: unknown[]) => unknown)(...args);
        };
        return original.call(this, counting, self) as never;
      } as never);
    }),
    ...[Set.prototype, Map.prototype].map((prototype) => counted(prototype, 'has', () => 1)),
    counted(Map.prototype, 'get', () => 1),
    ...['includes', 'indexOf', 'concat'].map((name) =>
      counted(Array.prototype, name, (self: unknown[]) => self.length),
    ),
    counted(Array.prototype, 'slice', (_, __, part: unknown[]) => part.length),
    ...['startsWith', 'endsWith', 'slice'].map((name) => counted(String.prototype, name, () => 1)),
    counted(Hdf5File.prototype, 'spend', (_, bytes) => bytes),
  ];
  try {
    await run();
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return n;
}
