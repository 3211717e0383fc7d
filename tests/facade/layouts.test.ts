import { numbersOf } from '../../ts/base/weights.ts';
import { existsSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createGru } from '../../ts/index.ts';
import type { GruModel } from '../../ts/api/model.ts';
import type { KerasWeights } from '../../ts/formats/layouts/keras.ts';
import type { PytorchWeights } from '../../ts/formats/layouts/pytorch.ts';
import { fromPytorch, pytorchLayers } from '../../ts/formats/layouts/pytorch.ts';
import { recurrentWeights, transpose } from '../../ts/formats/layouts/canonical.ts';
import type { TextbookGate } from '../../ts/formats/layouts/textbook.ts';
import { lstmSpec } from '../../ts/formats/layouts/lstm.ts';
import { rnnSpec } from '../../ts/formats/layouts/rnn.ts';
import type { LayerSpec, LstmSpec } from '../../ts/spec/spec.ts';
import { BACKENDS } from '../backends.ts';
import { SAME_BITS } from '../tolerances.ts';
import { expectClose, expectError, type FixtureCase, fixtureCase, gruLayer, numbers, tensor } from './helpers.ts';
import { filled } from '../filled.ts';

const FIXTURES = new URL('../fixtures/cases/', import.meta.url);
/** Those whose weights are arrays by name: other cases are there for their container. */
const CASES = readdirSync(FIXTURES)
  .filter((name) => /^(seed|torch)_/.test(name) && name !== 'torch_gru_packed')
  .filter((name) => existsSync(new URL(`${name}/model.safetensors`, FIXTURES)))
  .map(fixtureCase);
const casesOf = (pattern: RegExp) =>
  filled(
    CASES.filter(({ name }) => pattern.test(name)),
    `cases ${pattern}`,
  );
const seeds = casesOf(/^seed_/);
const torch = casesOf(/^torch_gru(cell)?_/);

function stateDict({ model }: FixtureCase): PytorchWeights {
  return { layout: 'pytorch', ...Object.fromEntries([...model].map(([key, tensor]) => [key, tensor.floats()])) };
}

/** The part of (layers * directions, batch, hidden) that belongs to layer `k` of `count`; for a cell, of (batch, hidden). */
function layerPart(data: Float32Array, k: number, count: number): Float32Array {
  return data.subarray((k * data.length) / count, ((k + 1) * data.length) / count);
}

function checkCase(model: GruModel, { name, meta, io, need }: FixtureCase, timeMajor: boolean): void {
  const h0 = io('h0');
  const layers = model.states.map((state) => state.name);
  const initialStates = h0 && Object.fromEntries(layers.map((l, k) => [l, layerPart(h0.data, k, layers.length)]));
  const { output, states } = model.run(need('x'), { timeMajor, initialStates });
  expect(output.shape).toEqual(need('y').shape);
  expectClose(output.data, need('y').data, meta.tolerance, `${name} y`);
  layers.forEach((layer, k) => {
    const expected = layerPart(need('hn').data, k, layers.length);
    expectClose(states[layer]!.data, expected, meta.tolerance, `${name} hn of ${layer}`);
  });
}

test('all cases are here', () => {
  expect(seeds.length).toBe(2);
  expect(torch.length).toBe(14);
});

