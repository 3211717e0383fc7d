import { beforeEach, describe, expect, test } from 'vitest';
import type { GruModel } from 'gru-wasm';
import { type BatcherOptions, SequenceBatcher } from '../src/core/batcher.ts';
import type { SequenceCall } from '../src/core/sequence.ts';
import { StreamsEngine, stepsOf } from '../src/core/engine.ts';
import { type ServedModel, serveModel, type Tensors } from '../src/core/model.ts';
import { calledBy } from '../src/core/sequence.ts';
import { sequenceOf } from '../src/oip/messages.ts';
import { call, LIMITS, refusal } from './calls.ts';
import { gruModel, HIDDEN, INPUT, steps, taggerModel } from './models.ts';

let model: GruModel;
beforeEach(async () => {
  model = await gruModel();
});

function batcher(options: Partial<BatcherOptions> = {}, of = model) {
  const served = serveModel('m', of);
  return new SequenceBatcher(new StreamsEngine(served, options.maxSequences ?? 1000), {
    steps: (block) => stepsOf(served, block),
    ...LIMITS,
    ...options,
  });
}

const first = { start: true };
const rowOf = (x: Float32Array, t: number) => ({
  x: x.subarray(t * INPUT, (t + 1) * INPUT),
});

test('sequences that come together run together, each with the bits that it has alone', async () => {
  const sizes: number[] = [];
  const live = batcher({ onBatch: (size) => sizes.push(size) });
  // More than the engine begins with, so it grows while they live.
  const inputs = Array.from({ length: 150 }, (_, i) => steps(4, i));
  const outputs = inputs.map(() => [] as number[]);
  for (let t = 0; t < 4; t++) {
    const answers = await Promise.all(
      inputs.map((x, i) => live.submit(call(String(i), { start: t === 0 }), rowOf(x, t))),
    );
    answers.forEach(({ outputs: { y }, step }, i) => {
      outputs[i]!.push(...y!);
      expect(step).toBe(t + 1);
    });
  }
  expect(sizes).toEqual([150, 150, 150, 150]);
  inputs.forEach((x, i) => {
    expect(Float32Array.from(outputs[i]!)).toEqual(model.run(x).output.data);
  });
});

test('requests of one sequence keep their order, one a batch; blocks of different lengths mix', async () => {
  const live = batcher();
  const x = steps(9);
  const parts = [x.subarray(0, 3 * INPUT), x.subarray(3 * INPUT, 4 * INPUT), x.subarray(4 * INPUT)];
  const other = steps(2, 7);
  const [otherAnswer, ...answers] = await Promise.all([
    live.submit(call('other', first), { x: other }),
    ...parts.map((part, i) => live.submit(call('one', { start: i === 0 }), { x: part })),
  ]);
  expect(answers.map(({ step }) => step)).toEqual([3, 4, 9]);
  expect(Float32Array.from(answers.flatMap(({ outputs: { y } }) => [...y!]))).toEqual(model.run(x).output.data);
  expect(otherAnswer.outputs['y']).toEqual(model.run(other).output.data);
});

test('a full batch does not wait', async () => {
  const live = batcher({ window: 100_000_000, maxBatch: 2 });
  const x = steps(1);
  const answers = await Promise.all(['a', 'b'].map((id) => live.submit(call(id, first), { x })));
  expect(answers).toHaveLength(2);
});

test('models of ids with several outputs', async () => {
  const tagger = await taggerModel();
  const live = batcher({}, tagger);
  const ids = [Int32Array.of(1, 2, 6), Int32Array.of(4)];
  const answers = await Promise.all(ids.map((block, i) => live.submit(call(String(i), first), { ids: block })));
  const next = await live.submit(call('1'), { ids: Int32Array.of(5) });
  const [one, two] = [tagger.run(ids[0]!), tagger.run(Int32Array.of(4, 5))];
  for (const name of ['rnn', 'words']) {
    expect(answers[0]!.outputs[name]).toEqual(one.outputs[name]!.data);
    expect(next.outputs[name]).toEqual(two.outputs[name]!.data.subarray(2));
  }
});

