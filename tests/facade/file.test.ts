import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseSafetensors, type TensorToWrite, writeSafetensors } from '../../ts/formats/safetensors.ts';
import type { ModelSource } from '../../ts/io/source.ts';
import type { ModelSpec } from '../../ts/spec/spec.ts';
import { BACKENDS } from '../backends.ts';
import { FLOAT16_WEIGHTS, SAME_BITS } from '../tolerances.ts';
import { expectClose, expectError, gruLayer, numbers, oneGru, tensor, textModel, twoInputs } from './helpers.ts';

/** The file with its spec and its tensors changed. */
function edited(
  bytes: Uint8Array,
  edit: (spec: Record<string, unknown>, tensors: Record<string, TensorToWrite>) => unknown,
): Uint8Array {
  const { metadata, tensors } = parseSafetensors(bytes);
  const entries = [...tensors.values()].map(({ name, shape, bytes: data }) => [
    name,
    { dtype: 'F32', shape, data: new Float32Array(new Uint8Array(data).buffer) },
  ]);
  const record = Object.fromEntries(entries) as Record<string, TensorToWrite>;
  const spec = JSON.parse(metadata['gru-wasm']!) as Record<string, unknown>;
  const json = edit(spec, record) ?? spec;
  return writeSafetensors(record, { 'gru-wasm': typeof json === 'string' ? json : JSON.stringify(json) });
}

const options: ModelSpec = {
  inputs: [{ name: 'x', dtype: 'float32', size: 3 }],
  layers: [
    { name: 'mask', type: 'masking', maskValue: -1 },
    {
      ...gruLayer('a/b', 3, 4, { direction: 'bidirectional', merge: 'ave', clip: 3, resetAfter: false }),
      mask: 'mask:mask',
      paddedOutput: 'zero',
      activation: { name: 'scaled_tanh', alpha: 1.1, beta: 0.9 },
    },
    { name: 'softmax', type: 'activation', activation: 'softmax' },
  ],
};

