import { describe, expect, test } from 'vitest';
import { createModel } from '../../ts/index.ts';
import { input3 as input, read, refusal, tensor3 as tensor } from './keras-made.ts';

/** What Keras's operations on axes give, worked out by hand, and what they cannot give. */

const op = (name: string, className: string, args: unknown[], config = {}) => ({
  module: 'keras.src.ops.numpy',
  class_name: className,
  name,
  config: { name, ...config },
  inbound_nodes: [{ args, kwargs: {} }],
});
/** The output, `g`: what makes a layer of any value. */
const end = (of: string) => op('g', 'Multiply', [tensor(of), 2]);

const [x, v, w, one] = [input('x', null, 4), input('v', 4), input('w', 3), input('one', null, 1)];
const from = (n: number) => Float32Array.from({ length: n }, (_, i) => i + 1);

async function run(layers: object[], inputs: Record<string, { data: Float32Array; shape: number[] }>) {
  const { spec } = read(layers);
  using model = await createModel(spec, { backend: 'js' });
  const { data, shape } = model.run(inputs).output;
  return { data: Array.from(data, (value) => value / 2), shape };
}
const steps = { data: from(12), shape: [1, 3, 4] };

describe('Transpose and Swapaxes', () => {
  test.each<[string, object[]]>([
    ['(0, 2, 1) twice', [op('a', 'Transpose', [tensor('x')], { axes: [0, 2, 1] }), op('b', 'Transpose', [tensor('a')], { axes: [0, 2, 1] })]],
    ['axes 1 and 2, and back by -1 and -2', [op('a', 'Swapaxes', [tensor('x')], { axis1: 1, axis2: 2 }), op('b', 'Swapaxes', [tensor('a')], { axis1: -1, axis2: -2 })]],
    ['as they are', [op('b', 'Transpose', [tensor('x')], { axes: [0, 1, 2] })]],
    ['an axis with itself', [op('b', 'Swapaxes', [tensor('x')], { axis1: 1, axis2: 1 })]],
  ])('%s: nothing has changed', async (_, layers) => {
    expect(await run([x, ...layers, end('b')], { x: steps })).toEqual({ data: [...from(12)], shape: [1, 3, 4] });
  }); // prettier-ignore

  test.each<[string, object[], RegExp]>([
    ['the batch', [op('b', 'Transpose', [tensor('x')], { axes: [1, 0, 2] })], /orders the axes of steps of 4 features as \[1,0,2\]/],
    ['no order', [op('b', 'Transpose', [tensor('x')], { axes: null })], /as null/],
    ['a vector', [op('b', 'Swapaxes', [tensor('v')], { axis1: 0, axis2: 1 })], /orders the axes of vectors of 4/],
    ['features in the place of steps, as an output', [op('b', 'Transpose', [tensor('x')], { axes: [0, 2, 1] })], /./],
  ])('%s is refused', (_, layers, message) => {
    expect(refusal([x, v, ...layers, end('b')])).toMatch(message);
  }); // prettier-ignore
});

describe('Split', () => {
  const parts = (given: unknown, part: number, axis = -1) => [
    x,
    op('s', 'Split', [tensor('x')], { indices_or_sections: given, axis }),
    op('g', 'Multiply', [{ class_name: '__keras_tensor__', config: { keras_history: ['s', 0, part] } }, 2]),
  ]; // prettier-ignore
  const columns = (...at: number[]) => [0, 4, 8].flatMap((row) => at.map((column) => row + column + 1));
  test.each<[unknown, number, number[]]>([
    [2, 0, [0, 1]],
    [2, 1, [2, 3]],
    [4, 3, [3]],
    [1, 0, [0, 1, 2, 3]],
    [[1, 3], 0, [0]],
    [[1, 3], 1, [1, 2]],
    [[1, 3], 2, [3]],
  ])('into %j, part %d', async (given, part, at) => {
    for (const axis of [-1, 2]) {
      expect((await run(parts(given, part, axis), { x: steps })).data, `${axis}`).toEqual(columns(...at));
    }
  });

  test.each<[string, unknown, number, RegExp]>([
    ['3 parts of 4', 3, -1, /does not cut 4 features into 3 parts/],
    ['8 parts of 4', 8, -1, /does not cut 4 features into 8 parts/],
    ['more parts than a model has', 1e6, -1, /cuts features into 1000000 parts/],
    ['steps', 1, 1, /axis 1 is not supported/],
    ['the batch', 1, 0, /axis 0 is not supported/],
    ['sections that are none', 'a', -1, /./],
  ])('%s is refused', (_, given, axis, message) => {
    expect(refusal(parts(given, 0, axis))).toMatch(message);
  });
});

