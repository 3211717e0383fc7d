import { describe, expect, test } from 'vitest';
import { createApi } from '../../../ts/api/create-api.ts';
import { jsBackend } from '../../../ts/backends/js/index.ts';
import { readOnnx, runOnnx } from '../../../ts/formats/onnx.ts';
import { refusalOf } from '../refusal.ts';
import { onnxModel, tensor, type Attribute, type Node, type OnnxFunction } from './build.ts';

/** Functions of a model's own (FunctionProto): their nodes are read in the place of those that call them. */

const api = createApi(() => Promise.resolve(jsBackend));
const node = (op: string, inputs: string[], output: string, attributes: Record<string, Attribute> = {}): Node => ({ op, inputs, outputs: [output], name: output, attributes }); // prettier-ignore
const call = (op: string, inputs: string[], output: string, attributes: Record<string, Attribute> = {}): Node => ({ ...node(op, inputs, output, attributes), domain: 'own' }); // prettier-ignore
const X = [1, 2, -3, 4];
const CONSTANTS = [tensor('two', [], [2]), tensor('I', [2, 2], [1, 0, 0, 1])];

const bytes = (nodes: Node[], functions: OnnxFunction[]) =>
  onnxModel({ nodes: [node('MatMul', ['x', 'I'], 'h'), ...nodes], inputs: [{ name: 'x', shape: ['b', 't', 2] }], outputs: ['y'], initializers: CONSTANTS, functions }); // prettier-ignore
async function of(nodes: Node[], functions: OnnxFunction[]): Promise<number[]> {
  using model = await api.loadModel(bytes(nodes, functions));
  return Array.from(runOnnx(model, { x: { data: Float32Array.from(X), shape: [1, 2, 2] } })['y']!.data);
}
const refusal = (nodes: Node[], functions: OnnxFunction[]) => refusalOf(readOnnx(bytes(nodes, functions)));

/** leaky(a) b, with an inner name that the graph has too. */
const SCALED: OnnxFunction = {
  name: 'Scaled',
  inputs: ['a', 'b'],
  outputs: ['c'],
  attributes: ['slope'],
  defaults: { other: { float: 0.25 } },
  nodes: [
    node('LeakyRelu', ['a'], 'h', { alpha: { ref: 'slope', type: 1 } }),
    node('LeakyRelu', ['h'], 'i', { alpha: { ref: 'other', type: 1 } }),
    node('Mul', ['i', 'b'], 'c'),
  ],
};

describe('calls', () => {
  test('attributes of the call, defaults, and what is left out', async () => {
    const half = { slope: { float: 0.5 } };
    expect(await of([call('Scaled', ['h', 'two'], 'y', half)], [SCALED])).toEqual([2, 4, -0.75, 8]);
    const both = { ...half, other: { float: 1 } };
    expect(await of([call('Scaled', ['h', 'two'], 'y', both)], [SCALED])).toEqual([2, 4, -3, 8]);
    const [, , , last] = await of([call('Scaled', ['h', 'two'], 'y')], [SCALED]);
    expect(last).toBe(8);
  });

  test('twice, and from a function', async () => {
    const twice: OnnxFunction = {
      name: 'Twice',
      inputs: ['x', 'k'],
      outputs: ['z', 'x'],
      nodes: [call('Scaled', ['x', 'k'], 'c', { slope: { float: 1 } }), call('Scaled', ['c', 'k'], 'z')],
    };
    const nodes = [{ ...call('Twice', ['h', 'two'], 'a'), outputs: ['a', 'b'] }, node('Add', ['a', 'b'], 'y')];
    // 4 f(f(x)) + x of what is above 0
    expect((await of(nodes, [twice, SCALED]))[0]).toBe(5);
    expect((await of(nodes, [SCALED, twice]))[3]).toBe(20);
  });

  test('one of the standard operators, and by its overload', async () => {
    const neg: OnnxFunction = { name: 'Neg', domain: '', inputs: ['a'], outputs: ['b'], nodes: [node('Abs', ['a'], 'b')] }; // prettier-ignore
    expect(await of([node('Neg', ['h'], 'y')], [neg])).toEqual([1, 2, 3, 4]);
    const over = (overload: string, op: string): OnnxFunction => ({ name: 'F', overload, inputs: ['a'], outputs: ['b'], nodes: [node(op, ['a'], 'b')] }); // prettier-ignore
    const both = [over('p', 'Abs'), over('q', 'Neg')];
    expect(await of([{ ...call('F', ['h'], 'y'), overload: 'q' }], both)).toEqual([-1, -2, 3, -4]);
  });

  test('in the graphs inside of nodes', async () => {
    const branch = (op: string) => ({ graph: { nodes: [call(op, ['h'], `of ${op}`)], inputs: [], outputs: [`of ${op}`] } }); // prettier-ignore
    const own = (name: string, op: string): OnnxFunction => ({ name, inputs: ['a'], outputs: ['b'], nodes: [node(op, ['a'], 'b')] }); // prettier-ignore
    const nodes = [
      node('Equal', ['two', 'two'], 'is'),
      node('If', ['is'], 'y', { then_branch: branch('P'), else_branch: branch('Q') }),
    ];
    expect(await of(nodes, [own('P', 'Abs'), own('Q', 'Neg')])).toEqual([1, 2, 3, 4]);
  });
});

