import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createModel } from '../../ts/api/js.ts';
import { readTfjs } from '../../ts/formats/tfjs.ts';
import { expectRecorded } from '../cases/recorded.ts';
import { RANDOM_LAYERS } from '../tolerances.ts';
import { refusalOf, wordsOf } from './refusal.ts';

/** Layers models of TensorFlow.js, each field with a value that is not the default, against what it gave (make_tfjs.mjs). */

type Json = Record<string, unknown>;
interface Values {
  shape: number[];
  data: number[];
}
interface Run {
  of: string;
  fields: string[];
  json: Json;
  weights: string;
  x: Record<string, Values>;
  y: Values;
  masked?: boolean;
  /** A layer that is given no mask takes that of another. */
  leaks?: boolean;
}
const { runs, ignored } = JSON.parse(
  readFileSync(new URL('../fixtures/sweeps/tfjs.json', import.meta.url), 'utf8'),
) as { runs: Run[]; ignored: [className: string, config: Json, result: string][] };

const read = (json: unknown, weights: string) =>
  readTfjs(new TextEncoder().encode(JSON.stringify(json)), {
    name: 'model.json',
    sidecar: () => Promise.resolve(new Uint8Array(Buffer.from(weights, 'base64'))),
  });

const layersOf = (json: Json) =>
  (json['modelTopology'] as { config: { layers: { class_name: string; config: Json }[] } }).config.layers;
const saying = ({ of, json, masked, leaks }: Run) => {
  const { config } = layersOf(json).find(({ class_name: found }) => found === of)!;
  const plain = Object.entries(config).filter(
    ([name]) => !/_(initializer|regularizer|constraint)$|^(name|dtype|trainable)$/.test(name),
  );
  return `${of} ${JSON.stringify(Object.fromEntries(plain))}${masked ? ' of masked steps' : ''}${leaks ? ', leaking' : ''}`;
};

/** What is refused though TensorFlow.js runs it, and why. */
const REFUSED: [RegExp, RegExp][] = [
  // Added to the scores of features, whatever the steps.
  [/^Softmax .* of masked steps$/, /mask, which is applied to features/],
  // Other numbers than those of Keras.
  [/leaking$/, /TensorFlow\.js hands it that of another layer, which Keras does not/],
];

test.each(runs.map((run): [string, Run] => [saying(run), run]))('%s', async (title, { json, weights, x, y }) => {
  const [, message] = REFUSED.find(([pattern]) => pattern.test(title)) ?? [];
  if (message) {
    expect(await refusalOf(read(json, weights))).toMatch(message);
    return;
  }
  const { spec } = await read(json, weights);
  const model = await createModel(spec);
  const inputs = Object.fromEntries(
    spec.inputs.map(({ name, dtype }) => {
      const { shape, data } = x[name]!;
      return [name, { shape, data: dtype === 'int32' ? Int32Array.from(data) : Float32Array.from(data) }];
    }),
  );
  const { output } = model.run(inputs);
  model.dispose();
  expectRecorded(output, { ...y, data: Float32Array.from(y.data) }, RANDOM_LAYERS, 'output');
});

/** The model as text, or why there is none. */
async function made(json: unknown, weights: string): Promise<string> {
  try {
    const { spec } = await read(json, weights);
    (await createModel(spec)).dispose();
    return JSON.stringify(spec, (_, value: unknown) => (value instanceof Float32Array ? [...value] : value));
  } catch (error) {
    return wordsOf(error);
  }
}

/** Fields on which no result depends: of training alone, starting values, or how it is computed. */
const HARMLESS =
  /^(name|trainable|seed|rate|stddev|noise_shape|momentum|dropout|recurrent_dropout|implementation|unroll|stateful|unit_forget_bias|input_length|batch_input_shape|dropout_func|recurrent_dropout_func|input_dim|return_state)$|_(initializer|regularizer|constraint)$/;

/** Fields with one value in what TensorFlow.js runs; RNN writes those of its cell beside it, and reads them of the cell. */
const ELSEWHERE: Record<string, string[]> = {
  ELU: ['alpha'],
  GRU: ['reset_after'],
  RNN: ['units', 'activation', 'recurrent_activation', 'use_bias', 'reset_after', 'cells'],
};

const ODD: unknown[] = ['', 'seven', {}, [[]], 1.5, -3, 1e9];

const classes = [...new Set(runs.map(({ of }) => of))];
describe.each(classes)('%s', (of) => {
  const own = runs.filter((run) => run.of === of && !run.masked);
  const { json, weights } = own[0]!;
  const changed = (fields: Json) => {
    const copy = structuredClone(json);
    Object.assign(layersOf(copy).find(({ class_name: found }) => found === of)!.config, fields);
    return made(copy, weights);
  };
  const written = [
    ...new Set(own.flatMap((run) => Object.keys(layersOf(run.json).find((l) => l.class_name === of)!.config))),
  ];

  test('every field that TensorFlow.js writes has been run with another value, or is harmless', () => {
    const seen = new Set([...own.flatMap(({ fields }) => fields), 'dtype']);
    expect(
      written.filter((field) => !seen.has(field) && !HARMLESS.test(field) && !(ELSEWHERE[of] ?? []).includes(field)),
    ).toEqual([]);
  });

  test('an unknown field is refused by name; fields of odd values change the model or are refused', async () => {
    const plain = await made(json, weights);
    expect(await changed({ not_a_field: 1 })).toMatch(/^unsupported: .*not_a_field/);
    const repeated = of === 'RNN' ? ELSEWHERE[of]! : [];
    for (const field of written.filter((name) => !HARMLESS.test(name) && !repeated.includes(name))) {
      for (const value of ODD) {
        const other = await changed({ [field]: value });
        expect(other, `${field} ${JSON.stringify(value)}`).not.toBe(plain);
        if (!other.startsWith('{')) expect(other).toMatch(/^(unsupported|invalid_file|shape_mismatch|invalid_spec): /);
      }
    }
  });
});

describe('what TensorFlow.js leaves out of account', () => {
  test.each(ignored.filter(([, , result]) => result === 'ignored'))(
    '%s %j is refused by name',
    async (className, config) => {
      const field = Object.keys(config).at(-1)!;
      const run = runs.find(({ of }) => of === className)!;
      const copy = structuredClone(run.json);
      Object.assign(layersOf(copy).find((l) => l.class_name === className)!.config, { [field]: config[field] });
      expect(await refusalOf(read(copy, run.weights))).toMatch(
        new RegExp(`^unsupported: ${className} layer '.*${field}`),
      );
    },
  );
});