test('a request that fails harms neither its batch nor its sequence', async () => {
  const tagger = await taggerModel();
  const live = batcher({}, tagger);
  await live.submit(call('a', first), { ids: Int32Array.of(1) });
  const [bad, good] = await Promise.allSettled([
    live.submit(call('a'), { ids: Int32Array.of(2, 7) }),
    live.submit(call('b', first), { ids: Int32Array.of(3) }),
  ]);
  expect(bad).toMatchObject({
    status: 'rejected',
    reason: { code: 'id_out_of_range' },
  });
  expect(good.status).toBe('fulfilled');
  const { outputs } = await live.submit(call('a'), { ids: Int32Array.of(2) });
  expect(outputs['rnn']).toEqual(tagger.run(Int32Array.of(1, 2)).outputs['rnn']!.data.subarray(2));
});

describe('the life of a sequence', () => {
  const x = steps(1);
  const submit = (live: SequenceBatcher, id: string, more: Partial<SequenceCall> = {}, block: Tensors = { x }) =>
    live.submit(call(id, more), block);

  test('begins with start, ends with end, and is another one of another owner', async () => {
    const live = batcher();
    await expect(submit(live, 'a')).rejects.toEqual(refusal('not_found'));
    await submit(live, 'a', first);
    await expect(submit(live, 'a', { owner: 'you' })).rejects.toEqual(refusal('not_found'));
    expect((await submit(live, 'a', { end: true })).step).toBe(2);
    expect(live.live).toBe(0);
    await expect(submit(live, 'a')).rejects.toEqual(refusal('not_found'));
  });

  test('begun again, it starts from nothing', async () => {
    const live = batcher();
    const { outputs } = await submit(live, 'a', first);
    await submit(live, 'a');
    expect(await submit(live, 'a', first)).toMatchObject({ outputs, step: 1 });
  });

  test('is dropped when idle, and only then', async () => {
    let now = 0;
    const live = batcher({ now: () => now, idleTimeout: 10 });
    await Promise.all([submit(live, 'a', first), submit(live, 'b', first)]);
    now = 9;
    await submit(live, 'a');
    now = 10;
    await live.sweep();
    expect(live.live).toBe(1);
    await expect(submit(live, 'b')).rejects.toEqual(refusal('not_found'));
    expect((await submit(live, 'a')).step).toBe(3);
  });

  test('limits: of an owner, of the server, of waiting requests', async () => {
    const live = batcher({
      maxSequences: 3,
      maxSequencesOfOwner: 2,
      maxPending: 4,
      maxPendingOfSequence: 2,
    });
    await Promise.all([submit(live, 'a', first), submit(live, 'b', first)]);
    await expect(submit(live, 'c', first)).rejects.toEqual(refusal('too_many'));
    await submit(live, 'c', { ...first, owner: 'you' });
    await expect(submit(live, 'd', { ...first, owner: 'you' })).rejects.toEqual(refusal('unavailable'));
    const settled = await Promise.allSettled(['a', 'a', 'a', 'b', 'b', 'b'].map((id) => submit(live, id)));
    const reasons = settled.map((one) =>
      one.status === 'rejected' ? (one.reason as { reason: string }).reason : 'ok',
    );
    expect(reasons).toEqual(['ok', 'ok', 'too_many', 'ok', 'ok', 'unavailable']);
    await submit(live, 'a', { end: true });
    await submit(live, 'd', first);
    expect(live.waiting).toBe(0);
  });

  test('drained: when the last request has its answer', async () => {
    const live = batcher();
    await live.drained();
    let answered = false;
    void submit(live, 'a', first).then(() => (answered = true));
    await live.drained();
    expect(answered).toBe(true);
  });
});