describe('Squeeze and ExpandDims', () => {
  test('a step of one number becomes that number, and a vector a step', async () => {
    const single = { data: from(3), shape: [1, 3, 1] };
    for (const axis of [-1, 2]) {
      const row = op('a', 'Squeeze', [tensor('one')], { axis });
      const back = op('b', 'ExpandDims', [tensor('a')], { axis: -1 });
      expect(await run([one, row, back, end('b')], { one: single })).toEqual({ data: [1, 2, 3], shape: [1, 3, 1] });
    }
    const rows = [op('a', 'ExpandDims', [tensor('v')], { axis: 1 }), end('a')];
    expect(await run([v, ...rows], { v: { data: from(4), shape: [1, 4] } })).toEqual({ data: [1, 2, 3, 4], shape: [1, 1, 4] });
  }); // prettier-ignore

  test.each<[string, object, RegExp]>([
    ['4 features', op('a', 'Squeeze', [tensor('x')], { axis: 2 }), /takes axis 2 of steps of 4 features away/],
    ['steps whose number is free', op('a', 'Squeeze', [tensor('one')], { axis: 1 }), /takes axis 1 of steps/],
    ['two axes', op('a', 'Squeeze', [tensor('one')], { axis: [1, 2] }), /takes axis \[1,2\]/],
    ['a vector', op('a', 'Squeeze', [tensor('v')], { axis: 1 }), /takes axis 1 of vectors of 4/],
    ['the batch', op('a', 'Squeeze', [tensor('one')], { axis: 0 }), /takes axis 0/],
    ['an axis before the batch', op('a', 'ExpandDims', [tensor('v')], { axis: 0 }), /puts axis 0 into/],
    ['an axis behind three', op('a', 'ExpandDims', [tensor('x')], { axis: -1 }), /puts axis/],
  ])('%s is refused', (_, layer, message) => {
    expect(refusal([x, v, one, layer, end('a')])).toMatch(message);
  });
});

describe('Stack', () => {
  const vectors = { v: { data: from(4), shape: [1, 4] } };
  const stacked = (axis: number, ...names: string[]) => [op('s', 'Stack', [names.map(tensor)], { axis }), end('s')];
  test.each<[number, number[], number[]]>([
    [1, [1, 2, 3, 4, 1, 2, 3, 4], [1, 2, 4]],
    [-2, [1, 2, 3, 4, 1, 2, 3, 4], [1, 2, 4]],
    [2, [1, 1, 2, 2, 3, 3, 4, 4], [1, 4, 2]],
    [-1, [1, 1, 2, 2, 3, 3, 4, 4], [1, 4, 2]],
  ])('vectors on axis %d', async (axis, data, shape) => {
    expect(await run([v, ...stacked(axis, 'v', 'v')], vectors)).toEqual({ data, shape });
  });

  test.each<[string, object[], RegExp]>([
    ['vectors of two sizes', stacked(1, 'v', 'w'), /stacks vectors of 4, vectors of 3 on axis 1/],
    ['a vector and steps', stacked(1, 'v', 'x'), /stacks vectors of 4, steps of 4 features/],
    ['steps and a vector', stacked(1, 'x', 'v'), /stacks steps of 4 features, vectors of 4/],
    ['the batch', stacked(0, 'v', 'v'), /on axis 0/],
    ['an axis beyond', stacked(3, 'v', 'v'), /on axis 3/],
    ['no list', [op('s', 'Stack', [tensor('v')], { axis: 1 }), end('s')], /takes a list of tensors/],
  ])('%s is refused', (_, layers, message) => {
    expect(refusal([x, v, w, ...layers])).toMatch(message);
  });
});

