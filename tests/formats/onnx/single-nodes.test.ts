import { describe, expect, test } from 'vitest';
import { jsBackend } from '../../../ts/backends/js/index.ts';
import { readOnnx } from '../../../ts/formats/onnx.ts';
import { useAllKinds } from '../../../ts/layers/full.ts';
import { onnxModel, tensor, type Attribute } from './build.ts';
import { runGraph } from './run.ts';

useAllKinds();

/** One node on computed values, (batch 2, steps 3, features 4): what its attributes mean, and what it refuses. */

const [B, T, F] = [2, 3, 4];
const X = Float32Array.from({ length: B * T * F }, (_, i) => ((i * 7) % 11) / 2 - 2.5);

interface Case {
  op: string;
  attributes?: Record<string, Attribute>;
  /** Further inputs, constants; undefined: left out. */
  more?: (Uint8Array | undefined)[];
  opset?: number;
  /** Shape of the input, and its dtype; ids are 0, 1, 2, ... */
  shape?: (number | string)[];
  ids?: boolean;
  outputs?: number;
  /** The constants come first. */
  last?: true;
  /** A Relu behind it, for a node that becomes no layer. */
  relu?: true;
}

const floats = (...values: number[]) => tensor('?', [values.length], values);
const scalar = (value: number) => tensor('?', [], [value]);
const ints = (...values: number[]) => tensor('?', [values.length], values, 7);
const int = (value: number) => tensor('?', [], [value], 7);

/** `tensor` with another name: its field 8. */
function named(bytes: Uint8Array, name: string): Uint8Array {
  const at = bytes.indexOf('?'.charCodeAt(0));
  const copy = bytes.slice();
  copy[at] = name.charCodeAt(0);
  return copy;
}

async function run({
  op,
  attributes = {},
  more = [],
  opset = 17,
  shape = ['b', 't', F],
  ids = false,
  outputs = 1,
  relu,
  last,
}: Case) {
  const names = more.map((value, i) => (value ? String.fromCharCode(97 + i) : ''));
  const bytes = onnxModel({
    opset,
    nodes: [
      {
        op,
        name: 'node',
        inputs: last ? [...names, 'X'] : ['X', ...names],
        outputs: Array.from({ length: outputs }, (_, i) => `Y${i}`),
        attributes,
      },
      ...(relu ? [{ op: 'Relu', inputs: ['Y0'], outputs: ['Z'] }] : []),
    ],
    inputs: [{ name: 'X', shape, ...(ids ? { dtype: 7 } : {}) }],
    outputs: [relu ? 'Z' : 'Y0'],
    initializers: more.flatMap((value, i) => (value ? [named(value, names[i]!)] : [])),
  });
  const sizes = shape.map((size) => (size === 'b' ? B : size === 't' ? T : (size as number)));
  const count = sizes.reduce((n, d) => n * d, 1);
  const data = ids ? Int32Array.from({ length: count }, (_, i) => i % 3) : X.slice(0, count);
  const [y] = Object.values(runGraph(jsBackend, await readOnnx(bytes), { X: { data, shape: sizes } }));
  return { data: Array.from(y!.data), shape: y!.shape };
}

const rows = (data: ArrayLike<number>, width = F) =>
  Array.from({ length: data.length / width }, (_, r) => Array.from({ length: width }, (_, i) => data[r * width + i]!));
const close = (got: number[], want: number[]) => {
  expect(got.length).toBe(want.length);
  got.forEach((value, i) => {
    expect(value, `value ${i}`).toBeCloseTo(want[i]!, 4);
  });
};

