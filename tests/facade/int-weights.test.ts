import { describe, expect, test } from 'vitest';
import { numbersOf, type WeightTensor } from '../../ts/base/weights.ts';
import { createModel, inspect, loadModel, type ModelSpec } from '../../ts/index.ts';
import { createPool } from '../../ts/pool.ts';
import { createModel as createJsModel, loadModel as loadJsModel } from '../../ts/js.ts';
import { sourceWorker } from '../pool/source.ts';
import { Random } from '../random.ts';
import { expectError } from './helpers.ts';

const BACKENDS = [
  { name: 'wasm', make: createModel, load: loadModel },
  { name: 'js', make: createJsModel, load: loadJsModel },
];

const random = new Random(3);
const [I, H] = [3, 5];

function integers(rows: number, columns: number, dtype: 'i16' | 'i8'): WeightTensor {
  const scales = random.floats(rows, 0.01);
  const values = random.floats(rows * columns, 100);
  return dtype === 'i16'
    ? { dtype, data: Int16Array.from(values, (v) => 100 * v), scales: scales.map((s) => s / 100) }
    : { dtype, data: Int8Array.from(values), scales };
}

/** Ids through a table, a GRU and a dense layer. */
function spec(dtype: 'i16' | 'i8'): ModelSpec {
  return {
    inputs: [{ name: 'ids', dtype: 'int32', size: 1 }],
    layers: [
      {
        name: 'table',
        type: 'embedding',
        vocabularySize: 7,
        outputSize: I,
        weights: { embeddings: integers(7, I, dtype) },
      },
      {
        name: 'gru',
        type: 'gru',
        inputSize: I,
        hiddenSize: H,
        resetAfter: true,
        weights: {
          'forward.input': integers(3 * H, I, dtype),
          'forward.recurrent': integers(3 * H, H, dtype),
          'forward.bias': random.floats(3 * H),
        },
      },
      {
        name: 'logits',
        type: 'dense',
        inputSize: H,
        outputSize: 2,
        weights: { kernel: integers(2, H, dtype), bias: random.floats(2) },
      },
    ],
  };
}

const ids = Int32Array.of(0, 6, 3, 3, 1);

/** The same with each tensor as the numbers that it stands for. */
function asNumbers(given: ModelSpec): ModelSpec {
  const layers = given.layers.map((layer) => {
    const weights = Object.entries((layer as { weights: Record<string, WeightTensor> }).weights);
    return { ...layer, weights: Object.fromEntries(weights.map(([key, tensor]) => [key, numbersOf(tensor)])) };
  });
  return { ...given, layers } as ModelSpec;
}

describe.each(BACKENDS)('weights of integers on $name', ({ make, load }) => {
  test.each(['i16', 'i8'] as const)('%s: as the numbers that they stand for', async (dtype) => {
    const given = spec(dtype);
    const { data } = (await make(given)).run(ids).output;
    const wanted = (await make(asNumbers(given))).run(ids).output.data;
    data.forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i]!, 2);
    });
    expect(new Set(data).size).toBe(data.length);
  });

  test.each([
    ['i16', 2],
    ['i8', 1],
  ] as const)('%s: a file keeps them, %i bytes each', async (dtype, bytes) => {
    const model = await make(spec(dtype));
    const file = model.save();
    const [small, large] = [file.length, (await make(asNumbers(model.spec))).save().length];
    const count = 7 * I + 3 * H * (I + H) + 2 * H;
    const rows = 7 + 6 * H + 2;
    const headers = (length: number) => length - (length % 8);
    expect(headers(large - small)).toBeGreaterThan(count * (4 - bytes) - rows * 4 - 600);
    const again = await load(file);
    expect(again.spec).toEqual(model.spec);
    expect(again.run(ids).output.data).toEqual(model.run(ids).output.data);
    expect(again.save()).toEqual(file);
  });
});

test('a file of integers: what it holds, and workers that run it', async () => {
  const model = await createModel(spec('i8'));
  const report = await inspect(model.save());
  expect(report.parameters).toBe(7 * I + 3 * H * (I + H + 1) + 2 * H + 2);
  expect(report.tensors).toContainEqual({
    source: 'gru/forward.input',
    target: 'gru/forward.input',
    dtype: 'I8',
    shape: [3 * H, I],
  });
  const pool = await createPool(model, { workers: 2, createWorker: () => sourceWorker() });
  try {
    const together = await pool.run([ids, ids.slice(2)]);
    expect(together.output.data).toEqual(model.run([ids, ids.slice(2)]).output.data);
  } finally {
    await pool.close();
  }
});

