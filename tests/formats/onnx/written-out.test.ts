import { describe, expect, test } from 'vitest';
import { createApi } from '../../../ts/api/create-api.ts';
import { jsBackend } from '../../../ts/backends/js/index.ts';
import { readOnnx, runOnnx } from '../../../ts/formats/onnx.ts';
import { refusalOf } from '../refusal.ts';
import { onnxModel, tensor, type Attribute, type Info, type Node } from './build.ts';

/** What exporters write out of lengths and of steps, and what optimizers put together. */

const node = (op: string, inputs: string[], output: string, attributes: Record<string, Attribute> = {}): Node => ({ op, inputs, outputs: [output], name: output, attributes }); // prettier-ignore
const contrib = (op: string, inputs: string[], attributes: Record<string, Attribute> = {}): Node => ({ ...node(op, inputs, 'p', attributes), domain: 'com.microsoft' }); // prettier-ignore
const X: Info[] = [{ name: 'x', shape: ['b', 't', 2] }];
const LENGTHS: Info[] = [...X, { name: 'n', shape: ['b'], dtype: 7 }];
const CONSTANTS = [
  tensor('0', [], [0], 7),
  tensor('1', [], [1], 7),
  tensor('[0]', [1], [0], 7),
  tensor('[1]', [1], [1], 7),
  tensor('[-1]', [1], [-1], 7),
  tensor('nine', [], [9]),
  tensor('zero', [], [0]),
  tensor('I', [2, 2], [1, 0, 0, 1]),
  tensor('W', [2, 2], [1, 2, 3, 4]),
  tensor('v', [2], [0.5, -0.5]),
  tensor('ones', [2], [1, 1]),
];
const api = createApi(() => Promise.resolve(jsBackend));
const bytes = (nodes: Node[], inputs: Info[], constants: typeof CONSTANTS = []) =>
  onnxModel({ opset: 17, nodes: [node('MatMul', ['x', 'I'], 'h'), ...nodes], inputs, outputs: ['p'], initializers: [...CONSTANTS, ...constants] }); // prettier-ignore

/** Two sequences of 3 steps; their lengths are 2 and 3. */
const DATA = [1, 2, 3, 4, 5, 6, -1, -2, 3, 0, 1, 8];
async function of(nodes: Node[], inputs = X, constants: typeof CONSTANTS = []): Promise<number[]> {
  using model = await api.loadModel(bytes(nodes, inputs, constants));
  const x = { data: Float32Array.from(DATA), shape: [2, 3, 2] };
  const n = { data: BigInt64Array.of(2n, 3n) as unknown as ArrayLike<number>, shape: [2] };
  return Array.from(runOnnx(model, inputs === X ? { x } : { x, n })['p']!.data);
}
const refusal = (nodes: Node[], inputs = X, constants: typeof CONSTANTS = []) =>
  refusalOf(readOnnx(bytes(nodes, inputs, constants)));

const STEPS = [
  node('Shape', ['x'], 's'),
  node('Gather', ['s', '1'], 'T'),
  node('Range', ['0', 'T', '1'], 'r'),
  node('Unsqueeze', ['r', '[0]'], 'row'),
  node('Unsqueeze', ['n', '[1]'], 'column'),
];
const masked = (op: string, inputs: string[]) => [
  ...STEPS,
  node(op, inputs, 'm'),
  node('Cast', ['m'], 'f', { to: 1 }),
  node('Unsqueeze', ['f', '[-1]'], 'mask'),
];
const sumOf = (from: string) => node('ReduceSum', [from, '[1]'], 'p', { keepdims: 0 });

