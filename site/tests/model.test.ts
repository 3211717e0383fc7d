import { expect, test } from 'vitest';
import { features, fromDrawing, stroke } from '../lib/drawing.ts';
import { mainFile, severalModels } from '../lib/files.ts';
import { stepsThatFit } from '../lib/runner.ts';
import { fromJson, moved, toJson, withField, withKind, withOperation, withPart } from '../lib/wiring.ts';

const named = (...names: string[]) => names.map((name) => new File([], name));

test('what is chosen in the table is what the JSON says', () => {
  let lines = fromJson('[{ "rnn": "cell", "nonlinearity": "relu" }, { "linear": "fc" }]')!;
  lines = lines.with(0, withField(withKind(lines[0]!, 'gru'), 'returns', 'last'));
  expect(JSON.parse(toJson(lines))).toEqual([{ gru: 'cell', returns: 'last' }, { linear: 'fc' }]);
  expect(JSON.parse(toJson(moved(lines, 1, -1)))).toEqual([{ linear: 'fc' }, { gru: 'cell', returns: 'last' }]);
  expect(moved(lines, 1, 1)).toEqual(lines);
  expect(JSON.parse(toJson(lines.with(1, { ...lines[1]!, on: false })))).toEqual([{ gru: 'cell', returns: 'last' }]);
  expect(JSON.parse(toJson([withField(lines[0]!, 'returns', '')]))).toEqual([{ gru: 'cell' }]);
  expect(fromJson('[{ "gru": ')).toBeUndefined();
  expect(fromJson('{ "gru": "a" }')).toBeUndefined();
});

test('an operation is put in by what it does', () => {
  const lines = fromJson('[{ "gru": "g" }, { "linear": "a" }]')!;
  const attention = 'attention: one line weighs the steps of another';
  const added = withOperation(withOperation(lines, attention), 'the last step');
  expect(added.slice(2).map(({ layer }) => layer)).toEqual([
    { attention: ['a', 'g'], name: 'attention1' },
    { step: -1, name: 'step1' },
  ]);
  expect(withPart(added[2]!, 0, 'g').layer).toEqual({ attention: ['g', 'g'], name: 'attention1' });
});

test('a drawn line goes from point to point', () => {
  expect([...stroke(new Float32Array(6), [4, 1], [1, -0.5])]).toEqual([0, -0.5, 0, 0.5, 1, 0]);
  const x = { name: 'x', dtype: 'float32', shape: ['batch', 'steps', 2] } as const;
  expect(features([x, { ...x, name: 'v', shape: ['batch', 3] }])).toEqual(['x[0]', 'x[1]']);
  expect(fromDrawing(x, { 'x[1]': Float32Array.of(0.5, -1, 1) }, 2)).toEqual({
    data: Float32Array.of(0, 0.5, 0, -1),
    shape: [2, 2],
  });
  const ids = { name: 'ids', dtype: 'int32', shape: ['batch', 'steps'], vocabularySize: 10 } as const;
  expect(fromDrawing(ids, { 'ids[0]': Float32Array.of(-1, 0, 1) }, 3)).toEqual({
    data: Int32Array.of(0, 5, 9),
    shape: [3],
  });
});

test('the length that a model takes, of what it says', () => {
  expect(stepsThatFit("run: flatten layer 'f' takes sequences of 20 steps, got one of 100", 100)).toEqual([20]);
  expect(stepsThatFit("run: flatten layer 'f' takes sequences of 10 steps, got one of 98", 100)).toEqual([10, 12]);
  expect(stepsThatFit("run: flatten layer 'f' takes sequences of 10 steps, got one of 50", 100)).toEqual([10, 60, 20]);
  expect(stepsThatFit('anything else', 100)).toEqual([]);
});

test('several models at once are told; the files of one are not', () => {
  expect(severalModels(named('a.keras', 'b.onnx'))).toContain('2 models at once (a.keras, b.onnx): this is a.keras');
  expect(severalModels(named('a.json', 'b.json'))).toContain('this is a.json');
  expect(severalModels(named('model.json', 'group1-shard1of2.bin', 'group1-shard2of2.bin'))).toBeUndefined();
  expect(severalModels(named('model.json', 'model.weights.h5'))).toBeUndefined();
  expect(severalModels(named('model.onnx', 'model.onnx.data'))).toBeUndefined();
  expect(severalModels(named('model.safetensors.index.json', 'm-1.safetensors', 'm-2.safetensors'))).toBeUndefined();
  expect(mainFile(named('config.json', 'm.safetensors'))!.name).toBe('m.safetensors');
});
