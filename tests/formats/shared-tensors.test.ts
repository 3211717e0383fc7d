import { expect, test } from 'vitest';
import { checkShared } from '../../ts/formats/shared-tensors.ts';
import type { DenseSpec, LayerSpec, ModelSpec } from '../../ts/spec/spec.ts';
import { inspect, loadModel } from '../../ts/index.ts';
import { expectError } from '../facade/helpers.ts';
import { onnxModel, tensor } from './onnx/build.ts';

const SIZE = 512;
const kernel = () => new Float32Array(SIZE * SIZE);
/** As many layers as there are kernels of 1 MB. */
const layers = (kernels: Float32Array[]): ModelSpec => ({
  inputs: [],
  layers: kernels.map((one, i): LayerSpec => {
    return { name: `d${i}`, type: 'dense', inputSize: SIZE, outputSize: SIZE, weights: { kernel: one } };
  }),
});
const times = <T>(count: number, make: () => T) => Array.from({ length: count }, make);

test('tensors are shared 16 times, and 64 MB more', () => {
  const one = kernel();
  checkShared(layers(times(16 + 64, () => one)));
  expect(() => {
    checkShared(layers(times(16 + 64 + 1, () => one)));
  }).toThrow(/share tensors of 1 MB so often that they would take 81 MB/);
  checkShared(layers([...times(16 + 16 + 64 - 1, () => one), kernel()]));
});

test('tensors of their own may be as many as there are, views of one buffer are one', () => {
  checkShared(layers(times(100, kernel)));
  const { buffer } = kernel();
  const view = () => new Float32Array(buffer);
  checkShared(layers(times(80, view)));
  expect(() => {
    checkShared(layers(times(81, view)));
  }).toThrow(/81 MB/);
});

test('a file whose layers share more is not loaded; inspect tells of it, with each tensor once', async () => {
  const H = 128;
  const names = times(200, () => '').map((_, i) => (i === 0 ? 'x' : `y${i}`));
  const file = onnxModel({
    nodes: names
      .map((name, i) => ({
        op: 'GRU',
        inputs: [name, 'W', 'R'],
        outputs: ['', `h${i + 1}`],
        attributes: { hidden_size: H },
      }))
      .flatMap((node, i) => [node, { op: 'Identity', inputs: [`h${i + 1}`], outputs: [`y${i + 1}`] }]),
    inputs: [{ name: 'x', shape: ['T', 'B', H] }],
    outputs: ['y200'],
    initializers: ['W', 'R'].map((name) => tensor(name, [1, 3 * H, H], new Float32Array(3 * H * H))),
  });
  await expectError(() => loadModel(file), 'unsupported', 'share tensors');
  expect((await inspect(file)).layers.length).toBeGreaterThanOrEqual(200);
});

test('many products share one matrix, which is laid out once', async () => {
  const nodes = times(40, () => 'MatMul').map((op, i) => ({
    op,
    inputs: [i === 0 ? 'x' : `y${i}`, 'W'],
    outputs: [`y${i + 1}`],
  }));
  const file = onnxModel({
    nodes,
    inputs: [{ name: 'x', shape: ['B', 'T', SIZE] }],
    outputs: [{ name: 'y40', shape: ['B', 'T', SIZE] }],
    initializers: [tensor('W', [SIZE, SIZE], kernel())],
  });
  const model = await loadModel(file);
  expect(new Set(model.spec.layers.map((layer) => (layer as DenseSpec).weights.kernel)).size).toBe(1);
});

test('parameters are those of a layer that is called twice once', async () => {
  const { parameters, parametersByLayer } = await inspect('tests/fixtures/cases/k22_nested_siamese/model.h5');
  const all = Object.values(parametersByLayer).reduce((sum, count) => sum + count);
  expect([parameters, all]).toEqual([175, 343]);
});
