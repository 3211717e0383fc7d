import { describe, expect, test } from 'vitest';
import { createApi } from '../../../ts/api/create-api.ts';
import { jsBackend } from '../../../ts/backends/js/index.ts';
import { readOnnx, runOnnx } from '../../../ts/formats/onnx.ts';
import { refusalOf } from '../refusal.ts';
import { onnxModel, tensor, type Attribute, type Node } from './build.ts';

/** Sums of what there was, rows of all steps of all sequences by one number, ids of which a row has several. */

const node = (op: string, inputs: string[], output: string, attributes: Record<string, Attribute> = {}): Node => ({ op, inputs, outputs: [output], name: output, attributes }); // prettier-ignore
const api = createApi(() => Promise.resolve(jsBackend));
const float = (shape: number[], ...data: number[]) => ({ data: Float32Array.from(data), shape });
const whole = (name: string, ...data: number[]) => tensor(name, data.length === 1 ? [] : [data.length], data, 7);

describe('CumSum', () => {
  const bytes = (axis: number, attributes: Record<string, Attribute>, shape: (number | string)[] = ['b', 't', 2]) =>
    onnxModel({ nodes: [node('CumSum', ['x', 'axis'], 'y', attributes)], inputs: [{ name: 'x', shape }], outputs: ['y'], initializers: [whole('axis', axis)] }); // prettier-ignore
  const x = float([2, 3, 2], 1, 2, 3, 4, 5, 6, -1, 0.5, 2, 2, 0, 1);
  /** What numpy says. */
  test.each<[string, number, Record<string, Attribute>, number[]]>([
    ['steps', 1, {}, [1, 2, 4, 6, 9, 12, -1, 0.5, 1, 2.5, 1, 3.5]],
    ['steps before each', 1, { exclusive: 1 }, [0, 0, 1, 2, 4, 6, 0, 0, -1, 0.5, 1, 2.5]],
    ['steps from the end', 1, { reverse: 1 }, [9, 12, 8, 10, 5, 6, 1, 3.5, 2, 3, 0, 1]],
    ['steps behind each', -2, { reverse: 1, exclusive: 1 }, [8, 10, 5, 6, 0, 0, 2, 3, 0, 1, 0, 0]],
    ['features', 2, {}, [1, 3, 3, 7, 5, 11, -1, -0.5, 2, 4, 0, 1]],
    ['features before each', -1, { exclusive: 1 }, [0, 1, 0, 3, 0, 5, 0, -1, 0, 2, 0, 0]],
    ['features from the end', -1, { reverse: 1 }, [3, 2, 7, 4, 11, 6, -0.5, 0.5, 4, 2, 1, 1]],
    ['features behind each', -1, { reverse: 1, exclusive: 1 }, [2, 0, 4, 0, 6, 0, 0.5, 0, 2, 0, 1, 0]],
  ])('%s', async (_, axis, attributes, wanted) => {
    using model = await api.loadModel(bytes(axis, attributes));
    const { y } = runOnnx(model, { x });
    expect(y!.shape).toEqual([2, 3, 2]);
    expect(Array.from(y!.data)).toEqual(wanted);
  });

  test('of steps streams, and goes on from block to block', async () => {
    using model = await api.loadModel(bytes(1, {}));
    const stream = model.createStream();
    expect(Array.from(stream.run(x.data.slice(0, 4)))).toEqual([1, 2, 4, 6]);
    expect(Array.from(stream.step(x.data.slice(4, 6)))).toEqual([9, 12]);
  });

  test.each<[string, number, (number | string)[]]>([
    ['sequences', 0, ['b', 't', 2]],
    ['an axis that is not there', 3, ['b', 't', 2]],
    ['one of two axes of features', 2, ['b', 't', 2, 3]],
    ['more features than a cell is made for', 1, ['b', 't', 1025]],
  ])('of %s is refused', async (_, axis, shape) => {
    expect(await refusalOf(readOnnx(bytes(axis, {}, shape)))).toMatch(/CumSum node 'y'|cannot be read/);
  });
});