describe('one number a step, as a row', () => {
  const single = { one: { data: from(3), shape: [1, 3, 1] } };
  const turned = op('t', 'Transpose', [tensor('one')], { axes: [0, 2, 1] });
  const flat = [one, turned, op('f', 'Squeeze', [tensor('t')], { axis: 1 })];
  const negative = [one, turned, op('f', 'Squeeze', [tensor('t')], { axis: -2 })];

  test.each([[flat], [negative]])('becomes a step again, at axis 2 or -1', async (layers) => {
    for (const axis of [2, -1]) {
      const back = op('b', 'ExpandDims', [tensor('f')], { axis });
      expect(await run([...layers, back, end('b')], single)).toEqual({ data: [1, 2, 3], shape: [1, 3, 1] });
    }
    const before = op('b', 'ExpandDims', [tensor('f')], { axis: 1 });
    const back = op('c', 'Transpose', [tensor('b')], { axes: [0, 2, 1] });
    expect((await run([...layers, before, back, end('c')], single)).data).toEqual([1, 2, 3]);
  });

  test('two of them stack as two features, or as two rows of steps', async () => {
    const both = [tensor('f'), tensor('f')];
    for (const axis of [2, -1]) {
      const columns = op('s', 'Stack', [both], { axis });
      expect(await run([...flat, columns, end('s')], single)).toEqual({ data: [1, 1, 2, 2, 3, 3], shape: [1, 3, 2] });
    }
    const rows = op('s', 'Stack', [both], { axis: 1 });
    const back = op('c', 'Transpose', [tensor('s')], { axes: [0, 2, 1] });
    expect((await run([...flat, rows, back, end('c')], single)).data).toEqual([1, 1, 2, 2, 3, 3]);
    const alone = op('s', 'Stack', [[tensor('f')]], { axis: 2 });
    expect((await run([...flat, alone, end('s')], single)).data).toEqual([1, 2, 3]);
  });

  test.each<[string, object[], RegExp]>([
    ['stacked with steps', [op('a', 'Stack', [[tensor('f'), tensor('one')]], { axis: 2 })], /stacks one number a step as a row, steps of 1 features/],
    ['with its features turned back', [op('a', 'Transpose', [tensor('f')], { axes: [1, 0] })], /orders the axes of one number a step as a row as \[1,0\]/],
    ['squeezed once more', [op('a', 'Squeeze', [tensor('f')], { axis: 1 })], /takes axis 1 of one number a step as a row/],
    ['squeezed at its steps', [op('q', 'Squeeze', [tensor('t')], { axis: 2 })], /takes axis 2 of features of steps, transposed/],
    ['split', [op('a', 'Split', [tensor('f')], { indices_or_sections: 1, axis: -1 })], /cannot cut one number a step as a row/],
  ])('%s is refused', (_, layers, message) => {
    expect(refusal([...flat, ...layers, end((layers.at(-1) as { name: string }).name)])).toMatch(message);
  }); // prettier-ignore
});

describe('Reshape', () => {
  const fixed = input('x', 3, 4);
  const shaped = (newshape: unknown, of = 'x') => op('b', 'Reshape', [tensor(of)], { newshape });

  test.each<[string, object[], unknown, number[]]>([
    ['(-1, 6, 2)', [fixed], [-1, 6, 2], [1, 6, 2]],
    ['(-1, 12)', [fixed], [-1, 12], [1, 12]],
    ['(-1, 3, 4), as it is', [fixed], [-1, 3, 4], [1, 3, 4]],
  ])('%s of (3, 4)', async (_, layers, newshape, shape) => {
    expect(await run([...layers, shaped(newshape), end('b')], { x: steps })).toEqual({ data: [...from(12)], shape });
  });

  test('(-1, 2, 2) of a vector of 4', async () => {
    const given = { v: { data: from(4), shape: [1, 4] } };
    expect(await run([v, shaped([-1, 2, 2], 'v'), end('b')], given)).toEqual({ data: [1, 2, 3, 4], shape: [1, 2, 2] });
  });

  test.each<[string, object, unknown]>([
    ['steps among the sequences', fixed, [-1, 4]],
    ['as many sequences', fixed, [2, 6]],
    ['what is left over as sequences and steps', fixed, [-1, -1, 4]],
    ['no axis but the batch', fixed, [-1]],
    ['steps of which there are as many as there are', input('x', null, 4), [-1, 12]],
  ])('refused: %s', (_, given, newshape) => {
    expect(refusal([given, shaped(newshape), end('b')])).toMatch(/makes the shape .*supported: \(-1, \.\.\.\)/);
  });
});

test('parts of a row of steps, where the file fixes how many there are', async () => {
  const slice = (start: number | null, stop: number | null) => ({ class_name: '__slice__', config: { start, stop, step: null } }); // prettier-ignore
  const row = op('r', 'Squeeze', [tensor('x')], { axis: -1 });
  const part = op('b', 'GetItem', [tensor('r'), [slice(null, null), slice(1, 3)]]);
  const given = { x: { data: from(4), shape: [1, 4, 1] } };
  expect(await run([input('x', 4, 1), row, part, end('b')], given)).toEqual({ data: [2, 3], shape: [1, 2] });
  expect(refusal([one, op('r', 'Squeeze', [tensor('one')], { axis: -1 }), part, end('b')])).toMatch(/takes parts of other things/); // prettier-ignore
});

