import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readPytorch, type PytorchLayer, type PytorchOptions } from '../../ts/formats/pytorch.ts';
import { parseSafetensors, writeSafetensors } from '../../ts/formats/safetensors.ts';
import { BACKENDS } from '../backends.ts';
import { expectClose } from '../facade/helpers.ts';
import type { Tolerance } from '../tolerances.ts';
import { refusalOf } from './refusal.ts';

const FOLDER = new URL('../fixtures/pytorch/', import.meta.url);
const read = (name: string) => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const recorded = parseSafetensors(read('modules.safetensors')).tensors;
/** float32 against float32, over six steps of small layers; the recorded cases have the same. */
const TOLERANCE: Tolerance = { atol: 1e-5, rtol: 1e-5 };

const load = (file: string, pytorch: PytorchOptions = {}) => readPytorch(read(file), { options: { pytorch } });

/** The forward() of the modules in make.py. */
const MODULES: Record<string, PytorchOptions> = {
  Classifier: {
    layers: [
      { embedding: 'emb' },
      { gru: 'rnn', returns: 'last' },
      { linear: 'hidden', activation: 'relu' },
      { linear: 'out', activation: 'softmax', name: 'y' },
    ],
    outputs: ['y', 'rnn:reverseState'],
  },
  LastStep: { layers: [{ gru: 'net.0' }, { step: -1 }, { linear: 'head' }] },
  Seq2seq: {
    inputs: [
      { name: 'source', dtype: 'int32', size: 1 },
      { name: 'target', dtype: 'int32', size: 1 },
    ],
    layers: [
      { embedding: 'src', from: 'source' },
      { gru: 'encoder' },
      { embedding: 'tgt', from: 'target' },
      { gru: 'decoder', initialState: 'encoder' },
      { linear: 'out' },
    ],
  },
  Branches: {
    layers: [
      { gru: 'a', from: 'x' },
      { gru: 'b', from: 'x' },
      { name: 'added', sum: ['a', 'b'] },
      { name: 'product', mul: ['a', 'b'] },
      { concat: ['added', 'product', 'b'] },
      { linear: 'proj', activation: 'hard_sigmoid' },
      { step: 0, from: 'a' },
      { linear: 'bridge', activation: 'tanh' },
      { gru: 'c', from: 'proj', initialState: 'bridge' },
      { activation: { name: 'leaky_relu', alpha: 0.2 } },
    ],
  },
  Cells: { layers: [{ gru: 'first' }, { gru: 'second' }] },
};

describe.each(BACKENDS)('$name', ({ api }) => {
  test.each(Object.keys(MODULES))('%s gives what its forward() gives', async (name) => {
    const { spec } = await load(`module_${name}.pt`, MODULES[name]);
    using model = await api.createModel(spec);
    const inputs = model.inputs.map(({ name: input, dtype }) => {
      const found = recorded.get(`${name}/${input === 'input' ? 'x' : input}`)!;
      return [input, { data: dtype === 'int32' ? found.ints() : found.floats(), shape: found.shape }] as const;
    });
    const { outputs } = model.run(Object.fromEntries(inputs));
    const [y, top] = Object.values(outputs);
    expect(y!.shape).toEqual(recorded.get(`${name}/y`)!.shape);
    expectClose(y!.data, recorded.get(`${name}/y`)!.floats(), TOLERANCE, 'y');
    const expectedTop = recorded.get(`${name}/top`);
    if (expectedTop) expectClose(top!.data, expectedTop.floats(), TOLERANCE, 'top');
  });
});

describe('the state dict of a file', () => {
  const layers: PytorchLayer[] = [{ gru: 'rnn' }, { linear: 'head' }];

  test.each(['checkpoint_p2.pt', 'checkpoint_p4.pt', 'checkpoint_legacy.pt'])('is found in %s', async (file) => {
    const { report } = await load(file, { layers });
    expect(report.conventions.join()).toContain("'model_state_dict'");
    expect(report.tensors).toHaveLength(10);
    expect(report.tensors).toContainEqual({
      source: 'rnn.weight_ih_l0_reverse',
      shape: [15, 4],
      dtype: 'float32',
      target: 'rnn/reverse.input',
    });
  });

  test('is named by the user where there are several', async () => {
    expect(await refusalOf(load('ema.pt', { layers }))).toMatch(/unsupported: .*'model', 'ema'.*stateDict/);
    expect((await load('ema.pt', { layers, stateDict: 'ema' })).spec.layers).toHaveLength(2);
    expect(await refusalOf(load('ema.pt', { layers, stateDict: 'emma' }))).toMatch(/invalid_argument: .*'emma'.*'ema'/);
  });

  test('has its wrappers left out of the names; the user may write them', async () => {
    const plain = await load('compiled.pt', { layers });
    const prefixed = await load('compiled.pt', { layers: [{ gru: '_orig_mod.module.rnn' }, { linear: 'head' }] });
    expect(plain.spec).toEqual(prefixed.spec);
    expect(plain.report.tensors[0]!.source).toBe('_orig_mod.module.rnn.weight_ih_l0');
  });
});