describe('one row of all steps of all sequences', () => {
  /** h[torch.arange(n), at] as PyTorch's older exporter writes it: rows of (batch x steps) by sequence x steps + at. */
  const size = (of: string, index: string, output: string) => [
    node('Shape', [of], `${output}_shape`),
    node('Gather', [`${output}_shape`, index], output),
  ];
  const bytes = (slow: string, fast: 'n' | 'at', perm = [0, 1, 2]) =>
    onnxModel({
      nodes: [
        node('Relu', ['x'], 'h'),
        ...size('h', '1', 'T'),
        ...size('h', '0', 'B'),
        node('Range', ['0', 'B', '1'], 'n'),
        node('Mul', [fast === 'at' ? 'n' : 'at', slow], 'from'),
        node('Add', ['from', fast], 'row'),
        node('Transpose', ['h'], 'turned', { perm }),
        node('Reshape', ['turned', 'flat'], 'rows'),
        node('Gather', ['rows', 'row'], 'y'),
      ],
      inputs: [{ name: 'x', shape: ['b', 't', 2] }, { name: 'at', shape: ['b'], dtype: 7 }],
      outputs: ['y'],
      initializers: [whole('0', 0), whole('1', 1), whole('flat', -1, 2)],
    }); // prettier-ignore
  const x = float([2, 3, 2], ...Array.from({ length: 12 }, (_, i) => i));
  const run = async (file: Uint8Array, ...at: number[]) => {
    using model = await api.loadModel(file);
    return Array.from(runOnnx(model, { x, at: { data: Int32Array.from(at), shape: [2] } })['y']!.data);
  };

  test('is one step of each sequence, whichever comes first', async () => {
    expect(await run(bytes('T', 'at'), 2, 0)).toEqual([4, 5, 6, 7]);
    expect(await run(bytes('B', 'n', [1, 0, 2]), 1, 2)).toEqual([2, 3, 10, 11]);
  });

  test('a step of another sequence is no number', async () => {
    expect(await run(bytes('T', 'at'), 3, -1)).toEqual([NaN, NaN, NaN, NaN]);
  });

  test('that is counted otherwise is refused', async () => {
    const message = /Gather node 'y': takes rows of all steps of all sequences by numbers that do not count them so/;
    expect(await refusalOf(readOnnx(bytes('B', 'at')))).toMatch(message);
    expect(await refusalOf(readOnnx(bytes('T', 'at', [1, 0, 2])))).toMatch(message);
  });
});

test('ids: up to 64 a row, each a row of the table; of more the node says so', async () => {
  const bytes = (count: number) =>
    onnxModel({ nodes: [node('Gather', ['E', 'x'], 'e'), node('ReduceSum', ['e', '2'], 'y', { keepdims: 0 })], inputs: [{ name: 'x', shape: ['b', 't', count], dtype: 7 }], outputs: ['y'], initializers: [tensor('E', [3, 2], [1, 2, 3, 4, 5, 6]), tensor('2', [1], [2], 7)], opset: 17 }); // prettier-ignore
  using model = await api.loadModel(bytes(3));
  const ids = { data: BigInt64Array.of(0n, 1n, 2n, 2n, 2n, 0n), shape: [1, 2, 3] };
  expect(Array.from(runOnnx(model, { x: ids })['y']!.data)).toEqual([9, 12, 11, 14]);
  expect(() => runOnnx(model, { x: { ...ids, data: BigInt64Array.of(0n, 1n, 2n, 2n, 3n, 0n) } })).toThrow(
    expect.objectContaining({ code: 'id_out_of_range' }),
  );
  expect(await refusalOf(readOnnx(bytes(65)))).toMatch(/Gather node 'e': takes ids .*up to 64/);
});