describe('an attribute at its default changes nothing', () => {
  const channels: Partial<Case> = { shape: ['b', F, 't'] };
  const square = tensor('?', [F, F], Float32Array.from({ length: F * F }, (_, i) => (i % 5) / 4 - 0.4));
  const ones = floats(1, 1.5, 2, 0.5);
  test.each<Case & { defaults: Record<string, Attribute> }>([
    { op: 'Dropout', relu: true, defaults: { seed: 3 } },
    { op: 'Dropout', relu: true, opset: 10, defaults: { ratio: { float: 0.5 } } },
    { op: 'Softmax', defaults: { axis: -1 } },
    { op: 'LogSoftmax', defaults: { axis: -1 } },
    { op: 'LeakyRelu', defaults: { alpha: { float: 0.01 } } },
    { op: 'Elu', defaults: { alpha: { float: 1 } } },
    { op: 'ThresholdedRelu', defaults: { alpha: { float: 1 } } },
    { op: 'HardSigmoid', defaults: { alpha: { float: 0.2 }, beta: { float: 0.5 } } },
    { op: 'Selu', defaults: { alpha: { float: 1.67326319217681884765625 }, gamma: { float: 1.05070102214813232421875 } } },
    { op: 'Celu', defaults: { alpha: { float: 1 } } },
    { op: 'Gelu', opset: 20, defaults: { approximate: 'none' } },
    { op: 'Cast', relu: true, attributes: { to: 1 }, opset: 19, defaults: { saturate: 1 } },
    { op: 'Reshape', relu: true, more: [ints(0, 0, 2, 2)], opset: 14, defaults: { allowzero: 0 } },
    { op: 'LayerNormalization', more: [ones], defaults: { axis: -1, epsilon: { float: 1e-5 }, stash_type: 1 } },
    { op: 'BatchNormalization', ...channels, more: [ones, ones, ones, ones], defaults: { epsilon: { float: 1e-5 }, momentum: { float: 0.9 }, training_mode: 0 } },
    { op: 'InstanceNormalization', shape: ['b', F], more: [ones, ones], defaults: { epsilon: { float: 1e-5 } } },
    { op: 'GroupNormalization', shape: ['b', F], opset: 21, attributes: { num_groups: 2 }, more: [ones, ones], defaults: { epsilon: { float: 1e-5 } } },
    { op: 'LpNormalization', defaults: { axis: -1, p: 2 } },
    { op: 'ReduceMean', attributes: { axes: [-1] }, defaults: { keepdims: 1 } },
    { op: 'ReduceSum', more: [ints(-1)], defaults: { keepdims: 1, noop_with_empty_axes: 0 } },
    { op: 'ArgMax', attributes: { axis: -1 }, defaults: { keepdims: 1, select_last_index: 0 } },
    { op: 'Gemm', shape: ['b', F], more: [square], defaults: { alpha: { float: 1 }, beta: { float: 1 }, transA: 0, transB: 0 } },
    { op: 'Conv', ...channels, more: [tensor('?', [2, F, 1], Float32Array.from({ length: 8 }, (_, i) => i / 8))], defaults: { auto_pad: 'NOTSET', group: 1, dilations: [1], strides: [1], pads: [0, 0], kernel_shape: [1] } },
    { op: 'Split', more: [ints(2, 2)], attributes: { axis: -1 }, outputs: 2, defaults: {} },
    { op: 'Transpose', relu: true, shape: ['b', 't', F], attributes: { perm: [0, 1, 2] }, defaults: {} },
    { op: 'Flatten', shape: ['b', 2, 2], defaults: { axis: 1 } },
    { op: 'OneHot', ids: true, shape: ['b', 't'], more: [int(3), floats(0, 1)], defaults: { axis: -1 } },
  ])('$op $defaults', async ({ defaults, ...of }) => {
    const plain = await run(of);
    for (const [name, value] of Object.entries(defaults)) {
      expect(await run({ ...of, attributes: { ...of.attributes, [name]: value } }), name).toEqual(plain);
    }
    expect(await run({ ...of, attributes: { ...of.attributes, ...defaults } })).toEqual(plain);
    await expect(run({ ...of, attributes: { ...of.attributes, what_nobody_knows: 1 } })).rejects.toThrow(
      /what_nobody_knows/,
    );
  });
}); // prettier-ignore

