import { describe, expect, test } from 'vitest';
import { readPytorch, type PytorchLayer } from '../../ts/formats/pytorch.ts';
import { writeSafetensors } from '../../ts/formats/safetensors.ts';
import { BACKENDS } from '../backends.ts';
import { refusalOf } from './refusal.ts';

/** An nn.ConvTranspose1d of 4 channels and 2 outputs, of whole numbers: what torch 2.15 makes of whole numbers is exact. */

const fileOf = (taps: number, hasBias: boolean, own = 2) => {
  const weight = Float32Array.from({ length: 4 * own * taps }, (_, i) => (i % 7) - 3);
  return writeSafetensors({
    'up.weight': { dtype: 'F32', shape: [4, own, taps], data: weight },
    ...(hasBias ? { 'up.bias': { dtype: 'F32' as const, shape: [2], data: Float32Array.of(1, -2) } } : {}),
  });
};
const read = (bytes: Uint8Array, line: object) =>
  readPytorch(bytes, { options: { pytorch: { layers: [{ convtranspose1d: 'up', ...line }] } } });

// prettier-ignore
const MADE: [line: { groups?: number; [field: string]: number | undefined }, taps: number, hasBias: boolean, steps: number, wanted: number[]][] = [
  [{"stride": 2}, 4, true, 5, [6, -11, 6, -4, 9, -9, 7, -4, -4, -4, -5, 9, -2, 16, -2, 2, -5, -4, -4, -10, 2, 0, 4, -5]],
  [{"stride": 2, "padding": 1}, 4, true, 5, [6, -4, 9, -9, 7, -4, -4, -4, -5, 9, -2, 16, -2, 2, -5, -4, -4, -10, 2, 0]],
  [{"stride": 2, "padding": 1, "output_padding": 1}, 3, true, 4, [3, -7, 5, -4, 8, -1, -10, -2, -7, 0, 15, 5, -7, 1, -8, 0]],
  [{"stride": 3}, 2, true, 3, [14, -3, 14, -10, 1, -2, -5, -5, -7, 7, 1, -2, 1, -7, 2, -6]],
  [{"stride": 3, "output_padding": 2, "padding": 1}, 2, true, 4, [14, -10, 1, -2, -5, -5, -7, 7, 1, -2, 1, -7, 2, -6, 1, -2, 2, 11, 1, -4, 1, -2]],
  [{"dilation": 2}, 3, true, 4, [10, -7, -4, 1, -6, -6, 15, 3, 2, -5, -9, 0, 8, 1, -8, 0]],
  [{"padding": 1}, 3, true, 4, [-2, -4, 8, -5, -2, 3, 0, 4]],
  [{"padding": 3}, 5, true, 4, [9, 10, 0, -13]],
  [{"stride": 2, "groups": 2}, 4, false, 3, [7, 6, 6, 7, 3, -10, -7, -9, -12, 9, 2, 8, -2, -3, 0, -4]],
];

describe.each(BACKENDS)('$name: { convtranspose1d }', ({ api }) => {
  test.each(MADE)('%j of %i taps', async (line, taps, hasBias, steps, wanted) => {
    const { spec } = await read(fileOf(taps, hasBias, 2 / (line.groups ?? 1)), line);
    using model = await api.createModel(spec);
    const data = Float32Array.from({ length: 4 * steps }, (_, i) => ((3 * i) % 5) - 2);
    expect(Array.from(model.run({ data, shape: [1, steps, 4] }).output.data)).toEqual(wanted);
    const relu = await read(fileOf(taps, hasBias, 2 / (line.groups ?? 1)), { ...line, activation: 'relu' });
    using bent = await api.createModel(relu.spec);
    expect(Array.from(bent.run({ data, shape: [1, steps, 4] }).output.data)).toEqual(wanted.map((v) => Math.max(v, 0)));
  });
});

test.each<[object, RegExp]>([
  [{ stride: 2, dilation: 2 }, /stride 2 and dilation 2 together/],
  [{ output_padding: 1 }, /output_padding 1 must be below stride 1/],
  [{ groups: 3 }, /groups 3 do not divide its 4 inputs/],
  [{ groups: 2 }, /up\.bias/],
  [{ padding: 'same' }, /padding/],
  [{ stride: 0 }, /stride/],
  [{ odd: 1 }, /odd/],
])('refused: %j', async (line, message) => {
  expect(await refusalOf(read(fileOf(3, true), line))).toMatch(message);
});

test('other lines come before and behind it', async () => {
  const layers = [{ activation: 'tanh' }, { convtranspose1d: 'up', stride: 2 }, { step: -1 }] as PytorchLayer[];
  const inputs = [{ name: 'x', dtype: 'float32' as const, size: 4 }];
  const { spec } = await readPytorch(fileOf(3, true), { options: { pytorch: { layers, inputs } } });
  expect(spec.layers.map(({ type, inputs: read }) => [type, read])).toEqual([
    ['activation', undefined],
    ['conv1d', ['activation']],
    ['upsample', ['up_parts']],
    ['pad', ['up_steps']],
    ['step', ['up']],
  ]);
});

test('a state dict that holds it is suggested to be wired so', async () => {
  expect(await refusalOf(readPytorch(fileOf(3, true), { options: {} }))).toMatch(
    /convtranspose1d: 'up'|ConvTranspose1d/,
  );
});
