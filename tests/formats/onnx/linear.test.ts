/* eslint-disable @typescript-eslint/unbound-method, @typescript-eslint/prefer-includes -- the originals are called on the spied object */
import { expect, test, vi } from 'vitest';
import { readOnnx } from '../../../ts/formats/onnx.ts';
import { SpecBuilder } from '../../../ts/formats/onnx/builder.ts';
import { Budget } from '../../../ts/formats/onnx/limits.ts';
import { columnTaker, takeColumns } from '../../../ts/formats/onnx/value.ts';
import { onnxModel, type Model, type Node } from './build.ts';

const info = (name: string) => ({ name, shape: ['t', 'b', 4] });
const relu = (from: string, to: string, name = ''): Node => ({ op: 'Relu', inputs: [from], outputs: [to], name });
const count = (n: number, name: string) => Array.from({ length: n }, (_, i) => `${name}${i}`);

/** How a file grows: n of one thing. */
const FILES: Record<string, (n: number) => Model> = {
  'layers of one name': (n) => ({
    nodes: count(n, 'h').map((to, i) => relu(i === 0 ? 'x' : `h${i - 1}`, to, 'a')),
    inputs: [info('x')],
    outputs: [`h${n - 1}`],
  }),
  outputs: (n) => ({
    nodes: count(n, 'y').map((to) => relu('x', to)),
    inputs: [info('x')],
    outputs: count(n, 'y'),
  }),
  inputs: (n) => ({
    nodes: count(n, 'x').map((from, i) => relu(from, `y${i}`)),
    inputs: count(n, 'x').map(info),
    outputs: count(n, 'y'),
  }),
  'inputs that nothing reads': (n) => ({ nodes: [relu('x0', 'y')], inputs: count(n, 'x').map(info), outputs: ['y'] }),
};

/** Looks into lists and maps while a file is read: each one compares at least once. */
async function looks(bytes: Uint8Array): Promise<number> {
  let n = 0;
  const lists = ['some', 'find', 'findIndex', 'filter', 'every'] as const;
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
    ...[Set.prototype, Map.prototype].map((prototype) => {
      const original = prototype.has;
      return vi.spyOn(prototype as Set<unknown>, 'has').mockImplementation(function (this: Set<unknown>, key: unknown) {
        n++;
        return original.call(this as never, key);
      });
    }),
    vi.spyOn(Array.prototype, 'includes').mockImplementation(function (this: unknown[], value: unknown) {
      n += this.length;
      return this.indexOf(value) >= 0;
    }),
  ];
  try {
    await readOnnx(bytes);
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return n;
}

test.each(Object.entries(FILES))('twice as many %s take at most 2.5 times the looks', async (_, make) => {
  const [once, twice] = [await looks(onnxModel(make(400))), await looks(onnxModel(make(800)))];
  expect(once).toBeGreaterThan(400);
  expect(twice / once).toBeLessThan(2.5);
});

test('layers of one name are numbered', () => {
  const builder = new SpecBuilder(new Budget(0));
  expect(['a', 'a', 'a_2', 'a', 'a:0', ''].map((name) => builder.name(name))).toEqual([
    'a',
    'a_1',
    'a_2',
    'a_3',
    'a_4',
    'layer',
  ]);
});

const perm = (count_: number) =>
  Array.from({ length: count_ }, (_, i): Node => ({
    op: 'Transpose',
    inputs: [i === 0 ? 'c' : `c${i}`],
    outputs: [`c${i + 1}`],
    attributes: { perm: [2, 0, 1] },
  }));

test('columns that are taken apart are budgeted: many transposes of many columns are refused', async () => {
  const cols = Array.from({ length: 2048 }, () => ['x', 'y']).flat();
  const file = (n: number) =>
    onnxModel({
      nodes: [{ op: 'Concat', inputs: cols, outputs: ['c'], attributes: { axis: 2 } }, ...perm(n), relu(`c${n}`, 'z')],
      inputs: ['x', 'y'].map((name) => ({ name, shape: ['t', 'b', 16] })),
      outputs: ['z'],
    });
  await expect(readOnnx(file(60))).rejects.toMatchObject({ code: 'unsupported', message: /more constants than/ });
});

test('a sum of many inputs, each with its list of inputs, is refused before the lists fill the memory', async () => {
  const n = 4000;
  const nodes = count(n, 's').map((to, i) => ({
    op: 'Add',
    inputs: [i === 0 ? 'x0' : `s${i - 1}`, `x${i}`],
    outputs: [to],
  }));
  const file = onnxModel({ nodes, inputs: count(n, 'x').map(info), outputs: [`s${n - 1}`] });
  await expect(readOnnx(file)).rejects.toMatchObject({ code: 'unsupported', message: /more constants than/ });
});

test('parts of columns', () => {
  const columns = [
    { ref: 'a', start: 0, length: 3 },
    { ref: 'b', start: 5, length: 1 },
    { ref: 'c', start: 2, length: 4 },
  ];
  const all = columns.flatMap(({ ref, start, length }) => Array.from({ length }, (_, i) => `${ref}${start + i}`));
  const take = columnTaker(columns);
  for (let start = 0; start <= 8; start++) {
    for (let length = 0; start + length <= 8; length++) {
      const parts = take(start, length);
      expect(takeColumns(columns, start, length)).toEqual(parts);
      const names = parts.flatMap((part) =>
        Array.from({ length: part.length }, (_, i) => `${part.ref}${part.start + i}`),
      );
      expect(names).toEqual(all.slice(start, start + length));
    }
  }
});
