import { describe, expect, test } from 'vitest';
import { createApi } from '../../ts/api/create-api.ts';
import { jsBackend } from '../../ts/backends/js/index.ts';
import { readPytorch, type PytorchLayer, type PytorchOptions } from '../../ts/formats/pytorch.ts';
import { describeModules, moduleKind } from '../../ts/formats/pytorch/modules.ts';
import { suggestLayers } from '../../ts/formats/pytorch/suggest.ts';
import { listModules, splitName } from '../../ts/formats/pytorch/names.ts';
import type { StateEntry } from '../../ts/formats/pytorch/source.ts';
import { writeSafetensors } from '../../ts/formats/safetensors.ts';
import { refusalOf } from './refusal.ts';

/** What the lines of `layers` make of a state dict: names, inputs, weights, and what is said of it. */

type Sizes = Record<string, number[]>;
const file = (tensors: Sizes) =>
  writeSafetensors(
    Object.fromEntries(
      Object.entries(tensors).map(([name, shape]) => {
        const data = Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => i + 1);
        return [name, { dtype: 'F32' as const, shape, data }];
      }),
    ),
  );
const under = (name: string, tensors: Sizes) =>
  Object.fromEntries(Object.entries(tensors).map(([key, shape]) => [name + key, shape]));
/** An nn.GRU of I = 2, H = 3. */
const gru = (layers = 1, directions = 1): Sizes =>
  Object.fromEntries(
    Array.from({ length: layers }, (_, k) =>
      (directions === 1 ? [`_l${k}`] : [`_l${k}`, `_l${k}_reverse`]).flatMap((end) => [
        [`weight_ih${end}`, [9, k === 0 ? 2 : 3 * directions]],
        [`weight_hh${end}`, [9, 3]],
      ]),
    ).flat() as [string, number[]][],
  );
const MODEL: Sizes = { ...under('g.', gru()), 'l.weight': [4, 3], 'l.bias': [4], 'e.weight': [7, 2] };
const read = (tensors: Sizes, pytorch: PytorchOptions) => readPytorch(file(tensors), { options: { pytorch } });
const only = (names: string) => Object.fromEntries(Object.entries(MODEL).filter(([name]) => names.includes(name[0]!)));
/** The part of the model that the layers name. */
const spec = async (names: string, layers: PytorchLayer[], more: PytorchOptions = {}) =>
  (await read(only(names), { layers, ...more })).spec;

test('weights are copies: the file may be changed when it has been read', async () => {
  const bytes = file(MODEL);
  const layers = [{ embedding: 'e' }, { gru: 'g' }, { linear: 'l' }];
  const { spec: made } = await readPytorch(bytes, { options: { pytorch: { layers } } });
  const before = JSON.stringify(made);
  bytes.fill(0);
  expect(JSON.stringify(made)).toBe(before);
});

test('a value beside itself a step earlier: cat((zeros, h[:, :-1]), 1) + h, whole and on a stream', async () => {
  const api = createApi(() => Promise.resolve(jsBackend));
  const weights = { ...under('g.', gru()) };
  const scaled = Object.fromEntries(
    Object.entries(weights).map(([name, shape]) => {
      const data = Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(i));
      return [name, { dtype: 'F32' as const, shape, data }];
    }),
  );
  const load = (...layers: PytorchLayer[]) => api.loadModel(writeSafetensors(scaled), { pytorch: { layers } });
  using plain = await load({ gru: 'g' });
  const shift: PytorchLayer[] = [{ gru: 'g' }, { pad: [1, -1], name: 'before' }, { sum: ['g', 'before'] }];
  using shifted = await load(...shift);
  const x = Float32Array.of(1, 2, -1, 0.5, 0.25, -2, 1, 1);
  const [h, y] = [plain, shifted].map((model) => Array.from(model.run(x).output.data));
  expect(y).toEqual(h!.map((value, i) => Math.fround(value + (h![i - 3] ?? 0))));
  expect(Array.from(shifted.run(x.subarray(0, 2)).output.data)).toEqual(h!.slice(0, 3));
  expect(Array.from(shifted.run(new Float32Array(0)).output.data)).toEqual([]);
  using stream = shifted.createStream();
  const live = [x.subarray(0, 2), x.subarray(2, 6), x.subarray(6)].flatMap((block) => Array.from(stream.run(block)));
  expect(live).toEqual(y);
});

