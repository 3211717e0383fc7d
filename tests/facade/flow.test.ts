import { describe, expect, test, vi } from 'vitest';
import { createApi } from '../../ts/api/create-api.ts';
import type { Backend } from '../../ts/backends/backend.ts';
import { BACKENDS } from '../backends.ts';
import { collected } from '../heap.ts';
import { expectError, gruLayer, numbers, oneGru, textModel } from './helpers.ts';

const FRAMES = Array.from({ length: 6 }, (_, t) => numbers(3, t + 1));

/** The functions over `backend`, and the numbers of states that are alive and that were made. */
function counted(backend: Backend) {
  const alive = { states: 0, made: 0 };
  const api = createApi(() =>
    Promise.resolve({
      ...backend,
      compile(graph) {
        const model = backend.compile(graph);
        return {
          ...model,
          createState(batch) {
            const state = model.createState(batch);
            const free = state.free.bind(state);
            let freed = false;
            alive.states++;
            alive.made++;
            state.free = () => {
              if (!freed) alive.states--;
              freed = true;
              free();
            };
            return state;
          },
        };
      },
    }),
  );
  return { alive, api };
}

/** A source that tells when it is closed; it waits for ever after its frames when asked to. */
function source(frames: Float32Array[], then: 'end' | 'wait' = 'end') {
  const seen = { asked: 0, closed: 0 };
  const iterator: AsyncIterableIterator<Float32Array> = {
    [Symbol.asyncIterator]: () => iterator,
    next() {
      const value = frames[seen.asked++];
      if (value) return Promise.resolve({ done: false, value });
      return then === 'end' ? Promise.resolve({ done: true, value: undefined }) : new Promise(() => undefined);
    },
    return() {
      seen.closed++;
      return Promise.resolve({ done: true, value: undefined });
    },
  };
  return { seen, iterator };
}

const readable = (frames: Float32Array[]) =>
  new ReadableStream<Float32Array>({
    start(controller) {
      for (const frame of frames) controller.enqueue(frame);
      controller.close();
    },
  });

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}

