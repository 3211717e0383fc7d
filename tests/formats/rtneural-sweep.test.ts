import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createModel } from '../../ts/api/js.ts';
import { readRtneural } from '../../ts/formats/rtneural.ts';
import { KINDS } from '../../ts/formats/rtneural/kinds.ts';
import { readNested } from '../../ts/io/nested.ts';
import { expectRecorded } from '../cases/recorded.ts';
import { RANDOM_LAYERS } from '../tolerances.ts';
import { wordsOf } from './refusal.ts';

/** Every field of every layer, and of SimpleRNN: against what Keras and PyTorch gave (make_rtneural.py), and changed. */

type Json = Record<string, unknown>;
interface Run {
  of: string;
  fields: string[];
  model: Json;
  x: unknown;
  y: unknown;
}
const runs = JSON.parse(readFileSync(new URL('../fixtures/sweeps/rtneural.json', import.meta.url), 'utf8')) as Run[];
const read = (json: unknown) => readRtneural(new TextEncoder().encode(JSON.stringify(json)), { name: 'm.json' });
const saying = (run: Run): string =>
  JSON.stringify(run.model, (key, value: unknown) => (['weights', 'state_dict'].includes(key) ? undefined : value));

test.each(runs.map((run): [string, Run] => [saying(run), run]))('%s', async (_, { model, x, y }) => {
  const made = await createModel((await read(model)).spec);
  const { output } = made.run(readNested(x, 'x'));
  made.dispose();
  expectRecorded(output, readNested(y, 'y'), RANDOM_LAYERS, 'output');
});

/** The model as text, or why there is none. */
async function made(json: unknown): Promise<string> {
  try {
    const { spec } = await read(json);
    (await createModel(spec)).dispose();
    return JSON.stringify(spec, (_, value: unknown) => (value instanceof Float32Array ? [...value] : value));
  } catch (error) {
    return wordsOf(error);
  }
}

const ODD = ['', 'seven', {}, [], [[2]], 1.5, -3, 1e9, true];

/** A value for each field of an entry of `layers` that makes another model. */
const LAYER_FIELDS: Json = { kernel_size: 1, dilation: 2, groups: 2, epsilon: 9 };

