import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { inspect } from '../../../ts/index.ts';
import { runOnnx } from '../../../ts/formats/onnx.ts';
import { BACKENDS } from '../../backends.ts';
import { expectError, numbers } from '../../facade/helpers.ts';
import { onnxModel, tensor, type Node } from './build.ts';
import { readTensors } from './run.ts';

const f32 = (name: string, ...shape: number[]) => tensor(name, shape, numbers(shape.reduce((n, d) => n * d, 1)));

/** Two bidirectional layers, whose states are one tensor each way, as PyTorch's exporter writes a stack. */
const layer = (name: string, x: string, from: number): Node[] => [
  { op: 'Slice', inputs: ['h0', `${from}`, `${from + 2}`, '0'], outputs: [`${name}.h`] },
  {
    op: 'GRU',
    name,
    inputs: [x, `${name}.W`, `${name}.R`, '', '', `${name}.h`],
    outputs: [`${name}.Y`, `${name}.hn`],
    attributes: { hidden_size: 3, direction: 'bidirectional' },
  },
  { op: 'Transpose', inputs: [`${name}.Y`], outputs: [`${name}.T`], attributes: { perm: [0, 2, 1, 3] } },
  { op: 'Reshape', inputs: [`${name}.T`, 'flat'], outputs: [`${name}.y`] },
];
const join = (...names: string[]): Node => ({ op: 'Concat', inputs: names, outputs: ['hn'], attributes: { axis: 0 } });
const index = (value: number) => tensor(String(value), [1], [value], 7);
const stack = (last: Node[], outputs = ['second.y', 'hn']) => ({
  nodes: [...layer('first', 'x', 0), ...layer('second', 'first.y', 2), ...last],
  inputs: [
    { name: 'x', shape: ['time', 'batch', 4] },
    { name: 'h0', shape: [4, 'batch', 3] },
  ],
  outputs,
  initializers: [
    ...[0, 2, 4].map(index),
    tensor('flat', [3], [0, 0, -1], 7),
    ...[f32('first.W', 2, 9, 4), f32('first.R', 2, 9, 3), f32('second.W', 2, 9, 6), f32('second.R', 2, 9, 3)],
  ],
});
const STACK = onnxModel(stack([join('first.hn', 'second.hn')]));
const feeds = {
  x: { data: numbers(5 * 2 * 4), shape: [5, 2, 4] },
  h0: { data: numbers(4 * 2 * 3, 7), shape: [4, 2, 3] },
};

const CASE = fileURLToPath(new URL('../../fixtures/cases/onnx_vad_frames/', import.meta.url));
const FRAMES = new Uint8Array(readFileSync(`${CASE}model.onnx`));

describe.each(BACKENDS)('states that the model keeps, on $name', ({ api }) => {
  test('are given by runOnnx as before, and are zeros where they are left out', async () => {
    using before = await api.loadModel(STACK);
    using model = await api.loadModel(STACK, { onnx: { states: { h0: 'hn' } } });
    expect(model.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(model.states.map(({ name, shape, settable }) => [name, shape, settable])).toEqual([
      ['first', [2, 'batch', 3], true],
      ['second', [2, 'batch', 3], true],
    ]);
    expect(runOnnx(model, feeds)).toEqual(runOnnx(before, feeds));
    const zeros = { ...feeds, h0: { ...feeds.h0, data: new Float32Array(24) } };
    expect(runOnnx(model, { x: feeds.x })).toEqual(runOnnx(before, zeros));
  });

  test('go on in streams, an LSTM of both', async () => {
    using model = await api.loadModel(FRAMES, { onnx: { states: { h: 'hn', c: 'cn' } } });
    const io = readTensors(`${CASE}io.safetensors`) as Record<string, { data: Float32Array; shape: number[] }>;
    const [x, h, c] = [io['run_input']!, io['run_h']!, io['run_c']!];
    const want = io['run_speech']!.data;
    expect([...runOnnx(model, { input: x, h, c })['speech']!.data].map((v, i) => Math.abs(v - want[i]!) < 1e-5)).not.toContain(false); // prettier-ignore
    const whole = model.run(x.data).outputs['speech']!.data;
    using stream = model.createStream();
    const steps = Array.from({ length: 6 }, (_, t) => stream.step(x.data.subarray(36 * t, 36 * t + 36))[0]);
    expect(steps).toEqual([...whole]);
  });
});

test('a report says which could be kept', async () => {
  const { conventions } = await inspect(STACK);
  expect(conventions.join('\n')).toContain('{ onnx: { states: { "h0": "hn" } } }');
  const kept = await inspect(STACK, { onnx: { states: { h0: 'hn' } } });
  expect(kept.conventions.join('\n')).not.toContain('as streams need them');
  const turned = await inspect(onnxModel(stack([join('second.hn', 'first.hn')])));
  expect(turned.conventions.join('\n')).not.toContain('as streams need them');
});

test.each<[string, Uint8Array, unknown, 'invalid_argument' | 'unsupported', string[]]>([
  ['no record', STACK, ['h0'], 'invalid_argument', ['states']],
  ['an input that is none', STACK, { h: 'hn' }, 'invalid_argument', ["no input 'h'", "'x', 'h0'"]],
  ['an output that is none', STACK, { h0: 'h' }, 'invalid_argument', ["no output 'h'", "'hn'"]],
  ['an output that is no name', STACK, { h0: 3 }, 'invalid_argument', ['no output 3']],
  ['the input of the model', STACK, { x: 'hn' }, 'unsupported', ["states['x']", "'x' is more"]],
  ['an output that is no final state', STACK, { h0: 'second.y' }, 'unsupported', ["'second.y' is not"]],
  ['states in another order', onnxModel(stack([join('second.hn', 'first.hn')])), { h0: 'hn' }, 'unsupported', ["'hn' is not"]], // prettier-ignore
  ['a part of them', onnxModel(stack([], ['second.y', 'first.hn'])), { h0: 'first.hn' }, 'unsupported', ["'first.hn' is not"]], // prettier-ignore
  [
    'a state that something else reads',
    onnxModel(stack([join('first.hn', 'second.hn'), { op: 'Relu', inputs: ['h0'], outputs: ['r'] }], ['hn', 'r'])),
    { h0: 'hn' },
    'unsupported',
    ["'h0' is more"],
  ],
  ["one of an LSTM's two", FRAMES, { h: 'hn' }, 'unsupported', ["'/lstm/LSTM'", "'c'", 'all of its states']],
])('refused: %s', async (_, file, states, code, texts) => {
  const load = () => inspect(file, { onnx: { states: states as Record<string, string> } });
  await expectError(load, code, ...texts);
});
