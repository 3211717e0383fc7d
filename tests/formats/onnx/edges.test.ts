import { describe, expect, test } from 'vitest';
import { readOnnx, runOnnx } from '../../../ts/formats/onnx.ts';
import { BACKENDS } from '../../backends.ts';
import { numbers } from '../../facade/helpers.ts';
import { refusalOf } from '../refusal.ts';
import { type Attribute, onnxModel, tensor, type Model, type Node } from './build.ts';

/** Operators one condition away from what is read: refused by name, or right. */

const node = (op: string, inputs: string[], outputs: string[], attributes: Record<string, Attribute> = {}): Node => ({
  ...{ op, name: `the ${op}`, inputs, outputs, attributes },
});
const ints = (name: string, ...values: number[]) => tensor(name, [values.length], values, 7);
const floats = (name: string, ...shape: number[]) => tensor(name, shape, numbers(shape.reduce((n, d) => n * d, 1)));
const X = { name: 'x', shape: ['batch', 'time', 3] };
/** Whole numbers of steps, or of sequences. */
const IDS = { name: 'ids', shape: ['batch', 'time'], dtype: 7 };
const LENGTHS = { name: 'lengths', shape: ['batch'], dtype: 7 };
const RNN = node('RNN', ['s', 'W', 'R', '', 'lengths'], ['Y', 'H'], { hidden_size: 2 });
const WEIGHTS = [floats('W', 1, 2, 3), floats('R', 1, 2, 2)];

const refusal = (model: Model) => refusalOf(readOnnx(onnxModel(model)));

