import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createApi } from '../../ts/api/create-api.ts';
import { jsBackend } from '../../ts/backends/js/index.ts';
import { readKeras } from '../../ts/formats/keras.ts';
import { readTfjs } from '../../ts/formats/tfjs.ts';
import { openZip } from '../../ts/io/zip.ts';
import type { ModelSpec } from '../../ts/spec/spec.ts';
import { random } from '../random.ts';
import { writeH5 } from './h5-writer.ts';
import { wordsOf } from './refusal.ts';

const CASES = new URL('../fixtures/cases/', import.meta.url);
const load = (path: string) => new Uint8Array(readFileSync(new URL(path, CASES)));
const api = createApi(() => Promise.resolve(jsBackend));

type Json = Record<string, unknown>;

const openCase = (name: string) => openZip(load(`${name}/model.keras`), 'model.keras');

async function configOf(name: string): Promise<Json> {
  const zip = await openCase(name);
  return JSON.parse(new TextDecoder().decode(await zip.read('config.json'))) as Json;
}

/** What the model gives for fixed inputs, as text; or the error's code and message. */
async function resultOf(read: () => Promise<{ spec: ModelSpec }>): Promise<string> {
  try {
    const { spec } = await read();
    const next = random(3);
    const model = await api.createModel(spec);
    const steps = 5;
    const inputs = Object.fromEntries(
      spec.inputs.map(({ name, dtype, size, kind }) => {
        const shape = kind === 'vector' ? [2] : [2, steps];
        if (dtype === 'float32') shape.push(size);
        const count = shape.reduce((n, d) => n * d, 1);
        const data = Array.from({ length: count }, (_, i) =>
          dtype === 'int32' ? Math.floor(next() * 4) : i % 20 < 4 ? 0 : 2 * next() - 1,
        );
        return [name, { data: dtype === 'int32' ? Int32Array.from(data) : Float32Array.from(data), shape }];
      }),
    );
    const { outputs } = model.run(inputs);
    model.dispose();
    return JSON.stringify(Object.values(outputs).map(({ data, shape }) => [shape, Array.from(data)]));
  } catch (error) {
    return wordsOf(error);
  }
}

/** The config of the layer of a class, or of what is inside it, in a copy of a model's config. */
function change(config: Json, className: string, field: string, value: unknown): Json {
  const copy = structuredClone(config);
  const visit = (node: unknown): boolean => {
    if (Array.isArray(node)) return node.some(visit);
    if (typeof node !== 'object' || node === null) return false;
    const { class_name: found, config: own } = node as Json;
    if (found === className && typeof own === 'object') {
      (own as Json)[field] = value;
      return true;
    }
    return Object.values(node).some(visit);
  };
  expect(visit(copy), `${className} is in the config`).toBe(true);
  return copy;
}

/** Fields that may have any value without a difference, each for a reason. */
const HARMLESS: Record<string, Record<string, unknown>> = {
  GRU: {
    trainable: false,
    dropout: 0.5,
    recurrent_dropout: 0.5,
    seed: 7,
    unroll: true,
    stateful: true,
    kernel_initializer: 'zeros',
    recurrent_regularizer: 'l2',
    bias_constraint: 'non_neg',
    activity_regularizer: 'l2',
    implementation: 1,
  },
  LSTM: {
    unit_forget_bias: false,
    dropout: 0.5,
    recurrent_dropout: 0.5,
    unroll: true,
    stateful: true,
    implementation: 1,
  },
  SimpleRNN: { dropout: 0.5, recurrent_dropout: 0.5, unroll: true, stateful: true, seed: 7 },
  LSTMCell: { unit_forget_bias: false, dropout: 0.5 },
  Dense: { trainable: false, kernel_initializer: 'zeros', bias_regularizer: 'l2', kernel_constraint: 'non_neg' },
  Embedding: { trainable: false, embeddings_initializer: 'zeros', input_length: 5 },
  Dropout: { rate: 0.9, seed: 4, noise_shape: [1, 2] },
  Bidirectional: { trainable: false },
};