describe.each(Object.keys(KINDS))('%s', (type) => {
  const { model } = runs.find((run) => run.of === type)!;
  const [entry] = model['layers'] as Json[];
  const changed = (fields: Json) => made({ ...model, layers: [{ ...entry, ...fields }] });

  test('fields of its own have been run, change the model or are refused, of another type too', async () => {
    const own = KINDS[type]!.fields ?? [];
    const seen = runs.filter((run) => run.of === type).flatMap(({ fields }) => fields);
    expect([...new Set(seen)].sort()).toEqual([...own].sort());
    const plain = await changed({});
    expect(plain).toMatch(/^\{/);
    for (const field of own) {
      for (const value of [LAYER_FIELDS[field], ...ODD]) {
        // 1.5 is an epsilon like any other.
        const other = await changed({ [field]: value });
        expect(other, `${field} ${JSON.stringify(value)}`).not.toBe(plain);
        if (!other.startsWith('{')) expect(other).toMatch(/^(invalid_file|unsupported|shape_mismatch|invalid_spec): /);
      }
    }
  });

  test('an unknown field is refused by name, as are activations and shapes that are none', async () => {
    expect(await changed({ not_a_field: 1 })).toMatch(/^unsupported: m\.json: layers\[0\] \(.*not_a_field/);
    for (const strides of [{ strides: 2 }, { padding: 'same' }, { go_backwards: true }, { alpha: 2 }]) {
      expect(await changed(strides)).toMatch(new RegExp(`^unsupported: .*'${Object.keys(strides)[0]!}'`));
    }
    for (const value of [...ODD.slice(1), 'gelu']) {
      expect(await changed({ activation: value })).toMatch(/^unsupported: m\.json: layers\[0\].*activation/);
    }
    for (const value of ODD) expect(await changed({ shape: value })).toMatch(/^(invalid_file|unsupported): m\.json/);
    for (const value of ODD.filter((odd) => !Array.isArray(odd))) {
      expect(await changed({ weights: value })).toMatch(/^invalid_file: m\.json: layers\[0\]/);
    }
  });
});

describe('around the layers', () => {
  const { model } = runs.find((run) => run.of === 'lstm')!;
  const dense = { type: 'dense', activation: '', shape: [null, null, 1], weights: [[[1], [2], [3]]] };
  const mono = { ...model, layers: [...(model['layers'] as Json[]), dense] };

  test.each(['in_skip', 'in_gain', 'out_gain'])('%s changes the model, or is refused', async (field) => {
    const plain = await made(mono);
    for (const value of [1, ...ODD]) {
      const other = await made({ ...mono, [field]: value });
      expect(other, JSON.stringify(value)).not.toBe(plain);
      if (!other.startsWith('{')) expect(other).toContain(field);
    }
    for (const value of [0, null]) expect(await made({ ...mono, [field]: value })).toBe(plain);
  });

  test('what is harmless, and what is not known', async () => {
    const plain = await made(mono);
    for (const field of ['metadata', 'samplerate', 'input_batch', 'output_batch']) {
      for (const value of [{ a: 1 }, 48000, [1]]) expect(await made({ ...mono, [field]: value })).toBe(plain);
    }
    for (const field of ['skip', 'gain', 'out_skip', 'in_bias', 'not_a_field']) {
      expect(await made({ ...mono, [field]: 1 })).toMatch(
        new RegExp(`^unsupported: m\\.json has the field '${field}'`),
      );
    }
  });
});

describe('SimpleRNN', () => {
  const { model } = runs.find(({ of, fields }) => of === 'SimpleRNN' && !fields.includes('skip'))!;
  const data = model['model_data'] as Json;
  const changed = (fields: Json, more: Json = {}) => made({ ...model, ...more, model_data: { ...data, ...fields } });

  test('skip is 1 where the file does not say it, as in the class, and the report says so', async () => {
    const unsaid = await read(model);
    expect(await made(model)).toBe(await changed({ skip: 1 }));
    expect(await made(model)).not.toBe(await changed({ skip: 0 }));
    expect(unsaid.report.conventions.join()).toContain('skip 1 (model_data does not say it)');
  });

  test.each(['unit_type', 'skip', 'bias_fl', 'input_size', 'hidden_size', 'num_layers', 'output_size', 'model'])(
    '%s changes the model or is refused',
    async (field) => {
      const plain = await changed({});
      const named = runs.filter((run) => run.of === 'SimpleRNN').flatMap(({ fields }) => fields);
      if (field !== 'model') expect(named).toContain(field);
      for (const value of [0, 7, null, ...ODD]) {
        const other = await changed({ [field]: value });
        // Python takes what is true for True.
        if (field === 'bias_fl' && other === plain) expect(value).toBeTruthy();
        else {
          expect(other, JSON.stringify(value)).not.toBe(plain);
          if (!other.startsWith('{'))
            expect(other).toMatch(new RegExp(`^(invalid_file|unsupported): m\\.json: .*${field}`));
        }
      }
    },
  );

  test('an unknown field is refused by name, beside model_data too', async () => {
    const plain = await changed({});
    expect(await changed({ not_a_field: 1 })).toMatch(/^unsupported: m\.json: .*'not_a_field'/);
    for (const field of ['layers', 'in_gain', 'in_skip', 'not_a_field']) {
      expect(await changed({}, { [field]: 1 })).toMatch(new RegExp(`^unsupported: m\\.json: has the field '${field}'`));
    }
    expect(await changed({}, { metadata: {}, samplerate: 48000 })).toBe(plain);
  });
});