describe('refused', () => {
  /** Sorted as torch packs sequences: longest first, all of them. */
  const packed = (attributes: Record<string, Attribute>, count: Node, more: Node[] = []): Model => ({
    nodes: [
      node('Shape', ['lengths'], ['all']),
      count,
      node('TopK', ['lengths', 'k'], ['sorted', 'order'], attributes),
      node('Gather', ['x', 'order'], ['chosen'], { axis: 0 }),
      node('Transpose', ['chosen'], ['s'], { perm: [1, 0, 2] }),
      { ...RNN, inputs: ['s', 'W', 'R', '', 'sorted'] },
      ...more,
    ],
    inputs: [X, LENGTHS],
    outputs: ['H'],
    initializers: [...WEIGHTS, ints('two', 2)],
  });
  const all = node('Identity', ['all'], ['k']);

  test('not all sequences in order, which are read', async () => {
    expect(await refusal(packed({}, all))).toMatch(/sorted sequences that are not put back/);
  });

  test.each<[string, Record<string, Attribute>, Node]>([
    ['the shortest first', { largest: 0 }, all],
    ['in no order', { sorted: 0 }, all],
    ['some of them', {}, node('Identity', ['two'], ['k'])],
  ])('sequences sorted: %s', async (_, attributes, count) => {
    expect(await refusal(packed(attributes, count))).toMatch(/^unsupported: .*TopK.*takes the (largest|smallest)/);
  });

  const steps = (nodes: Node[], initializers: Uint8Array[], inputs = [X], outputs = ['y']): Model => ({
    ...{ nodes, inputs, outputs, initializers },
  });
  const causal = (k: number, upper: number, after: Node[], outputs = ['y']): Model => ({
    nodes: [
      node('Shape', ['x'], ['shape']),
      node('Gather', ['shape', 'one'], ['count']),
      node('Concat', ['count', 'count'], ['square'], { axis: 0 }),
      node('ConstantOfShape', ['square'], ['all'], { value: { tensor: tensor('', [1], [1]) } }),
      node('Trilu', ['all', 'k'], ['mask'], { upper }),
      node('Transpose', ['x'], ['turned'], { perm: [0, 2, 1] }),
      node('MatMul', ['x', 'turned'], ['scores']),
      ...after,
      node('Softmax', ['masked'], ['weights'], { axis: 2 }),
      node('MatMul', ['weights', 'x'], ['y']),
    ],
    inputs: [X],
    outputs,
    initializers: [ints('one', 1), tensor('k', [], [k], 7), tensor('low', [], [-1e9]), tensor('few', [], [-5])],
  });
  const masked = (low: string) => [
    node('Cast', ['mask'], ['is'], { to: 9 }),
    node('Where', ['is', low, 'scores'], ['masked']),
  ];

  test('causal masks are read, and no other parts of steps by steps', async () => {
    const { spec } = await readOnnx(onnxModel(causal(1, 1, masked('low'))));
    expect(spec.layers).toMatchObject([{ type: 'attention', causal: true }]);
    expect(await refusal(causal(0, 1, masked('low')))).toMatch(/Trilu.*takes a part of \[time, time\]; supported: /);
    expect(await refusal(causal(1, 0, masked('low')))).toMatch(/Trilu.*takes a part/);
    expect(await refusal(causal(1, 1, masked('few')))).toMatch(
      /Where.*masks later steps of scores .* by -5; supported: /,
    );
    expect(await refusal(causal(0, 0, masked('low')))).toMatch(/Where.*reads a mask of steps by steps/);
    const added = [node('Mul', ['mask', 'low'], ['lows']), node('Add', ['scores', 'lows'], ['masked'])];
    const other = (await readOnnx(onnxModel(causal(1, 1, added)))).spec;
    expect(other.layers).toMatchObject([{ type: 'attention', causal: true }]);
    expect(await refusal(causal(1, 1, masked('low'), ['mask']))).toMatch(/output 'mask' of the graph does not hold/);
  });

  /** Scores of x with itself, masked by `mask` (booleans), which has later steps. */
  const attended = (mask: Node[], more: Uint8Array[] = [], low = 'low'): Model => {
    const whole = causal(1, 1, [node('Where', ['mask', low, 'scores'], ['masked'])]);
    const [shape, count, , , , ...rest] = whole.nodes;
    const steps = [
      node('Squeeze', ['count', 'zero'], ['T']),
      node('Range', ['from', 'T', 'by'], ['steps']),
      node('Unsqueeze', ['steps', 'zero'], ['row']),
      node('Unsqueeze', ['steps', 'one'], ['column']),
    ];
    return {
      ...whole,
      nodes: [shape!, count!, ...steps, ...mask, ...rest],
      initializers: [...whole.initializers!, ints('zero', 0), tensor('from', [], [0], 7), tensor('by', [], [1], 7), ...more], // prettier-ignore
    };
  };
  const isCausal = async (model: Model) => {
    const { spec } = await readOnnx(onnxModel(model));
    expect(spec.layers.at(-1)).toMatchObject({ type: 'attention', causal: true });
  };

  test('the numbers of the steps compared are a causal mask, where each step has a part in itself', async () => {
    const not = (op: string, inputs: string[]) => [node(op, inputs, ['within']), node('Not', ['within'], ['mask'])];
    await isCausal(attended([node('Greater', ['row', 'column'], ['mask'])]));
    await isCausal(attended([node('Less', ['column', 'row'], ['mask'])]));
    await isCausal(attended(not('LessOrEqual', ['row', 'column'])));
    await isCausal(attended(not('GreaterOrEqual', ['column', 'row'])));
    for (const [op, inputs] of [
      ['GreaterOrEqual', ['row', 'column']],
      ['LessOrEqual', ['column', 'row']],
    ] as const)
      expect(await refusal(attended([node(op, [...inputs], ['mask'])]))).toMatch(/compares the numbers of steps/);
    expect(await refusal(attended([node('Less', ['row', 'column'], ['mask'])]))).toMatch(/compares the numbers/);
    expect(await refusal(attended([node('Greater', ['column', 'row'], ['mask'])]))).toMatch(/compares the numbers/);
  });

  test('of a table that holds a causal mask as many steps are taken', async () => {
    const table = (later: (i: number, j: number) => boolean) =>
      tensor(
        'table',
        [4, 4],
        Array.from({ length: 16 }, (_, i) => Number(later(Math.floor(i / 4), i % 4))),
        7,
      );
    const slice = (from: string, to: string, axis: string, start = 'zero') =>
      node('Slice', [from, start, 'count', axis], [to]);
    const bool = node('Cast', ['part'], ['mask'], { to: 9 });
    const both = [slice('table', 'rows', 'zero'), slice('rows', 'part', 'one'), bool];
    await isCausal(attended(both, [table((i, j) => j > i)]));
    for (const other of [(i: number, j: number) => j >= i, (i: number, j: number) => j < i])
      expect(await refusal(attended(both, [table(other)]))).toMatch(/Slice/);
    const [one, last] = [node('Slice', ['table', 'zero', 'count', 'zero'], ['part']), slice('rows', 'part', 'one', 'one')]; // prettier-ignore
    expect(await refusal(attended([one, bool], [table((i, j) => j > i)]))).toMatch(/Where.*masks later steps/);
    expect(await refusal(attended([both[0]!, last, bool], [table((i, j) => j > i)]))).toMatch(
      /Slice.*reads a mask of steps/,
    );
  });

  test('keys that a mask hides beside later steps: by the same number', async () => {
    const later = node('Greater', ['row', 'column'], ['later']);
    const padding = [
      node('Cast', ['n'], ['length'], { to: 7 }),
      node('Unsqueeze', ['length', 'one'], ['lengths']),
      node('GreaterOrEqual', ['row', 'lengths'], ['past']),
      node('Unsqueeze', ['past', 'one'], ['padding']),
    ];
    const of = (nodes: Node[], low?: string): Model => {
      const model = attended([later, ...padding, ...nodes], [], low);
      return { ...model, inputs: [...model.inputs, { name: 'n', shape: ['b'], dtype: 7 }] };
    };
    await isCausal(of([node('Or', ['later', 'padding'], ['mask'])]));
    await isCausal(of([node('Not', ['later'], ['w']), node('Not', ['padding'], ['kept']), node('And', ['kept', 'w'], ['both']), node('Not', ['both'], ['mask'])])); // prettier-ignore
    expect(await refusal(of([node('And', ['later', 'padding'], ['mask'])]))).toMatch(/And.*reads a mask of steps/);
    const twice = (low: string) => {
      const model = of([node('Identity', ['later'], ['mask'])]);
      const at = model.nodes.findIndex(({ op }) => op === 'Where');
      const own = model.nodes.map((one) => (one.op === 'Where' ? node('Where', ['mask', 'low', 'padded'], ['masked']) : one)); // prettier-ignore
      return { ...model, nodes: [...own.slice(0, at), node('Where', ['padding', low, 'scores'], ['padded']), ...own.slice(at)], initializers: [...model.initializers!, tensor('lower', [], [-2e9])] }; // prettier-ignore
    };
    await isCausal(twice('low'));
    expect(await refusal(twice('lower'))).toMatch(/Where.*masks later steps of scores/);
  });

  test('an output that is a constant, with the others', async () => {
    const model = steps([node('Neg', ['x'], ['y']), node('Shape', ['c'], ['z'])], [floats('c', 3)], [X], ['y', 'z']);
    expect(await refusal(model)).toMatch(
      /^unsupported: output 'z' of the graph does not hold what is computed from its inputs; { onnx: { outputs: \['y'\] } } leaves it out$/,
    );
  });

  test.each<[string, Model, RegExp]>([
    [
      'several steps picked',
      steps([node('Gather', ['x', 'i'], ['y'], { axis: 1 })], [ints('i', 0, -1)]),
      /picks \[0, -1\] of the time axis/,
    ],
    [
      'the rest of a division by several numbers',
      steps([node('Mod', ['ids', 'd'], ['m']), node('Gather', ['E', 'm'], ['y'])], [ints('d', 2, 3), floats('E', 5, 3)], [IDS]), // prettier-ignore
      /Mod.*whole numbers and one number/,
    ],
    [
      'a comparison with several numbers',
      steps([node('Less', ['x', 'c'], ['m']), node('Cast', ['m'], ['y'], { to: 1 })], [floats('c', 3)]),
      /Less.*with one number/,
    ],
    ...['bti,io->bo', 'bti,io->bot', 'bti,ioo->bto', 'bti,io->bti', 'bti,oi->btoi', 'bti,jo->bto'].map(
      (equation): [string, Model, RegExp] => [
        `Einsum of ${equation}`,
        steps([node('Einsum', ['x', 'w'], ['y'], { equation })], [floats('w', ...(equation.includes('ioo') ? [3, 2, 2] : [3, 3]))]), // prettier-ignore
        /Einsum/,
      ],
    ),
    [
      'a kernel of one beside the time, over features',
      steps(
        [node('Unsqueeze', ['x', 'one'], ['u']), node('Conv', ['u', 'W'], ['y'], { kernel_shape: [3, 1] })],
        [ints('one', 1), floats('W', 2, 1, 3, 1)],
      ),
      /Conv.*convolves \[batch, 1, time, 3\]/,
    ],
  ])('%s', async (_, model, message) => {
    expect(await refusal(model)).toMatch(message);
  });
});

