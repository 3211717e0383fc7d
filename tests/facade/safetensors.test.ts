import { describe, expect, test } from 'vitest';
import { readModel } from '../../ts/formats/index.ts';
import { floatToHalf, halfToFloat, halvesToFloats } from '../../ts/io/half.ts';
import { parseSafetensors, writeSafetensors } from '../../ts/formats/safetensors.ts';
import { expectError } from './helpers.ts';

/** A file from its header, as JSON or text, and data. */
function file(header: unknown, data: Uint8Array = new Uint8Array(0), length?: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length ?? json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

const f32 = (shape: number[], begin: number, end: number) => ({ dtype: 'F32', shape, data_offsets: [begin, end] });

test('many halves are the same numbers as one at a time', () => {
  const all = Uint16Array.from({ length: 65_536 }, (_, half) => half);
  expect(halvesToFloats(all)).toEqual(Float32Array.from(all, halfToFloat));
});

test('float64 is rounded; what float32 cannot hold is refused', () => {
  const tensor = (value: number) => {
    const header = { w: { dtype: 'F64', shape: [2], data_offsets: [0, 16] } };
    return parseSafetensors(file(header, new Uint8Array(Float64Array.of(0.1, value).buffer))).tensors.get('w')!;
  };
  expect(tensor(-Infinity).floats()).toEqual(Float32Array.of(0.1, -Infinity));
  expect(() => tensor(1e39).floats()).toThrow("tensor 'w' holds 1e+39, beyond float32, whose largest is 3.4e38");
});

test('writes what it reads', () => {
  const bytes = writeSafetensors(
    {
      b: { dtype: 'F16', shape: [3], data: Float32Array.of(1, -0, 65504) },
      a: { dtype: 'F32', shape: [2, 1], data: Float32Array.of(NaN, 1e-45) },
      c: { dtype: 'I32', shape: [], data: Int32Array.of(-7) },
      none: { dtype: 'F32', shape: [0, 5], data: new Float32Array(0) },
    },
    { z: '1', y: 'é"\\' },
  );
  expect(bytes.length % 2).toBe(0);
  const { metadata, tensors } = parseSafetensors(bytes);
  expect(metadata).toEqual({ z: '1', y: 'é"\\' });
  expect([...tensors.keys()].sort()).toEqual(['a', 'b', 'c', 'none']);
  expect(tensors.get('a')!.floats()).toEqual(Float32Array.of(NaN, 1e-45));
  expect(tensors.get('b')!.floats()).toEqual(Float32Array.of(1, -0, 65504));
  expect(tensors.get('c')!.ints()).toEqual(Int32Array.of(-7));
  expect(tensors.get('none')!.shape).toEqual([0, 5]);
});

test('a file of more than 4 GB is none', () => {
  const data = new Float32Array(2 ** 24);
  const tensor = { dtype: 'F32' as const, shape: [2 ** 24], data };
  const tensors = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`t${i}`, tensor]));
  expect(() => writeSafetensors(tensors)).toThrow(/^a file: .* do not fit into memory/);
});

test('bytes at an odd address, and those of a Buffer, are copied', () => {
  const bytes = writeSafetensors({ a: { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) } });
  const odd = new Uint8Array(bytes.length + 3).subarray(3);
  odd.set(bytes);
  for (const source of [odd, Buffer.from(bytes)]) {
    const floats = parseSafetensors(source).tensors.get('a')!.floats();
    expect(floats).toEqual(Float32Array.of(1, 2));
    source.fill(0);
    expect(floats).toEqual(Float32Array.of(1, 2));
  }
});

test('BF16, F64 and I64 widen or narrow; others are refused by name', async () => {
  const data = new Uint8Array(32);
  new Uint16Array(data.buffer, 24).set([0x3f80, 0xc000, 0x7f80, 0x0001]);
  new Float64Array(data.buffer, 0, 1)[0] = 0.1;
  new BigInt64Array(data.buffer, 8, 2).set([-5n, 2n ** 31n]);
  const { tensors } = parseSafetensors(
    file(
      {
        f64: { dtype: 'F64', shape: [1], data_offsets: [0, 8] },
        small: { dtype: 'I64', shape: [1], data_offsets: [8, 16] },
        big: { dtype: 'I64', shape: [1], data_offsets: [16, 24] },
        bf16: { dtype: 'BF16', shape: [4], data_offsets: [24, 32] },
      },
      data,
    ),
  );
  expect(tensors.get('f64')!.floats()).toEqual(Float32Array.of(0.1));
  expect(tensors.get('bf16')!.floats()).toEqual(Float32Array.of(1, -2, Infinity, 2 ** -133));
  expect(tensors.get('small')!.ints()).toEqual(Int32Array.of(-5));
  await expectError(() => tensors.get('big')!.ints(), 'unsupported', "'big'", '2147483648');
  await expectError(() => tensors.get('big')!.floats(), 'unsupported', "'big'", 'I64');
  await expectError(() => tensors.get('f64')!.ints(), 'unsupported', "'f64'", 'F64');
});

