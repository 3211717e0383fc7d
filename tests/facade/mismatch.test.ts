import { describe, expect, test } from 'vitest';
import { createModel } from '../../ts/index.ts';
import { failure, gruLayer, numbers, oneGru, twoInputs } from './helpers.ts';

/** How errors set what is wanted beside what was given. */
const SIDES = [
  /expected (?<want>.*?), got (?<got>.*)$/,
  /takes (?<want>.*?), got (?<got>.*)$/,
  /must (?:be|have) (?<want>.*?), got (?<got>.*)$/,
  /it holds (?<got>.*), this one has (?<want>.*)$/,
  /shape \S+ .*?takes a flat array of (?<want>\d+), data has (?<got>\d+)/,
  /: (?:sequence \d+ has )?(?<want>\d+) and (?<got>\d+) (?:steps|sequences)$/,
];

/** What an error says was wanted and was given. */
function sides(act: () => unknown): { want: string; got: string; message: string } {
  const { message } = failure(act);
  for (const form of SIDES) {
    const groups = form.exec(message)?.groups;
    if (groups) return { want: groups['want']!, got: groups['got']!, message };
  }
  throw new Error(`neither side is said: ${message}`);
}

/** 'a Float32Array of shape [3]' and 'Float32Array of length 3': the kind alone is no difference, nor is 'shape' before one. */
const bare = (side: string) => side.replace(/^an? |^shape /, '').split(' of ')[0];

const differ = (act: () => unknown) => {
  const { want, got, message } = sides(act);
  expect(bare(want), message).not.toBe(bare(got));
};

/** An array that calls itself a Float32Array. */
const named = (length: number) =>
  Object.defineProperty(
    Array.from({ length }, () => 'x'),
    Symbol.toStringTag,
    { value: 'Float32Array' },
  ) as never;

describe('a mismatch says two things that differ', () => {
  test.each([
    ['a slot of another name', { ...oneGru(3, 4), layers: [gruLayer('other', 3, 4)], outputs: ['other'] }],
    ['another number of values', oneGru(3, 5)],
    [
      'other weights alone',
      {
        ...oneGru(3, 4),
        layers: [{ ...gruLayer('gru', 3, 4), weights: gruLayer('gru', 3, 4, { resetAfter: false }).weights }],
      },
    ],
    ['another activation', oneGru(3, 4, { activation: 'relu' })],
  ])('snapshots: %s', async (_, spec) => {
    using model = await createModel(oneGru(3, 4));
    using other = await createModel(spec);
    const bytes = other.createStream().snapshot();
    differ(() => {
      model.createStream().restore(bytes);
    });
    const many = model.createStreams(2);
    differ(() => {
      many.restore(1, bytes);
    });
  });

  test('snapshots: another batch, hidden states of another length', async () => {
    using model = await createModel(oneGru(3, 4));
    const bytes = model.createStream({ batch: 2 }).snapshot();
    const stream = model.createStream();
    differ(() => {
      stream.restore(bytes);
    });
    differ(() => {
      stream.hiddenState = numbers(3);
    });
  });

  test('inputs, lengths, masks, states and arrays to be filled', async () => {
    using model = await createModel(oneGru(3, 4));
    const x = { data: numbers(12), shape: [2, 2, 3] };
    const out = model.run(x);
    const withOut = (data: unknown) => () => {
      const y = { data, shape: [2, 2, 4] };
      return model.run(x, { out: { ...out, output: y, outputs: { y } } as never });
    };
    for (const act of [
      () => model.run({ data: numbers(11), shape: [2, 2, 3] }),
      () => model.run({ data: numbers(12), shape: [2, 3, 2] }),
      () => model.run(numbers(4)),
      () => model.run([numbers(3), numbers(4)]),
      () => model.run({ data: named(12), shape: [2, 2, 3] }),
      () => model.run(x, { lengths: [1] }),
      () => model.run(x, { lengths: [1, 2.5] }),
      () => model.run(x, { lengths: [1, -1] }),
      () => model.run(x, { lengths: ['1', 1] as never }),
      () => model.run(x, { mask: [1, 1] }),
      () => model.run(x, { initialStates: 'x' as never }),
      () => model.run(x, { mask: { data: [1, 1, 1], shape: [2, 2] } }),
      () => model.run(x, { mask: { data: [1, 1, 1, 1], shape: [4, 1] } }),
      () => model.run(x, { mask: [1] }),
      () => model.run(x, { initialStates: { data: numbers(7), shape: [1, 2, 4] } }),
      () => model.run(x, { initialStates: { data: numbers(8), shape: [2, 1, 4] } }),
      () => model.run(x, { initialStates: numbers(7) }),
      withOut(named(16)),
      withOut(new Int32Array(16)),
      withOut(numbers(15)),
      () => model.run({ data: numbers(6), shape: [1, 2, 3] }, { out }),
    ]) {
      differ(act);
    }
  });

  test('an array that calls itself what is wanted', async () => {
    using model = await createModel(oneGru(3, 4));
    const stream = model.createStream();
    differ(() => stream.step(numbers(3), named(4)));
    differ(() => model.createStreams(2).runMany([0], [numbers(3)], [named(4)]));
  });

  test('steps and blocks', async () => {
    using model = await createModel(oneGru(3, 4));
    const stream = model.createStream();
    const streams = model.createStreams(3);
    for (const act of [
      () => stream.step(numbers(4)),
      () => stream.run(numbers(4)),
      () => stream.step(numbers(3), new Float32Array(5)),
      () => streams.stepMany([0, 1], numbers(3)),
      () => streams.runMany([0, 1], [numbers(3)]),
      () => streams.runMany([0], [numbers(4)]),
      () => streams.runMany([0], [numbers(3)], [new Float32Array(3)]),
      () => streams.runMany([0], [numbers(3)], []),
    ]) {
      differ(act);
    }
  });

  test('two inputs on one axis', async () => {
    using model = await createModel(twoInputs());
    const of = (frames: unknown, more: unknown, batch: number) => () => {
      const speaker = { data: numbers(4 * batch), shape: [batch, 4] };
      return model.run({ frames, more, speaker: batch === 0 ? numbers(4) : speaker } as never);
    };
    const sequences = (size: number, ...steps: number[]) => steps.map((count) => numbers(count * size));
    differ(of(numbers(6), numbers(6), 0));
    differ(of(sequences(3, 2, 4, 1), sequences(2, 2, 4, 3), 3));
    differ(of(sequences(3, 2, 4), sequences(2, 2, 4, 3), 3));
    expect(failure(of(sequences(3, 2), { data: numbers(4), shape: [1, 2, 2] }, 1)).message).toMatch(
      /one is an array of sequences, the other is none$/,
    );
  });
});
