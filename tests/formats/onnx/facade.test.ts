import { describe, expect, test } from 'vitest';
import { BACKENDS } from '../../backends.ts';
import { bindInputs } from '../../../ts/formats/onnx.ts';
import type { Tensor } from '../../../ts/base/tensor.ts';
import { excess, importFile, inputsOf, readTensors } from './run.ts';

const path = (name: string) => new URL(`../../fixtures/${name}`, import.meta.url).pathname;
const TOLERANCE = { atol: 1e-5, rtol: 1e-5 };

/** (steps, batch, features) to (batch, steps, features), and back. */
function swap(data: ArrayLike<number>, [a, b, c]: readonly number[]): Float32Array {
  return Float32Array.from({ length: data.length }, (_, i) => {
    const [x, y, z] = [Math.floor(i / (a! * c!)), Math.floor(i / c!) % a!, i % c!];
    return data[(y * b! + x) * c! + z]!;
  });
}

describe.each(BACKENDS)('loadModel: $name', ({ api }) => {
  test('inputs and outputs are batch first, states one each', async () => {
    const folder = 'cases/onnx_torch_legacy_bidir_2layer_h0';
    const io = readTensors(path(`${folder}/io.safetensors`));
    const model = await api.loadModel(path(`${folder}/model.onnx`));
    expect(model.inputs.map(({ name }) => name)).toEqual(['x', 'h0.0', 'h0.1', 'h0.2', 'h0.3']);
    const [layers, batch, size] = io['h0']!.shape as [number, number, number];
    const states = Array.from({ length: layers }, (_, i) => [
      `h0.${i}`,
      {
        data: (io['h0']!.data as Float32Array).subarray(i * batch * size, (i + 1) * batch * size),
        shape: [batch, size],
      },
    ]);
    const [steps, , features] = io['x']!.shape as [number, number, number];
    const x = { data: swap(io['x']!.data as Float32Array, io['x']!.shape), shape: [batch, steps, features] };
    const { outputs } = model.run({ x, ...(Object.fromEntries(states) as Record<string, Tensor>) });
    expect(Object.keys(outputs)).toEqual(['y', 'hn.0', 'hn.1', 'hn.2', 'hn.3']);
    const y = swap(outputs['y']!.data, outputs['y']!.shape);
    expect(excess({ data: y, shape: [...io['y']!.shape] }, io['y']!, TOLERANCE)).toBeLessThanOrEqual(0);
    const last = Float32Array.from(states.flatMap((_, i) => [...outputs[`hn.${i}`]!.data]));
    expect(excess({ data: last, shape: [...io['hn']!.shape] }, io['hn']!, TOLERANCE)).toBeLessThanOrEqual(0);
  });

  test('the last step of both directions, joined by a reshape, is one output', async () => {
    const folder = 'cases/onnx_torch_rnn_bi_last_joined';
    const io = readTensors(path(`${folder}/io.safetensors`));
    const [steps, batch, features] = io['x']!.shape as [number, number, number];
    const model = await api.loadModel(path(`${folder}/model.onnx`));
    const x = { data: swap(io['x']!.data as Float32Array, io['x']!.shape), shape: [batch, steps, features] };
    const { outputs } = model.run(x);
    expect(Object.keys(outputs)).toEqual(['y']);
    expect(excess(outputs['y'], io['y']!, TOLERANCE)).toBeLessThanOrEqual(0);
  });

  test('sequence_lens are the lengths of a run', async () => {
    const folder = 'cases/onnx_seq_lens_bidirectional_lbr0';
    const io = readTensors(path(`${folder}/io.safetensors`));
    const imported = await importFile(path(`${folder}/model.onnx`));
    const { inputs, lengths } = bindInputs(imported.report.graph!, inputsOf(imported.report.graph!, io));
    const model = await api.loadModel(path(`${folder}/model.onnx`));
    const { outputs } = model.run(inputs, { lengths: lengths! });
    const [steps, , batch, size] = io['Y']!.shape as [number, number, number, number];
    const forward = outputs['Y']!.data.filter((_, i) => i % (2 * size) < size);
    const expected = swap(
      Float32Array.from(io['Y']!.data as Float32Array).filter((_, i) => Math.floor(i / (batch * size)) % 2 === 0),
      [steps, batch, size],
    );
    expect(
      excess(
        { data: forward, shape: [batch, steps, size] },
        { data: expected, shape: [batch, steps, size] },
        TOLERANCE,
      ),
    ).toBeLessThanOrEqual(0);
  });

  test('one node, by name; data in a file beside the model', async () => {
    const model = await api.loadModel(path('onnx/external_22/model.onnx'), { onnx: { node: '/m/GRU_6' } });
    expect(model.inputs).toMatchObject([{ name: 'X' }]);
  });
});
