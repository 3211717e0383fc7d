import { GruError, loadModel } from 'gru-wasm';
import { expect, test } from 'vitest';
import { measure, taskOf } from '../lib/benchmark.ts';
import { type Engine, OWN } from '../lib/engines.ts';
import { onnxFile } from '../lib/peers/onnx-file.ts';

const SIZE = { hiddenSize: 256, inputSize: 64, steps: 25, batch: 8 } as const;
const { signal } = new AbortController();

test.each([true, false])('our engines agree, and are timed; reset after: %s', async (resetAfter) => {
  const row = await measure(SIZE, resetAfter, OWN, signal);
  expect(Object.keys(row.micros)).toEqual(OWN.map(({ name }) => name));
  expect(row.difference).toBeLessThan(1e-5);
  // Integers were multiplied, else they would not differ.
  expect(row.differences['wasm, i16']).toBeGreaterThan(1e-5);
  expect(row.differences['wasm, i8']).toBeGreaterThan(row.differences['wasm, i16']!);
});

test('an engine that gives something else is not timed; one that refuses says why', async () => {
  const wrong: Engine = {
    name: 'wrong',
    prepare: ({ batch, steps, hiddenSize }) =>
      Promise.resolve({
        layout: 'batch-major',
        run: () => new Float32Array(batch * steps * hiddenSize),
        free: () => undefined,
      }),
  };
  await expect(measure(SIZE, true, [wrong, ...OWN], signal)).rejects.toThrow('the output of wrong is');
  const refuses: Engine = { ...wrong, refuses: ({ resetAfter }) => (resetAfter ? 'not this' : undefined) };
  expect((await measure(SIZE, true, [refuses, OWN.at(-1)!], signal)).micros['wrong']).toBe('not this');
});

test('where wasm does not start, JavaScript is measured', async () => {
  const wasm: Engine = {
    name: 'wasm',
    prepare: () => Promise.reject(new GruError('backend_unavailable', 'this host has no WebAssembly SIMD')),
  };
  const { micros } = await measure(SIZE, true, [wasm, OWN.at(-1)!], signal);
  expect(micros['wasm']).toBe('this host has no WebAssembly SIMD');
  expect(micros['JavaScript']).toBeGreaterThan(0);
});

test.each([true, false])('the file for ONNX Runtime is the same GRU; reset after: %s', async (resetAfter) => {
  const task = taskOf({ ...SIZE, hiddenSize: 16, batch: 1 }, resetAfter);
  const [model, runner] = await Promise.all([loadModel(onnxFile(task), { backend: 'js' }), OWN.at(-1)!.prepare(task)]);
  const { output } = model.run({ data: task.data, shape: [1, task.steps, task.inputSize] });
  const expected = await runner.run();
  output.data.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i]!, 6);
  });
});