describe.each(BACKENDS)('$name', ({ api }) => {
  test.each(seeds)('textbook layout: $name', async (fixture) => {
    const gate = (name: string): TextbookGate => ({
      kernel: fixture.model.get(`${name}.kernel`)!.floats(),
      bias: fixture.model.get(`${name}.bias`)!.floats(),
    });
    const { input_size: inputSize, hidden_size: hiddenSize } = fixture.meta.args as Record<string, number>;
    const config = { inputSize: inputSize!, hiddenSize: hiddenSize!, resetAfter: false };
    const [updateGate, resetGate, candidateHidden] = ['update_gate', 'reset_gate', 'candidate_hidden'].map(gate);
    const gates = { updateGate: updateGate!, resetGate: resetGate!, candidateHidden: candidateHidden! };
    using model = await api.createGru(config, { layout: 'textbook', ...gates });
    checkCase(model, fixture, false);

    // The same in Keras's layout: kernel = [Wz, Wr, Wh][H:], recurrent = [Wz, Wr, Wh][:H], gates side by side.
    const columns = (from: number, rows: number) => {
      const out: number[] = [];
      for (let k = from; k < from + rows; k++) {
        for (const { kernel } of [gates.updateGate, gates.resetGate, gates.candidateHidden]) {
          out.push(...Array.from(kernel as Float32Array).slice(k * hiddenSize!, (k + 1) * hiddenSize!));
        }
      }
      return out;
    };
    const bias = [gates.updateGate, gates.resetGate, gates.candidateHidden].flatMap((g) =>
      Array.from(g.bias as Float32Array),
    );
    using keras = await api.createGru(config, {
      kernel: columns(hiddenSize!, inputSize!),
      recurrentKernel: columns(0, hiddenSize!),
      bias,
    });
    expectClose(keras.run(fixture.need('x')).output.data, model.run(fixture.need('x')).output.data, SAME_BITS);
  });

  test.each(torch)('PyTorch layout: $name', async (fixture) => {
    const args = fixture.meta.args as Record<string, number | boolean>;
    const config = {
      inputSize: args['input_size'] as number,
      hiddenSize: args['hidden_size'] as number,
      resetAfter: true,
    };
    using model = await api.createGru(config, stateDict(fixture));
    expect(model.layers.length).toBe(args['num_layers'] ?? 1);
    checkCase(model, fixture, args['batch_first'] !== true);
  });

  test('PyTorch module: embedding, bidirectional stack, linear', async () => {
    const fixture = fixtureCase('torch_module_embedding_gru_linear');
    const floats = (name: string) => fixture.model.get(name)!.floats();
    const dict = Object.fromEntries(
      [...fixture.model.keys()].filter((key) => key.startsWith('gru.')).map((key) => [key.slice(4), floats(key)]),
    );
    const grus = pytorchLayers('gru', dict).map(({ suffix, forward, reverse }, k): LayerSpec => {
      const inputSize = k === 0 ? 6 : 16;
      const sizes = { inputSize, hiddenSize: 8 };
      const weights = recurrentWeights({
        forward: fromPytorch('gru', forward, sizes, suffix),
        reverse: fromPytorch('gru', reverse!, sizes, `${suffix}_reverse`),
      });
      return { name: `gru${suffix}`, type: 'gru', ...sizes, resetAfter: true, direction: 'bidirectional', weights };
    });
    const embeddings = floats('embedding.weight');
    using model = await api.createModel({
      inputs: [{ name: 'ids', dtype: 'int32', size: 1 }],
      layers: [
        { name: 'embedding', type: 'embedding', vocabularySize: 20, outputSize: 6, weights: { embeddings } },
        ...grus,
        {
          name: 'fc',
          type: 'dense',
          inputSize: 16,
          outputSize: 5,
          weights: { kernel: floats('fc.weight'), bias: floats('fc.bias') },
        },
      ],
      outputs: [
        { name: 'logits', from: 'fc' },
        { name: 'y', from: 'gru_l1' },
      ],
    });
    const { outputs, states } = model.run(fixture.ids('x'));
    for (const name of ['logits', 'y']) {
      expect(outputs[name]!.shape).toEqual(fixture.need(name).shape);
      expectClose(outputs[name]!.data, fixture.need(name).data, fixture.meta.tolerance, name);
    }
    const hn = fixture.need('hn').data;
    expectClose(states['gru_l0']!.data, layerPart(hn, 0, 2), fixture.meta.tolerance, 'hn');
    expectClose(states['gru_l1']!.data, layerPart(hn, 1, 2), fixture.meta.tolerance, 'hn');
  });

  test.each([true, false])(
    "Keras's layout, both directions, resetAfter: %s, is the canonical one transposed",
    async (resetAfter) => {
      const [I, H] = [4, 3];
      const spec = gruLayer('gru', I, H, { resetAfter, direction: 'bidirectional' });
      const keras = (direction: 'forward' | 'reverse') => {
        const recurrentBias = spec.weights[`${direction}.recurrentBias`] ?? [];
        const bias = [...spec.weights[`${direction}.bias`]!];
        return {
          kernel: transpose(numbersOf(spec.weights[`${direction}.input`]!), 3 * H, I),
          recurrentKernel: transpose(numbersOf(spec.weights[`${direction}.recurrent`]!), 3 * H, H),
          bias: resetAfter ? [...bias, ...new Float32Array(2 * H), ...recurrentBias] : bias,
        };
      };
      const config = { inputSize: I, hiddenSize: H, resetAfter, merge: 'ave', returns: 'last' } as const;
      using got = await api.createGru(config, {
        layout: 'keras',
        forward: keras('forward'),
        reverse: keras('reverse'),
      });
      using expected = await api.createModel({
        inputs: [{ name: 'x', dtype: 'float32', size: I }],
        layers: [{ ...spec, merge: 'ave', returns: 'last' }],
      });
      const x = tensor([2, 5, I]);
      expect(got.run(x).output.shape).toEqual([2, H]);
      expectClose(got.run(x).output.data, expected.run(x).output.data, SAME_BITS);
    },
  );

  test('a layer that reads from the end, with weights of one direction', async () => {
    const x = tensor([1, 6, 4]);
    const steps = Array.from({ length: 6 }, (_, t) => x.data.subarray(4 * t, 4 * t + 4));
    const reversed = { data: Float32Array.from(steps.reverse().flatMap((step) => [...step])), shape: x.shape };
    const config = { inputSize: 4, hiddenSize: 2, resetAfter: true } as const;
    const weights = { kernel: numbers(24), recurrentKernel: numbers(12, 2), bias: numbers(12, 3) };
    using forward = await api.createGru(config, weights);
    using reverse = await api.createGru({ ...config, direction: 'reverse' }, weights);
    expectClose(reverse.run(x).states['gru']!.data, forward.run(reversed).states['gru']!.data, SAME_BITS);
  });

  test('what does not fit is named', async () => {
    const config = { inputSize: 4, hiddenSize: 2, resetAfter: true };
    const kernel = new Float32Array(24);
    const recurrentKernel = new Float32Array(12);
    const create = (c: object, weights: object) => () => api.createGru({ ...config, ...c }, weights as never);
    const keras = { kernel, recurrentKernel };
    await expectError(
      create({}, { kernel, recurrentKernel: kernel }),
      'shape_mismatch',
      'recurrentKernel',
      '[2, 6]',
      '24',
    );
    await expectError(create({}, { kernel }), 'dtype_mismatch', 'recurrentKernel', 'undefined');
    await expectError(create({}, { ...keras, bias: [1, 2] }), 'shape_mismatch', 'bias', '[2, 6]');
    await expectError(create({}, { ...keras, bias: Array(12).fill('0') }), 'dtype_mismatch', 'bias', 'string');
    await expectError(create({}, { ...keras, biases: [] }), 'invalid_argument', 'biases', 'keras');
    await expectError(create({}, { layout: 'tf', ...keras }), 'invalid_argument', 'layout', 'tf');
    await expectError(create({}, { forward: keras }), 'invalid_argument', 'reverse');
    await expectError(
      create({ direction: 'bidirectional' }, keras),
      'invalid_argument',
      'bidirectional',
      'one direction',
    );
    await expectError(create({ hidden: 3 }, keras), 'invalid_argument', "'hidden'");
    await expectError(create({ hiddenSize: 0 }, keras), 'invalid_spec', 'hiddenSize', '0');
    await expectError(create({ activation: 'tan' }, keras), 'invalid_spec', 'activation', 'tan');
    await expectError(create({}, { layout: 'textbook' }), 'invalid_argument', 'resetAfter: false');
    await expectError(create({ resetAfter: false }, { layout: 'textbook' }), 'dtype_mismatch', 'updateGate.kernel');
    await expectError(create({ resetAfter: false }, { layout: 'pytorch' }), 'invalid_argument', 'resetAfter: true');
    await expectError(create({}, { layout: 'pytorch' }), 'invalid_argument', 'weight_ih_l0');
    await expectError(create({}, { layout: 'pytorch', weight_ih_l1: kernel }), 'invalid_argument', 'layer 0');
    await expectError(create({}, { layout: 'pytorch', weight_ih_l0: kernel }), 'dtype_mismatch', 'weight_hh_l0');
    await expectError(create({}, { layout: 'pytorch', weight: kernel }), 'invalid_argument', "'weight'");
    await expectError(
      create({}, { layout: 'pytorch', weight_ih: kernel, weight_ih_l0: kernel }),
      'invalid_argument',
      'mixed',
    );
    await expectError(() => api.createGru(null as never, keras), 'invalid_argument', 'null');
    await expectError(() => api.createGru(config, [] as never), 'invalid_argument', 'weights');
  });
});