describe.each(BACKENDS)('$name', ({ backend }) => {
  const { alive, api } = counted(backend);
  const wholeRun = (model: Awaited<ReturnType<typeof api.createModel>>) => {
    const data = Float32Array.from(FRAMES.flatMap((frame) => [...frame]));
    const { output } = model.run({ data, shape: [6, 3] });
    return FRAMES.map((_, t) => output.data.slice(5 * t, 5 * t + 5));
  };

  test('every kind of source gives what a whole run gives', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const expected = wholeRun(model);
    const before = alive.states;
    const generate = function* () {
      yield* FRAMES;
    };
    for (const each of [FRAMES, generate(), source(FRAMES).iterator, readable(FRAMES)]) {
      expect(await all(model.stream(each))).toEqual(expected);
      expect(alive.states).toBe(before);
    }
    const transformed = readable(FRAMES).pipeThrough<Float32Array>(model.transform());
    expect(await all(transformed)).toEqual(expected);
    expect(await all(model.stream([]))).toEqual([]);
    expect(alive.states).toBe(before);
  });

  test('ids, several sequences side by side', async () => {
    using model = await api.createModel(textModel());
    const one = await all(model.stream([4, 6]));
    const two = await all(
      model.stream(
        [
          [1, 4],
          [2, 6],
        ],
        { batch: 2 },
      ),
    );
    expect(two.map((y) => y.slice(2))).toEqual(one);
  });

  test('results come as their inputs do; a loop that is left closes the source and frees the state', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const { seen, iterator } = source(FRAMES);
    let count = 0;
    for await (const y of model.stream(iterator)) {
      expect(y).toHaveLength(5);
      expect(seen.asked).toBe(++count);
      expect(alive.states).toBe(1);
      if (count === 2) break;
    }
    expect(seen).toEqual({ asked: 2, closed: 1 });
    expect(alive.states).toBe(0);
  });

  test('nothing is made before the first result is asked for', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const { seen, iterator } = source(FRAMES);
    const results = model.stream(iterator);
    expect([alive.states, seen.asked]).toEqual([0, 0]);
    await results.return();
    expect([alive.states, seen.asked]).toEqual([0, 0]);
  });

  test('abort while the source is awaited', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const { seen, iterator } = source(FRAMES.slice(0, 2), 'wait');
    const controller = new AbortController();
    const results = model.stream(iterator, { signal: controller.signal });
    await results.next();
    await results.next();
    const waiting = results.next();
    const why = new Error('enough');
    controller.abort(why);
    await expect(waiting).rejects.toBe(why);
    expect(seen.closed).toBe(1);
    expect(alive.states).toBe(0);
    expect(await results.next()).toEqual({ done: true, value: undefined });
  });

  test('abort between two results frees the state at once, and closes the source at the next', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const { seen, iterator } = source(FRAMES);
    const controller = new AbortController();
    const results = model.stream(iterator, { signal: controller.signal });
    await results.next();
    controller.abort();
    expect(alive.states).toBe(0);
    await expect(results.next()).rejects.toBe(controller.signal.reason);
    expect(seen).toEqual({ asked: 1, closed: 1 });
  });

  test('a source that aborts the signal while it is asked', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const why = new Error('stop');
    const controller = new AbortController();
    const { seen, iterator } = source([], 'wait');
    const next = iterator.next.bind(iterator);
    iterator.next = () => {
      controller.abort(why);
      return next();
    };
    await expect(model.stream(iterator, { signal: controller.signal }).next()).rejects.toBe(why);
    expect([seen.closed, alive.states]).toEqual([1, 0]);
    // Or when it is asked for its iterator.
    const other = new AbortController();
    const late = source(FRAMES);
    const iterable = {
      [Symbol.asyncIterator]() {
        other.abort(why);
        return late.iterator;
      },
    };
    await expect(model.stream(iterable, { signal: other.signal }).next()).rejects.toBe(why);
    expect([late.seen.asked, alive.states]).toEqual([0, 0]);
  });

  test.runIf(globalThis.gc)('flows that are abandoned leave nothing on a signal that lives on', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...of: Parameters<typeof add>) => {
      listeners++;
      add(...of);
    };
    signal.removeEventListener = (...of: Parameters<typeof remove>) => {
      listeners--;
      remove(...of);
    };
    const before = alive.made;
    await (async () => {
      for (let i = 0; i < 10; i++) {
        await model.stream(FRAMES, { signal }).next();
        const { readable, writable } = model.transform({ signal });
        void writable.getWriter().write(FRAMES[0]);
        await readable.getReader().read();
      }
    })();
    // Some may be gone already.
    expect(alive.made - before).toBe(20);
    await collected(() => alive.states === 0 && listeners === 0);
    expect({ states: alive.states, listeners }).toEqual({ states: 0, listeners: 0 });
  });

  test('options are checked at once, signals for what they are', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const fake = Object.create(AbortSignal.prototype) as AbortSignal;
    await expectError(() => model.stream(FRAMES, { signal: fake }), 'invalid_argument', 'AbortSignal');
    await expectError(() => model.transform({ signal: fake }), 'invalid_argument', 'AbortSignal');
    await expectError(() => model.stream(FRAMES, { batch: 0 }), 'invalid_argument', 'batch');
    expect(alive.states).toBe(0);
  });

  test('a signal of another realm is one', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const { signal } = new AbortController();
    // Of another window it has another prototype, and the same members.
    const bound = (key: keyof AbortSignal) => (signal[key] as () => void).bind(signal);
    const foreign = {
      aborted: false,
      ...Object.fromEntries(
        (['throwIfAborted', 'addEventListener', 'removeEventListener'] as const).map((key) => [key, bound(key)]),
      ),
    } as unknown as AbortSignal;
    const first = await model.stream(FRAMES, { signal: foreign }).next();
    expect(first.value).toHaveLength(5);
  });

  test('aborted beforehand', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const signal = AbortSignal.abort('no');
    const { seen, iterator } = source(FRAMES);
    await expect(model.stream(iterator, { signal }).next()).rejects.toBe('no');
    expect(() => model.transform({ signal })).toThrow('no');
    expect([alive.states, seen.asked]).toEqual([0, 0]);
  });

  test('a source that throws, and a frame that does not fit', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const why = new Error('the microphone is gone');
    const failing = async function* () {
      yield await Promise.resolve(FRAMES[0]!);
      throw why;
    };
    await expect(all(model.stream(failing()))).rejects.toBe(why);
    expect(alive.states).toBe(0);

    const { seen, iterator } = source([FRAMES[0]!, numbers(4)]);
    await expectError(() => all(model.stream(iterator)), 'shape_mismatch', "'x'", '3 values', 'got 4');
    expect(seen.closed).toBe(1);
    expect(alive.states).toBe(0);
  });

  test('a source whose iterator is none', async () => {
    using model = await api.createModel(oneGru(3, 5));
    for (const key of [Symbol.iterator, Symbol.asyncIterator]) {
      for (const iterator of [5, undefined, {}, { next: 5 }, { next: () => 5 }, { next: () => undefined }]) {
        const source = { [key]: () => iterator } as never;
        await expectError(() => model.stream(source).next(), 'invalid_argument', 'iterable');
      }
    }
    // One whose \`return\` is no function has none to call.
    const odd = { next: () => ({ done: false, value: FRAMES[0]! }), return: 5 };
    for await (const y of model.stream({ [Symbol.iterator]: () => odd } as never)) {
      expect(y.length).toBe(5);
      break;
    }
    expect(alive.states).toBe(0);
  });

  test('a source that aborts the signal and throws, while it is asked: no uncaught error', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const uncaught = vi.fn();
    process.on('unhandledRejection', uncaught);
    try {
      const aborter = new AbortController();
      const next = () => {
        aborter.abort('enough');
        throw new Error('no more');
      };
      const flow = model.stream({ [Symbol.iterator]: () => ({ next }) }, { signal: aborter.signal });
      await expect(flow.next()).rejects.toThrow('no more');
      await new Promise((turned) => setTimeout(turned));
    } finally {
      process.off('unhandledRejection', uncaught);
    }
    expect(uncaught).not.toHaveBeenCalled();
    expect(alive.states).toBe(0);
  });

  test('a source whose return() throws when the signal aborts: the reason, and no uncaught error', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const aborter = new AbortController();
    const iterator = {
      next: () => new Promise<never>(() => undefined),
      return: () => {
        throw new Error('closing failed');
      },
    };
    const flow = model.stream({ [Symbol.asyncIterator]: () => iterator }, { signal: aborter.signal });
    const first = flow.next();
    await Promise.resolve();
    aborter.abort('enough');
    await expect(first).rejects.toBe('enough');
    expect(alive.states).toBe(0);
  });

  describe('a source whose return() is odd', () => {
    const never = () => new Promise<never>(() => undefined);
    const throws = () => {
      throw new Error('closing failed');
    };
    const frames = (value: Float32Array, close: () => unknown) => ({
      [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: false, value }), return: close }) as never,
    });

    test('what failed first is told', async () => {
      using model = await api.createModel(oneGru(3, 5));
      await expectError(() => model.stream(frames(numbers(4), throws)).next(), 'shape_mismatch', "'x'");
      const flow = model.stream(frames(FRAMES[0]!, throws));
      await flow.next();
      await expect(flow.return()).rejects.toThrow('closing failed');
      const aborter = new AbortController();
      const aborted = model.stream(frames(FRAMES[0]!, throws), { signal: aborter.signal });
      await aborted.next();
      aborter.abort('enough');
      await expect(aborted.next()).rejects.toBe('enough');
      expect(alive.states).toBe(0);
    });

    test('nobody waits for one that never ends once the signal has aborted', async () => {
      using model = await api.createModel(oneGru(3, 5));
      const failing = new AbortController();
      const failed = model.stream(frames(numbers(4), never), { signal: failing.signal }).next();
      setTimeout(() => {
        failing.abort('enough');
      });
      await expectError(() => failed, 'shape_mismatch', "'x'");

      for (const early of [true, false]) {
        const leaving = new AbortController();
        const flow = model.stream(frames(FRAMES[0]!, never), { signal: leaving.signal });
        await flow.next();
        if (early) leaving.abort('enough');
        else
          setTimeout(() => {
            leaving.abort('enough');
          });
        expect(await flow.return()).toEqual({ done: true, value: undefined });
      }
      expect(alive.states).toBe(0);
    });
  });

  test('a model disposed under way', async () => {
    const model = await api.createModel(oneGru(3, 5));
    const results = model.stream(FRAMES);
    await results.next();
    model.dispose();
    await expectError(() => results.next(), 'disposed');
    await expectError(() => model.stream(FRAMES), 'disposed');
    await expectError(() => model.transform(), 'disposed');
  });

  test('a transform frees its state when either side ends or fails', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const why = new Error('enough');
    const open = (signal?: AbortSignal) => {
      const { readable, writable } = model.transform({ signal });
      expect(alive.states).toBe(1);
      return { reader: readable.getReader(), writer: writable.getWriter() };
    };
    const first = open();
    void first.writer.write(FRAMES[0]);
    expect((await first.reader.read()).value).toHaveLength(5);
    await first.reader.cancel(why);
    expect(alive.states).toBe(0);

    const second = open();
    second.reader.closed.catch(() => undefined);
    await second.writer.abort(why);
    expect(alive.states).toBe(0);

    const controller = new AbortController();
    const third = open(controller.signal);
    third.writer.closed.catch(() => undefined);
    third.reader.closed.catch(() => undefined);
    const read = third.reader.read();
    controller.abort(why);
    await expect(read).rejects.toBe(why);
    await expect(third.writer.write(FRAMES[0])).rejects.toBe(why);
    expect(alive.states).toBe(0);

    const fourth = open();
    fourth.writer.closed.catch(() => undefined);
    fourth.reader.closed.catch(() => undefined);
    fourth.writer.write(numbers(4)).catch(() => undefined);
    await expectError(() => fourth.reader.read(), 'shape_mismatch', "'x'");
    expect(alive.states).toBe(0);
  });

  test('errors name what is wrong', async () => {
    using model = await api.createModel(oneGru(3, 5));
    await expectError(() => model.stream(7 as never), 'invalid_argument', 'source must be iterable', '7');
    await expectError(() => model.stream('abc' as never), 'invalid_argument', 'source must be iterable', 'abc');
    await expectError(() => model.stream([], { signal: 1 as never }), 'invalid_argument', 'signal');
    await expectError(() => model.stream([], { abort: 1 } as object), 'invalid_argument', "'abort'");
    await expectError(() => model.transform({ batch: 0 }), 'invalid_argument', 'batch');
    using backward = await api.createModel({
      inputs: [{ name: 'x', dtype: 'float32', size: 3 }],
      layers: [gruLayer('gru', 3, 5, { direction: 'reverse' })],
    });
    await expectError(() => backward.stream(FRAMES).next(), 'not_streamable');
    await expectError(() => backward.transform(), 'not_streamable');
  });
});
