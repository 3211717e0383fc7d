import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createModel } from '../../ts/api/js.ts';
import { writeSafetensors } from '../../ts/formats/safetensors.ts';
import { MODULE } from '../../ts/formats/pytorch/forms/checks.ts';
import { formOf, KINDS, type PytorchKind, type PytorchLayer } from '../../ts/formats/pytorch/forms/index.ts';
import { readPytorch, type PytorchOptions } from '../../ts/formats/pytorch.ts';
import { readNested } from '../../ts/io/nested.ts';
import { expectRecorded } from '../cases/recorded.ts';
import { RANDOM_LAYERS } from '../tolerances.ts';
import { refusalOf } from './refusal.ts';

/** Every module under every line that takes one, and every field of every line, against what PyTorch gave (make_pytorch.py). */

interface Run {
  of: PytorchKind;
  options: PytorchOptions & { layers: PytorchLayer[] };
  state: Record<string, unknown>;
  x: Record<string, unknown>;
  y: unknown;
}
const { modules, runs } = JSON.parse(
  readFileSync(new URL('../fixtures/sweeps/pytorch.json', import.meta.url), 'utf8'),
) as { modules: Record<string, Record<string, number[]>>; runs: Run[] };

const floats = (value: unknown) =>
  typeof value === 'number' ? { shape: [], data: Float32Array.of(value) } : readNested(value, 'a tensor');
const file = (tensors: Record<string, { shape: number[]; data: Float32Array }>) =>
  writeSafetensors(
    Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, { dtype: 'F32' as const, ...tensor }])),
  );
const filled = (shapes: Record<string, number[]>) =>
  file(
    Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => [
        `m.${name}`,
        { shape, data: new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(0.5) },
      ]),
    ),
  );

/** What lines need besides the module. */
const NEEDED: Partial<Record<PytorchKind, object>> = { groupnorm: { groups: 1 }, multiheadAttention: { heads: 2 } };
const LINES = KINDS.filter((kind) => formOf(kind).value === MODULE);
const wired = (kind: PytorchKind, shapes: Record<string, number[]>) => {
  const line = { [kind]: 'm', ...NEEDED[kind] } as unknown as PytorchLayer;
  const inputs = kind === 'prelu' ? { inputs: [{ name: 'input', dtype: 'float32' as const, size: 3 }] } : {};
  return readPytorch(filled(shapes), { options: { pytorch: { layers: [line], ...inputs } } });
};

/** Lines under which a module is read. Where there are several, the state dict looks the same and the user alone knows. */
const ROWS: PytorchKind[] = ['layernorm', 'rmsnorm', 'groupnorm', 'instancenorm', 'prelu'];
const AFFINE: PytorchKind[] = ['layernorm', 'groupnorm', 'instancenorm'];
const MATRIX: PytorchKind[] = ['embedding', 'linear'];
const READ: Record<string, PytorchKind[]> = {
  Linear: ['linear'],
  'Linear no bias': MATRIX,
  'Linear with weight_norm': ['linear'],
  'Linear with spectral_norm': ['linear'],
  Embedding: MATRIX,
  EmbeddingBag: MATRIX,
  Conv1d: ['conv1d'],
  // Of the shapes of the other one.
  'Conv1d no bias': ['conv1d', 'convtranspose1d'],
  ConvTranspose1d: ['convtranspose1d'],
  // Of the shapes of a Conv1d.
  Bilinear: ['conv1d'],
  // Evaluated, both take the running statistics.
  BatchNorm1d: ['batchnorm', 'instancenorm'],
  'BatchNorm1d not affine': ['batchnorm', 'instancenorm'],
  'InstanceNorm1d with statistics': ['batchnorm', 'instancenorm'],
  'BatchNorm1d no statistics': AFFINE,
  LayerNorm: AFFINE,
  GroupNorm: AFFINE,
  InstanceNorm1d: AFFINE,
  'LayerNorm no bias': ROWS,
  RMSNorm: ROWS,
  PReLU: ROWS,
  GRU: ['gru'],
  'GRU no bias': ['gru'],
  'GRU of two layers': ['gru'],
  GRUCell: ['gru'],
  LSTM: ['lstm'],
  LSTMCell: ['lstm'],
  RNN: ['rnn'],
  RNNCell: ['rnn'],
  MultiheadAttention: ['multiheadAttention'],
  'MultiheadAttention of kdim': ['multiheadAttention'],
};