test("names without a part of what all begin with, as Lightning's model.", async () => {
  const names = async (tensors: Sizes, ...layers: PytorchLayer[]) =>
    (await read(tensors, { layers })).report.tensors.map(({ source }) => source);
  const alone = under('model.gru.', gru());
  for (const name of ['gru', 'model.gru', '']) expect(await names(alone, { gru: name })).toEqual(Object.keys(alone));
  const net = { 'a.b.net.0.weight': [4, 3], 'a.b.net.2.weight': [2, 4] };
  for (const prefix of ['', 'net.', 'b.net.', 'a.b.net.'])
    expect(await names(net, { linear: `${prefix}0` }, { linear: `${prefix}2` })).toEqual(Object.keys(net));
  await expect(names(net, { linear: 'other.0' })).rejects.toThrow(/no tensor 'other.0.weight'/);
});

test('pads by the names of PyTorch', async () => {
  const made = await spec('g', [{ gru: 'g' }, { pad: [1, 1], mode: 'replicate' }]);
  expect(made.layers[1]).toMatchObject({ type: 'pad', mode: 'edge' });
});

describe("the model's input", () => {
  test.each<[string, string, PytorchLayer[], object]>([
    ['ids of an embedding', 'eg', [{ embedding: 'e' }, { gru: 'g' }], { name: 'input', dtype: 'int32', size: 1 }],
    ['features of a GRU', 'gl', [{ gru: 'g' }, { linear: 'l' }], { name: 'input', dtype: 'float32', size: 2 }],
    ['features of a linear', 'le', [{ linear: 'l' }, { embedding: 'e' }], { name: 'input', dtype: 'float32', size: 3 }],
    ['by its name', 'gl', [{ gru: 'g', from: 'x' }, { linear: 'l' }], { name: 'x', dtype: 'float32', size: 2 }],
  ])('%s', async (_, names, layers, input) => {
    expect((await spec(names, layers)).inputs).toEqual([input]);
  });

  test.each<PytorchLayer>([{ activation: 'relu' }, { step: 0 }, { concat: ['x', 'x'] }])('of %j is to be given', async (layer) => {
    const [kind] = Object.keys(layer);
    expect(await refusalOf(spec('', [layer]))).toMatch(`invalid_argument: pytorch.layers begin with '${kind!}'`);
    const inputs = [{ name: 'x', dtype: 'float32' as const, size: 2 }];
    expect((await spec('', [layer], { inputs })).inputs).toEqual(inputs);
  }); // prettier-ignore

  test('is kept as it is given', async () => {
    const inputs = [{ name: 'x', dtype: 'float32' as const, size: 5 }];
    expect((await spec('g', [{ gru: 'g', from: 'x' }], { inputs })).inputs).toEqual(inputs);
  });
});