describe('masks of lengths', () => {
  test.each<[string, string[], number[]]>([
    ['Less', ['row', 'column'], [4, 6, 3, 6]],
    ['Greater', ['column', 'row'], [4, 6, 3, 6]],
    ['LessOrEqual', ['row', 'column'], [9, 12, 3, 6]],
    ['GreaterOrEqual', ['column', 'row'], [9, 12, 3, 6]],
    ['GreaterOrEqual', ['row', 'column'], [5, 6, 0, 0]],
    ['Greater', ['row', 'column'], [0, 0, 0, 0]],
  ])('%s of %j', async (op, inputs, sums) => {
    expect(await of([...masked(op, inputs), node('Mul', ['h', 'mask'], 'y'), sumOf('y')], LENGTHS)).toEqual(sums);
  });

  test('the masked mean', async () => {
    const mean = [
      ...masked('Less', ['row', 'column']),
      node('Mul', ['h', 'mask'], 'y'),
      node('ReduceSum', ['y', '[1]'], 'sum', { keepdims: 0 }),
      node('ReduceSum', ['mask', '[1]'], 'count', { keepdims: 0 }),
      node('Div', ['sum', 'count'], 'p'),
    ];
    expect(await of(mean, LENGTHS)).toEqual([2, 3, 1, 2]);
  });

  test('Where and Not', async () => {
    const where = (inputs: string[], more: Node[] = []) => [
      ...STEPS,
      node('Less', ['row', 'column'], 'l'),
      node('Unsqueeze', ['l', '[-1]'], 'm'),
      ...more,
      node('Where', inputs, 'y'),
      sumOf('y'),
    ];
    expect(await of(where(['m', 'h', 'zero']), LENGTHS)).toEqual([4, 6, 3, 6]);
    expect(await of(where(['m', 'h', 'nine']), LENGTHS)).toEqual([13, 15, 3, 6]);
    expect(await of(where(['m', 'nine', 'h']), LENGTHS)).toEqual([23, 24, 27, 27]);
    expect(await of(where(['not', 'nine', 'h'], [node('Not', ['m'], 'not')]), LENGTHS)).toEqual([13, 15, 3, 6]);
    expect(await of(where(['m', 'h', 'more'], [node('Add', ['h', 'ones'], 'more')]), LENGTHS)).toEqual([10, 13, 3, 6]);
    expect(await of(where(['m', 'one', 'nine'], [node('Cast', ['1'], 'one', { to: 1 })]).slice(0, -1).concat(node('Mul', ['h', 'y'], 'z'), sumOf('z')), LENGTHS)).toEqual([49, 60, 3, 6]); // prettier-ignore
    const floats = (x: string) => [node('Greater', ['h', 'zero'], 'm'), node('Log', ['h'], 'log'), node('Where', ['m', x, 'zero'], 'p')]; // prettier-ignore
    // -0 where a negative number is left out
    expect((await of(floats('h'))).map((y) => y + 0)).toEqual(DATA.map((x) => Math.max(x, 0)));
    expect(await refusal(floats('log'))).toContain('a comparison of floats');
  });

  test('refused', async () => {
    expect(await refusal([node('Less', ['h', 'v'], 'p')])).toContain('with one number');
    expect(await refusal([node('Not', ['h'], 'p')])).toContain('constants and masks');
    expect(await refusal([node('And', ['h', 'h'], 'p')])).toContain('constants and masks');
    const ids = [...masked('Less', ['row', 'column']), node('Mul', ['h', 'mask'], 'y'), sumOf('y')];
    const both = ids.map((one) => (one.op === 'ReduceSum' ? { ...one, outputs: ['q'] } : one));
    const embedded = [...both, node('Gather', ['W', 'n'], 'e'), node('Add', ['q', 'e'], 'p')];
    expect(await refusal(embedded, LENGTHS)).toContain('both as numbers and as ids');
  });
});