describe.each(Object.entries(modules))('%s', (name, shapes) => {
  const read = READ[name] ?? [];
  test.each(LINES)('wired as %s is read or refused by name', async (kind) => {
    if (read.includes(kind)) {
      expect((await wired(kind, shapes)).report.tensors).toHaveLength(Object.keys(shapes).length - dropped(name));
      return;
    }
    expect(await refusalOf(wired(kind, shapes))).toMatch(/^(unsupported|invalid_argument|invalid_file): .*\bm\b/);
  });

  test.each(read)('a tensor that %s does not know is refused by name', async (kind) => {
    for (const stray of ['extra', 'scale', 'weight_g', 'zero_point', '_extra_state']) {
      const refused = await refusalOf(wired(kind, { ...shapes, [stray]: [3] }));
      expect(refused).toMatch(new RegExp(`^unsupported: .*'m\\.${stray}'`));
    }
  });
});

/** Tensors that others are computed from. */
function dropped(name: string): number {
  return { 'Linear with weight_norm': 1, 'Linear with spectral_norm': 2 }[name] ?? 0;
}

test.each<[string, PytorchKind, string]>([
  ['BatchNorm1d', 'layernorm', "'m.running_mean' is one of nn.BatchNorm1d, .*: write { batchnorm: 'm' }"],
  ['BatchNorm1d not affine', 'rmsnorm', "write { batchnorm: 'm' }"],
  ['InstanceNorm1d with statistics', 'groupnorm', 'or of nn.InstanceNorm1d with running statistics'],
  ['LayerNorm', 'rmsnorm', "'m.bias' is one of nn.LayerNorm: write { layernorm: 'm' }"],
  ['quantized Linear', 'linear', "'m' has others that layer 'm' takes: is it another kind of module"],
])('%s wired as %s: what to write instead', async (name, kind, message) => {
  expect(await refusalOf(wired(kind, modules[name]!))).toMatch(new RegExp(`^unsupported: .*${message}`));
});

test('half of the running statistics is refused', async () => {
  for (const kind of ['batchnorm', 'instancenorm'] as const) {
    const one = wired(kind, { weight: [3], bias: [3], running_mean: [3] });
    expect(await refusalOf(one)).toMatch(/^unsupported: .*'m.running_mean'.*running_var/);
  }
});

test.each(runs.map((run): [string, Run] => [JSON.stringify(run.options.layers.at(-1)), run]))(
  'as PyTorch: %s',
  async (_, { options, state, x, y }) => {
    const tensors = Object.fromEntries(Object.entries(state).map(([name, value]) => [name, floats(value)]));
    const { spec } = await readPytorch(file(tensors), { options: { pytorch: options } });
    const model = await createModel(spec);
    const inputs = Object.fromEntries(
      spec.inputs.map(({ name, dtype }) => {
        const { shape, data } = floats(x[name]);
        return [name, { shape, data: dtype === 'int32' ? Int32Array.from(data) : data }];
      }),
    );
    const { output } = model.run(inputs);
    model.dispose();
    expectRecorded(output, floats(y), RANDOM_LAYERS, 'output');
  },
);

test('every field of every line has been run with a value that is not the default', () => {
  const seen = new Map<string, Set<string>>();
  for (const { options } of runs) {
    for (const line of options.layers) {
      for (const kind of KINDS.filter((k) => k in line)) {
        seen.set(kind, new Set([...(seen.get(kind) ?? []), ...Object.keys(line)]));
      }
    }
  }
  // padding_mode has no other value that is read; names are those of tests/formats/pytorch-wiring.test.ts.
  const elsewhere = ['name', 'from', 'padding_mode'];
  const left = KINDS.flatMap((kind) =>
    [kind, ...Object.keys(formOf(kind).fields)]
      .filter((field) => !elsewhere.includes(field) && !seen.get(kind)?.has(field))
      .map((field) => `${kind}.${field}`),
  );
  expect(left).toEqual([]);
});