describe('refused', () => {
  test.each<[string, string, PytorchOptions | undefined, RegExp]>([
    ['wiring that is not said', 'checkpoint_p2.pt', undefined, /unsupported: .*'rnn' \(GRU\), 'head' \(Linear\).*layers: \[\{ gru: 'rnn' \}, \{ step: -1 \}, \{ linear: 'head' \}\]/],
    ['tensors that no layer uses', 'checkpoint_p2.pt', { layers: [{ gru: 'rnn' }] }, /unsupported: .*'head\.weight' \[3, 10\], 'head\.bias' \[3\].*ignore/],
    ['a module that is not there', 'checkpoint_p2.pt', { layers: [{ gru: 'gru' }] }, /invalid_argument: .*'gru'.*'rnn' \(GRU\)/],
    ['a linear module as a GRU', 'checkpoint_p2.pt', { layers: [{ gru: 'head' }] }, /'head'/],
    ['an ignored name that is not there', 'checkpoint_p2.pt', { layers: [{ gru: 'rnn' }], ignore: ['haed'] }, /invalid_argument: .*'haed'/],
    ['an nn.LSTM wired as a GRU', 'lstm.pt', { layers: [{ gru: '' }] }, /invalid_argument: nn\.GRU 'gru': .*\[12, 3\].*nn\.LSTM with a hidden size of 3: write \{ lstm: '' \}/],
    ['an nn.LSTM wired as an RNN', 'lstm.pt', { layers: [{ rnn: '' }] }, /nn\.LSTM .*\{ lstm: '' \}/],
    ['an nn.RNN wired as a GRU', 'rnn.pt', { layers: [{ gru: '' }] }, /nn\.RNN .*\{ rnn: '' \}/],
    ['a GRU wired as an nn.LSTM', 'checkpoint_p2.pt', { layers: [{ lstm: 'rnn' }, { linear: 'head' }] }, /invalid_argument: nn\.LSTM 'rnn': .*nn\.GRU .*\{ gru: 'rnn' \}/],
    ['a GRU by its tensors wired as an nn.RNN', 'checkpoint_p2.pt', { layers: [{ rnn: { weight_hh: 'rnn.weight_hh_l0' } }] }, /\{ gru: 'rnn' \}/],
    ['an nn.LSTM with a projection', 'lstm_proj.pt', undefined, /unsupported: 'weight_hr_l0' .*proj_size/],
    ['a projection wired as a GRU', 'lstm_proj.pt', { layers: [{ gru: '' }] }, /unsupported: nn\.GRU 'gru': 'weight_hr_l0' .*proj_size/],
    ['a projection wired as an LSTM', 'lstm_proj.pt', { layers: [{ lstm: '' }] }, /unsupported: nn\.LSTM 'lstm': 'weight_hr_l0' .*proj_size/],
    ['an unknown nonlinearity', 'rnn.pt', { layers: [{ rnn: '', nonlinearity: 'sigmoid' as 'relu' }] }, /layers\[0\]\.nonlinearity must be tanh or relu/],
    ['a nonlinearity of a GRU', 'checkpoint_p2.pt', { layers: [{ gru: 'rnn', nonlinearity: 'relu' }] }, /'gru' has no field 'nonlinearity'/],
    ['a cell state of a GRU', 'checkpoint_p2.pt', { layers: [{ gru: 'rnn', initialCell: 'x' }] }, /'gru' has no field 'initialCell'/],
    ['a cell state of a strange type', 'lstm.pt', { layers: [{ lstm: '', initialCell: 3 as unknown as string }] }, /layers\[0\]\.initialCell/],
    ['learned states of another size', 'lstm.pt', { layers: [{ lstm: '', initialState: 'bias_ih_l0' }] }, /unsupported: lstm 'lstm': initialState: tensor 'bias_ih_l0' has shape \[12\], it takes \[1, 1, 3\]/],
    ['a float8 tensor', 'float8.pt', { layers: [{ linear: { weight: 'w' } }] }, /'w' is float8_e4m3fn; supported: float32/],
    ['an unknown option', 'checkpoint_p2.pt', { layer: [] } as PytorchOptions, /unknown option 'layer'/],
    ['an unknown field', 'checkpoint_p2.pt', { layers: [{ gru: 'rnn', batchFirst: true } as PytorchLayer] }, /layers\[0\].*'batchFirst'/],
    ['an unknown kind', 'checkpoint_p2.pt', { layers: [{ transformer: 'rnn' } as unknown as PytorchLayer] }, /layers\[0\].*embedding, gru, lstm, rnn/],
    ['two kinds in one', 'checkpoint_p2.pt', { layers: [{ gru: 'rnn', linear: 'head' }] }, /'linear'/],
    ['no layers', 'checkpoint_p2.pt', { layers: [] }, /layers/],
    ['an unknown returns', 'checkpoint_p2.pt', { layers: [{ gru: 'rnn', returns: 'all' as 'last' }] }, /returns/],
    ['a module of a strange type', 'checkpoint_p2.pt', { layers: [{ gru: 3 as unknown as string }] }, /layers\[0\]\.gru/],
    ['an unknown tensor of a GRU', 'checkpoint_p2.pt', { layers: [{ gru: { weight: 'rnn.weight_ih_l0' } }] }, /'weight' is no tensor of nn\.GRU/],
    ['initial states of another number', 'module_Seq2seq.pt', { ...MODULES['Seq2seq'], layers: MODULES['Seq2seq']!.layers!.map((l) => ('initialState' in l ? { ...l, initialState: 'src' } : l)) }, /initialState gives 1 states/],
    ['a stateDict of a safetensors file', 'expected.safetensors', { stateDict: 'x' }, /safetensors/],
  ])('%s', async (_, file, options, message) => {
    expect(await refusalOf(load(file, options))).toMatch(message);
  }); // prettier-ignore
});