describe('layers', () => {
  test('without a name are called by their module, or by their kind and a number', async () => {
    const made = await spec('gl', [
      { gru: 'g' },
      { activation: 'relu' },
      { linear: 'l' },
      { activation: 'tanh' },
      { name: 'activation_2', activation: 'relu' },
      { activation: 'sigmoid' },
      { step: 0 },
      { sum: ['l', 'l'] },
    ]);
    expect(made.layers.map(({ name }) => name)).toEqual(['g', 'activation', 'l', 'activation_1', 'activation_2', 'activation_3', 'step', 'sum']); // prettier-ignore
    expect(made.outputs).toEqual([{ name: 'sum', from: 'sum' }]);
  });

  test('are not called as a GRU of several layers is', async () => {
    const layers = [{ gru: 'g', name: 'step' }, { step: -1 as const }];
    const { spec: made } = await read(under('g.', gru(2)), { layers });
    expect(made.layers.map(({ name, inputs }) => [name, inputs])).toEqual([
      ['step_l0', undefined],
      ['step_l1', ['step_l0']],
      ['step_1', ['step_l1']],
    ]);
  });

  test('of a linear without an activation have none, of one by its tensors have those', async () => {
    const [plain] = (await spec('l', [{ linear: 'l' }])).layers;
    expect(Object.keys(plain!)).toEqual(['name', 'type', 'inputSize', 'outputSize', 'weights']);
    const [named] = (await spec('l', [{ linear: { weight: 'l.weight', bias: 'l.bias' }, name: 'l' }])).layers;
    expect(named).toEqual(plain);
    const [bare] = (await spec('l', [{ linear: { weight: 'l.weight' } }], { ignore: ['l.bias'] })).layers;
    expect(bare).toMatchObject({ name: 'linear', weights: { kernel: expect.anything() as unknown } });
    expect(bare).not.toHaveProperty('weights.bias');
    const [root] = (await read({ weight: [4, 3], bias: [4] }, { layers: [{ linear: '' }] })).spec.layers;
    expect(root).toEqual({ ...plain, name: 'linear' });
  });

  test.each<[string, PytorchLayer, RegExp]>([
    ['a bias that is not there', { linear: { weight: 'l.weight', bias: 'b' } }, /invalid_argument: .*no tensor 'b'/],
    ['another tensor', { linear: { weight: 'l.weight', bis: 'l.bias' } }, /linear: give the names of its tensors weight, bias, not 'bis'/],
    ['no tensor', { linear: {} }, /weight, bias, not 'nothing'/],
    ['a bias alone', { linear: { bias: 'l.bias' } }, /weight, bias, not 'nothing'/],
    ['a tensor that an embedding has not', { embedding: { weight: 'l.weight', bias: 'l.bias' } }, /embedding: give the names of its tensors weight, not 'bias'/],
  ])('by their tensors are refused: %s', async (_, layer, message) => {
    expect(await refusalOf(spec('l', [layer]))).toMatch(message);
  }); // prettier-ignore

  test.each([
    ['relu', 'relu'],
    ['hard_sigmoid', { name: 'hard_sigmoid', alpha: 1 / 6, beta: 0.5 }],
    [{ name: 'hard_sigmoid' }, { name: 'hard_sigmoid', alpha: 1 / 6, beta: 0.5 }],
    [{ name: 'hard_sigmoid', alpha: 0.2, beta: 0 }, { name: 'hard_sigmoid', alpha: 0.2, beta: 0 }],
    [{ name: 'elu', alpha: 0.2 }, { name: 'elu', alpha: 0.2 }],
    ['relu6', { name: 'clip', alpha: 0, beta: 6 }],
    ['hardtanh', { name: 'clip', alpha: -1, beta: 1 }],
    [{ name: 'hardtanh', beta: 20, alpha: 0 }, { name: 'clip', alpha: 0, beta: 20 }],
    ['hardsigmoid', { name: 'hard_sigmoid', alpha: 1 / 6, beta: 0.5 }],
    ['hardswish', { name: 'hard_swish' }],
    ['silu', { name: 'swish' }],
    ['logsigmoid', { name: 'log_sigmoid' }],
    ['tanhshrink', { name: 'tanh_shrink' }],
  ] as const)('have the activation %j as %j', async (activation, wanted) => {
    const { layers } = await spec('l', [{ linear: 'l', activation }, { activation }]);
    expect(layers.map((layer) => 'activation' in layer && layer.activation)).toEqual([wanted, wanted]);
  }); // prettier-ignore
});

test('inputs that no line reads together have steps of their own, unless they say theirs', async () => {
  const tensors = { ...under('g.', gru()), ...under('h.', gru()) };
  const input = (name: string) => ({ name, dtype: 'float32', size: 2 }) as const;
  const layers = [{ gru: 'g', from: 'x' }, { gru: 'h', from: 'y', initialState: 'g' }];
  const own = await read(tensors, { inputs: [input('x'), input('y')], layers });
  expect(own.spec.inputs.map(({ axis }) => axis)).toEqual(['x', 'y']);
  const told = await read(tensors, { inputs: [{ ...input('x'), axis: 'both' }, { ...input('y'), axis: 'both' }], layers });
  expect(told.spec.inputs.map(({ axis }) => axis)).toEqual(['both', 'both']);
  using model = await createApi(() => Promise.resolve(jsBackend)).loadModel(file(tensors), { pytorch: { inputs: [input('x'), input('y')], layers } });
  expect(model.run({ x: new Float32Array(10), y: new Float32Array(4) }).output.shape).toEqual([2, 3]);
}); // prettier-ignore