describe('whole numbers that a graph computes with', () => {
  const INTS = [
    tensor('3', [], [3], 7),
    tensor('-2', [], [-2], 7),
    tensor('five', [], [5], 7),
    tensor('half', [], [0.5]),
  ];
  /** Of lengths -7 and 4, as floats. */
  const ofInts = async (nodes: Node[], result: string): Promise<number[]> => {
    const last = [node('Cast', [result], 'r', { to: 1 }), node('Unsqueeze', ['r', '[1]'], 'of n'), node('Gather', ['h', '0'], 'g', { axis: 1 }), node('Mul', ['g', 'zero'], 'z'), node('Add', ['z', 'of n'], 'p')]; // prettier-ignore
    using model = await api.loadModel(bytes([...nodes, ...last], LENGTHS, INTS));
    const x = { data: Float32Array.from(DATA), shape: [2, 3, 2] };
    const { data } = runOnnx(model, { x, n: { data: Int32Array.of(-7, 4), shape: [2] } })['p']!;
    return [data[0]!, data[2]!];
  };

  test.each<[string, string[], number[]]>([
    ['Add', ['n', '3'], [-4, 7]],
    ['Sub', ['3', 'n'], [10, -1]],
    ['Mul', ['n', '-2'], [14, -8]],
    ['Div', ['n', '-2'], [3, -2]],
    ['Div', ['n', '3'], [-2, 1]],
    ['Mod', ['n', '3'], [2, 1]],
    ['Mod', ['n', '-2'], [-1, 0]],
    ['Max', ['n', '3'], [3, 4]],
    ['Min', ['n', '3'], [-7, 3]],
    ['Clip', ['n', '0', '3'], [0, 3]],
    ['Neg', ['n'], [7, -4]],
    ['Abs', ['n'], [7, 4]],
    ['Equal', ['n', 'five'], [0, 0]],
    ['Less', ['n', '3'], [1, 0]],
    ['LessOrEqual', ['3', 'n'], [0, 1]],
    ['Greater', ['n', '-2'], [0, 1]],
    ['GreaterOrEqual', ['n', '3'], [0, 1]],
  ])('%s of %j', async (op, inputs, wanted) => {
    expect(await ofInts([node(op, inputs, 'q')], 'q')).toEqual(wanted);
  });

  test.each<[string, number[]]>([
    ['And', [0, 0]],
    ['Or', [1, 1]],
    ['Xor', [1, 1]],
  ])('%s of n < 3 and n > 3', async (op, wanted) => {
    const nodes = [node('Less', ['n', '3'], 'a'), node('Greater', ['n', '3'], 'b'), node(op, ['a', 'b'], 'q')];
    expect(await ofInts(nodes, 'q')).toEqual(wanted);
  });

  test('a cast rounds towards zero, and to a boolean', async () => {
    const half = [node('Cast', ['n'], 'f', { to: 1 }), node('Mul', ['f', 'half'], 'm')];
    expect(await ofInts([...half, node('Cast', ['m'], 'q', { to: 7 })], 'q')).toEqual([-3, 2]);
    expect(await ofInts([node('Add', ['n', '-2'], 'a'), node('Sub', ['a', '-2'], 'b'), node('Sub', ['b', '3'], 'c'), node('Sub', ['c', '1'], 'd'), node('Cast', ['d'], 'q', { to: 9 })], 'q')).toEqual([1, 0]); // prettier-ignore
    expect(await ofInts([...half, node('Div', ['m', 'half'], 'q')], 'q')).toEqual([-7, 4]);
  });

  test('refused', async () => {
    expect(await refusal([node('Div', ['n', '0'], 'q'), node('Cast', ['q'], 'p', { to: 1 })], LENGTHS)).toContain(
      'by 0',
    );
    expect(await refusal([node('ReduceMean', ['n'], 'p')], LENGTHS)).toContain('floats only');
    expect(await refusal([node('Mod', ['h', 'nine'], 'p')])).toContain('whole numbers and one number');
  });
});

