import { describe, expect, test } from 'vitest';
import { createModel, loadModel, type ModelSpec } from '../../ts/index.ts';
import { createModel as createJsModel, loadModel as loadJsModel } from '../../ts/js.ts';
import { parseSafetensors } from '../../ts/io/safetensors.ts';
import { writeSafetensors } from '../../ts/io/safetensors-writer.ts';
import { Random } from '../random.ts';
import { expectError } from './helpers.ts';

const BACKENDS = [
  { name: 'wasm', create: createModel, load: loadModel },
  { name: 'js', create: createJsModel, load: loadJsModel },
];
const DTYPES = ['i16', 'i8'] as const;

/** Rows of a dense layer, of as many weights each. */
const dense = (rows: number[][], bias?: number[]): ModelSpec => ({
  inputs: [{ name: 'x', dtype: 'float32', size: rows[0]!.length }],
  layers: [
    {
      name: 'dense',
      type: 'dense',
      inputSize: rows[0]!.length,
      outputSize: rows.length,
      weights: { kernel: Float32Array.from(rows.flat()), ...(bias ? { bias: Float32Array.from(bias) } : {}) },
    },
  ],
});

const [I, H] = [4, 12];

function recurrent(type: 'gru' | 'lstm' | 'rnn', more: object = {}): ModelSpec {
  const random = new Random(12);
  const gates = { gru: 3, lstm: 4, rnn: 1 }[type];
  const weights = {
    'forward.input': random.floats(gates * H * I, 0.3),
    'forward.recurrent': random.floats(gates * H * H, 0.3),
  };
  return {
    inputs: [{ name: 'x', dtype: 'float32', size: I }],
    layers: [{ name: 'layer', type, inputSize: I, hiddenSize: H, ...more, weights } as ModelSpec['layers'][number]],
  };
}

const furthest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