test('each option changes the model', async () => {
  const base = [{ embedding: 'emb' }, { gru: 'rnn' }, { linear: 'hidden' }, { linear: 'out' }] as const;
  const spec = async (pytorch: PytorchOptions) => JSON.stringify((await load('module_Classifier.pt', pytorch)).spec);
  const replaced = (i: number, fields: object) => ({ layers: base.map((l, k) => (k === i ? { ...l, ...fields } : l)) });
  const inputs = [{ name: 'input', dtype: 'int32' as const, size: 1 }];
  const initialState = ['a', 'b', 'c', 'd'];
  const states = initialState.map((name) => ({ name, size: 4, kind: 'vector' as const }));
  const variants: PytorchOptions[] = [
    { layers: [...base] },
    replaced(0, { name: 'table' }),
    replaced(0, { from: 'ids' }),
    replaced(1, { returns: 'last' }),
    { ...replaced(1, { initialState }), inputs: [...inputs, ...states] },
    { ...replaced(1, { initialState: initialState.toReversed() }), inputs: [...inputs, ...states] },
    replaced(2, { activation: 'relu' }),
    replaced(2, { activation: 'hard_sigmoid' }),
    replaced(2, { activation: { name: 'hard_sigmoid', alpha: 0.2 } }),
    replaced(3, { from: 'rnn:last' }),
    { layers: [...base, { activation: 'tanh' }] },
    { layers: [...base, { step: 0 }] },
    { layers: [...base, { step: -1 }] },
    { layers: [...base, { sum: ['out', 'out'] }] },
    { layers: [...base, { mul: ['out', 'out'] }] },
    { layers: [...base, { concat: ['out', 'out'] }] },
    { layers: [...base], outputs: ['out', 'rnn'] },
    { layers: base.slice(0, 3), ignore: ['out'] },
    { layers: [...base], inputs: [...inputs, { name: 'other', dtype: 'float32', size: 2 }] },
  ];
  const specs = await Promise.all(variants.map(spec));
  expect(new Set(specs).size).toBe(variants.length);
});