describe('steps by steps', () => {
  const grid = [
    node('Unsqueeze', ['h', '[1]'], 'keys'),
    node('Unsqueeze', ['h', '[2]'], 'queries'),
    node('Add', ['queries', 'keys'], 'g'),
  ];
  const CUT = [tensor('[2]', [1], [2], 7)];

  test('are scores or nothing', async () => {
    for (const more of [
      [node('ReduceSum', ['g', '[-1]'], 'p')],
      [node('Tanh', ['g'], 't'), node('ReduceMax', ['t'], 'p', { axes: [-1] })],
      [node('Tanh', ['g'], 't'), node('Tanh', ['t'], 'p')],
      [node('Relu', ['g'], 'p')],
      [node('Softmax', ['g'], 'p')],
      [node('Mul', ['g', 'v'], 'p')],
    ])
      expect(await refusal([...grid, ...more], X, CUT)).toMatch(/steps by steps|of scores/);
    expect(await refusal([...grid.slice(0, 2), node('Mul', ['queries', 'keys'], 'p')], X, CUT)).toMatch(
      /steps by steps/,
    );
  });

  test('a mask of keys: where none is left the mean is taken', async () => {
    const scores = [...STEPS, node('Less', ['row', 'column'], 'l'), node('Unsqueeze', ['l', '[1]'], 'm'), node('Transpose', ['h'], 'k', { perm: [0, 2, 1] }), node('MatMul', ['h', 'k'], 'scores')]; // prettier-ignore
    const attend = [node('Softmax', ['t'], 'w'), node('MatMul', ['w', 'h'], 'p')];
    const low = [tensor('low', [], [-1e9]), tensor('small', [], [-5])];
    const masked = (name: string) => [...scores, node('Where', ['m', 'scores', name], 't'), ...attend];
    using model = await api.loadModel(bytes(masked('low'), LENGTHS, low));
    const x = { data: Float32Array.from(DATA), shape: [2, 3, 2] };
    const { data } = runOnnx(model, { x, n: { data: Int32Array.of(1, 0), shape: [2] } })['p']!;
    Array.from(data).forEach((value, i) => {
      expect(value).toBeCloseTo([1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2][i]!, 5);
    });
    expect(await refusal(masked('small'), LENGTHS, low)).toMatch(/steps by steps|chooses|combines/);
  });
});

describe('one step of each sequence', () => {
  const index = [
    node('Sub', ['n', '3'], 'i'),
    node('Unsqueeze', ['i', 'ends'], 'u'),
    node('Expand', ['u', 'wide'], 'at'),
  ];
  const ENDS = [tensor('ends', [2], [1, 2], 7), tensor('wide', [3], [1, 1, 2], 7), tensor('3', [], [3], 7)];
  const pick = node('GatherElements', ['h', 'at'], 'q', { axis: 1 });
  const last = node('Squeeze', ['q', '[1]'], 'p');

  test('by a whole number, from the end where it is below 0', async () => {
    // of lengths 2 and 3: the last step and the first
    expect(await of([...index, pick, last], LENGTHS, ENDS)).toEqual([5, 6, -1, -2]);
  });

  test('refused', async () => {
    const over = { ...pick, attributes: { axis: 2 } };
    expect(await refusal([...index, over, last], LENGTHS, ENDS)).toMatch(/a step by one whole number/);
    expect(await refusal([node('GatherElements', ['h', 'x'], 'p', { axis: 1 })])).toMatch(/a step by one whole number/);
    expect(await refusal([node('GatherND', ['h', '[1]'], 'p')])).toMatch(/one step of each sequence/);
  });
});

describe('numbers of steps', () => {
  test('the unbiased deviation: a factor T / (T - 1)', async () => {
    const floats = [node('Shape', ['x'], 's'), node('Gather', ['s', '1'], 'T'), node('Cast', ['T'], 'F', { to: 1 })];
    const sum = node('ReduceSum', ['h', '[1]'], 'sum', { keepdims: 0 });
    expect(await of([...floats, sum, node('Div', ['sum', 'F'], 'p')])).toEqual([3, 4, 1, 2]);
    const less = [node('Cast', ['1'], 'one', { to: 1 }), node('Sub', ['F', 'one'], 'G')];
    expect(await of([...floats, sum, ...less, node('Div', ['sum', 'G'], 'p')])).toEqual([4.5, 6, 1.5, 3]);
    expect(await of([...floats, sum, node('Sub', ['F', 'sum'], 'p')])).toEqual([-6, -9, 0, -3]);
  });
});