describe.each(BACKENDS)('$name', ({ create, load }) => {
  describe.each(DTYPES)('%s', (precision) => {
    const integers = async (spec: ModelSpec) => load((await create(spec)).save(), { precision });

    test('what counts steps is exact, and says that it has no weights to be integers', async () => {
      const one = Float32Array.of(1);
      const weights = { 'forward.input': new Float32Array(4), 'forward.recurrent': one, 'forward.bias': one };
      const layer = { name: 'count', type: 'rnn', inputSize: 4, hiddenSize: 1, activation: 'linear', weights } as const;
      const spec: ModelSpec = { inputs: [{ name: 'x', dtype: 'float32', size: 4 }], layers: [layer] };
      const steps = 40_000;
      const counted = Float32Array.from({ length: steps }, (_, i) => i + 1);
      for (const model of [await integers(spec), await load((await create(spec)).save({ dtype: precision }))]) {
        expect(model.run(new Float32Array(4 * steps)).output.data).toEqual(counted);
      }
      const file = (await create(spec)).save();
      await expectError(
        () => load(file, { precision: { count: precision } }),
        'invalid_argument',
        "'count' has no weights",
      );
    });

    test('rows of zeros, among others and alone, give the bias', async () => {
      const model = await integers(dense([[0, 0, 0], [1, -2, 0.5], [0, -0, 0]], [0.25, 0, -3])); // prettier-ignore
      const { data } = model.run(Float32Array.of(1e30, -5, 7, 0, 0, 0)).output;
      expect([data[0], data[2], data[3], data[4], data[5]]).toEqual([0.25, -3, 0.25, 0, -3]);
      expect((await integers(dense([[0, 0]]))).run(Float32Array.of(3, 4)).output.data[0]).toBe(0);
      const gru = recurrent('gru', { resetAfter: true });
      for (const tensor of Object.values((gru.layers[0] as { weights: Record<string, Float32Array> }).weights))
        tensor.fill(0);
      const x = new Float32Array(3 * I).fill(2);
      expect((await integers(gru)).run(x).output.data).toEqual((await create(gru)).run(x).output.data);
    });

    test('a weight that dwarfs the rest of its row: each weight within half of a step, no other row harmed', async () => {
      const rest = [0.5, -0.25, 0.125, 1, -1, 0.75];
      const model = await integers(dense([[1e6, ...rest], [-1e30, ...rest], [0.5, ...rest]])); // prettier-ignore
      const step = { i16: 1 / 32767, i8: 1 / 127 }[precision];
      for (let k = 0; k < 7; k++) {
        const x = Float32Array.from({ length: 7 }, (_, i) => (i === k ? 1 : 0));
        const { data } = model.run(x).output;
        [1e6, -1e30, 0.5].forEach((first, row) => {
          const want = k === 0 ? first : rest[k - 1]!;
          const largest = Math.max(Math.abs(first), 1);
          expect(Math.abs(data[row]! - want)).toBeLessThanOrEqual(0.51 * step * largest);
          // The largest itself is what it was.
          if (k === 0 && row < 2) expect(Math.abs(data[row]! / want - 1)).toBeLessThan(1e-6);
        });
      }
    });

    test.each([
      ['gru', { resetAfter: true }],
      ['gru', { resetAfter: false }],
      ['lstm', {}],
      ['rnn', {}],
      ['rnn', { activation: 'relu' }],
    ] as const)('states far from 1 are not clipped: %s %j', async (type, more) => {
      const spec = recurrent(type, more);
      const [exact, model] = [await create(spec), await integers(spec)];
      const x = new Random(1).floats(I * 3);
      for (const size of [1, 100, 1e6]) {
        const hidden = new Random(2).floats(H, size);
        const initialStates = type === 'lstm' ? { hidden, cell: hidden } : hidden;
        const want = exact.run(x, { initialStates }).output.data;
        const most = want.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
        // A gru carries such states on.
        if (type === 'gru') expect(most).toBeGreaterThan(size / 10);
        // Where a gate hangs on a small sum of large summands there is more than elsewhere: up to 0.22 (i8).
        const bound = { i16: 2e-3, i8: 0.3 }[precision] * Math.max(most, 1);
        expect(furthest(model.run(x, { initialStates }).output.data, want)).toBeLessThan(bound);
      }
    });

    test.each([NaN, Infinity, -Infinity])(
      'a state or an input of %d gives NaNs, and harms nothing later',
      async (strange) => {
        const spec = recurrent('gru', { resetAfter: true });
        const model = await integers(spec);
        const x = new Float32Array(2 * I).fill(0.5);
        const initialStates = new Float32Array(H).fill(0.1).fill(strange, 3, 4);
        expect(model.run(x, { initialStates }).output.data.every(Number.isNaN)).toBe(true);
        x[1] = strange;
        expect(model.run(x).output.data.every(Number.isNaN)).toBe(true);
        // The model is usable as before.
        expect(model.run(new Float32Array(I)).output.data.every(Number.isFinite)).toBe(true);
      },
    );

    test('weights at the ends of float32, and below its normal numbers', async () => {
      const model = await integers(dense([[3.4e38, -3.4e38], [1e-45, 1e-45], [1e-38, -1e-38]])); // prettier-ignore
      const { data } = model.run(Float32Array.of(1, 0.5)).output;
      expect(Math.abs(data[0]! / 1.7e38 - 1)).toBeLessThan(1e-2);
      expect(data[1]).toBeLessThan(1e-37);
      expect(Math.abs(data[2]! - 0.5e-38)).toBeLessThan(2e-38);
    });
  });

  describe('a file of integers', () => {
    const files = async () => {
      const stored = (await create(recurrent('gru', { resetAfter: true }))).save({ dtype: 'i8' });
      const { tensors, metadata } = parseSafetensors(stored);
      return (
        change: (name: string, data: ArrayBufferView) => ArrayBufferView | undefined,
        shaped: (name: string, shape: readonly number[]) => readonly number[] = (_, shape) => shape,
      ) => {
        const types = { F32: Float32Array, I8: Int8Array } as const;
        const kept = [...tensors].flatMap(([name, { dtype, shape, bytes }]) => {
          const type = types[dtype as keyof typeof types];
          const data = change(name, new type(bytes.slice().buffer));
          return data ? [[name, { dtype, shape: shaped(name, shape), data }]] : [];
        });
        return writeSafetensors(Object.fromEntries(kept) as Parameters<typeof writeSafetensors>[0], metadata);
      };
    };
    const SCALES = 'layer/forward.recurrent.scales';

    test('whose scales are missing', async () => {
      const file = (await files())((name, data) => (name === SCALES ? undefined : data));
      await expectError(() => load(file), 'invalid_file', SCALES);
    });

    test('whose scales are no row', async () => {
      const file = (await files())(
        (_, data) => data,
        (name, shape) => (name === SCALES ? [...shape, 1] : shape),
      );
      await expectError(() => load(file), 'invalid_spec', `'${SCALES}': expected one scale a row, the file has shape`);
    });

    test.each([NaN, Infinity])('whose scales hold %d', async (strange) => {
      const file = (await files())((name, data) =>
        name === SCALES ? (data as Float32Array).fill(strange, 2, 3) : data,
      );
      await expectError(() => load(file), 'invalid_spec', "weights['forward.recurrent'].scales must be finite");
    });
  });
});