describe('refused', () => {
  const own = (more: Partial<OnnxFunction>): OnnxFunction => ({ name: 'F', inputs: ['a'], outputs: ['b'], nodes: [node('Abs', ['a'], 'b')], ...more }); // prettier-ignore
  const one = [call('F', ['h'], 'y')];

  test.each<[string, Node[], OnnxFunction[], RegExp]>([
    ['itself', one, [own({ nodes: [call('F', ['a'], 'b')] })], /calls itself/],
    [
      'each other',
      one,
      [own({ nodes: [call('G', ['a'], 'b')] }), own({ name: 'G', nodes: [call('F', ['a'], 'b')] })],
      /calls itself/,
    ],
    ['another opset', one, [own({ opset: 12 })], /a function of opset 12 in a graph of opset 17/],
    ['two of one name', one, [own({}), own({})], /two functions 'F'/],
    ['an attribute that it has not', [call('F', ['h'], 'y', { k: 1 })], [own({})], /'k' is none of its function's/],
    ['too many inputs', [call('F', ['h', 'x'], 'y')], [own({})], /more inputs or outputs/],
    ['what its nodes are not', one, [own({ nodes: [call('Unknown', ['a'], 'b')] })], /own\.Unknown/],
    ['a name of the graph', one, [own({ nodes: [node('Add', ['a', 'two'], 'b')] })], /reads 'F_0\/two'/],
    ['a reference outside', [node('LeakyRelu', ['h'], 'y', { alpha: { ref: 'k', type: 1 } })], [], /is a reference to/],
  ])('%s', async (_, nodes, functions, message) => {
    expect(await refusal(nodes, functions)).toMatch(message);
  });

  test('a chain that doubles at each of its functions is too many nodes', async () => {
    const functions = Array.from({ length: 15 }, (_, i) =>
      own({
        name: i === 0 ? 'F' : `F${i}`,
        nodes: Array.from({ length: 4 }, (__, k) =>
          i === 14 ? node('Abs', [k === 0 ? 'a' : `${k}`], k === 3 ? 'b' : `${k + 1}`) : call(`F${i + 1}`, [k === 0 ? 'a' : `${k}`], k === 3 ? 'b' : `${k + 1}`),
        ),
      }),
    ); // prettier-ignore
    expect(await refusal(one, functions)).toMatch(/too many nodes, tensors or names/);
    const long = own({ nodes: Array.from({ length: 20 }, (_, i) => node('Abs', [i === 0 ? 'a' : `${i - 1}${'n'.repeat(1e5)}`], i === 19 ? 'b' : `${i}${'n'.repeat(1e5)}`)) }); // prettier-ignore
    const calls = Array.from({ length: 300 }, (_, i) => call('F', [i === 0 ? 'h' : `c${i - 1}`], i === 299 ? 'y' : `c${i}`)); // prettier-ignore
    expect(await refusal(calls, [long])).toMatch(/too many nodes, tensors or names/);
  });
});