describe('sequences sorted by their lengths', () => {
  const sorted = (attributes: Record<string, Attribute> = {}): Node[] => [
    node('Shape', ['n'], 'B'),
    { ...node('TopK', ['n', 'B'], 'top', attributes), outputs: ['top', 'order'] },
    node('Gather', ['h', 'order'], 'y', { axis: 0 }),
    node('Squeeze', ['B'], 'b'),
    node('Range', ['0', 'b', '1'], 'given'),
    node('Shape', ['order'], 'like'),
    node('ConstantOfShape', ['like'], 'zeros', {}),
    node('ScatterElements', ['zeros', 'order', 'given'], 'back', { axis: 0 }),
  ];
  const put = node('Gather', ['y', 'back'], 'p', { axis: 0 });

  test('put back they are as they were', async () => {
    expect(await of([...sorted(), put], LENGTHS)).toEqual(DATA);
  });

  test('refused', async () => {
    expect(await refusal([...sorted(), node('Identity', ['y'], 'p')], LENGTHS)).toContain('not put back');
    expect(await refusal([...sorted(), node('Add', ['y', 'h'], 'p')], LENGTHS)).toContain('combines sorted sequences');
    expect(await refusal([...sorted({ largest: 0 }), put], LENGTHS)).toContain('the smallest');
    expect(await refusal([...sorted({ sorted: 0 }), put], LENGTHS)).toContain('TopK');
    expect(await refusal([...sorted(), node('Gather', ['h', 'back'], 'p', { axis: 0 })], LENGTHS)).toContain(
      'does not fit',
    );
    expect(await refusal([...sorted(), node('Gather', ['y', 'back'], 'p', { axis: 2 })], LENGTHS)).toContain(
      'does not fit',
    );
    expect(await refusal([...sorted(), node('Add', ['order', '1'], 'p')], LENGTHS)).toContain('numbers of sequences');
  });
});