/** A value for each other field: it must change the result or be refused. */
const MEANT: Record<string, Record<string, unknown>> = {
  GRU: {
    units: 7,
    activation: 'relu',
    recurrent_activation: 'hard_sigmoid',
    use_bias: false,
    reset_after: false,
    return_sequences: false,
    go_backwards: true,
    zero_output_for_mask: true,
    time_major: true,
    dtype: 'float16',
    num_constants: 1,
    quantization_config: {},
    not_a_field: 1,
  },
  LSTM: {
    units: 7,
    activation: 'relu',
    recurrent_activation: 'hard_sigmoid',
    use_bias: false,
    return_sequences: false,
    go_backwards: true,
    time_major: true,
    reset_after: true,
    dtype: 'float16',
    not_a_field: 1,
  },
  SimpleRNN: {
    units: 7,
    activation: 'tanh',
    recurrent_activation: 'sigmoid',
    use_bias: false,
    return_sequences: false,
    go_backwards: true,
    not_a_field: 1,
  },
  LSTMCell: { units: 7, activation: 'softsign', recurrent_activation: 'tanh', use_bias: false, reset_after: true },
  Dense: { units: 9, activation: 'gelu', use_bias: false, dtype: 'bfloat16', lora_rank: 4, not_a_field: 1 },
  Embedding: { input_dim: 11, output_dim: 3, mask_zero: false, sparse: true, dtype: 'float16', not_a_field: 1 },
  Masking: { mask_value: 0.25, not_a_field: 1 },
  Bidirectional: { merge_mode: 'sum', layer: {}, backward_layer: {}, not_a_field: 1 },
  InputLayer: { sparse: true, ragged: true, optional: true, batch_shape: [null, 5, 9], not_a_field: 1 },
  TimeDistributed: { layer: { class_name: 'GRU', config: { name: 'g' } }, not_a_field: 1 },
  Activation: { activation: 'swish' },
  Concatenate: { axis: 1 },
  Any: { axis: 0, keepdims: true },
  NotEqual: { not_a_field: 1 },
  GRUCell: { units: 7, activation: 'softsign', use_bias: false, reset_after: false },
  RNN: { return_sequences: false, go_backwards: true },
};

/** A model that holds each class. */
const HOLDS: Record<string, string> = {
  GRU: 'keras_embedding_mask_seq',
  LSTM: 'k3_lstm_mask_embedding',
  SimpleRNN: 'k3_simplernn_act_relu',
  LSTMCell: 'k3_lstm_cells_mixed_state',
  Dense: 'keras_text_classifier',
  Embedding: 'keras_text_classifier',
  Dropout: 'keras_text_classifier',
  Masking: 'keras_masking_after',
  Bidirectional: 'keras_bi_concat',
  InputLayer: 'keras_bi_concat',
  TimeDistributed: 'keras_gru_dense_time_distributed',
  Activation: 'keras_gru_dense_time_distributed',
  Concatenate: 'keras_functional_branches',
  Any: 'keras_functional_masking',
  NotEqual: 'keras_functional_masking',
  GRUCell: 'keras_rnn_grucell',
  RNN: 'keras_rnn_grucell',
};

function read(name: string, config: Json) {
  return async () => {
    const bytes = await (await openCase(name)).read('model.weights.h5');
    return readKeras(bytes, { options: { keras: { config } } });
  };
}

describe.each(Object.keys(HOLDS))('%s', (className) => {
  const name = HOLDS[className]!;

  test.each(Object.entries(HARMLESS[className] ?? {}))('%s is harmless', async (field, value) => {
    const config = await configOf(name);
    const changed = change({ ...config, keras_version: '3.15.1' }, className, field, value);
    expect(await resultOf(read(name, changed))).toBe(await resultOf(read(name, config)));
  });

  test.each(Object.entries(MEANT[className] ?? {}))('%s changes the result or is refused', async (field, value) => {
    const config = await configOf(name);
    if (className === 'Activation') {
      const inner = structuredClone(config);
      const text = JSON.stringify(inner).replace('"tanh"', JSON.stringify(value));
      expect(await resultOf(read(name, JSON.parse(text) as Json))).not.toBe(await resultOf(read(name, config)));
      return;
    }
    const changed = await resultOf(read(name, change(config, className, field, value)));
    expect(changed).not.toBe(await resultOf(read(name, config)));
    if (field === 'not_a_field') expect(changed).toMatch(/unsupported: .*not_a_field/);
  });
});