describe('Clip', () => {
  const clipped = (least: number, most: number) => Array.from(X, (x) => Math.min(Math.max(x, least), most));
  test.each<[string, Partial<Case>, number, number]>([
    ['both bounds', { more: [scalar(-1), scalar(1)] }, -1, 1],
    ['the least alone', { more: [scalar(-1)] }, -1, Infinity],
    ['the most alone', { more: [undefined, scalar(1)] }, -Infinity, 1],
    ['none', { more: [] }, -Infinity, Infinity],
    ['bounds that exclude each other: the upper one wins', { more: [scalar(2), scalar(1)] }, 1, 1],
    ['the largest of float32, which is none', { more: [scalar(-3.4028234663852886e38), scalar(3.4028234663852886e38)] }, -Infinity, Infinity],
    ['one bound without end', { more: [scalar(-3.4028234663852886e38), scalar(0)] }, -Infinity, 0],
    ['attributes before opset 11', { opset: 7, attributes: { min: { float: -1 }, max: { float: 1 } } }, -1, 1],
    ['one attribute before opset 11', { opset: 7, attributes: { min: { float: -1 } } }, -1, Infinity],
  ])('%s', async (_, of, least, most) => {
    expect((await run({ op: 'Clip', ...of })).data).toEqual(clipped(least, most));
  }); // prettier-ignore

  test('refuses a bound of two values', async () => {
    await expect(run({ op: 'Clip', more: [floats(1, 2)] })).rejects.toThrow(/min holds 2 values/);
    await expect(run({ op: 'Clip', more: [undefined, floats(1, 2)] })).rejects.toThrow(/max holds 2 values/);
  });
});

test('Round takes the even one of two, of constants as of computed values', async () => {
  const even = (x: number) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));
  expect(new Set(Array.from(X, (x) => Math.abs(x % 1)))).toContain(0.5);
  expect((await run({ op: 'Round' })).data.map((x) => x + 0)).toEqual(Array.from(X, (x) => even(x) + 0));
});

describe('norms', () => {
  const unit = (row: number[], groups: number, epsilon: number) => {
    const size = row.length / groups;
    return rows(row, size).flatMap((part) => {
      const mean = part.reduce((a, b) => a + b) / size;
      const variance = part.reduce((sum, x) => sum + (x - mean) ** 2, 0) / size;
      return part.map((x) => (x - mean) / Math.sqrt(variance + epsilon));
    });
  };
  const [scale, shift] = [[1, 2, -1, 0.5], [0, 1, 0.5, -1]]; // prettier-ignore
  const affine = (row: number[]) => row.map((x, i) => x * scale[i]! + shift[i]!);

  test.each([1, 2, 4])('GroupNormalization of %d groups', async (groups) => {
    for (const epsilon of [1e-5, 0.5]) {
      const attributes = { num_groups: groups, epsilon: { float: epsilon } };
      const more = [floats(...scale), floats(...shift)];
      const { data } = await run({ op: 'GroupNormalization', shape: ['b', F], opset: 21, attributes, more });
      close(data, rows(X.slice(0, B * F)).flatMap((row) => affine(unit(row, groups, epsilon)))); // prettier-ignore
    }
  });

  test('LpNormalization divides by the length of a row, and gives 0 for zeros', async () => {
    const { data } = await run({ op: 'LpNormalization' });
    close(data, rows(X).flatMap((row) => row.map((x) => x / Math.hypot(...row)))); // prettier-ignore
  });

  test('LpNormalization divides by the length over the steps', async () => {
    const { data } = await run({ op: 'LpNormalization', attributes: { axis: 1 } });
    const lengthOf = (i: number) => Math.hypot(...Array.from({ length: T }, (_, t) => X[Math.floor(i / (T * F)) * T * F + t * F + (i % F)]!)); // prettier-ignore
    close(
      data,
      Array.from(X, (x, i) => x / lengthOf(i)),
    );
  });

  test.each<[string, Case, RegExp]>([
    ['no groups', { op: 'GroupNormalization', shape: ['b', F], opset: 21, more: [floats(1), floats(1)] }, /'num_groups' is missing/],
    ['groups that do not divide', { op: 'GroupNormalization', shape: ['b', F], opset: 21, attributes: { num_groups: 3 }, more: [floats(1), floats(1)] }, /4 channels are no 3 equal groups/],
    ['parameters of another number', { op: 'GroupNormalization', shape: ['b', F], opset: 21, attributes: { num_groups: 2 }, more: [floats(1, 1, 1), floats(1, 1, 1)] }, /do not fit its channels/],
    ['the sum of absolute values', { op: 'LpNormalization', attributes: { p: 1 } }, /'p' is 1/],
  ])('refuse %s', async (_, of, message) => {
    await expect(run(of)).rejects.toThrow(message);
  }); // prettier-ignore
});