describe('operators of com.microsoft', () => {
  const near = async (nodes: Node[], wanted: (x: number, i: number) => number) => {
    const got = await of(nodes);
    got.forEach((v, i) => {
      expect(v).toBeCloseTo(wanted(DATA[i]!, i), 4);
    });
  };
  const bias = (i: number) => (i % 2 === 0 ? 0.5 : -0.5);
  const tanhGelu = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
  const swish = (x: number, alpha: number) => x / (1 + Math.exp(-alpha * x));

  test('functions', async () => {
    await near([contrib('FastGelu', ['h'])], tanhGelu);
    await near([contrib('FastGelu', ['h', 'v'])], (x, i) => tanhGelu(x + bias(i)));
    await near([contrib('QuickGelu', ['h'])], (x) => swish(x, 1.702));
    await near([contrib('QuickGelu', ['h'], { alpha: { float: 1 } })], (x) => swish(x, 1));
    const erf = await of([contrib('Gelu', ['h'])]);
    expect(await of([contrib('BiasGelu', ['h', 'v'])])).toEqual(
      await of([node('Add', ['h', 'v'], 'a'), contrib('Gelu', ['a'])]),
    );
    expect(erf[0]).toBeCloseTo(0.8413447, 5);
  });

  test('products', async () => {
    const pair = (i: number) => [DATA[i - (i % 2)]!, DATA[i - (i % 2) + 1]!] as const;
    await near([contrib('FusedMatMul', ['h', 'W'], { alpha: { float: 2 } })], (_, i) => {
      const [a, b] = pair(i);
      return 2 * (i % 2 === 0 ? a + 3 * b : 2 * a + 4 * b);
    });
    await near([contrib('FusedMatMul', ['h', 'W'], { transB: 1 })], (_, i) => {
      const [a, b] = pair(i);
      return i % 2 === 0 ? a + 2 * b : 3 * a + 4 * b;
    });
    const times = (_: number, i: number) => {
      const [a, b] = pair(i);
      return i % 2 === 0 ? a + 3 * b : 2 * a + 4 * b;
    };
    const turned = node('Transpose', ['h'], 't', { perm: [0, 2, 1] });
    await near([turned, contrib('FusedMatMul', ['t', 'W'], { transA: 1 })], times);
    const first = node('Transpose', ['h'], 't', { perm: [2, 0, 1] });
    await near([first, contrib('FusedMatMul', ['t', 'W'], { transA: 1, transBatchA: 1 })], times);
    const second = node('Transpose', ['h'], 't', { perm: [1, 0, 2] });
    await near([second, contrib('FusedMatMul', ['t', 'W'], { transBatchA: 1 })], times);
    const last = node('Gather', ['h', '0'], 'l', { axis: 1 });
    const gemm = (attributes: Record<string, Attribute>) =>
      of([last, contrib('FusedGemm', ['l', 'W', 'v'], attributes)]);
    expect(await gemm({})).toEqual([7.5, 9.5, -6.5, -10.5]);
    expect(await gemm({ activation: 'Relu' })).toEqual([7.5, 9.5, 0, 0]);
    expect(await gemm({ activation: 'LeakyRelu', activation_alpha: { float: 0.5 } })).toEqual([7.5, 9.5, -3.25, -5.25]);
    for (const [activation, more, f] of [
      ['Softplus', {}, (x: number) => Math.log1p(Math.exp(x))],
      ['Softsign', {}, (x: number) => x / (1 + Math.abs(x))],
      ['Elu', { activation_alpha: { float: 0.5 } }, (x: number) => (x < 0 ? 0.5 * Math.expm1(x) : x)],
      ['Selu', { activation_alpha: { float: 2 }, activation_gamma: { float: 0.5 } }, (x: number) => (x < 0 ? Math.expm1(x) : x / 2)], // prettier-ignore
      ['ThresholdedRelu', { activation_alpha: { float: 8 } }, (x: number) => (x > 8 ? x : 0)],
    ] as const) {
      const got = await gemm({ activation, ...more });
      [7.5, 9.5, -6.5, -10.5].forEach((x, i) => {
        expect(got[i]).toBeCloseTo(f(x), 5);
      });
    }
    expect(await refusal([last, contrib('FusedGemm', ['l', 'W'], { activation: 'Softmax' })])).toContain("'Softmax'");
  });

  test('FusedConv', async () => {
    const conv = (attributes: Record<string, Attribute>, more: string[] = []) => of([node('Transpose', ['h'], 'c', { perm: [0, 2, 1] }), contrib('FusedConv', ['c', 'K', 'v', ...more], attributes)], X, [tensor('K', [2, 2, 1], [1, 0, 0, -1])]); // prettier-ignore
    expect((await conv({})).slice(0, 6)).toEqual([1.5, 3.5, 5.5, -2.5, -4.5, -6.5]);
    expect((await conv({ activation: 'Relu' })).slice(0, 6)).toEqual([1.5, 3.5, 5.5, 0, 0, 0]);
    expect((await conv({ activation: 'Clip', activation_params: { floats: [-3, 4] } })).slice(0, 6)).toEqual([1.5, 3.5, 4, -2.5, -3, -3]); // prettier-ignore
    expect((await conv({}, ['c'])).slice(0, 3)).toEqual([2.5, 6.5, 10.5]);
  });

  test('SkipLayerNormalization', async () => {
    const skip: Node = { ...contrib('SkipLayerNormalization', ['h', 'h', 'ones', 'v', 'v'], { epsilon: { float: 0 } }), outputs: ['p', '', '', 'sum'] }; // prettier-ignore
    const [a, b] = await of([skip]);
    expect([a, b]).toEqual([-0.5, 0.5]);
    const sum = await of([{ ...skip, outputs: ['q', '', '', 'p'] }]);
    expect(sum.slice(0, 4)).toEqual([2.5, 3.5, 6.5, 7.5]);
  });

  test('another domain is refused by its name', async () => {
    expect(await refusal([{ ...contrib('Gelu', ['h']), domain: 'ai.own' }])).toContain('ai.own.Gelu');
    expect(await refusal([contrib('Attention', ['h'])])).toContain('com.microsoft.Attention');
  });
});

