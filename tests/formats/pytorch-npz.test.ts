import { describe, expect, test } from 'vitest';
import { readStateDict } from '../../ts/formats/pytorch.ts';
import { bytes } from './pickle-writer.ts';
import { refusalOf } from './refusal.ts';
import { writeZip } from './zip-writer.ts';

/** The files of numpy.savez, made by hand after numpy.lib.format. */

interface Npy {
  descr?: string;
  fortran?: boolean;
  shape: number[];
  data: ArrayBufferView;
  version?: number;
}

function npy({ descr = '<f4', fortran = false, shape, data, version = 1 }: Npy): Uint8Array {
  const axes = shape.map((d) => `${d},`).join(' ');
  const dict = `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${axes}), }`;
  const header = bytes(`${dict.padEnd(117)}\n`);
  const length = version === 1 ? [header.length, 0] : [header.length, 0, 0, 0];
  const values = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return Uint8Array.from([0x93, ...bytes('NUMPY'), version, 0, ...length, ...header, ...values]);
}

const npz = (arrays: Record<string, Uint8Array>, method: 0 | 8 = 0) =>
  writeZip(Object.entries(arrays).map(([name, data]) => ({ name: `${name}.npy`, data, method })));
const SIX = [1, 2, 3, 4, 5, 6];
const big = (data: ArrayBufferView, size: number) => {
  const out = new Uint8Array(data.buffer).slice();
  for (let i = 0; i < out.length; i += size) out.subarray(i, i + size).reverse();
  return out;
};

async function floats(file: Uint8Array, name = 'w'): Promise<{ shape: number[]; dtype: string; values: number[] }> {
  const entry = (await readStateDict(file)).dict.get(name);
  if (!entry || typeof entry === 'string') expect.fail(`no array ${name}`);
  return { shape: entry.shape, dtype: entry.dtype, values: [...(await entry.floats())] };
}

describe('arrays of NumPy', () => {
  test.each<[string, Npy, string]>([
    ['float32', { shape: [2, 3], data: Float32Array.from(SIX) }, 'float32'],
    ['float64', { shape: [2, 3], data: Float64Array.from(SIX), descr: '<f8' }, 'float64'],
    ['float16', { shape: [2, 3], data: Uint16Array.of(0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600), descr: '<f2' }, 'float16'],
    ['int64', { shape: [2, 3], data: BigInt64Array.from(SIX, BigInt), descr: '<i8' }, 'int64'],
    ['uint8', { shape: [2, 3], data: Uint8Array.from(SIX), descr: '|u1' }, 'uint8'],
    ['big endian', { shape: [2, 3], data: big(Float32Array.from(SIX), 4), descr: '>f4' }, 'float32'],
    ['big endian float64', { shape: [2, 3], data: big(Float64Array.from(SIX), 8), descr: '>f8' }, 'float64'],
    ["Fortran's order", { shape: [2, 3], data: Float32Array.of(1, 4, 2, 5, 3, 6), fortran: true }, 'float32'],
    ['three axes in Fortran\'s order', { shape: [1, 2, 3], data: Float32Array.of(1, 4, 2, 5, 3, 6), fortran: true }, 'float32'],
    ['version 2', { shape: [2, 3], data: Float32Array.from(SIX), version: 2 }, 'float32'],
  ])('of %s', async (_, array, dtype) => {
    for (const method of [0, 8] as const) {
      expect(await floats(npz({ w: npy(array) }, method))).toEqual({ shape: array.shape, dtype, values: SIX });
    }
  }); // prettier-ignore

  test('of any number of axes, by name', async () => {
    const file = npz({ 'a.b': npy({ shape: [], data: Float32Array.of(7) }), w: npy({ shape: [2], data: Float32Array.of(1, 2) }) }); // prettier-ignore
    expect((await floats(file, 'a.b')).values).toEqual([7]);
    expect((await readStateDict(file)).kind).toBe('NumPy');
  });

  const one = { shape: [1], data: Float32Array.of(1) };
  test.each<[string, Uint8Array, RegExp]>([
    ['text', npz({ w: bytes('text'.repeat(9)) }), /invalid_file: .*array 'w' is no file of NumPy/],
    ['nothing', npz({ w: new Uint8Array() }), /no file of NumPy/],
    ['version 4', npz({ w: npy({ ...one, version: 4 }) }), /unsupported: .*version 4/],
    ['a header past its end', npz({ w: npy(one).subarray(0, 60) }), /invalid_file: .*a header of 118 bytes/],
    ['objects', npz({ w: npy({ ...one, descr: '|O' }) }), /unsupported: .*'w' is no array of numbers/],
    ['text of Unicode', npz({ w: npy({ ...one, descr: '<U3' }) }), /unsupported: .*type 'U3'/],
    ['complex numbers', npz({ w: npy({ ...one, descr: '<c8' }) }), /unsupported: .*type 'c8'/],
    ['more values than there are', npz({ w: npy({ ...one, shape: [2] }) }), /invalid_file: .*4 bytes for \[2\] values of 4/],
    ['a shape beyond all numbers', npz({ w: npy({ ...one, shape: [1e9, 1e9, 1e9] }) }), /invalid_file/],
    ['another file beside', writeZip([{ name: 'w.npy', data: npy(one) }, { name: 'x', data: npy(one) }]), /unsupported: .*'x' is beside/],
  ])('refused: %s', async (_, file, message) => {
    expect(await refusalOf(readStateDict(file))).toMatch(message);
  }); // prettier-ignore

  test('have no dicts to choose from', async () => {
    expect(await refusalOf(readStateDict(npz({ w: npy(one) }), { stateDict: 'a' }))).toMatch(/invalid_argument/);
  });
});