describe('a GRU', () => {
  const layers = (module: PytorchLayer): PytorchOptions => ({ layers: [module] });

  test('by the names of its tensors', async () => {
    const named = { a: [9, 2], b: [9, 3] };
    const { spec: made } = await read(under('module.', named), layers({ gru: { weight_ih: 'a', weight_hh: 'module.b' }, name: 'g' })); // prettier-ignore
    const plain = await read(under('g.', gru()), layers({ gru: 'g' }));
    expect(made).toEqual(plain.spec);
    expect(plain.report.conventions).toEqual([
      "gru 'g': reset gate after the recurrent product, 1 layer(s), forward, hidden size 3",
    ]);
  });

  test('takes its initial states layer after layer, direction after direction', async () => {
    const states = ['a', 'b', 'c', 'd'];
    const options: PytorchOptions = { layers: [{ gru: 'g', initialState: states }] };
    const { spec: made } = await read(under('g.', gru(2, 2)), options);
    expect(made.layers).toMatchObject([{ initialState: ['a', 'b'] }, { initialState: ['c', 'd'] }]);
    const both = { ...under('g.', gru(2, 2)), ...under('h.', gru(2, 2)) };
    const copied = await read(both, { layers: [{ gru: 'g' }, { gru: 'h', from: 'input', initialState: 'g' }] });
    expect(copied.spec.layers[3]).toMatchObject({ initialState: ['g_l1:forwardState', 'g_l1:reverseState'] });
  });

  test.each<[string, Sizes, PytorchLayer, RegExp]>([
    ['a module of no GRU', { 'g.w': [9, 2] }, { gru: 'g' }, /invalid_argument: .*no tensor 'g\.weight_ih_l0' for the nn\.GRU 'g'/],
    ['no module', { 'g.w': [9, 2] }, { gru: 'h' }, /invalid_argument: .*no tensor 'h\.weight_ih_l0' for the nn\.GRU 'h'/],
    ['an LSTM', { 'g.weight_ih_l0': [12, 2], 'g.weight_hh_l0': [12, 3] }, { gru: 'g' }, /invalid_argument: .*which is that of nn\.LSTM .*write \{ lstm: 'g' \}/],
    ['an RNN', { 'g.weight_ih_l0': [3, 2], 'g.weight_hh_l0': [3, 3] }, { gru: 'g' }, /invalid_argument: .*which is that of nn\.RNN .*write \{ rnn: 'g' \}/],
    ['an LSTM by its tensors', { i: [12, 2], h: [12, 3] }, { gru: { weight_ih: 'i', weight_hh: 'h' } }, /invalid_argument: .*'h' has shape \[12, 3\], .*write \{ lstm: \{ \.\.\. \} \}/],
    ['a row as weight_hh', { i: [9, 2], h: [9] }, { gru: { weight_ih: 'i', weight_hh: 'h' } }, /unsupported: .*'h' has shape \[9\]; of nn\.GRU it is \[3 \* hidden size, hidden size\]$/],
    ['three axes as weight_hh', { i: [9, 2], h: [9, 3, 1] }, { gru: { weight_ih: 'i', weight_hh: 'h' } }, /unsupported: .*'h' has shape \[9, 3, 1\]; of nn\.GRU it is \[3 \* hidden size, hidden size\]$/],
  ])('is refused: %s', async (_, tensors, layer, message) => {
    expect(await refusalOf(read(tensors, layers(layer)))).toMatch(message);
  }); // prettier-ignore

  test('of which a layer is missing is refused with the cause', async () => {
    const error: unknown = await read(under('g.', { ...gru(1), weight_ih_l2: [9, 3], weight_hh_l2: [9, 3] }), layers({ gru: 'g' })).catch((e: unknown) => e); // prettier-ignore
    expect(error).toMatchObject({ code: 'invalid_file', cause: { code: 'invalid_argument' } });
  });
});

