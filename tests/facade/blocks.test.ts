import { describe, expect, test } from 'vitest';
import { BACKENDS } from '../backends.ts';
import { expectError, numbers, oneGru, textModel, twoInputs } from './helpers.ts';

const rowsOf = (data: Float32Array, count: number) =>
  Array.from({ length: count }, (_, t) => data.slice((t * data.length) / count, ((t + 1) * data.length) / count));

describe.each(BACKENDS)('blocks of a stream on $name', ({ api }) => {
  test('any cut of a sequence gives the bits of its steps, and keeps the state', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const x = numbers(20 * 3);
    using steps = model.createStream();
    const want = rowsOf(x, 20).map((row) => [...steps.step(row)]);
    for (const cut of [[20], [1, 19], [7, 0, 6, 7], Array<number>(20).fill(1), [3, 3, 3, 3, 8]]) {
      using stream = model.createStream();
      let at = 0;
      const got = cut.flatMap((count) => [...stream.run(x.slice(3 * at, 3 * (at += count)))]);
      expect(got).toEqual(want.flat());
      expect(stream.hiddenState).toEqual(steps.hiddenState);
    }
    // Steps and blocks in turns.
    using mixed = model.createStream();
    const got = [
      mixed.step(x.slice(0, 3)),
      mixed.run(x.slice(3, 15)),
      mixed.step(x.slice(15, 18)),
      mixed.run(x.slice(18)),
    ];
    expect(got.flatMap((part) => [...part])).toEqual(want.flat());
  });

  test('several sequences side by side: (batch, steps, size)', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const x = numbers(2 * 4 * 3);
    using stream = model.createStream({ batch: 2 });
    expect(stream.run(x)).toEqual(model.run({ data: x, shape: [2, 4, 3] }).output.data);
  });

  test('ids; outputs by name, of steps and of whole blocks; what is filled is returned', async () => {
    using model = await api.createModel(textModel());
    const whole = model.run([1, 2, 3, 4, 5]);
    using stream = model.createStream();
    const logits = new Float32Array(10);
    const summary = new Float32Array(5);
    const out = { logits, summary };
    expect(stream.run([1, 2], { logits: logits.subarray(0, 4) })).toEqual({ logits: logits.subarray(0, 4) });
    const rest = { logits: logits.subarray(4), summary };
    expect(stream.run(Int32Array.of(3, 4, 5), rest)).toEqual(rest);
    expect(out.logits).toEqual(whole.outputs['logits']!.data);
    expect(out.summary).toEqual(whole.outputs['summary']!.data);
    const y = new Float32Array(2);
    expect(stream.run(7, y)).toBe(y);
  });

  test('several inputs: a vector, and sequences of the same steps', async () => {
    using model = await api.createModel(twoInputs());
    const [frames, more, speaker] = [numbers(4 * 3), numbers(4 * 2, 2), numbers(4, 3)];
    const want = model.run({ frames, more, speaker });
    using stream = model.createStream();
    expect(stream.run({ frames, more, speaker })).toEqual(want.output.data);
    const short = more.slice(2);
    await expectError(
      () => stream.run({ frames, more: short, speaker }),
      'shape_mismatch',
      "'more'",
      'steps 4',
      'got 6',
    );
  });

  test('the block itself may be filled', async () => {
    using model = await api.createModel(oneGru(3, 3));
    const x = numbers(12);
    const want = model.run(x).output.data;
    using stream = model.createStream();
    expect(stream.run(x, x)).toBe(x);
    expect(x).toEqual(want);
  });

  test('a wrong block changes nothing', async () => {
    using model = await api.createModel(oneGru(3, 5));
    using stream = model.createStream();
    stream.run(numbers(6));
    const before = stream.hiddenState;
    await expectError(() => stream.run(numbers(7)), 'shape_mismatch', "'x'", 'multiple of 3', 'got 7');
    await expectError(() => stream.run(numbers(6), new Float32Array(9)), 'shape_mismatch', '10 values', 'steps 2');
    await expectError(() => stream.run('x' as never), 'dtype_mismatch', "'x'");
    await expectError(() => stream.step(numbers(6)), 'shape_mismatch', 'a step takes 3');
    expect(stream.hiddenState).toEqual(before);
    stream.dispose();
    await expectError(() => stream.run(numbers(3)), 'disposed');
  });
});