describe('what is no tensor of integers is refused by name', () => {
  const good = spec('i8');
  const kernel = (good.layers[2] as { weights: { kernel: { dtype: string; data: Int8Array; scales: Float32Array } } })
    .weights.kernel;
  const scales = (values: number[]) => Float32Array.from(values);
  const cases: [string, Record<string, unknown>, string][] = [
    ['an unknown dtype', { ...kernel, dtype: 'i4' }, "weights['kernel'].dtype must be i16 or i8, got the string 'i4'"],
    ['data of another dtype', { ...kernel, dtype: 'i16' }, "weights['kernel'].data must be an Int16Array of 10 values"],
    [
      'too few values',
      { ...kernel, data: kernel.data.subarray(1) },
      "weights['kernel'].data must be an Int8Array of 10 values",
    ],
    ['no scales', { dtype: 'i8', data: kernel.data }, "weights['kernel'].scales must be a Float32Array of 2 values"],
    [
      'a scale too many',
      { ...kernel, scales: scales([1, 2, 3]) },
      "weights['kernel'].scales must be a Float32Array of 2 values",
    ],
    [
      'scales that are not finite',
      { ...kernel, scales: scales([1, Infinity]) },
      "weights['kernel'].scales must be finite, got Infinity",
    ],
    ['a field that nobody reads', { ...kernel, zero: 3 }, "weights['kernel'] has the unknown field 'zero'"],
  ];
  test.each(cases)('%s', async (_, tensor, message) => {
    const layers = [...good.layers.slice(0, 2), { ...good.layers[2], weights: { kernel: tensor } }];
    await expectError(
      () => createModel({ ...good, layers } as ModelSpec),
      'invalid_spec',
      "dense layer 'logits'",
      message,
    );
  });

  test('a bias is numbers', async () => {
    const bias = { dtype: 'i8', data: new Int8Array(2), scales: new Float32Array(2) };
    const layers = [...good.layers.slice(0, 2), { ...good.layers[2], weights: { kernel, bias } }];
    await expectError(
      () => createModel({ ...good, layers } as ModelSpec),
      'invalid_spec',
      "weights['bias'] must be a Float32Array",
    );
  });

  test('a file without scales', async () => {
    const file = (await createModel(good)).save();
    const text = new TextDecoder('latin1').decode(file).replaceAll('logits/kernel.scales', 'logits/kernel.scaled');
    const renamed = Uint8Array.from(text, (c) => c.charCodeAt(0));
    await expectError(() => loadModel(renamed), 'invalid_file', "'logits/kernel.scales'");
  });
});

describe.each(['i16', 'i8'] as const)('products of %s', (dtype) => {
  // No gates around them, so the relaxed build has no other rounding; called until the engine has made optimised code of the kernels,
  // which must take the bytes of the relaxed dot product as the probe found (crate/src/kernels/dot.rs).
  test.each([
    [1, 1],
    [3, 17],
    [64, 48],
    [129, 70],
  ])(
    'of %i by %i are the bits of JavaScript in the fastest build too, however often they are made',
    async (size, outputs) => {
      const kernel = integers(outputs, size, dtype);
      const spec: ModelSpec = {
        inputs: [{ name: 'x', dtype: 'float32', size }],
        layers: [
          {
            name: 'dense',
            type: 'dense',
            inputSize: size,
            outputSize: outputs,
            weights: { kernel, bias: random.floats(outputs) },
          },
        ],
      };
      using wasm = await createModel(spec);
      using js = await createJsModel(spec);
      const rows = [1, 2, 6, 13];
      const inputs = rows.map((count) =>
        random
          .floats(count * size, 4)
          .fill(4, 0, 1)
          .fill(-4, 1, 2),
      );
      const wants = inputs.map((x) => js.run(x).output.data.slice());
      for (let time = 0; time < 2000; time++) {
        const at = time % rows.length;
        if (time > 20 && time < 1990) wasm.run(inputs[at]!);
        else expect(wasm.run(inputs[at]!).output.data).toEqual(wants[at]);
      }
    },
  );
});