describe('the modules of a state dict', () => {
  const shapes = (tensors: Record<string, number[] | string>) => new Map(Object.entries(tensors));
  const modules = (tensors: Record<string, number[] | string>) =>
    listModules(
      new Map(
        Object.entries(tensors).map(([name, shape]): [string, StateEntry] => [
          name,
          typeof shape === 'string'
            ? shape
            : { shape, dtype: 'float32', floats: () => Promise.resolve(new Float32Array(0)) },
        ]),
      ),
    );
  test.each<[string, [string, string]]>([
    ['a.b.c', ['a.b', 'c']],
    ['a', ['', 'a']],
    ['.a', ['', 'a']],
  ])('%s', (name, parts) => {
    expect(splitName(name)).toEqual(parts);
  });

  test.each<[string, Record<string, number[] | string>]>([
    ['GRU', { weight_ih_l0: [9, 2], weight_hh_l0: [9, 3] }],
    ['GRU', { weight_ih_l0: [9, 2], weight_hh_l0: [9, 3], weight_hh_l0_reverse: [9, 3], bias_ih_l10: [9] }],
    ['GRUCell', { weight_ih: [9, 2], weight_hh: [9, 3], bias_hh: [9] }],
    ['LSTMCell', { weight_ih: [12, 2], weight_hh: [12, 3] }],
    ['RNN', { weight_hh_l0: [3, 3] }],
    ['other', { weight_hh_l0: [15, 3] }],
    ['LSTM with proj_size', { weight_hh_l0: [9, 3], weight_hr_l0: [2, 3] }],
    ['other', { weight_hh_l0: [9, 3], my_weight_ih_l0: [9, 3] }],
    ['other', { weight_hh_l0: [9, 3], weight_ih_l0_copy: [9, 3] }],
    ['other', { weight_hh_l0: [9] }],
    ['other', { weight_hh_l0: [9, 3, 1] }],
    ['other', { weight_hh_l0: 'a list' }],
    ['Linear', { weight: [4, 3], bias: [4] }],
    ['Embedding or Linear without bias', { weight: [4, 3] }],
    ['other', { weight: [4, 3], bias: [3] }],
    ['other', { weight: [4, 3], bias: 'None' }],
    ['other', { weight: [4, 3], scale: [4] }],
    ['other', { weight: [4, 3], bias: [4], scale: [4] }],
    ['other', { weight: [4, 3, 1, 1] }],
    ['other', { weight: 'xy' }],
    ['other', { bias: [4] }],
  ])('%s: %j', (kind, tensors) => {
    expect(moduleKind({ name: 'm', tensors: shapes(tensors) })).toBe(kind);
  });

  test('in words', () => {
    expect(describeModules(modules({}))).toBe('none');
    const other = { weight_ih_l0: [9, 2], weight_hh_l0: [9, 3], extra: [1], note: 'a str' };
    expect(describeModules(modules({ ...under('g.', gru()), weight: [4, 3], ...Object.fromEntries(Object.entries(other).map(([k, v]) => [`o.${k}`, v])) }))).toBe("'g' (GRU), without a prefix (Embedding or Linear without bias), 'o' (extra [1], note a str, weight_ih_l0 [9, 2], weight_hh_l0 [9, 3])"); // prettier-ignore
    const five = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [`o.${name}`, [1]]));
    expect(describeModules(modules(five))).toBe("'o' (a [1], b [1], c [1], d [1], ...)");
    const many = (n: number) => modules(Object.fromEntries(Array.from({ length: n }, (_, i) => [`m${i}.weight`, [4, 3]])));
    expect(describeModules(many(20))).toMatch(/'m19' \([^)]*\)$/);
    expect(describeModules(many(22))).toMatch(/'m19' \([^)]*\), and 2 more$/);
    expect(suggestLayers(many(22))).toMatch(/\{ linear: 'm19' \}\] \} \} \(by their sizes not all/);
  }); // prettier-ignore

  test.each<[string, Record<string, number[]>, string]>([
    ['one after the other', { 'e.weight': [7, 2], ...under('c.', { weight_ih: [9, 2], weight_hh: [9, 3] }), 'p.weight': [4, 3], 'l.weight': [4, 3], 'l.bias': [4] }, "{ embedding: 'e' }, { gru: 'c' }, { step: -1 }, { linear: 'p' }, { linear: 'l' }"],
    ['by their sizes', { 'out.weight': [5, 6], 'out.bias': [5], 'proj.weight': [2, 4], 'proj.bias': [2], 'e.weight': [7, 4], ...under('r.', gru(1, 2)) }, "{ embedding: 'e' }, { linear: 'proj' }, { gru: 'r' }, { step: -1 }, { linear: 'out' }"],
    ['an embedding behind what reads it', { ...under('r.', gru()), 'e.weight': [7, 2] }, "{ embedding: 'e' }, { gru: 'r' }"],
    ['an LSTM', { ...under('r.', { weight_ih_l0: [12, 2], weight_hh_l0: [12, 3] }), 'x.y': [1] }, "{ lstm: 'r' }"],
    ['the counters of batch norms first', { 'b.num_batches_tracked': [], ...under('a.', { weight: [2], bias: [2] }), ...under('b.', { running_mean: [2], running_var: [2], weight: [2], bias: [2] }), ...under('g.', gru()) }, "{ layernorm: 'a' }, { batchnorm: 'b' }, { gru: 'g' }"],
    ['two recurrent ones', { ...under('a.', gru()), 'h.weight': [9, 5], 'h.bias': [9], ...under('b.', { weight_ih_l0: [5, 3], weight_hh_l0: [5, 5] }) }, "{ gru: 'a' }, { rnn: 'b' }, { step: -1 }, { linear: 'h' }"],
    ['of several orders one of all modules', { 'd.weight': [7, 2], 'd.bias': [7], ...under('r.', gru()), 's.weight': [2, 3], 's.bias': [2] }, "{ gru: 'r' }, { step: -1 }, { linear: 's' }, { linear: 'd' }"],
    ['a head before its embedding, by name', { 'd.weight': [7, 2], 'd.bias': [7], 'e.weight': [7, 2], ...under('r.', gru()), ...under('z.', { weight_ih_l0: [2, 3], weight_hh_l0: [2, 2] }) }, "{ embedding: 'e' }, { gru: 'r' }, { rnn: 'z' }, { step: -1 }, { linear: 'd' }"],
    ['a linear layer without a bias', { 'l.weight': [2, 4], ...under('r.', gru()) }, "{ linear: 'l' }, { gru: 'r' }"],
    ['a depthwise convolution behind the last recurrent one', { ...under('r.', gru()), 'c.weight': [3, 1, 4], 'f.weight': [5, 3], 'f.bias': [5] }, "{ gru: 'r' }, { conv1d: 'c', groups: 3 }, { step: -1 }, { linear: 'f' }"],
    ['a transposed convolution behind the last recurrent one', { ...under('r.', gru()), 'u.weight': [3, 4, 2], 'u.bias': [4], 'f.weight': [5, 4], 'f.bias': [5] }, "{ gru: 'r' }, { convtranspose1d: 'u' }, { step: -1 }, { linear: 'f' }"],
    ['attention behind the last recurrent one', { ...under('r.', gru()), 'a.in_proj_weight': [9, 3], 'a.in_proj_bias': [9], 'a.out_proj.weight': [3, 3], 'a.out_proj.bias': [3], 'f.weight': [5, 3], 'f.bias': [5] }, "{ gru: 'r' }, { multiheadAttention: 'a', heads: 'num_heads' }, { step: -1 }, { linear: 'f' }"],
    ['one slope', { ...under('r.', gru()), 'p.weight': [1], 'f.weight': [5, 3], 'f.bias': [5] }, "{ gru: 'r' }, { step: -1 }, { prelu: 'p' }, { linear: 'f' }"],
    ['attention', { 'a.in_proj_weight': [6, 2], 'a.in_proj_bias': [6], 'a.out_proj.weight': [2, 2], 'a.out_proj.bias': [2], ...under('r.', gru()) }, "{ multiheadAttention: 'a', heads: 'num_heads' }, { gru: 'r' }"],
    ['all of whose inputs others give', { 'b.weight': [3], 'b.bias': [3], 'c.weight': [3, 2, 5], 'c.bias': [3], 'd.weight': [2, 3, 5] }, "{ layernorm: 'b' }, { conv1d: 'd' }, { conv1d: 'c' }"],
    ['an input that no other module gives', { 'b.weight': [4], 'b.bias': [4], 'c.weight': [4, 2, 5], 'c.bias': [4] }, "{ conv1d: 'c' }, { layernorm: 'b' }"],
    ['none that is known', { 'x.y': [1] }, "{ gru: 'name' }"],
  ])('as the layers they may be: %s', (_, tensors, wanted) => {
    const [layers, note = ''] = suggestLayers(modules(tensors)).split(' (');
    expect(layers).toBe(`{ pytorch: { layers: [${wanted}] } }`);
    expect(note.includes('without { step: -1 }')).toBe(wanted.includes('step'));
    expect(note.includes('no state dict')).toBe(wanted.includes('}, {'));
  }); // prettier-ignore

  test('where sizes do not follow from one another, a suggestion says so', () => {
    const note = (tensors: Sizes) => suggestLayers(modules(tensors));
    const two = { ...under('a.', gru()), ...under('b.', gru()), 'f.weight': [5, 6], 'f.bias': [5] };
    expect(note(two)).toContain('not all of them come one after the other: from, concat');
    expect(note({ ...under('a.', gru()), 'f.weight': [5, 3], 'f.bias': [5] })).not.toContain('not all');
  });

  test('a search for an order ends', () => {
    const square = Object.fromEntries(
      Array.from({ length: 19 }, (_, i) => [
        [`m${i}.weight`, [4, 4]],
        [`m${i}.bias`, [4]],
      ]).flat() as [string, number[]][],
    );
    expect(suggestLayers(modules({ ...square, 'z.weight': [9, 5], 'z.bias': [9] }))).toContain('not all');
  });
});

