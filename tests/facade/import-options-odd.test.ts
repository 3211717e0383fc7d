import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { inspect, loadModel } from '../../ts/index.ts';
import type { ImportOptions } from '../../ts/formats/report.ts';
import { formOf, KINDS } from '../../ts/formats/pytorch/forms/index.ts';
import { type Call, ODD, refused } from './odd-values.ts';

/** By option of a format: what it may hold, an odd value in each place of it. */
type Places = Record<string, (odd: unknown) => unknown>;

const file = (path: string) => new Uint8Array(readFileSync(new URL(`../fixtures/cases/${path}`, import.meta.url)));
const known = (...keys: string[]): Places => Object.fromEntries(keys.map((key) => [key, (odd) => ({ [key]: odd })]));

const onnx: Places = {
  itself: (odd) => odd,
  ...known('node', 'outputs', 'initializers', 'inputShapes', 'states', 'odd'),
  'a name of outputs': (odd) => ({ outputs: ['y', odd] }),
  ...(Object.fromEntries(
    ['initializers', 'inputShapes', 'states'].flatMap((key) => [
      [`${key} of an input`, (odd: unknown) => ({ [key]: { x: odd } })],
      [`${key} of a state`, (odd: unknown) => ({ [key]: { h0: odd } })],
      [`${key} of an odd name`, (odd: unknown) => ({ [key]: { odd } })],
    ]),
  ) as Places),
  'data of an initializer': (odd) => ({ initializers: { h0: { data: odd, shape: [1, 1, 6] } } }),
  'the shape of an initializer': (odd) => ({ initializers: { h0: { data: new Float32Array(6), shape: odd } } }),
  'a dimension': (odd) => ({ inputShapes: { x: [odd, 'batch', 4] } }),
};

const fieldsOf = (kind: (typeof KINDS)[number]) => Object.keys(formOf(kind).fields);
const pytorch: Places = {
  itself: (odd) => odd,
  ...known('layers', 'inputs', 'outputs', 'ignore', 'stateDict', 'odd'),
  'a line': (odd) => ({ layers: [{ gru: 'gru' }, odd] }),
  'an input': (odd) => ({ inputs: [odd] }),
  "an input's name": (odd) => ({ inputs: [{ name: odd, dtype: 'float32', size: 4 }] }),
  "an input's dtype": (odd) => ({ inputs: [{ name: 'x', dtype: odd, size: 4 }] }),
  "an input's size": (odd) => ({ inputs: [{ name: 'x', dtype: 'float32', size: odd }] }),
  'an output': (odd) => ({ layers: [{ gru: 'gru' }], outputs: [odd] }),
  'an ignored name': (odd) => ({ ignore: [odd] }),
  ...(Object.fromEntries(
    KINDS.flatMap((kind) => [
      [`a line ${kind}`, (odd: unknown) => ({ layers: [{ gru: 'gru' }, { [kind]: odd }] })],
      [`the first of a line ${kind}`, (odd: unknown) => ({ layers: [{ gru: 'gru' }, { [kind]: [odd, 'gru'] }] })],
      ...fieldsOf(kind).map((field) => [
        `${field} of a line ${kind}`,
        (odd: unknown) => ({ layers: [{ gru: 'gru' }, { [kind]: 'gru', [field]: odd }] }),
      ]),
    ]),
  ) as Places),
};

const keras: Places = {
  itself: (odd) => odd,
  ...known('config', 'odd'),
  'the config of a config': (odd) => ({ config: { class_name: 'Sequential', config: odd } }),
  'the layers of a config': (odd) => ({ config: { class_name: 'Sequential', config: { layers: odd } } }),
  'a layer of a config': (odd) => ({ config: { class_name: 'Sequential', config: { layers: [odd] } } }),
};

const FORMATS: [keyof ImportOptions, Uint8Array, Places][] = [
  ['onnx', file('onnx_torch_legacy_1layer_h0/model.onnx'), onnx],
  ['pytorch', file('pt_comp_bn_vector/model.pt'), pytorch],
  ['keras', file('k3_lstm_weights_only/w.weights.h5'), keras],
];

describe.each(FORMATS)('options of %s that nobody should hand in', (format, bytes, places) => {
  const calls = (value: (odd: unknown) => unknown): Call[] => [
    async (odd) => {
      (await loadModel(bytes, { [format]: value(odd) })).dispose();
    },
    (odd) => inspect(bytes, { [format]: value(odd) }),
  ];

  test.each(Object.entries(places))('%s', { timeout: 120_000 }, async (name, value) => {
    for (const call of calls(value)) for (const odd of Object.keys(ODD)) await refused(call, odd, `${format}: ${name}`);
  });

  test('an option that there is not is named', async () => {
    await expect(inspect(bytes, { [format]: { odd: 1 } })).rejects.toThrow(/'odd'/);
  });
});
