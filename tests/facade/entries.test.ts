import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as js from '../../ts/js.ts';
import { wasmFile } from '../built.ts';
import { expectClose, expectError, numbers, oneGru, tensor } from './helpers.ts';
import { SAME_BITS } from '../tolerances.ts';

const NAMES = ['GruError', 'createGru', 'createLstm', 'createModel', 'createRnn', 'inspect', 'loadModel'];

test('gru-wasm/js', async () => {
  expect(Object.keys(js).sort()).toEqual(NAMES);
  using model = await js.createModel(oneGru(2, 3));
  expect(model.backend).toBe('js');
  using loaded = await js.loadModel(model.save(), { deterministic: true });
  expect(loaded.run(tensor([2, 2])).output.shape).toEqual([2, 3]);
  await expectError(() => js.createModel(oneGru(2, 3), { backend: 'wasm' }), 'backend_unavailable', 'gru-wasm/js');
});

describe('with wasm', () => {
  test('gru-wasm: auto, wasm, deterministic, js', async () => {
    const index = await import('../../ts/index.ts');
    expect(Object.keys(index).sort()).toEqual(NAMES);
    const { hasRelaxedSimd } = await import('../../ts/backends/wasm/index.ts');
    const best = hasRelaxedSimd() ? 'wasm-relaxed' : 'wasm-baseline';
    const weights = { kernel: numbers(18), recurrentKernel: numbers(27, 2), bias: numbers(18, 3) };
    const config = { inputSize: 2, hiddenSize: 3, resetAfter: true };
    using auto = await index.createGru(config, weights);
    using forced = await index.loadModel(auto.save(), { backend: 'wasm' });
    using deterministic = await index.createGru(config, weights, { deterministic: true });
    using plain = await index.createModel(oneGru(2, 3), { backend: 'js' });
    using plainGru = await index.createGru(config, weights, { backend: 'js' });
    expect([auto, forced, deterministic, plain].map((m) => m.backend)).toEqual([best, best, 'wasm-baseline', 'js']);
    const x = tensor([4, 5, 2]);
    expectClose(deterministic.run(x).output.data, plainGru.run(x).output.data, SAME_BITS);
  });

  test('gru-wasm/static: without import(), the formats given', async () => {
    const statically = await import('../../ts/static.ts');
    expect(Object.keys(statically).sort()).toEqual(NAMES);
    const { hasRelaxedSimd } = await import('../../ts/backends/wasm/index.ts');
    const { keras } = await import('../../ts/formats/keras.ts');
    using auto = await statically.createModel(oneGru(2, 3));
    using plain = await statically.createModel(oneGru(2, 3), { backend: 'js' });
    using deterministic = await statically.loadModel(auto.save(), { deterministic: true });
    const best = hasRelaxedSimd() ? 'wasm-relaxed' : 'wasm-baseline';
    expect([auto, plain, deterministic].map((m) => m.backend)).toEqual([best, 'js', 'wasm-baseline']);
    const path = new URL('../fixtures/cases/k3_lstm_default/model.keras', import.meta.url);
    using loaded = await statically.loadModel(path, { formats: [keras] });
    expect(loaded.report!.format).toBe('keras');
    await expectError(
      () => statically.loadModel(path),
      'invalid_file',
      'none of the formats given (gru-wasm, textbook): import { keras }',
    );
    await expectError(() => statically.loadModel(path, { formats: ['keras'] as never }), 'invalid_argument', 'formats');
    const { pytorch } = await import('../../ts/formats/pytorch.ts');
    const cell = new URL('../fixtures/cases/seed_gru_20_steps/model.safetensors', import.meta.url);
    for (const formats of [[], [pytorch]]) {
      using textbook = await statically.loadModel(cell, { formats });
      expect(textbook.report!.format).toBe('textbook');
    }
  });

  test('gru-wasm/slim: bytes, a response, a function', async () => {
    const { createRuntime } = await import('../../ts/slim.ts');
    const bytes = new Uint8Array(readFileSync(wasmFile()));
    let calls = 0;
    const runtime = createRuntime({
      baseline: () => {
        calls++;
        return Promise.resolve(new Response(bytes));
      },
    });
    expect(calls).toBe(0);
    using model = await runtime.createModel(oneGru(2, 3));
    expect(model.backend).toBe('wasm-baseline');
    using loaded = await createRuntime({ baseline: bytes }).loadModel(model.save());
    expect(loaded.run(tensor([2, 2]))).toEqual(model.run(tensor([2, 2])));
    await expectError(() => runtime.createModel(oneGru(2, 3), { backend: 'js' }), 'backend_unavailable', 'gru-wasm/js');
    await expectError(() => createRuntime({}), 'invalid_argument', 'baseline');
  });

  test('gru-wasm/slim: its functions by the option wasm, one instance for one object', async () => {
    const slim = await import('../../ts/slim.ts');
    expect(Object.keys(slim).sort()).toEqual([...NAMES, 'createRuntime'].sort());
    const bytes = readFileSync(wasmFile());
    let calls = 0;
    const own = { baseline: () => (calls++, new Uint8Array(bytes)) };
    const weights = { kernel: numbers(18), recurrentKernel: numbers(27, 2), bias: numbers(18, 3) };
    const config = { inputSize: 2, hiddenSize: 3, resetAfter: true };
    using gru = await slim.createGru(config, weights, { wasm: own });
    const sizes = { inputSize: 2, hiddenSize: 3 };
    using lstm = await slim.createLstm(sizes, { kernel: numbers(24), recurrentKernel: numbers(36) }, { wasm: own });
    using rnn = await slim.createRnn(sizes, { kernel: numbers(6), recurrentKernel: numbers(9) }, { wasm: own });
    using loaded = await slim.loadModel(gru.save(), { wasm: own, deterministic: true });
    using made = await slim.createModel(gru.spec, { wasm: own });
    expect((await slim.inspect(gru.save())).parameters).toBe(57);
    expect([gru, lstm, rnn, loaded, made].map(({ backend }) => backend)).toEqual(Array(5).fill('wasm-baseline'));
    expect(calls).toBe(1);
    using plain = await js.createGru(config, weights);
    const x = tensor([4, 5, 2]);
    for (const model of [gru, loaded, made]) {
      expectClose(model.run(x).output.data, plain.run(x).output.data, SAME_BITS);
    }
    expect(await gru.trace(x)).toEqual(await plain.trace(x));
    await expectError(
      () => slim.createGru(config, weights, undefined as never),
      'invalid_argument',
      'wasm: { baseline',
    );
    await expectError(() => slim.loadModel(gru.save(), { wasm: {} }), 'invalid_argument', 'loadModel: wasm: give');
    const odd = { wasm: { baselin: bytes } as never };
    await expectError(
      () => slim.createModel(gru.spec, odd),
      'invalid_argument',
      "createModel: wasm: unknown option 'baselin'",
    );
    await expectError(
      () => slim.createGru(config, weights, { wasm: own, backend: 'js' }),
      'backend_unavailable',
      'gru-wasm/js',
    );
    await expectError(() => js.createGru(config, weights, { wasm: own } as never), 'invalid_argument', 'wasm');
  });
});