describe('ArgMax and OneHot', () => {
  test.each([0, 1])('ArgMax, the %dth of equals; with and without the axis', async (last) => {
    const attributes = { axis: -1, select_last_index: last };
    const { data, shape } = await run({ op: 'ArgMax', attributes });
    const best = rows(X).map((row) => (last ? row.lastIndexOf(Math.max(...row)) : row.indexOf(Math.max(...row))));
    expect(data).toEqual(best);
    expect(shape).toEqual([B, T, 1]);
    expect((await run({ op: 'ArgMax', attributes: { ...attributes, keepdims: 0 } })).shape).toEqual([B, T]);
  });

  const ids = Array.from({ length: B * T }, (_, i) => i % 3);
  test.each([[0, 1], [2, 5], [1, 0]])('OneHot of %d and %d', async (off, on) => {
    const { data, shape } = await run({ op: 'OneHot', ids: true, shape: ['b', 't'], more: [int(3), floats(off, on)] });
    expect(data).toEqual(ids.flatMap((id) => [0, 1, 2].map((i) => (i === id ? on : off))));
    expect(shape).toEqual([B, T, 3]);
  }); // prettier-ignore

  test.each<[string, Partial<Case>, RegExp]>([
    ['a depth of 0', { more: [int(0), floats(0, 1)] }, /its depth is 0/],
    ['a depth of a half', { more: [scalar(2.5), floats(0, 1)] }, /its depth is 2.5/],
    ['features', { ids: false, shape: ['b', 't', F], more: [int(3), floats(0, 1)] }, /one id a row/],
    ['two ids a row', { shape: ['b', 't', 2], more: [int(3), floats(0, 1)] }, /one id a row/],
    ['an axis beyond', { more: [int(3), floats(0, 1)], attributes: { axis: 3 } }, /axis/],
  ])('OneHot refuses %s', async (_, of, message) => {
    await expect(run({ op: 'OneHot', ids: true, shape: ['b', 't'], ...of })).rejects.toThrow(message);
  });
});

describe('what a node cannot be is refused by name', () => {
  const kernel = (...shape: number[]) => tensor('?', shape, new Float32Array(shape.reduce((n, d) => n * d, 1)));
  test.each<[string, Case, RegExp]>([
    ['Conv of no groups', { op: 'Conv', shape: ['b', F, 't'], attributes: { group: 0 }, more: [kernel(2, F, 1)] }, /0 groups does not fit 4 channels/],
    ['Conv of other channels', { op: 'Conv', shape: ['b', F, 't'], more: [kernel(2, 3, 1)] }, /1 groups does not fit 4 channels/],
    ['Conv of groups that do not divide its output', { op: 'Conv', shape: ['b', F, 't'], attributes: { group: 2 }, more: [kernel(3, 2, 1)] }, /2 groups does not fit/],
    ['Transpose by a negative axis', { op: 'Transpose', attributes: { perm: [0, 1, -1] } }, /'perm' \[0, 1, -1\]/],
    ['Transpose by an axis beyond', { op: 'Transpose', attributes: { perm: [0, 1, 3] } }, /'perm'/],
    ['Transpose by an axis twice', { op: 'Transpose', attributes: { perm: [0, 1, 1] } }, /'perm'/],
    ['Transpose by too few', { op: 'Transpose', attributes: { perm: [0, 1] } }, /does not fit 3 dimensions/],
    ['Unsqueeze to 17 dimensions', { op: 'Unsqueeze', more: [ints(...Array.from({ length: 14 }, (_, i) => i))] }, /makes 17 dimensions/],
    ['Unsqueeze at an axis twice', { op: 'Unsqueeze', more: [ints(1, 1)] }, /axes repeat/],
    ['Squeeze of an axis that is no 1', { op: 'Squeeze', more: [ints(2)] }, /drops axis/],
    ['Dropout that trains', { op: 'Dropout', more: [scalar(0.5), tensor('?', [], [1], 7)] }, /'training_mode' is not false/],
    ['Cast to text', { op: 'Cast', attributes: { to: 8 } }, /'to'/],
    ['Tile by 0', { op: 'Tile', more: [ints(1, 1, 0)] }, /repeats .* times/],
    ['Tile of steps', { op: 'Tile', more: [ints(1, 2, 1)] }, /repeats .* times/],
    ['Gelu of another kind', { op: 'Gelu', opset: 20, attributes: { approximate: 'erf' } }, /'approximate' is 'erf'/],
    ['ReduceSum over steps and features', { op: 'ReduceSum', more: [ints(0, 2)] }, /./],
    ['Softmax over the batch', { op: 'Softmax', attributes: { axis: 0 } }, /./],
  ])('%s', async (_, of, message) => {
    await expect(run(of)).rejects.toMatchObject({
      name: 'GruError',
      message: expect.stringMatching(message) as string,
    });
  }); // prettier-ignore
});