describe('Einsum', () => {
  const einsum = (equation: string, w: number[], shape: number[], more: Node[] = []): Parameters<typeof of> => {
    const nodes = [...more, node('Einsum', [more.length > 0 ? 'g' : 'h', 'w'], 'p', { equation })];
    return [nodes, X, [tensor('w', shape, w), tensor('to', [4], [0, 0, 2, 1], 7)]];
  };
  const grouped = [node('Reshape', ['h', 'to'], 'g')];

  test('linear layers, of groups too', async () => {
    expect((await of(...einsum('bti,io->bto', [1, 2, 3, 4], [2, 2]))).slice(0, 2)).toEqual([7, 10]);
    expect((await of(...einsum('bti,oi->bto', [1, 2, 3, 4], [2, 2]))).slice(0, 2)).toEqual([5, 11]);
    expect((await of(...einsum('btgi,gio->btgo', [2, 3], [2, 1, 1], grouped))).slice(0, 4)).toEqual([2, 6, 6, 12]);
    expect((await of(...einsum('bti,i->bt', [1, 2], [2]))).slice(0, 2)).toEqual([5, 11]);
  });

  test.each(['bti,io,op->btp', 'op,bti,io->btp', 'io,op,bti->btp'])('of several factors: %s', async (equation) => {
    const [factors] = equation.split('->') as [string];
    const names = factors.split(',').map((letters) => ({ bti: 'h', io: 'first', op: 'second' })[letters]!);
    const nodes = [node('Einsum', names, 'p', { equation })];
    const given = [tensor('first', [2, 2], [1, 2, 3, 4]), tensor('second', [2, 1], [1, -1])];
    expect((await of(nodes, X, given)).slice(0, 2)).toEqual([7 - 10, 15 - 22]);
  });

  test('refused', async () => {
    expect(await refusal(...einsum('bti,ij,jk->btk', [1, 2, 3, 4], [2, 2]))).toMatch(
      /^invalid_file.* is of 3 inputs, it has 2/,
    );
    expect(await refusal(...einsum('bti,ij->btj,', [1, 2, 3, 4], [2, 2]))).toContain('equation');
    expect(await refusal(...einsum('bti,io->obt', [1, 2, 3, 4], [2, 2]))).toContain('linear layers');
    expect(await refusal(...einsum('bti,ti->bt', [1, 2, 3, 4], [2, 2]))).toContain('axis 1 is feature');
    expect(await refusal(...einsum('bti,iop->bto', [1, 2, 3, 4], [2, 2, 1]))).toContain('linear layers');
  });
});

describe('DequantizeLinear', () => {
  const weights = (x: string[], attributes: Record<string, Attribute> = {}) => [node('DequantizeLinear', x, 'd', attributes), node('MatMul', ['h', 'd'], 'p')]; // prettier-ignore
  const constants = [tensor('q', [2, 2], [1, 2, 3, 4], 7), tensor('u', [2, 2], [129, 130, 131, 132], 7), tensor('half', [], [0.5]), tensor('each', [2], [1, 2]), tensor('z', [], [128], 7), tensor('zeros', [2], [1, 2], 7)]; // prettier-ignore
  const first = async (nodes: Node[]) => (await of(nodes, X, constants)).slice(0, 2);

  test('scale, zero point and axis', async () => {
    expect(await first(weights(['q', 'half']))).toEqual([3.5, 5]);
    expect(await first(weights(['u', 'half', 'z']))).toEqual([3.5, 5]);
    expect(await first(weights(['q', 'each']))).toEqual([7, 20]);
    expect(await first(weights(['q', 'each'], { axis: 0 }))).toEqual([13, 18]);
    expect(await first(weights(['q', 'each', 'zeros']))).toEqual([4, 8]);
    expect(await refusal(weights(['q', 'v', 'z']), X, constants)).toContain('do not fit');
    expect(await refusal(weights(['W', 'half']), X, constants)).toContain('do not fit');
  });
});

describe('If', () => {
  const branch = (op: string, output: string) => ({ graph: { nodes: [node(op, ['h'], output)], inputs: [], outputs: [output] } }); // prettier-ignore
  const choose = (condition: string, more: Node[] = []) => [
    ...more,
    node('If', [condition], 'p', { then_branch: branch('Relu', 'a'), else_branch: branch('Neg', 'b') }),
  ];
  const isOne = node('Equal', ['0', '0'], 'true');

  test('the branch that is known to be taken', async () => {
    expect(await of(choose('true', [isOne]))).toEqual(DATA.map((v) => Math.max(v, 0)));
    expect(await of(choose('false', [node('Equal', ['0', '1'], 'false')]))).toEqual(DATA.map((v) => 0 - v));
  });

  test('refused', async () => {
    const computed = await refusal(choose('h'));
    expect(computed).toContain('the condition');
    expect(computed).toContain("initializers: { 'x'");
    const two = { ...choose('true')[0]!, outputs: ['p', 'q'] };
    expect(await refusal([isOne, two])).toContain('2 outputs');
  });
});
