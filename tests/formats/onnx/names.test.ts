import { describe, expect, test } from 'vitest';
import { runOnnx } from '../../../ts/formats/onnx.ts';
import type { GruModel } from '../../../ts/api/model.ts';
import type { TensorLike } from '../../../ts/base/tensor.ts';
import { BACKENDS } from '../../backends.ts';
import { expectError } from '../../facade/helpers.ts';
import { onnxModel, tensor, type Node } from './build.ts';

const [BATCH, STEPS, INPUTS, UNITS] = [3, 4, 2, 5];
const numbers = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(1.7 * i * seed + seed));

/** A graph of one GRU node named `g`, its initial_h as the case says. */
function lone(
  directions: number,
  layout: number,
  initial: 'left out' | 'zeros' | 'stored' | 'computed' | 'input',
): Uint8Array {
  const weights = [
    tensor('W', [directions, 3 * UNITS, INPUTS], numbers(directions * 3 * UNITS * INPUTS, 1)),
    tensor('R', [directions, 3 * UNITS, UNITS], numbers(directions * 3 * UNITS * UNITS, 2)),
  ];
  const shape = layout === 0 ? [directions, BATCH, UNITS] : [BATCH, directions, UNITS];
  const zeros = tensor('h0', shape, new Float32Array(directions * BATCH * UNITS));
  const one = layout === 0 ? [directions, 1, UNITS] : [1, directions, UNITS];
  const stored = tensor('h0', one, numbers(directions * UNITS, 6));
  const size: Node = {
    op: 'ConstantOfShape',
    inputs: ['size'],
    outputs: ['h0'],
    name: 'c',
    attributes: { value: { tensor: tensor('', [1], [0]) } },
  };
  const gru: Node = {
    op: 'GRU',
    name: 'g',
    inputs: ['x', 'W', 'R', '', '', initial === 'left out' ? '' : 'h0'],
    outputs: ['y', 'yh'],
    attributes: { hidden_size: UNITS, layout, ...(directions === 2 ? { direction: 'bidirectional' } : {}) },
  };
  return onnxModel({
    nodes: initial === 'computed' ? [size, gru] : [gru],
    inputs: [
      { name: 'x', shape: layout === 0 ? ['t', 'b', INPUTS] : ['b', 't', INPUTS] },
      ...(initial === 'input' ? [{ name: 'h0', shape }] : []),
    ],
    outputs: ['y', 'yh'],
    initializers: [
      ...weights,
      ...(initial === 'zeros' ? [zeros] : initial === 'stored' ? [stored] : []),
      tensor('size', [3], shape, 7),
    ],
  });
}

const bytesOf = (tensors: Record<string, { data: ArrayLike<number> }>) =>
  Object.fromEntries(Object.entries(tensors).map(([k, { data }]) => [k, Buffer.from(Float32Array.from(data).buffer)]));