test('Cast to whole numbers cuts what is behind the point', async () => {
  const { data } = await run({ op: 'Cast', attributes: { to: 7 } });
  expect(data.map(Math.abs)).toEqual(Array.from(X, (x) => Math.trunc(Math.abs(x))));
  expect(data.every((value, i) => value * X[i]! >= 0)).toBe(true);
});

test('Tile repeats features', async () => {
  const { data, shape } = await run({ op: 'Tile', more: [ints(1, 1, 2)] });
  expect(data).toEqual(rows(X).flatMap((row) => [...row, ...row]));
  expect(shape).toEqual([B, T, 2 * F]);
});

describe('arithmetic of computed values and a constant', () => {
  const OPS: Record<string, (a: number, b: number) => number> = {
    Add: (a, b) => a + b,
    Sub: (a, b) => a - b,
    Mul: (a, b) => a * b,
    Div: (a, b) => a / b,
    Max: Math.max,
    Min: Math.min,
    Pow: (a, b) => a ** b,
  };
  const constants = { one: [1], two: [2], half: [0.5], minus: [-1], three: [3], same: [2, 2, 2, 2], ones: [1, 1, 1, 1], mixed: [1, 2, -1, 0.5], first: [2, 1, 1, 1] }; // prettier-ignore
  const cases = Object.entries(OPS).flatMap(([op, apply]) =>
    Object.entries(constants).flatMap(([name, values]) => [false, true].map((last) => ({ op, apply, name, values, last }))),
  ); // prettier-ignore

  test.each(cases)('$op by $name, the constant first: $last', async ({ op, apply, values, last }) => {
    // Powers of what is not negative.
    const square = { op: 'Mul', inputs: ['X', 'X'], outputs: ['P'] };
    const plus = { op: 'Add', inputs: ['P', 'half'], outputs: ['Q'] };
    const node = { op, name: 'node', inputs: last ? ['c', 'Q'] : ['Q', 'c'], outputs: ['Y'] };
    const bytes = onnxModel({
      nodes: [square, plus, node],
      inputs: [{ name: 'X', shape: ['b', 't', F] }],
      outputs: ['Y'],
      initializers: [tensor('c', values.length === 1 ? [] : [values.length], values), tensor('half', [], [0.5])],
    });
    const { Y } = runGraph(jsBackend, await readOnnx(bytes), { X: { data: X, shape: [B, T, F] } });
    const want = Array.from(X, (x, i) => {
      const [a, b] = [x * x + 0.5, values[i % values.length]!];
      return last ? apply(b, a) : apply(a, b);
    });
    Array.from(Y!.data).forEach((value, i) => {
      if (Number.isNaN(want[i])) expect(value).toBeNaN();
      else expect(Math.abs(value - want[i]!), `value ${i}`).toBeLessThan(1e-4 * (1 + Math.abs(want[i]!)));
    });
  });

  test.each(Object.entries(OPS))('%s of one number a row and a constant of features', async (op, apply) => {
    const values = [1, 2, 0.25];
    const { data, shape } = await run({ op, shape: ['b', 't', 1], more: [floats(...values)] });
    expect(shape).toEqual([B, T, 3]);
    const want = Array.from(X.slice(0, B * T)).flatMap((x) => values.map((v) => apply(x, v)));
    data.forEach((value, i) => {
      if (Number.isNaN(want[i])) expect(value).toBeNaN();
      else expect(value).toBeCloseTo(want[i]!, 4);
    });
  });

  test('Mean, Sum, Max and Min of one input are it', async () => {
    for (const op of ['Mean', 'Sum', 'Max', 'Min']) {
      expect((await run({ op, relu: true })).data, op).toEqual(Array.from(X, (x) => Math.max(x, 0)));
    }
    close((await run({ op: 'Mean', more: [floats(1, 2, 3, 4), scalar(2)] })).data, Array.from(X, (x, i) => (x + (i % F) + 1 + 2) / 3)); // prettier-ignore
  });
});