/** (batch, steps, features) as lists. */
const BATCH = 2;
const STEPS = 7;
const x = numbers(BATCH * STEPS * 3);
const at = (b: number, t: number, f: number) => x[(b * STEPS + t) * 3 + f]!;

const table = (steps: number, features: number, f: (b: number, t: number, f: number) => number) => ({
  shape: [BATCH, steps, features],
  data: Float32Array.from({ length: BATCH * steps * features }, (_, i) => {
    const row = Math.floor(i / features);
    return f(Math.floor(row / steps), row % steps, i % features);
  }),
});
const expectNear = (got: { shape: readonly number[]; data: ArrayLike<number> }, want: ReturnType<typeof table>) => {
  expect(got.shape).toEqual(want.shape);
  for (let i = 0; i < want.data.length; i++) expect(got.data[i], `number ${i}`).toBeCloseTo(want.data[i]!, 5);
};

describe('scores of steps by steps, lowered by a mask and kept by another', () => {
  /** mask (scores - 1e9) + (1 - mask) scores, which of two masks each is: how Keras 3 chooses. */
  const chosen = (low: string, kept: string, from = 'scores', also?: string, most = 1e9): Model => {
    const mask = (ids: string, name: string) => [
      node('Equal', [ids, 'zero'], [`${name}.is`]),
      node('Cast', [`${name}.is`], [`${name}.one`], { to: 1 }),
      node('Sub', ['one', `${name}.one`], [`${name}.other`]),
      node('Unsqueeze', [`${name}.one`, 'axis'], [`${name}.low`]),
      node('Unsqueeze', [`${name}.other`, 'axis'], [`${name}.kept`]),
    ];
    return {
      nodes: [
        ...[...mask('ids', 'm'), ...mask('ids2', 'n')],
        node('Transpose', ['x'], ['turned'], { perm: [0, 2, 1] }),
        node('MatMul', ['x', 'turned'], ['scores']),
        node('MatMul', ['z', 'turned'], ['others']),
        node('Sub', [from, 'most'], ['lowered']),
        node('Mul', ['m.kept', 'two'], ['m.twice']),
        node('Mul', ['m.low', 'half'], ['m.some']),
        node('Sub', ['one', 'm.some'], ['m.most']),
        ...(also === undefined ? [] : [node('Mul', ['lowered', also], ['masked'])]),
        node('Mul', [also === undefined ? 'lowered' : 'masked', low], ['a']),
        node('Mul', ['scores', kept], ['b']),
        node('Add', ['a', 'b'], ['c']),
        node('Softmax', ['c'], ['p'], { axis: -1 }),
        node('MatMul', ['p', 'x'], ['y']),
      ],
      inputs: [X, { ...X, name: 'z' }, IDS, { ...IDS, name: 'ids2' }],
      outputs: ['y'],
      initializers: [
        tensor('one', [], [1]),
        tensor('zero', [], [0], 7),
        tensor('most', [], [most]),
        tensor('two', [], [2]),
        tensor('half', [], [0.5]),
        ints('axis', 1),
      ],
    };
  };

  test.each([
    ['at its zeros', 'm.low', 'm.kept', 0],
    ['at all others', 'm.kept', 'm.low', 1],
  ])('the same one is read: lowered %s', async (_, low, kept, wanted) => {
    const ids = Int32Array.of(0, 3, 0, 1, 1, 0, 2, ...[0, 0, 0, 4, 1, 0, 0]);
    const result = (b: number, t: number, f: number) => {
      const scores = Array.from({ length: STEPS }, (_, s) => at(b, t, 0) * at(b, s, 0) + at(b, t, 1) * at(b, s, 1) + at(b, t, 2) * at(b, s, 2)); // prettier-ignore
      const weights = scores.map((score, s) => (Number(ids[b * STEPS + s] !== 0) === wanted ? 0 : Math.exp(score)));
      const sum = weights.reduce((n, w) => n + w, 0);
      return weights.reduce((n, w, s) => n + (w / sum) * at(b, s, f), 0);
    };
    for (const { api } of BACKENDS) {
      using model = await api.loadModel(onnxModel(chosen(low, kept)));
      const rows = { data: x, shape: [BATCH, STEPS, 3] };
      const ofSteps = { data: ids, shape: [BATCH, STEPS] };
      const given = Object.fromEntries(Object.entries({ x: rows, z: rows, ids: ofSteps, ids2: ofSteps }).filter(([name]) => model.report!.graph!.inputs.some((input) => input.name === name))); // prettier-ignore
      expectNear(runOnnx(model, given)['y']!, table(STEPS, 3, result));
    }
  });

  test.each([
    ['two masks', 'm.low', 'n.kept'],
    ['two masks, the other way', 'n.kept', 'm.low'],
    ['one mask twice', 'm.low', 'm.low'],
    ['its opposite twice', 'm.kept', 'm.kept'],
    ['other scores', 'm.low', 'm.kept', 'others'],
    ['twice as much kept', 'm.low', 'm.twice'],
    ['some kept of what is lowered', 'm.low', 'm.most'],
    ['lowered by two masks', 'm.low', 'm.kept', 'scores', 'n.low'],
  ])('%s: refused', async (_, ...masks) => {
    expect(await refusal(chosen(...(masks as [string, string])))).toMatch(
      /those of a mask and those of its opposite|reads scores of steps by steps/,
    );
  });

  test('lowered by little: refused', async () => {
    expect(await refusal(chosen('m.low', 'm.kept', 'scores', undefined, 5))).toMatch(
      /scores of steps by steps|those of a mask/,
    );
  });
});