describe('refused by name', () => {
  test.each([
    ['Lambda', /layer 'last' is of class Lambda: its code is Python; write it .*supported: .*GRU/],
    ['ConvLSTM1D', /layer 'last' is of class ConvLSTM1D; supported: /],
    ['Functional', /layers must be a list/],
    ['my_package>Attention', /custom object/],
  ])('%s', async (className, message) => {
    const config = await configOf('keras_functional_masking');
    const text = JSON.stringify(config).replace(
      /"class_name":"GRU","config":\{"name":"last"/,
      `"class_name":"${className}","config":{"name":"last"`,
    );
    expect(text).toContain(className);
    await expect(read('keras_functional_masking', JSON.parse(text) as Json)()).rejects.toThrow(message);
  });

  test("a custom cell that is not the textbook's", async () => {
    const config = await configOf('keras_rnn_grucell');
    const text = JSON.stringify(config).replace('"class_name":"GRUCell"', '"class_name":"MyCell"');
    await expect(read('keras_rnn_grucell', JSON.parse(text) as Json)()).rejects.toThrow(/cell is of class 'MyCell'/);
  });

  test('a call with training=True, and unknown arguments', async () => {
    const config = JSON.stringify(await configOf('keras_functional_branches'));
    for (const [from, to] of [
      ['"training":false', '"training":true'],
      ['"mask":null', '"mask":null,"scale":2'],
    ] as const) {
      expect(config).toContain(from);
      const changed = JSON.parse(config.replace(from, to)) as Json;
      await expect(read('keras_functional_branches', changed)()).rejects.toThrow(/is called with (training|scale) = /);
    }
  });

  test('weights without a config', async () => {
    await expect(readKeras(load('keras_bi_sum/model.weights.h5'))).rejects.toThrow(/model.to_json/);
  });

  test('weights of layers that the config calls otherwise', async () => {
    const kernel = { shape: [2, 1], data: Float32Array.of(1, 2) };
    const dense = {
      attributes: { weight_names: ['dense_3/kernel:0'] },
      members: { dense_3: { members: { 'kernel:0': kernel } } },
    };
    const file = writeH5({ attributes: { layer_names: ['dense_3'] }, members: { dense_3: dense } });
    const configWith = (name: string) => ({
      class_name: 'Sequential',
      config: {
        layers: [
          { class_name: 'InputLayer', config: { name: 'x', batch_input_shape: [null, 2] } },
          { class_name: 'Dense', config: { name, units: 1, use_bias: false, activation: 'linear' } },
        ],
      },
    });
    const readWith = (name: string) => readKeras(file, { options: { keras: { config: configWith(name) } } });
    expect((await readWith('dense_3')).spec.layers).toHaveLength(1);
    await expect(readWith('dense')).rejects.toMatchObject({
      code: 'invalid_file',
      message: expect.stringContaining("weights of layers 'dense_3', not of 'dense': they are found by name") as string,
    });
  });

  test('weights that the config does not speak of', async () => {
    const config = await configOf('keras_text_classifier');
    const text = JSON.stringify(config).replace('"use_bias":true', '"use_bias":false');
    await expect(read('keras_text_classifier', JSON.parse(text) as Json)()).rejects.toThrow(/belongs to nothing/);
  });
});

describe('TensorFlow.js', () => {
  const json = new TextDecoder().decode(load('tfjs_quantized_uint8/model.json'));
  const shard = load('tfjs_quantized_uint8/weights.bin');
  const readText = (text: string) =>
    readTfjs(new TextEncoder().encode(text), { sidecar: () => Promise.resolve(shard) });

  test.each([
    ['"reset_after":false', '"reset_after":true', /bias' has shape \[15\], the config asks for \[2, 15\]/],
    ['"layers-model"', '"graph-model"', /is a graph model/],
    ['"dtype":"uint8"', '"dtype":"uint4"', /quantized as/],
    ['"format"', '"formats"', undefined],
    ['"scale":0.0', '"scales":0.0', /quantized as|needs min and scale/],
  ])('%s as %s', async (from, to, message) => {
    expect(json).toContain(from);
    const changed = json.replace(from, to);
    if (message) await expect(readText(changed)).rejects.toThrow(message);
    else expect(await resultOf(() => readText(changed))).toBe(await resultOf(() => readText(json)));
  });

  test('a shard that is missing', async () => {
    await expect(readTfjs(new TextEncoder().encode(json))).rejects.toThrow(/weights.bin/);
  });

  test.each(['min', 'scale'])('%s changes the result', async (field) => {
    const changed = json.replace(new RegExp(`"${field}":-?[01]\\.\\d+`), `"${field}":0.5`);
    expect(await resultOf(() => readText(changed))).not.toBe(await resultOf(() => readText(json)));
  });
});