describe('step numbers make a retry safe', () => {
  test('the same request again has the same answer, and is not applied twice', async () => {
    const live = batcher();
    const x = steps(3);
    const one = await live.submit(call('a', { start: true, step: 0 }), rowOf(x, 0));
    expect(await live.submit(call('a', { start: true, step: 0 }), rowOf(x, 0))).toEqual(one);
    const two = await live.submit(call('a', { step: 1 }), rowOf(x, 1));
    expect(await live.submit(call('a', { step: 1 }), rowOf(x, 1))).toEqual(two);
    const three = await live.submit(call('a', { step: 2, end: true }), rowOf(x, 2));
    expect(await live.submit(call('a', { step: 2, end: true }), rowOf(x, 2))).toEqual(three);
    expect(three.outputs['y']).toEqual(model.run(x).output.data.subarray(2 * HIDDEN));
  });

  test('a request that begins or ends a sequence is not the one before that did not', async () => {
    const live = batcher();
    const x = steps(2);
    const start = { start: true, step: 0 };
    await live.submit(call('a', { ...start, end: true }), rowOf(x, 0));
    await live.submit(call('a', start), rowOf(x, 0));
    expect((await live.submit(call('a', { step: 1 }), rowOf(x, 1))).step).toBe(2);
    await expect(live.submit(call('a', { step: 1, end: true }), rowOf(x, 1))).rejects.toEqual(refusal('conflict'));
  });

  test('a start that is refused has not begun', async () => {
    const live = batcher({}, await taggerModel());
    const begun = live.submit(call('a', first), { ids: Int32Array.of(7) });
    await expect(begun).rejects.toMatchObject({ code: 'id_out_of_range' });
    await expect(live.submit(call('a'), { ids: Int32Array.of(1) })).rejects.toEqual(refusal('not_found'));
    expect(live.live).toBe(0);
  });

  test('another request of a step that is over, or to come, says where the sequence is', async () => {
    const live = batcher();
    const x = steps(3);
    await live.submit(call('a', { start: true, step: 0 }), rowOf(x, 0));
    const at = expect.objectContaining({
      reason: 'conflict',
      step: 1,
    }) as Error;
    await expect(live.submit(call('a', { step: 0 }), rowOf(x, 1))).rejects.toEqual(at);
    await expect(live.submit(call('a', { step: 5 }), rowOf(x, 1))).rejects.toEqual(at);
    await expect(live.submit(call('b', { start: true, step: 5 }), rowOf(x, 1))).rejects.toEqual(refusal('bad_request'));
  });

  test('answers that are kept for a retry make room for new sequences', async () => {
    const live = batcher({ maxSequences: 1 });
    const x = steps(1);
    for (const id of ['a', 'b', 'c']) await live.submit(call(id, { start: true, end: true, step: 0 }), { x });
    await live.submit(call('d', { start: true }), { x });
    await expect(live.submit(call('e', { start: true }), { x })).rejects.toEqual(refusal('unavailable'));
  });
});

test('inputs of a block have as many steps each', () => {
  const port = { datatype: 'FP32', size: 2 };
  const inputs = [{ ...port, name: 'a', hasSteps: true }, { ...port, name: 'b', hasSteps: true }, { ...port, name: 'c', hasSteps: false }]; // prettier-ignore
  const check = (a: number, b: number) => () => {
    const block = { a: new Float32Array(2 * a), b: new Float32Array(2 * b), c: new Float32Array(2) };
    stepsOf({ inputs } as unknown as ServedModel, block);
  };
  expect(check(3, 3)).not.toThrow();
  expect(check(1, 3)).toThrow(/inputs 'a' and 'b' have 1 and 3 steps/);
});

test('an id is what UTF-8 can say', () => {
  expect(sequenceOf({ sequence_id: '\ud83d\ude00' })?.id).toBe('s:\ud83d\ude00');
  for (const id of ['\ud800', 'a\udc00b']) expect(() => sequenceOf({ sequence_id: id })).toThrow(/half of a surrogate/);
});

test('messages call a sequence what its client calls it', () => {
  const called = ['s:call-17', 's:n:7', 'n:7', 's:P/7', 's:c:x/7', 'c:0b0e/7', 'c:0b0e', 'plain'].map(calledBy);
  expect(called).toEqual(['call-17', 'n:7', '7', 'P/7', 'c:x/7', '7', 'of this connection', 'plain']);
});

test('a batch of more sequences than a call has arguments', async () => {
  const model = await gruModel();
  const engine = new StreamsEngine(serveModel('gru', model), 2 ** 18);
  const slots = Array.from({ length: 150_000 }, (_, slot) => slot);
  const x = steps(1);
  const results = engine.run(
    slots,
    slots.map(() => ({ x })),
  );
  expect(results).toHaveLength(slots.length);
  expect(results.at(-1)!['y']).toEqual(model.run(x).output.data);
  engine.close();
});