describe('Tile, Repeat, Take and Argmax', () => {
  const single = op('a', 'ExpandDims', [tensor('v')], { axis: 1 });
  const vector = { v: { data: from(4), shape: [1, 4] } };
  const one = [1, 2, 3, 4];

  test.each<[string, object]>([
    ['tile', op('b', 'Tile', [tensor('a')], { repeats: [1, 3, 1] })],
    ['tile of the last axes', op('b', 'Tile', [tensor('a')], { repeats: [3, 1] })],
    ['repeat', op('b', 'Repeat', [tensor('a')], { repeats: 3, axis: 1 })],
    ['repeat, the axis from the end', op('b', 'Repeat', [tensor('a')], { repeats: 3, axis: -2 })],
  ])('%s: one step as three', async (_, layer) => {
    expect(await run([v, single, layer, end('b')], vector)).toEqual({
      data: [...one, ...one, ...one],
      shape: [1, 3, 4],
    });
  });

  test.each<[unknown, number, number[], number[]]>([
    [[2, 0, 2], -1, [3, 1, 3, 7, 5, 7, 11, 9, 11], [1, 3, 3]],
    [[-1], 2, [4, 8, 12], [1, 3, 1]],
    [0, 1, [1, 2, 3, 4], [1, 4]],
    [-1, -2, [9, 10, 11, 12], [1, 4]],
  ])('take %j of axis %d', async (indices, axis, data, shape) => {
    expect(await run([x, op('b', 'Take', [tensor('x'), indices], { axis }), end('b')], { x: steps })).toEqual({
      data,
      shape,
    });
  });

  test.each([-1, 2])('argmax of axis %d: the first of the greatest', async (axis) => {
    const { spec } = read([x, op('g', 'Argmax', [tensor('x')], { axis, keepdims: false })]);
    using model = await createModel(spec, { backend: 'js' });
    const data = Float32Array.of(0, 2, 2, 1, 5, 0, 0, 0, -4, -3, -2, -1);
    const { output } = model.run({ data, shape: [1, 3, 4] });
    expect(output).toEqual({ data: Int32Array.of(1, 0, 3), shape: [1, 3] });
  });

  test.each<[string, object, RegExp]>([
    ['tiled features', op('b', 'Tile', [tensor('a')], { repeats: [1, 3, 2] }), /supported: one step, \(1, n, 1\)/],
    ['a tiled batch', op('b', 'Tile', [tensor('a')], { repeats: [2, 3, 1] }), /supported: one step/],
    ['a tiled vector', op('b', 'Tile', [tensor('v')], { repeats: [1, 3] }), /repeats vectors of 4/],
    ['tiled steps', op('b', 'Tile', [tensor('x')], { repeats: [1, 3, 1] }), /repeats steps of 4 features; supported: one step/],
    ['-1 times', op('b', 'Tile', [tensor('a')], { repeats: [1, -1, 1] }), /-1 times/],
    ['repeated features', op('b', 'Repeat', [tensor('a')], { repeats: 3, axis: 2 }), /repeats axis 2/],
    ['several numbers', op('b', 'Repeat', [tensor('a')], { repeats: [1, 2], axis: 1 }), /repeats axis 1 \[1,2\] times/],
    ['several steps', op('b', 'Take', [tensor('x'), [0, 1]], { axis: 1 }), /takes \[0,1\] of axis 1/],
    ['a step of any number', op('b', 'Take', [tensor('x'), 2], { axis: 1 }), /takes step 2 of steps whose number/],
    ['a feature that is not there', op('b', 'Take', [tensor('x'), [4]], { axis: 2 }), /takes feature 4 of 4/],
    ['half a feature', op('b', 'Take', [tensor('x'), [0.5]], { axis: 2 }), /constant whole numbers/],
    ['sequences', op('b', 'Take', [tensor('x'), [0]], { axis: 0 }), /of axis 0/],
    ['the greatest step', op('b', 'Argmax', [tensor('x')], { axis: 1 }), /of axis 1; supported: the last/],
    ['an axis that is kept', op('b', 'Argmax', [tensor('x')], { axis: 2, keepdims: true }), /of axis 2, kept/],
  ])('%s: refused', (_, layer, message) => {
    expect(refusal([x, v, single, layer, end('b')])).toMatch(message);
  }); // prettier-ignore
});

describe('Matmul of steps by a column', () => {
  const column = op('c', 'ExpandDims', [tensor('v')], { axis: -1 });
  const product = op('b', 'Matmul', [tensor('x'), tensor('c')]);

  test('a number a step', async () => {
    const given = { x: steps, v: { data: from(4), shape: [1, 4] } };
    expect(await run([x, v, column, product, end('b')], given)).toEqual({ data: [30, 70, 110], shape: [1, 3, 1] });
  });

  test('of another size is refused', () => {
    const short = op('c', 'ExpandDims', [tensor('w')], { axis: -1 });
    expect(refusal([x, w, short, product, end('b')])).toMatch(/multiplies features by steps/);
  });
});