describe.each(BACKENDS)('blocks of many streams on $name', ({ api }) => {
  test('of any lengths: each gives what it gives alone', async () => {
    using model = await api.createModel(oneGru(3, 5));
    using streams = model.createStreams(4);
    const alone = [model.createStream(), model.createStream(), model.createStream()];
    const which = [3, 0, 2];
    for (const lengths of [
      [4, 1, 0],
      [2, 7, 3],
    ]) {
      const blocks = lengths.map((length, i) => numbers(length * 3, length + i));
      const got = streams.runMany(which, blocks);
      expect(got).toEqual(blocks.map((block, i) => alone[i]!.run(block)));
      which.forEach((index, i) => {
        expect(streams.hiddenState(index)).toEqual(alone[i]!.hiddenState);
      });
    }
    expect(streams.hiddenState(1).every((value) => value === 0)).toBe(true);
    // Steps go on from there.
    const x = numbers(6);
    const want = [...alone[0]!.step(x.slice(0, 3)), ...alone[2]!.step(x.slice(3))];
    expect([...streams.stepMany([3, 2], x)]).toEqual(want);
  });

  test('ids, inputs by name, arrays to fill', async () => {
    using text = await api.createModel(textModel());
    using streams = text.createStreams(2);
    const out = [new Float32Array(4), new Float32Array(2)];
    const got = streams.runMany([1, 0], [[1, 2], Int32Array.of(3)], out);
    expect(got[1]).toBe(out[1]);
    expect(out[0]).toEqual(text.run([1, 2]).output.data);
    expect(out[1]).toEqual(text.run([3]).output.data);
    using two = await api.createModel(twoInputs());
    using pair = two.createStreams(2);
    const given = {
      frames: [numbers(6), numbers(3)],
      more: [numbers(4), numbers(2)],
      speaker: [numbers(4), numbers(4, 2)],
    };
    const want = [0, 1].map(
      (b) => two.run({ frames: given.frames[b]!, more: given.more[b]!, speaker: given.speaker[b]! }).output.data,
    );
    expect(pair.runMany([0, 1], given)).toEqual(want);
  });

  test('what is refused, and that the states stay', async () => {
    using model = await api.createModel(oneGru(3, 5));
    using streams = model.createStreams(3);
    streams.runMany([0, 1], [numbers(3), numbers(6)]);
    const before = [0, 1, 2].map((i) => streams.hiddenState(i));
    const one = numbers(3);
    await expectError(() => streams.runMany([0, 0], [one, one]), 'invalid_argument', 'stream 0 is named twice');
    await expectError(() => streams.runMany([0, 3], [one, one]), 'invalid_argument', '0 to 2');
    await expectError(() => streams.runMany([0, 1], [one]), 'shape_mismatch', 'expected 2 blocks', 'got 1');
    await expectError(() => streams.runMany([0], [numbers(4)]), 'shape_mismatch', 'block 0', 'multiple of 3');
    await expectError(() => streams.runMany([0], [['1', '2', '3'] as never]), 'dtype_mismatch', "'x'");
    await expectError(() => streams.runMany([0], one as never), 'shape_mismatch', 'expected 1 blocks');
    using text = await api.createModel(textModel());
    using many = text.createStreams(2);
    const where = "input 'ids', block 1: the id at [2]";
    await expectError(() => many.runMany([0, 1], [[1], [1, 2, 1e6]]), 'id_out_of_range', where);
    await expectError(() => streams.runMany([0], [one], [new Float32Array(4)]), 'shape_mismatch', 'out[0]', '5 values');
    const shared = new Float32Array(8);
    const overlapping = [shared.subarray(3), shared.subarray(0, 5)];
    await expectError(() => streams.runMany([0, 1], [one, one], overlapping), 'invalid_argument', 'out[0] and out[1]');
    expect([0, 1, 2].map((i) => streams.hiddenState(i))).toEqual(before);
  });
});