describe('float16', () => {
  test('all 65536 patterns survive the way to float32 and back', () => {
    for (let half = 0; half < 65536; half++) {
      const value = halfToFloat(half);
      const isNan = (half & 0x7c00) === 0x7c00 && (half & 0x3ff) !== 0;
      if (isNan) expect(value).toBeNaN();
      else if (floatToHalf(value) !== half) expect.fail(`${half.toString(16)} -> ${value}`);
    }
  });

  test('rounds to nearest, ties to even, between all neighbours', () => {
    for (let half = 0; half < 0x7bff; half++) {
      const [low, high] = [halfToFloat(half), halfToFloat(half + 1)];
      const middle = (low + high) / 2;
      const ulp = (high - low) * 2 ** -12;
      const got = [middle - ulp, middle, middle + ulp].map(floatToHalf);
      const expected = [half, half + (half & 1), half + 1];
      if (got.join() !== expected.join()) expect.fail(`near ${middle}: ${got.join()}, expected ${expected.join()}`);
    }
  });

  test('the ends', () => {
    expect(
      [65519.99, 65520, 1e30, Infinity, -Infinity, NaN, 2 ** -25, 2 ** -25 * 1.01, 1e-45, -1e-45].map(floatToHalf),
    ).toEqual([0x7bff, 0x7c00, 0x7c00, 0x7c00, 0xfc00, 0x7e00, 0, 1, 0, 0x8000]);
  });

  test('what does not fit is refused by name', async () => {
    const write = (value: number) =>
      writeSafetensors({ 'l/w': { dtype: 'F16', shape: [1], data: Float32Array.of(value) } });
    await expectError(() => write(65520), 'unsupported', "'l/w'", '65520');
    expect(parseSafetensors(write(-Infinity)).tensors.get('l/w')!.floats()).toEqual(Float32Array.of(-Infinity));
  });
});

describe('damaged files', () => {
  const data = new Uint8Array(8);
  const two = { a: f32([1], 0, 4), b: f32([1], 4, 8) };

  test.each<[string, Uint8Array, ...string[]]>([
    ['empty', new Uint8Array(0), '0 bytes'],
    ['a length alone', file('').subarray(0, 7), '7 bytes'],
    ['no header', file(''), '{'],
    ['a huge header', file('{}', undefined, 2 ** 40), 'header'],
    ['a header longer than the file', file('{}', undefined, 3), 'truncated', '11'],
    ['no JSON', file('{"a":'), 'JSON'],
    [
      'no UTF-8',
      file('{"a\0":1}')
        .map((byte) => (byte === 0 ? 0xff : byte))
        .fill(0, 1, 8),
      'UTF-8',
    ],
    ['an array', file('[]'), '{'],
    ['a name twice', file(`{"a":${JSON.stringify(two.a)},"\\u0061":${JSON.stringify(two.b)}}`, data), "'a' twice"],
    ['a field twice', file('{"a":{"dtype":"F32","dtype":"F16"}}'), "'dtype' twice"],
    ['metadata that are no strings', file({ __metadata__: { a: 1 } }), '__metadata__'],
    ['a tensor that is no object', file({ a: 3 }), "'a'"],
    ['no dtype', file({ a: { shape: [] } }), "'a'", 'dtype'],
    ['a stray field', file({ a: { ...two.a, strides: [1] }, b: two.b }, data), "'a'", 'strides'],
    ['a negative size', file({ a: f32([-1], 0, 4) }, data), "'a'", 'shape'],
    ['a fraction', file({ a: f32([0.5], 0, 2) }, data), "'a'", 'shape'],
    ['sizes beyond 2^53', file({ a: f32([2 ** 53, 2], 0, 4) }, data), "'a'", 'shape'],
    ['a product beyond 2^53', file({ a: f32([2 ** 30, 2 ** 30], 0, 4) }, data), "'a'", 'bytes'],
    ['three offsets', file({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4, 8] } }, data), "'a'", 'data_offsets'],
    ['a shape that is not the data', file({ a: f32([3], 0, 8) }, data), "'a'", '12', '8'],
    ['an end before the beginning', file({ a: f32([1], 8, 4) }, data), "'a'"],
    ['truncated data', file(two, data.subarray(0, 7)), "'b'", 'truncated'],
    ['overlapping data', file({ a: f32([1], 0, 4), b: f32([1], 2, 6) }, data.subarray(0, 6)), "'b'", 'overlap'],
    ['a gap', file({ a: f32([1], 4, 8) }, data), "'a'", 'gap'],
    ['bytes at the end', file({ a: f32([1], 0, 4) }, data), '4 bytes'],
  ])('%s', async (_, bytes, ...words) => {
    await expectError(() => parseSafetensors(bytes), 'invalid_file', ...words);
  });

  test('an unknown dtype', async () => {
    await expectError(() => parseSafetensors(file({ a: { ...two.a, dtype: 'F4' } }, data)), 'unsupported', "'a'", 'F4');
  });

  test('names that are dangerous elsewhere', () => {
    const names = ['__proto__', 'constructor', 'toString', ''];
    const header = names.map((name, i) => `${JSON.stringify(name)}:${JSON.stringify(f32([1], 4 * i, 4 * i + 4))}`);
    const { tensors } = parseSafetensors(file(`{${header.join()}}`, new Uint8Array(16)));
    expect([...tensors.keys()]).toEqual(names);
  });
});

test('a file of no known format says what to do', async () => {
  await expectError(() => readModel(Uint8Array.of(1, 2, 3, 4)), 'invalid_file', '01 02 03 04', 'gru-wasm', 'ONNX');
  await expectError(() => readModel(new Uint8Array(0)), 'invalid_file', '0 bytes');
  const tensor = { dtype: 'F32' as const, shape: [1], data: Float32Array.of(1) };
  await expectError(() => readModel(writeSafetensors({ 'gru-wasm': tensor })), 'invalid_file', '__metadata__');
});