describe('what is nearly right is refused with what to write', () => {
  const e = { embedding: 'e' };
  const g = { gru: 'g' };
  const l = { linear: 'l' };
  test.each<[object[], RegExp]>([
    [[e, g, { relu: true }], /layers\[2\]: 'relu' is no kind of line: write \{ activation: 'relu' \}/],
    [[e, g, { LeakyReLU: 0.1 }], /write \{ activation: 'leaky_relu' \}/],
    [[e, g, { 'F.softmax': -1 }], /write \{ activation: 'softmax' \}/],
    [[e, g, { dropout: 0.5 }], /'dropout' is no kind of line: leave it out/],
    [[e, g, { transpose: [1, 2] }], /leave it out/],
    [[e, g, { cat: ['g', 'e'] }], /'cat' is no kind of line: write 'concat'/],
    [[{ 'nn.GRU': 'g' }], /write 'gru'/],
    [[{ GRUCell: 'g' }], /write 'gru'/],
    [[{ Linear: 'g' }], /write 'linear'/],
    [[{ BatchNorm1d: 'g' }], /write 'batchnorm'/],
    [[{ maxpool: 2 }], /write 'maxpool1d'/],
    [[{ thing: 'g' }], /no layer that is supported \(embedding, .*an object with thing/],
    [[e, { gru: 'g', num_layers: 2 }], /no field 'num_layers'; it has name, .*what its tensors say, such as sizes, layers/],
    [[e, g, { ...l, activation: 'Sigmoid' }], /no activation is the string 'Sigmoid'; write 'sigmoid'/],
    [[e, g, { ...l, activation: 'F.relu' }], /write 'relu'/],
    [[e, g, { ...l, activation: 'none' }], /no activation is the string 'none'; known: linear, .*silu/],
    [[e, g, { ...l, activation: 1 }], /no activation is 1/],
    [[e, g, { ...l, activation: { name: 'leaky_relu', negative_slope: 1 } }], /no parameter 'negative_slope'; it has alpha and beta/],
    [[e, g, { ...l, activation: { name: 'softmax', dim: 1 } }], /'softmax' has no parameter 'dim'; it has none/],
    [[e, g, { ...l, from: 'gru' }], /'gru' is no input, and no layer that comes before; there are input, e, g/],
    [[e, g, { sum: ['g', 'h'] }], /'h' is no input/],
    [[e, g, { ...l, from: 'g:h' }], /'g' has no 'h'; it has sequence, last, forwardState$/],
    [[e, g, e], /'e' is there already: .* like \{ embedding: \.\.\., name: 'e_1' \}/],
    [[e, g, { ...l, name: 'input' }], /'input' is there already/],
  ])('%j', async (layers, message) => {
    const names = ['e', 'g', 'l'].filter((name) => JSON.stringify(layers).includes(`:"${name}"`)).join('');
    expect(await refusalOf(spec(names, layers as PytorchLayer[]))).toMatch(/^invalid_argument/);
    expect(await refusalOf(spec(names, layers as PytorchLayer[]))).toMatch(message);
  }); // prettier-ignore

  test('outputs that nothing gives', async () => {
    expect(await refusalOf(spec('g', [{ gru: 'g' }], { outputs: ['g', 'g:h_n'] }))).toMatch(/'g' has no 'h_n'; it has/);
    expect(await refusalOf(spec('g', [{ gru: 'g' }], { outputs: ['fc'] }))).toMatch(/'fc' is no input/);
    expect(await spec('g', [{ gru: 'g' }], { outputs: ['g:forwardState', 'g:last', 'g:sequence', 'g'] })).toBeDefined();
  });

  test('a module that holds others, and a parameter that no line reads', async () => {
    const head = { ...under('g.', gru()), 'head.0.weight': [4, 3], 'head.0.bias': [4] };
    expect(await refusalOf(read(head, { layers: [{ gru: 'g' }, { linear: 'head' }] }))).toMatch(
      /no tensor 'head\.weight' .*; 'head' holds modules: 'head\.0' \(Linear\)$/,
    );
    const scaled = { ...under('g.', gru()), scale: [3] };
    expect(await refusalOf(read(scaled, { layers: [{ gru: 'g' }] }))).toMatch(
      /no layer uses 'scale' \[3\].*\{ mul: \['x', 'scale'\] \}/,
    );
    const counted = { ...under('g.', gru()), 'b.weight': [3] };
    expect(await refusalOf(read(counted, { layers: [{ gru: 'g' }] }))).not.toMatch(/a parameter is named/);
  });

  test('softmax without parameters is a name', async () => {
    const made = await spec('gl', [{ gru: 'g' }, { linear: 'l', activation: { name: 'softmax' } as never }]);
    expect(made.layers[1]).toMatchObject({ activation: 'softmax' });
  });
});

describe('normalization', () => {
  const rows = (...keys: string[]) => Object.fromEntries(keys.map((key) => [`n.${key}`, [3]]));
  const statistics = rows('running_mean', 'running_var');
  const layerOf = async (tensors: Sizes, line: PytorchLayer) =>
    (await read(tensors, { layers: [line] })).spec.layers[0];
  const affine = { scale: new Float32Array([1, 2, 3]), shift: new Float32Array([1, 2, 3]) };
  const base = { name: 'n', inputSize: 3 };

  test.each<[PytorchLayer, Sizes, object]>([
    [{ layernorm: 'n', eps: 0.1 }, rows('weight', 'bias'), { norm: 'standard', epsilon: 0.1, weights: affine }],
    [{ layernorm: 'n', size: 3 }, {}, { norm: 'standard', epsilon: 1e-5, weights: {} }],
    [{ rmsnorm: 'n' }, rows('weight'), { norm: 'rms', epsilon: 2 ** -23, weights: { scale: affine.scale } }],
    [
      { groupnorm: 'n', groups: 3 },
      rows('weight', 'bias'),
      { norm: 'standard', epsilon: 1e-5, groups: 3, overTime: true, weights: affine },
    ],
    [
      { instancenorm: 'n', size: 3, eps: 0 },
      {},
      { norm: 'standard', epsilon: 0, groups: 3, overTime: true, weights: {} },
    ],
  ])('%j', async (line, tensors, spec) => {
    const other = Object.keys(tensors).length === 0 ? { 'x.weight': [1] } : {};
    const options = { layers: [line], ignore: Object.keys(other) };
    const [layer] = (await read({ ...tensors, ...other }, options)).spec.layers;
    expect(layer).toEqual({ type: 'norm', ...base, ...spec });
  });

  test.each<PytorchLayer>([
    { batchnorm: 'n', eps: 3 },
    { instancenorm: 'n', eps: 3 },
  ])('by running statistics: %j', async (line) => {
    const tensors = { ...statistics, ...rows('weight', 'bias'), 'n.num_batches_tracked': [] };
    // Statistics, weight and bias are 1, 2, 3 each.
    const scale = Float32Array.from([1, 2, 3], (v) => v / Math.sqrt(v + 3));
    const shift = Float32Array.from([1, 2, 3], (v) => v - (v * v) / Math.sqrt(v + 3));
    expect(await layerOf(tensors, line)).toEqual({ type: 'scale', ...base, weights: { scale, shift } });
  });

  test.each<[PytorchLayer, Sizes, string]>([
    [{ batchnorm: 'n' }, rows('weight', 'bias'), 'track_running_stats'],
    [{ layernorm: 'n' }, { 'n.other': [3] }, 'size'],
    [{ layernorm: 'n', size: 4 }, rows('weight'), 'n.weight'],
    [{ layernorm: 'n' }, { 'n.weight': [2, 3] }, 'n.weight'],
    [{ groupnorm: 'n' } as never, rows('weight'), 'groups'],
    [{ layernorm: 'n', eps: -1 }, rows('weight'), 'eps'],
  ])('%j: refused', async (line, tensors, why) => {
    expect(await refusalOf(layerOf(tensors, line))).toContain(why);
  });
});
