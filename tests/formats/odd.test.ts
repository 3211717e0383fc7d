import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadModel } from '../../ts/index.ts';
import * as keras from '../../ts/formats/keras.ts';
import * as onnx from '../../ts/formats/onnx.ts';
import * as pytorch from '../../ts/formats/pytorch.ts';
import type { ImportContext } from '../../ts/formats/report.ts';
import * as rtneural from '../../ts/formats/rtneural.ts';
import * as safetensors from '../../ts/formats/safetensors.ts';
import * as tfjs from '../../ts/formats/tfjs.ts';
import { type Call, ODD, refused } from '../facade/odd-values.ts';

const ENTRIES = { keras, onnx, pytorch, rtneural, safetensors, tfjs };
const bad = (value: unknown) => value as never;

const file = (path: string) => new Uint8Array(readFileSync(new URL(`../fixtures/cases/${path}`, import.meta.url)));
const graph = file('onnx_torch_legacy_1layer_h0/model.onnx');
const model = await loadModel(graph);
const binding = model.report!.graph!;
const x = { data: new Float32Array(4), shape: [1, 1, 4] };

/** A reader, handed odd bytes, and an odd context, or one field of it, beside a file. */
function reader(read: (bytes: Uint8Array, context?: ImportContext) => unknown, bytes: Uint8Array): Call[] {
  const fields = ['name', 'budget', 'options', 'describing', 'odd'];
  return [
    (odd) => read(bad(odd)),
    (odd) => read(bytes, bad(odd)),
    ...fields.map(
      (key): Call =>
        (odd) =>
          read(bytes, bad({ [key]: odd })),
    ),
  ];
}

const one = { dtype: 'F32', shape: [3], data: new Float32Array(3) } as const;
const CALLS: Record<string, Call[]> = {
  readKeras: reader(keras.readKeras, file('k3_lstm_default/model.keras')),
  readOnnx: reader(onnx.readOnnx, graph),
  readPytorch: reader(pytorch.readPytorch, file('pt_comp_bn_vector/model.pt')),
  readRtneural: reader(rtneural.readRtneural, new TextEncoder().encode('{"in_shape":[null,null,1],"layers":[]}')),
  readTfjs: reader(tfjs.readTfjs, file('tfjs_gru_defaults/model.json')),
  readStateDict: [
    (odd) => pytorch.readStateDict(bad(odd)),
    ...[1, 2, 3].map((at): Call => (odd) => {
      const given: unknown[] = [file('pt_comp_bn_vector/model.pt'), {}, 'model.pt', undefined];
      given[at] = odd;
      return pytorch.readStateDict(...(given as Parameters<typeof pytorch.readStateDict>));
    }),
  ],
  runOnnx: [
    (odd) => onnx.runOnnx(bad(odd), { x }),
    (odd) => onnx.runOnnx(model, bad(odd)),
    (odd) => onnx.runOnnx(model, bad({ x: odd })),
    (odd) => onnx.runOnnx(model, bad({ [binding.inputs[0]!.name]: odd })),
    (odd) => onnx.runOnnx(model, bad({ [binding.inputs[0]!.name]: { ...x, data: odd } })),
    (odd) => onnx.runOnnx(model, bad({ [binding.inputs[0]!.name]: { ...x, shape: odd } })),
  ],
  bindInputs: [(odd) => onnx.bindInputs(bad(odd), {}), (odd) => onnx.bindInputs(binding, bad(odd))],
  bindOutput: [
    (odd) => onnx.bindOutput(bad(odd), {}, onnx.bindInputs(binding, { [binding.inputs[0]!.name]: x })),
    (odd) => onnx.bindOutput(binding.outputs[0]!, bad(odd), onnx.bindInputs(binding, { [binding.inputs[0]!.name]: x })),
    (odd) => onnx.bindOutput(binding.outputs[0]!, {}, bad(odd)),
  ],
  parseSafetensors: [(odd) => safetensors.parseSafetensors(bad(odd))],
  writeSafetensors: [
    (odd) => safetensors.writeSafetensors(bad(odd)),
    (odd) => safetensors.writeSafetensors({ x: bad(odd) }),
    ...['dtype', 'shape', 'data'].map(
      (key): Call =>
        (odd) =>
          safetensors.writeSafetensors({ x: bad({ ...one, [key]: odd }) }),
    ),
    (odd) => safetensors.writeSafetensors({ x: bad({ ...one, shape: [odd] }) }),
    (odd) => safetensors.writeSafetensors({ x: { ...one, shape: [3] } }, bad(odd)),
    (odd) => safetensors.writeSafetensors({ x: { ...one, shape: [3] } }, bad({ x: odd })),
  ],
};

test.each(Object.entries(CALLS))('odd values at %s', { timeout: 120_000 }, async (name, calls) => {
  for (const [i, call] of calls.entries())
    for (const odd of Object.keys(ODD)) await refused(call, odd, `${name}, call ${i}`);
});

test('every function of gru-wasm/formats/* is handed odd values', () => {
  const functions = Object.values(ENTRIES).flatMap((entry) =>
    Object.entries(entry).flatMap(([name, value]) => (typeof value === 'function' ? [name] : [])),
  );
  expect(Object.keys(CALLS).sort()).toEqual([...new Set(functions)].sort());
});

test.each([
  ['a shape of other values', { x: { ...one, shape: [2] } }, /tensor 'x': shape must be .* 3 values/],
  [
    'data of another dtype',
    { x: { ...one, dtype: 'I32', shape: [3] } },
    /tensor 'x': data of I32 must be a Int32Array/,
  ],
  ['the name of the metadata', { __metadata__: { ...one, shape: [3] } }, /__metadata__/],
] as const)('no file is written of %s', (_, tensors, message) => {
  expect(() => safetensors.writeSafetensors(bad(tensors))).toThrow(message);
});