describe.each(BACKENDS)('right on $name', ({ api }) => {
  const run = async (nodes: Node[], initializers: Uint8Array[]) => {
    using model = await api.loadModel(onnxModel({ nodes, inputs: [X], outputs: ['y'], initializers }));
    return runOnnx(model, { x: { data: x, shape: [BATCH, STEPS, 3] } })['y']!;
  };
  const kernel = numbers(4 * 3 * 2, 5);
  /** Of two taps, with a step of zeros before and two behind. */
  const ROWS = STEPS + 2;
  const convolved = (b: number, t: number, o: number) => {
    let sum = 0;
    for (let j = 0; j < 2; j++) {
      const step = t - 1 + j;
      for (let f = 0; step >= 0 && step < STEPS && f < 3; f++) sum += kernel[(o * 3 + f) * 2 + j]! * at(b, step, f);
    }
    return sum;
  };
  const SLICED = [
    node('Transpose', ['x'], ['channels'], { perm: [0, 2, 1] }),
    node('Conv', ['channels', 'K'], ['conv'], { pads: [1, 2] }),
    node('Slice', ['conv', 'start', 'end', 'axis', 'step'], ['some']),
    node('Transpose', ['some'], ['y'], { perm: [0, 2, 1] }),
  ];
  test.each([
    [0, -1, 1],
    [0, -2, 1],
    [0, -5, 1],
    [1, -1, 1],
    [2, 2 ** 40, 1],
    [0, -1, 2],
    [0, -2, 2],
    [0, 2 ** 40, 2],
    [1, -1, 2],
    [1, 2 ** 40, 3],
  ])('a convolution, of which steps %i to %i by %i are taken', async (start, end, step) => {
    const indices = [ints('start', start), ints('end', end), ints('axis', 2), ints('step', step)];
    const count = Math.ceil((ROWS + Math.min(end, 0) - start) / step);
    const want = table(count, 4, (b, t, o) => convolved(b, start + t * step, o));
    expectNear(await run(SLICED, [...indices, tensor('K', [4, 3, 2], kernel)]), want);
  });

  const whole = numbers(2 * 4 * 3, 9);
  test.each<[string, string, number[], (b: number, t: number, n: number) => number]>([
    ['groups of features', 'btgi,gio->btgo', [3, 1, 2], (b, t, n) => at(b, t, Math.floor(n / 2)) * whole[n]!],
    ['all features', 'bti,io->bto', [3, 4], (b, t, n) => [0, 1, 2].reduce((s, i) => s + at(b, t, i) * whole[i * 4 + n]!, 0)],
    ['all features, turned', 'bti,oi->bto', [4, 3], (b, t, n) => [0, 1, 2].reduce((s, i) => s + at(b, t, i) * whole[n * 3 + i]!, 0)],
  ])('Einsum of %s', async (_, equation, shape, expected) => {
    const width = shape.length === 3 ? 6 : 4;
    const nodes = [
      ...(shape.length === 3 ? [node('Reshape', ['x', 'cut'], ['g'])] : []),
      node('Einsum', [shape.length === 3 ? 'g' : 'x', 'w'], [shape.length === 3 ? 'p' : 'y'], { equation }),
      ...(shape.length === 3 ? [node('Reshape', ['p', 'flat'], ['y'])] : []),
    ];
    const size = shape.reduce((n, d) => n * d, 1);
    const given = [ints('cut', 0, 0, 3, 1), ints('flat', 0, 0, 6), tensor('w', shape, whole.subarray(0, size))];
    expectNear(await run(nodes, given), table(STEPS, width, expected));
  }); // prettier-ignore
});