describe.each(BACKENDS)('$name', ({ api }) => {
  test('weights that were transferred after the model was made: save and snapshot name the tensor', async () => {
    const spec = oneGru(3, 5);
    using model = await api.createModel(spec);
    const want = model.run(numbers(6));
    const { weights } = model.spec.layers[0] as { weights: Record<string, Float32Array<ArrayBuffer>> };
    const { buffer } = Object.values(weights)[0]!;
    structuredClone(buffer, { transfer: [buffer] });
    await expectError(() => model.save(), 'shape_mismatch', 'gru/', 'data has 0');
    await expectError(() => model.createStream().snapshot(), 'shape_mismatch', 'gru/');
    expect(model.run(numbers(6))).toEqual(want);
  });

  test.each<[string, ModelSpec]>([
    ['text', textModel()],
    ['two inputs', twoInputs()],
    ['options', options],
  ])('float32 round trip: %s', async (_, spec) => {
    using model = await api.createModel(spec);
    const bytes = model.save();
    using loaded = await api.loadModel(bytes);
    expect(loaded.save()).toEqual(bytes);
    expect(loaded.layers).toEqual(model.layers);
    expect(loaded.inputs).toEqual(model.inputs);
    const input: Record<string, never> = Object.fromEntries(
      model.inputs.map(({ name, shape, dtype }) => {
        const numeric = shape.map((d) => (d === 'batch' ? 2 : d === 'steps' ? 4 : d));
        return [name, dtype === 'int32' ? { data: [1, 2, 3, 4, 5, 6, 7, 8], shape: numeric } : tensor(numeric)] as [
          string,
          never,
        ];
      }),
    );
    expect(loaded.run(input)).toEqual(model.run(input));
  });

  test('float16: half the size, rounded once, exact from then on', async () => {
    using model = await api.createModel(oneGru(9, 20));
    const bytes = model.save({ dtype: 'float16' });
    expect(bytes.length).toBeLessThan(0.6 * model.save().length);
    using loaded = await api.loadModel(bytes);
    expect(loaded.save({ dtype: 'float16' })).toEqual(bytes);
    using again = await api.loadModel(loaded.save());
    const x = tensor([2, 5, 9]);
    expectClose(loaded.run(x).output.data, model.run(x).output.data, FLOAT16_WEIGHTS);
    expectClose(again.run(x).output.data, loaded.run(x).output.data, SAME_BITS);

    const spec = oneGru(2, 2);
    Object.assign(spec.layers[0]!, {
      weights: { 'forward.input': numbers(12).fill(7e4), 'forward.recurrent': numbers(12) },
    });
    using large = await api.createModel(spec);
    await expectError(() => large.save({ dtype: 'float16' }), 'unsupported', "'gru/forward.input'", '70000');
    await expectError(() => large.save({ dtype: 'int8' as never }), 'invalid_argument', 'int8');
  });

  test('a path, URLs, a response, a blob, bytes', async () => {
    using model = await api.createModel(oneGru(2, 3));
    const bytes = new Uint8Array(model.save());
    const folder = await mkdtemp(join(tmpdir(), 'gru-wasm-'));
    const server = createServer((request, response) => {
      if (request.url !== '/model.safetensors') response.statusCode = 404;
      response.end(bytes);
    }).listen(0, '127.0.0.1');
    try {
      await new Promise((resolve) => server.once('listening', resolve));
      const http = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const path = join(folder, 'a model#1.safetensors');
      await writeFile(path, bytes);
      const odd = new Uint8Array(bytes.length + 1).subarray(1);
      odd.set(bytes);
      const sources: ModelSource[] = [
        path,
        pathToFileURL(path),
        pathToFileURL(path).href,
        `${http}/model.safetensors`,
        new URL(`${http}/model.safetensors`),
        `data:application/octet-stream;base64,${Buffer.from(bytes).toString('base64')}`,
        new Response(bytes),
        new Blob([bytes]),
        bytes.buffer,
        bytes,
        Buffer.from(bytes),
        odd,
      ];
      for (const source of sources) {
        using loaded = await api.loadModel(source);
        expect(loaded.save()).toEqual(bytes);
      }
      await expectError(() => api.loadModel(join(folder, 'none')), 'io', 'none', 'ENOENT');
      await expectError(() => api.loadModel(`${http}/none`), 'io', '/none', '404');
      await expectError(() => api.loadModel(new Response('', { status: 500 })), 'io', '500');
      await expectError(() => api.loadModel('http://127.0.0.1:1/'), 'io', '127.0.0.1:1');
      await expectError(() => api.loadModel(42 as never), 'invalid_argument', '42');
      await expectError(() => api.loadModel(path, { backend: 'gpu' as never }), 'invalid_argument', "'gpu'");
      await expectError(() => api.loadModel(path, { Backend: 'js' } as never), 'invalid_argument', "'Backend'");
      const aborted = api.loadModel(path, { signal: AbortSignal.abort(new Error('enough')) });
      await expect(aborted).rejects.toThrow('enough');
    } finally {
      server.close();
      await rm(folder, { recursive: true });
    }
  });

  test('bytes may change after loading', async () => {
    using model = await api.createModel(oneGru(2, 3));
    const bytes = model.save();
    using loaded = await api.loadModel(bytes);
    bytes.fill(0);
    expect(loaded.save()).toEqual(model.save());
  });

  test('a file cut anywhere', async () => {
    using model = await api.createModel(oneGru(2, 3));
    const bytes = model.save();
    for (const length of [0, 1, 8, 9, 100, bytes.length - 100, bytes.length - 1]) {
      await expectError(() => api.loadModel(bytes.subarray(0, length)), 'invalid_file');
    }
  });

  test('a spec and tensors that do not fit each other', async () => {
    using model = await api.createModel(oneGru(2, 3));
    const bytes = model.save();
    const load = (edit: Parameters<typeof edited>[1]) => () => api.loadModel(edited(bytes, edit));
    const layer = (spec: Record<string, unknown>) => (spec['layers'] as Record<string, unknown>[])[0]!;
    (await api.loadModel(edited(bytes, () => undefined))).dispose();
    await expectError(
      load(() => '{'),
      'invalid_file',
      'gru-wasm',
      'JSON',
    );
    await expectError(
      load(() => '3'),
      'invalid_file',
      'gru-wasm',
    );
    await expectError(
      load((spec) => ({ ...spec, version: 2 })),
      'invalid_file',
      'version 2',
      'version 1',
    );
    await expectError(
      load((spec) => ({ ...spec, version: undefined })),
      'invalid_file',
      'no version',
    );
    await expectError(
      load((spec) => ({ ...spec, stateful: true })),
      'invalid_spec',
      'stateful',
    );
    await expectError(
      load((spec) => ({ ...spec, layers: [null] })),
      'invalid_spec',
      'layers',
    );
    await expectError(
      load((spec) => void (layer(spec)['dropout'] = 0.5)),
      'invalid_spec',
      'gru',
      'dropout',
    );
    await expectError(
      load((spec) => void (layer(spec)['hiddenSize'] = 4)),
      'invalid_spec',
      'gru',
      'forward.input',
    );
    await expectError(
      load((spec) => void (layer(spec)['type'] = 'perceptron')),
      'unsupported',
      'gru',
      'perceptron',
    );
    await expectError(
      load((spec) => void (layer(spec)['weights'] = {})),
      'invalid_spec',
      'gru',
      'weights',
    );
    await expectError(
      load((_, t) => {
        delete t['gru/forward.input'];
      }),
      'invalid_spec',
      'gru',
      'forward.input',
    );
    await expectError(
      load((_, t) => void (t['other/w'] = t['gru/forward.bias']!)),
      'invalid_file',
      "'other/w'",
    );
    await expectError(
      load((_, t) => void (t['w'] = t['gru/forward.bias']!)),
      'invalid_file',
      "'w'",
    );
    await expectError(
      load((_, t) => void (t['gru/w'] = t['gru/forward.bias']!)),
      'invalid_spec',
      'gru',
      "['w']",
    );
    await expectError(
      load((_, t) => void (t['gru/forward.input']!.shape = [2, 9])),
      'invalid_spec',
      'forward.input',
      '[9, 2]',
      '[2, 9]',
    );
  });
});