describe('LSTM and simple RNN', () => {
  const [I, H] = [3, 2];
  const config = { inputSize: I, hiddenSize: H };
  const array = (length: number, seed: number) => Float32Array.from({ length }, (_, i) => Math.sin(i + seed));
  const stack = (gates: number, sum: (a: number, b: number) => Float32Array) => ({
    'forward.input': array(gates * H * I, 1),
    'forward.recurrent': array(gates * H * H, 2),
    'forward.bias': sum(3, 4),
  });

  test.each([
    ['lstm', 4],
    ['rnn', 1],
  ] as const)('%s: the layouts are the canonical form', (type, gates) => {
    const rows = gates * H;
    const biases = [array(rows, 3), array(rows, 4)] as const;
    const bias = biases[0].map((b, i) => b + biases[1][i]!);
    const expected = stack(gates, () => bias);
    const spec = type === 'lstm' ? lstmSpec : rnnSpec;
    const pytorch = {
      layout: 'pytorch' as const,
      weight_ih_l0: expected['forward.input'],
      weight_hh_l0: expected['forward.recurrent'],
      bias_ih_l0: biases[0],
      bias_hh_l0: biases[1],
    };
    const keras = {
      kernel: transpose(expected['forward.input'], rows, I),
      recurrentKernel: transpose(expected['forward.recurrent'], rows, H),
      bias,
    };
    const layer = { name: type, type, ...config, weights: expected };
    expect(spec(config, pytorch).layers).toEqual([layer]);
    expect(spec(config, keras).layers).toEqual([layer]);
    const second = { ...pytorch, weight_ih_l1: array(rows * H, 5), weight_hh_l1: array(rows * H, 6) };
    expect(spec(config, second).layers.map(({ name }) => name)).toEqual([`${type}_l0`, `${type}_l1`]);
    const both = spec({ ...config, merge: 'sum' }, { forward: keras, reverse: keras });
    expect(both.layers[0]).toMatchObject({ direction: 'bidirectional', merge: 'sum' });
  });

  test("lstm: the textbook's gates are i, f, g, o", () => {
    const gate = (seed: number): TextbookGate => ({ kernel: array((H + I) * H, seed), bias: array(H, seed) });
    const [inputGate, forgetGate, candidateCell, outputGate] = [gate(1), gate(2), gate(3), gate(4)] as const;
    const gates = { layout: 'textbook' as const, outputGate, candidateCell, forgetGate, inputGate };
    const [layer] = lstmSpec(config, gates).layers as [LstmSpec];
    const inOrder = [inputGate, forgetGate, candidateCell, outputGate];
    expect(layer.weights['forward.bias']).toEqual(
      Float32Array.from(inOrder.flatMap(({ bias }) => Array.from(bias as Float32Array))),
    );
    inOrder.forEach(({ kernel }, g) => {
      const rows = transpose(kernel as Float32Array, H + I, H);
      const row = numbersOf(layer.weights['forward.input']!).subarray(g * H * I, g * H * I + I);
      expect([...row]).toEqual([...rows.subarray(H, H + I)]);
    });
  });

  test('what does not fit is named', async () => {
    const { api } = BACKENDS[0]!;
    const lstm = (weights: object) => () => api.createLstm(config, weights as never);
    const dict = { layout: 'pytorch', weight_ih_l0: array(24, 1), weight_hh_l0: array(16, 1) };
    await expectError(lstm({ ...dict, weight_hr_l0: array(2, 1) }), 'unsupported', "'weight_hr_l0'", 'proj_size');
    await expectError(lstm({ ...dict, weight_ih_l0: array(18, 1) }), 'shape_mismatch', 'weight_ih_l0', '[8, 3]');
    await expectError(lstm({ layout: 'textbook' }), 'dtype_mismatch', 'inputGate.kernel');
    const rnn = () => api.createRnn(config, { layout: 'textbook' } as never);
    await expectError(rnn, 'invalid_argument', 'layout', 'keras, pytorch');
    const stray = () => api.createRnn({ ...config, resetAfter: true } as never, dict as never);
    await expectError(stray, 'invalid_argument', "'resetAfter'");
  });
});

test('arrays are those of the call, whatever becomes of them before the layouts are there', async () => {
  const config = { inputSize: 2, hiddenSize: 3, resetAfter: false };
  const floats = (length: number) => Float32Array.from(numbers(length));
  const weights = (): KerasWeights => ({
    kernel: floats(2 * 9),
    recurrentKernel: [...floats(3 * 9)],
    bias: Float64Array.from(numbers(9)),
  });
  const bits = (model: GruModel) => [...model.run(floats(8)).output.data];
  const given = weights();
  const making = createGru(config, given, { backend: 'js' });
  for (const array of Object.values(given) as number[][]) array.fill(7);
  config.resetAfter = true;
  using changed = await making;
  using model = await createGru({ ...config, resetAfter: false }, weights(), { backend: 'js' });
  expect(bits(changed)).toEqual(bits(model));
  expect((Object.values(given)[0] as Float32Array)[0]).toBe(7);
});
