import { GruError, type GruModel } from 'gru-wasm';
import type { GruPool } from 'gru-wasm/pool';
import { expect, test, vi } from 'vitest';
import { serveModel, type Values } from '../src/core/model.ts';
import { RunBatcher, type WholeSequences } from '../src/core/runs.ts';
import { gruModel, HIDDEN, INPUT, steps, taggerModel } from './models.ts';

/** A batcher whose runs are seen, in this thread. */
function batcher(model: GruModel) {
  const run = vi.fn((inputs: Record<string, Values[] | { data: Values; shape: number[] }>) =>
    Promise.resolve(model.run(inputs as never)),
  );
  const options = { window: 5, maxBatch: 1e9, maxPending: 1e9, timeout: 1e9 };
  return { run, batcher: new RunBatcher(serveModel('gru', model), { run } as unknown as GruPool, options) };
}

const call = (batch: number, count: number, seed = 1): WholeSequences => ({
  batch,
  inputs: { x: { data: steps(batch * count, seed), shape: [batch, count, INPUT] } },
});

test('a long sequence beside many short ones is no answer of padding', async () => {
  const model = await gruModel();
  const { run, batcher: runs } = batcher(model);
  const lengths = [...Array.from({ length: 40 }, (_, i) => 1 + (i % 7)), 2 ** 17, 3, 2];
  const calls = lengths.map((count, i) => call(1, count, i));
  const answers = await Promise.all(calls.map((one) => runs.submit(one)));
  answers.forEach(({ outputs }, i) => {
    const alone = model.run(calls[i]!.inputs['x']!.data).output.data;
    expect(outputs['y']!.shape).toEqual([1, lengths[i], HIDDEN]);
    expect(
      Buffer.from(outputs['y']!.data.buffer).equals(Buffer.from(alone.buffer, alone.byteOffset, alone.byteLength)),
    ).toBe(true);
  });
  // The short ones together, the long one by itself.
  expect(run).toHaveBeenCalledTimes(2);
});

test('sequences without a step count as one: a long one does not fail beside a million of them', async () => {
  const { run, batcher: runs } = batcher(await gruModel());
  const [many, one] = await Promise.all([runs.submit(call(2 ** 18, 0)), runs.submit(call(1, 3))]);
  expect(many.outputs['y']!.shape).toEqual([2 ** 18, 0, HIDDEN]);
  expect(one.outputs['y']!.data).toHaveLength(3 * HIDDEN);
  expect(run).toHaveBeenCalledTimes(2);
});

test('a request that fails is refused alone', async () => {
  const tagger = await taggerModel();
  const { run, batcher: runs } = batcher(tagger);
  const ids = [[1, 2], [3], [7, 1], [4, 5, 6], [2]].map((list) => Int32Array.from(list));
  const answers = await Promise.allSettled(
    ids.map((data) => runs.submit({ batch: 1, inputs: { ids: { data, shape: [1, data.length] } } })),
  );
  answers.forEach((answer, i) => {
    if (i === 2) expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'id_out_of_range' } });
    else if (answer.status === 'fulfilled')
      expect(answer.value.outputs['rnn']!.data).toEqual(tagger.run(ids[i]!).outputs['rnn']!.data);
    else expect.fail(`request ${i} was refused: ${String(answer.reason)}`);
  });
  expect(run.mock.calls.length).toBeLessThan(8);
});

test('what no request is at fault for is tried once', async () => {
  const { run, batcher: runs } = batcher(await gruModel());
  run.mockRejectedValue(new GruError('timeout', 'no answer'));
  const answers = await Promise.allSettled([1, 2, 3].map((count) => runs.submit(call(1, count))));
  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(run).toHaveBeenCalledTimes(1);
});

test('of a batch of one length the rows are one piece', async () => {
  const model = await gruModel();
  const { batcher: runs } = batcher(model);
  const [a, b] = [call(3, 4, 1), call(2, 4, 2)];
  const answers = await Promise.all([runs.submit(a), runs.submit(b), runs.submit(call(0, 4))]);
  for (const [i, { inputs, batch }] of [a, b].entries()) {
    const alone = model.run({ data: inputs['x']!.data as Float32Array, shape: [batch, 4, INPUT] }).output.data;
    expect(answers[i]!.outputs['y']!.data).toEqual(alone.slice());
  }
  expect(answers[2].outputs['y']!.shape).toEqual([0, 4, HIDDEN]);
});