describe.each(BACKENDS)('$name', ({ api }) => {
  const load = (bytes: Uint8Array): Promise<GruModel> => api.loadModel(bytes, { onnx: { node: 'g' } });

  describe.each([1, 2])('%d direction(s)', (directions) => {
    describe.each([0, 1])('layout %d', (layout) => {
      const x: TensorLike = {
        data: numbers(BATCH * STEPS * INPUTS, 3),
        shape: layout === 0 ? [STEPS, BATCH, INPUTS] : [BATCH, STEPS, INPUTS],
      };
      const initial: TensorLike = {
        data: numbers(directions * BATCH * UNITS, 4),
        shape: layout === 0 ? [directions, BATCH, UNITS] : [BATCH, directions, UNITS],
      };

      test.each(['left out', 'zeros', 'computed'] as const)('initial_h that is %s can be given', async (form) => {
        const input = runOnnx(await load(lone(directions, layout, 'input')), { X: x, initial_h: initial });
        const model = await load(lone(directions, layout, form));
        expect(bytesOf(runOnnx(model, { X: x, initial_h: initial }))).toEqual(bytesOf(input));
        const zeros = { data: new Float32Array(initial.data.length), shape: initial.shape };
        expect(bytesOf(runOnnx(model, { X: x }))).toEqual(bytesOf(runOnnx(model, { X: x, initial_h: zeros })));
        expect(bytesOf(runOnnx(model, { X: x }))).not.toEqual(bytesOf(input));
      });

      test('initial_h that the file stores can be given, and is taken where it is not', async () => {
        const input = await load(lone(directions, layout, 'input'));
        const model = await load(lone(directions, layout, 'stored'));
        expect(bytesOf(runOnnx(model, { X: x, initial_h: initial }))).toEqual(
          bytesOf(runOnnx(input, { X: x, initial_h: initial })),
        );
        const one = numbers(directions * UNITS, 6);
        const data = Float32Array.from({ length: initial.data.length }, (_, i) => {
          const d = layout === 0 ? Math.floor(i / (BATCH * UNITS)) : Math.floor(i / UNITS) % directions;
          return one[d * UNITS + (i % UNITS)]!;
        });
        const expected = bytesOf(runOnnx(input, { X: x, initial_h: { data, shape: initial.shape } }));
        expect(bytesOf(runOnnx(model, { X: x }))).toEqual(expected);
        // the rows of a run by itself have no such default: nothing is left out in silence
        expect(() => model.run({ X: { data: numbers(2 * INPUTS, 3), shape: [1, 2, INPUTS] } })).toThrow(/initial_h/);
      });

      test('initial_h of another shape is refused', async () => {
        const model = await load(lone(directions, layout, 'left out'));
        const wrong = { data: initial.data, shape: [...initial.shape].reverse() };
        await expectError(() => runOnnx(model, { X: x, initial_h: wrong }), 'shape_mismatch', 'initial_h');
      });
    });
  });

  test('names that the graph does not have are refused, missing ones are named', async () => {
    const X = { data: numbers(BATCH * STEPS * INPUTS, 3), shape: [STEPS, BATCH, INPUTS] };
    const whole = await api.loadModel(lone(1, 0, 'left out'));
    for (const name of ['initial_h', 'X', 'W', 'y', '', '__proto__', 'constructor']) {
      const given = Object.fromEntries([
        ['x', X],
        [name, X],
      ]);
      await expectError(() => runOnnx(whole, given), 'invalid_argument', `no input '${name}'`, `'x'`);
    }
    await expectError(() => runOnnx(whole, {}), 'invalid_argument', `input 'x' is missing`);
    for (const outputs of [[], ['y', 'y']]) {
      const load = () => api.loadModel(lone(1, 0, 'left out'), { onnx: { outputs } });
      await expectError(load, 'invalid_argument', 'onnx.outputs names none, or one twice');
    }
    for (const odd of [undefined, null, 5, 'x', [X], Symbol('x')]) {
      await expectError(() => runOnnx(whole, odd as never), 'invalid_argument', 'the tensors must be an object');
    }
    for (const odd of [
      null,
      5,
      'x',
      X.data,
      { data: X.data },
      { data: 'abc', shape: [1] },
      { data: ['a'], shape: [1] },
    ]) {
      expect(() => runOnnx(whole, { x: odd as never })).toThrow(expect.objectContaining({ name: 'GruError' }) as Error);
    }
    await expectError(() => runOnnx({} as never, { x: X }), 'invalid_argument', 'ONNX');
  });

  // without the check the one with 2 ** 40 sequences walks through them
  test.each([
    [0, 2 ** 40],
    [2 ** 40, 0],
    [2 ** 24, 0],
    [0, 2 ** 24],
    [0, 2 ** 20 + 1],
  ])('%d steps of %d sequences are refused', async (steps, batch) => {
    const whole = await api.loadModel(lone(1, 0, 'left out'));
    const x = { data: new Float32Array(0), shape: [steps, batch, INPUTS] };
    await expectError(() => runOnnx(whole, { x }), 'out_of_memory', `input 'x'`, 'empty');
  });

  describe.each([1, 2])('nothing to run, %d direction(s)', (directions) => {
    test.each([
      [0, 2],
      [3, 0],
      [0, 0],
    ])('%d steps of %d sequences give no rows, and the states they began with', async (steps, batch) => {
      const node = await load(lone(directions, 0, 'left out'));
      const X = { data: [], shape: [steps, batch, INPUTS] };
      const initial = { data: numbers(directions * batch * UNITS, 4), shape: [directions, batch, UNITS] };
      expect(runOnnx(node, { X, initial_h: initial })).toEqual({
        Y: { data: new Float32Array(0), shape: [steps, directions, batch, UNITS] },
        Y_h: initial,
      });
      expect(runOnnx(node, { X })['Y_h']!.data).toEqual(new Float32Array(directions * batch * UNITS));
    });
  });

  test('tensors whose names are those of Object.prototype', async () => {
    const names = ['__proto__', 'constructor', 'toString'];
    const nodes = names.map((name): Node => ({
      op: 'Relu',
      inputs: [name],
      outputs: [`y ${name}`],
      name: `r ${name}`,
    }));
    const inputs = names.map((name) => ({ name, shape: ['t', 'b', INPUTS] }));
    const model = await api.loadModel(onnxModel({ nodes, inputs, outputs: nodes.map(({ outputs }) => outputs[0]!) }));
    const data = (i: number) => numbers(STEPS * BATCH * INPUTS, i + 1);
    const given = Object.fromEntries(names.map((name, i) => [name, { data: data(i), shape: [STEPS, BATCH, INPUTS] }]));
    const results = runOnnx(model, given);
    for (const [i, name] of names.entries())
      expect(results[`y ${name}`]!.data).toEqual(data(i).map((v) => Math.max(v, 0)));
  });

  test('arrays of the caller that lie or change', async () => {
    const whole = await api.loadModel(lone(1, 0, 'left out'));
    class Liar extends Float32Array {
      override get length(): number {
        return STEPS * BATCH * INPUTS;
      }
    }
    const shape = [STEPS, BATCH, INPUTS];
    await expectError(() => runOnnx(whole, { x: { data: new Liar(3), shape } }), 'shape_mismatch', `input 'x'`);
    const model = await load(lone(1, 0, 'input'));
    const data = numbers(STEPS * BATCH * INPUTS, 3);
    const given = {
      X: { data, shape },
      get initial_h() {
        structuredClone(data, { transfer: [data.buffer] });
        return { data: numbers(BATCH * UNITS, 4), shape: [1, BATCH, UNITS] };
      },
    };
    await expectError(() => runOnnx(model, given), 'shape_mismatch', `input 'X'`);
  });

  test('BigInts where floats are meant', async () => {
    const model = await load(lone(1, 0, 'left out'));
    const X = { data: numbers(STEPS * BATCH * INPUTS, 3), shape: [STEPS, BATCH, INPUTS] };
    const big = (length: number, shape: number[]) => ({ data: new BigInt64Array(length) as never, shape });
    const state = big(BATCH * UNITS, [1, BATCH, UNITS]);
    await expectError(() => runOnnx(model, { X, initial_h: state }), 'dtype_mismatch', `input 'initial_h'`, 'floats');
    const x = big(X.data.length, X.shape);
    await expectError(() => runOnnx(model, { X: x }), 'dtype_mismatch', `input 'X'`, 'floats');
  });

  test('an input of the graph that nothing reads may be given', async () => {
    const inputs = ['x', 'unread'].map((name) => ({ name, shape: ['t', 'b', INPUTS] }));
    const nodes: Node[] = [{ op: 'Relu', inputs: ['x'], outputs: ['y'], name: 'r' }];
    const model = await api.loadModel(onnxModel({ nodes, inputs, outputs: ['y'] }));
    const x = { data: numbers(BATCH * STEPS * INPUTS, 3), shape: [STEPS, BATCH, INPUTS] };
    const expected = bytesOf({ y: { data: Float32Array.from(x.data, (v) => Math.max(v, 0)) } });
    expect(bytesOf(runOnnx(model, { x, unread: x }))).toEqual(expected);
    expect(bytesOf(runOnnx(model, { x }))).toEqual(expected);
  });

  test('int64 ids are taken; those that no int32 holds are refused, not wrapped', async () => {
    const table = tensor('table', [6, INPUTS], numbers(6 * INPUTS, 5));
    const bytes = onnxModel({
      nodes: [
        { op: 'Gather', inputs: ['table', 'ids'], outputs: ['x'], name: 'e' },
        { op: 'GRU', name: 'g', inputs: ['x', 'W', 'R'], outputs: ['y', 'yh'], attributes: { hidden_size: UNITS } },
      ],
      inputs: [{ name: 'ids', dtype: 7, shape: ['t', 'b'] }],
      outputs: ['yh'],
      initializers: [
        table,
        tensor('W', [1, 3 * UNITS, INPUTS], numbers(3 * UNITS * INPUTS, 1)),
        tensor('R', [1, 3 * UNITS, UNITS], numbers(3 * UNITS * UNITS, 2)),
      ],
    });
    const model = await api.loadModel(bytes);
    const run = (data: unknown) => runOnnx(model, { ids: { data: data as number[], shape: [4, 1] } });
    expect(bytesOf(run(BigInt64Array.of(1n, 5n, 0n, 2n)))).toEqual(bytesOf(run([1, 5, 0, 2])));
    for (const ids of [
      BigInt64Array.of(1n, 2n ** 32n, 0n, 2n),
      BigInt64Array.of(1n, 2n ** 62n + 1n, 0n, 2n),
      [1, 2 ** 32, 0, 2],
      [1, 1.5, 0, 2],
      [1, -1, 0, 2],
    ]) {
      await expectError(() => run(ids), 'id_out_of_range', 'ids');
    }
  });
});