describe('a GRU by its tensors', () => {
  type Tensors = Record<string, number[]>;
  const gru = (layers: number, directions: number, I = 2, H = 3): Tensors => {
    const tensors: Tensors = {};
    for (let k = 0; k < layers; k++) {
      for (const end of directions === 1 ? [`_l${k}`] : [`_l${k}`, `_l${k}_reverse`]) {
        tensors[`weight_ih${end}`] = [3 * H, k === 0 ? I : directions * H];
        tensors[`weight_hh${end}`] = [3 * H, H];
        tensors[`bias_ih${end}`] = [3 * H];
        tensors[`bias_hh${end}`] = [3 * H];
      }
    }
    return tensors;
  };
  const file = (tensors: Tensors) =>
    writeSafetensors(
      Object.fromEntries(
        Object.entries(tensors).map(([name, shape]) => {
          const data = Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(i));
          return [name, { dtype: 'F32' as const, shape, data }];
        }),
      ),
      { format: 'pt' },
    );
  const without = (tensors: Tensors, ...names: string[]) =>
    Object.fromEntries(Object.entries(tensors).filter(([name]) => !names.includes(name)));

  test.each([
    [1, 1],
    [3, 1],
    [12, 1],
    [3, 2],
  ])('%i layers, %i directions', async (layers, directions) => {
    const { spec } = await readPytorch(file(gru(layers, directions)));
    expect(spec.layers.map(({ name }) => name)).toEqual(
      layers === 1 ? ['gru'] : Array.from({ length: layers }, (_, k) => `gru_l${k}`),
    );
    expect(spec.outputs).toEqual([{ name: 'gru', from: layers === 1 ? 'gru' : `gru_l${layers - 1}` }]);
    using model = await BACKENDS[0]!.api.createModel(spec);
    expect(model.run(new Float32Array(8)).output.shape).toEqual([4, 3 * directions]);
  });

  const two = gru(2, 2);
  test.each<[string, Tensors, RegExp]>([
    ['a gap in the layers', { ...gru(1, 1), ...without(gru(3, 1), 'weight_ih_l1', 'weight_hh_l1', 'bias_ih_l1', 'bias_hh_l1') }, /invalid_file: .*layer 1/],
    ['a direction missing in one layer', without(two, 'weight_ih_l1_reverse', 'weight_hh_l1_reverse', 'bias_ih_l1_reverse', 'bias_hh_l1_reverse'), /invalid_file: .*weight_ih_l1_reverse/],
    ['one bias missing', without(two, 'bias_hh_l1'), /invalid_file: .*bias_hh_l1 is missing/],
    ['a weight missing', without(two, 'weight_ih_l0'), /weight_ih_l0/],
    ['weight_hh missing', without(gru(1, 1), 'weight_hh_l0'), /weight_hh_l0|connected/],
    ['layers and a cell', { ...gru(1, 1), weight_hh: [9, 3] }, /GRUCell/],
    ['an input of another size', { ...two, weight_ih_l1: [9, 5] }, /'weight_ih_l1' has shape \[9, 5\], .*\[9, 6\]/],
    ['a layer of another size', { ...two, weight_hh_l1: [12, 4] }, /'weight_hh_l1'/],
    ['a bias of another size', { ...two, bias_hh_l0: [8] }, /'bias_hh_l0' has shape \[8\]/],
    ['a size of zero', { weight_ih_l0: [9, 0], weight_hh_l0: [9, 3] }, /'weight_ih_l0' has shape \[9, 0\]/],
    ['a further tensor', { ...two, weight_hr_l0: [2, 3] }, /weight_hr_l0/],
    ['one dimension', { weight_ih_l0: [9], weight_hh_l0: [9, 3] }, /'weight_ih_l0' has shape \[9\]/],
  ])('%s is refused', async (_, tensors, message) => {
    expect(await refusalOf(readPytorch(file(tensors)))).toMatch(message);
    expect(await refusalOf(readPytorch(file(tensors), { options: { pytorch: { layers: [{ gru: '' }] } } }))).toMatch(/./);
  }); // prettier-ignore
});

test('loadModel finds the format and takes the wiring', async () => {
  const { api } = BACKENDS[0]!;
  using model = await api.loadModel(read('module_Cells.pt'), { pytorch: MODULES['Cells']! });
  expect(model.layers.map(({ name }) => name)).toEqual(['first', 'second']);
  expect(await refusalOf(api.loadModel(read('views_legacy.pt')))).toMatch(/unsupported/);
});
