import { describe, expect, test } from 'vitest';
import { portableCrc32 } from '../../ts/io/crc32.ts';
import { BACKENDS } from '../backends.ts';
import { expectError, failure, gruLayer, numbers, oneGru, textModel } from './helpers.ts';

/** Gives a snapshot that was changed its checksum. */
function seal(bytes: Uint8Array): void {
  const end = bytes.length - 4;
  new DataView(bytes.buffer).setUint32(end, portableCrc32(bytes.subarray(0, end)), true);
}

describe.each(BACKENDS)('many streams on $name', ({ api }) => {
  test('fed in any order and company, each gives the bits that it gives alone', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const streams = model.createStreams(200);
    const alone = new Map<number, ReturnType<typeof model.createStream>>();
    for (let round = 0; round < 40; round++) {
      const which = Array.from({ length: 1 + ((round * 7) % 90) }, (_, i) => (i * 13 + round * 5) % 200);
      const x = numbers(3 * which.length, round + 1);
      const y = streams.stepMany(which, x);
      which.forEach((index, i) => {
        const stream = alone.get(index) ?? model.createStream();
        alone.set(index, stream);
        const want = stream.step(x.subarray(3 * i, 3 * i + 3));
        expect(Array.from(y.subarray(5 * i, 5 * i + 5))).toEqual(Array.from(want));
      });
    }
    for (const [index, stream] of alone) expect(streams.hiddenState(index)).toEqual(stream.hiddenState);
  });

  test('ids, outputs by name, values of one row a sequence', async () => {
    using model = await api.createModel(textModel());
    const streams = model.createStreams(4);
    const stream = model.createStream();
    const out = { logits: new Float32Array(4), summary: new Float32Array(10) };
    const one = { logits: new Float32Array(2), summary: new Float32Array(5) };
    streams.stepMany([0], 7);
    streams.stepMany([3, 1], [2, 9], out);
    streams.stepMany([1, 3], [4, 4], out);
    stream.step(9, one);
    stream.step(4, one);
    expect(out.logits.subarray(0, 2)).toEqual(one.logits);
    expect(out.summary.subarray(0, 5)).toEqual(one.summary);
  });

  test('snapshots go to another stream and another instance of the model, not to another model', async () => {
    using model = await api.createModel(textModel());
    using copy = await api.loadModel(model.save());
    using other = await api.createModel(oneGru(5, 9));
    const streams = model.createStreams(3);
    streams.stepMany([1], [5]);
    const bytes = streams.snapshot(1);
    const want = streams.stepMany([1], [6]);
    streams.restore(2, bytes);
    expect(streams.stepMany([2], [6])).toEqual(want);
    const stream = copy.createStream();
    stream.restore(bytes);
    expect(stream.snapshot()).toEqual(bytes);
    expect(stream.step(6)).toEqual(want);

    await expectError(
      () => {
        other.createStream().restore(bytes);
      },
      'invalid_file',
      'another model',
      'it holds first.hidden, second.hidden, this one has gru.hidden',
    );
    await expectError(
      () => {
        model.createStream({ batch: 2 }).restore(bytes);
      },
      'invalid_file',
      'expected 18',
    );
    await expectError(() => {
      stream.restore(bytes.subarray(0, 40));
    }, 'invalid_file');
    await expectError(
      () => {
        stream.restore(new Uint8Array(100));
      },
      'invalid_file',
      'no snapshot',
    );
    await expectError(() => {
      stream.restore('x' as never);
    }, 'dtype_mismatch');
    const later = bytes.slice();
    later[4] = 9;
    seal(later);
    await expectError(
      () => {
        stream.restore(later);
      },
      'unsupported',
      'version 9',
    );
  });

  test('a snapshot with any one bit flipped, or cut anywhere, is refused; one of version 1 is read', async () => {
    using model = await api.createModel(oneGru(3, 5));
    using stream = model.createStream();
    stream.step(numbers(3));
    const bytes = stream.snapshot();
    const want = stream.hiddenState;
    stream.reset();
    const refused = (changed: Uint8Array) => {
      const { code, message } = failure(() => {
        stream.restore(changed);
      });
      expect(code).toBe('invalid_file');
      expect(message).toMatch(/^snapshot: (it is damaged: its checksum|\d+ bytes that are no snapshot)/);
    };
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      refused(flipped);
    }
    for (let length = 0; length < bytes.length; length++) {
      refused(bytes.subarray(0, length));
    }
    expect(stream.hiddenState).toEqual(new Float32Array(5));
    // Without the names of the slots and the checksum.
    const first = bytes.slice(0, 28 + 4 * 5);
    first[4] = 1;
    stream.restore(first);
    expect(stream.hiddenState).toEqual(want);
    // Cut or longer, with a checksum that says it is whole.
    for (const size of [32, 36, 44, 48, bytes.length - 8, bytes.length - 4, bytes.length + 4]) {
      const resized = new Uint8Array(size);
      resized.set(bytes.subarray(0, size));
      seal(resized);
      await expectError(
        () => {
          stream.restore(resized);
        },
        'invalid_file',
        'expected 5 values of gru.hidden',
      );
    }
    // Of a version that kept less.
    using masked = await api.createModel({
      inputs: [{ name: 'x', dtype: 'float32', size: 3 }],
      layers: [
        { type: 'masking', name: 'm', maskValue: 0 },
        { ...gruLayer('gru', 3, 5), mask: 'm:mask' },
      ],
    });
    using later = masked.createStream();
    const older = later.snapshot();
    const names = 'gru.hidden';
    const kept = new Uint8Array(28 + 4 * 5 + 4 + 2 * names.length + 4);
    kept.set(older.subarray(0, 28 + 4 * 5));
    const view = new DataView(kept.buffer);
    view.setUint32(24, 5, true);
    view.setUint32(48, names.length, true);
    for (let i = 0; i < names.length; i++) view.setUint16(52 + 2 * i, names.charCodeAt(i), true);
    seal(kept);
    const early = kept.slice(0, 48);
    early[4] = 1;
    for (const given of [kept, early]) {
      await expectError(
        () => {
          later.restore(given);
        },
        'invalid_file',
        'expected 6 values of gru.hidden, gru.past, got 5',
        'an older version kept no past',
      );
    }
    const sealed = bytes.slice();
    seal(sealed);
    expect(sealed, 'the checksum is the CRC-32 of zip').toEqual(bytes);
  });

  test('no streams at all: a step of none, whatever went before', async () => {
    using model = await api.createModel(oneGru(3, 5, { returns: 'last' }));
    using streams = model.createStreams(4);
    const none = new Float32Array(0);
    expect(streams.stepMany([], none)).toHaveLength(0);
    streams.stepMany([1, 2], numbers(6));
    expect(streams.stepMany([], none)).toHaveLength(0);
  });

  test('indices that are getters are read once; one that throws leaves nothing marked', async () => {
    using model = await api.createModel(oneGru(3, 5));
    using streams = model.createStreams(4);
    using alone = model.createStreams(4);
    for (let bad = 0; bad < 3; bad++) {
      const which = [1, 2, 3];
      Object.defineProperty(which, bad, {
        get() {
          throw new Error('mine');
        },
      });
      expect(() => streams.stepMany(which, numbers(9))).toThrow('mine');
    }
    await expectError(() => streams.stepMany([1, 2, 1], numbers(9)), 'invalid_argument', 'stream 1', 'twice');
    let reads = 0;
    const which = [1, 3];
    Object.defineProperty(which, 1, { get: () => (reads++ === 0 ? 3 : 1) });
    expect(streams.stepMany(which, numbers(6))).toEqual(alone.stepMany([1, 3], numbers(6)));
    expect(reads).toBe(1);
    expect(streams.stepMany([1, 2, 3], numbers(9))).toEqual(alone.stepMany([1, 2, 3], numbers(9)));
  });

  test('states of several at once, of all slots and of a clock', async () => {
    const conv = {
      type: 'conv1d' as const,
      name: 'conv',
      inputSize: 3,
      outputSize: 2,
      kernelSize: 3,
      stride: 2,
      padding: 'causal' as const,
      weights: { kernel: numbers(2 * 3 * 3, 5) },
    };
    using model = await api.createModel({
      inputs: [{ name: 'x', dtype: 'float32', size: 3 }],
      layers: [conv, gruLayer('one', 2, 5), gruLayer('two', 5, 4)],
      outputs: [{ name: 'y', from: 'two' }],
    });
    using streams = model.createStreams(6);
    streams.runMany([5, 1, 2], [numbers(9, 1), numbers(12, 2), numbers(3, 3)]);
    const which = [2, 5, 5, 0];
    const states = streams.hiddenStates(which);
    const rows = which.map((index) => streams.hiddenState(index));
    expect(rows[1]!.some((value) => value !== 0)).toBe(true);
    expect([...states]).toEqual(rows.flatMap((row) => [...row]));
    expect(streams.hiddenStates([])).toHaveLength(0);
    const of = (indices: unknown) => () => streams.hiddenStates(indices as never);
    await expectError(of([6]), 'invalid_argument', '0 to 5', 'got 6');
    await expectError(of(2), 'dtype_mismatch', 'hiddenStates', 'indices');
    streams.dispose();
    await expectError(of([2]), 'disposed');
  });

  test('reset, and what is refused', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const streams = model.createStreams(4);
    const x = numbers(3);
    const first = streams.stepMany([2], x);
    streams.stepMany([2], x);
    streams.reset(2);
    expect(streams.stepMany([2], x)).toEqual(first);
    const hidden = streams.hiddenState(2);
    const step = (which: unknown, values: unknown) => () => streams.stepMany(which as never, values as never);
    await expectError(step([4], x), 'invalid_argument', '0 to 3', 'got 4');
    await expectError(step([1.5], x), 'invalid_argument', '1.5');
    await expectError(step([1, 1], numbers(6)), 'invalid_argument', 'stream 1', 'twice');
    await expectError(step([1, 2], x), 'shape_mismatch', 'takes 6 values', 'got 3');
    await expectError(step(2, x), 'dtype_mismatch', 'indices');
    await expectError(() => streams.stepMany([2], x, new Float32Array(4)), 'shape_mismatch', 'expected 5');
    await expectError(() => streams.hiddenState(-1), 'invalid_argument');
    await expectError(() => model.createStreams(0), 'invalid_argument');
    expect(streams.stepMany([], new Float32Array(0))).toHaveLength(0);
    expect(streams.hiddenState(2)).toEqual(hidden);
    streams.dispose();
    streams.dispose();
    await expectError(step([2], x), 'disposed');
    const reverse = await api.createModel(oneGru(3, 5, { direction: 'reverse' }));
    await expectError(() => reverse.createStreams(3), 'not_streamable');
    const second = model.createStreams(2);
    model.dispose();
    await expectError(() => second.stepMany([0], x), 'disposed');
  });
});
