import { describe, expect, test } from 'vitest';
import type { Backend, BackendState } from '../../ts/backends/backend.ts';
import { createApi } from '../../ts/api/create-api.ts';
import { GruError } from '../../ts/base/errors.ts';
import { BACKENDS } from '../backends.ts';
import { collected, growth } from '../heap.ts';
import { expectError, numbers, oneGru, tensor, textModel } from './helpers.ts';

/** A backend that counts what is alive, and fails when told to. */
function counted(backend: Backend) {
  const alive = { models: 0, states: 0, made: 0, layouts: 0, fail: '' };
  const failing = (where: string) => {
    if (alive.fail === where) throw new GruError('out_of_memory', where);
  };
  const wrapped: Backend = {
    name: backend.name,
    compile(graph) {
      failing('compile');
      const model = backend.compile(graph);
      alive.models++;
      let open = true;
      return {
        bytes: model.bytes,
        createState(batch) {
          failing('createState');
          const state = model.createState(batch);
          alive.states++;
          alive.made++;
          const freed = new WeakSet<object>();
          return new Proxy(state, {
            get(target, key: keyof BackendState) {
              if (key === 'free') {
                return () => {
                  if (!freed.has(target)) alive.states--;
                  freed.add(target);
                  target.free();
                };
              }
              if (key === 'setLengths') alive.layouts++;
              if (key === 'setLengths' || key === 'run') failing(key);
              const value = Reflect.get(target, key) as unknown;
              return typeof value === 'function' ? (value.bind(target) as unknown) : value;
            },
          });
        },
        free() {
          if (open) alive.models--;
          open = false;
          model.free();
        },
      };
    },
  };
  return { alive, api: createApi(() => Promise.resolve(wrapped)) };
}

describe.each(BACKENDS)('$name', ({ backend, api: plain }) => {
  test('dispose frees the model, its run state and its streams; all is idempotent', async () => {
    const { alive, api } = counted(backend);
    const model = await api.createModel(textModel());
    const first = model.createStream();
    const second = model.createStream({ batch: 3 });
    model.run([1, 2]);
    expect(alive).toMatchObject({ models: 1, states: 3 });
    first.dispose();
    first.dispose();
    expect(alive.states).toBe(2);
    model.dispose();
    expect(alive).toMatchObject({ models: 0, states: 0 });
    model.dispose();
    second.dispose();
    model[Symbol.dispose]();
    expect(alive).toMatchObject({ models: 0, states: 0 });
  });

  test('use after dispose', async () => {
    const model = await plain.createModel(textModel());
    const stream = model.createStream();
    const other = model.createStream();
    other.dispose();
    await expectError(() => other.step(1), 'disposed');
    expect(stream.step(1).length).toBe(2);
    model.dispose();
    for (const use of [
      () => model.run([1]),
      () => model.createStream(),
      () => model.save(),
      () => stream.step(1),
      () => stream.hiddenState,
      () => (stream.hiddenState = numbers(9)),
      () => {
        stream.reset();
      },
    ]) {
      await expectError(use, 'disposed');
    }
    expect(model.inputs[0]!.name).toBe('ids');
  });

  test('one run state is kept, for the last batch, and laid out anew only for other lengths', async () => {
    const { alive, api } = counted(backend);
    using model = await api.createModel(oneGru(2, 3));
    model.run(tensor([4, 5, 2]));
    model.run(tensor([4, 5, 2]));
    expect(alive).toMatchObject({ states: 1, made: 1, layouts: 1 });
    model.run(tensor([4, 6, 2]));
    model.run(tensor([6, 4, 2]), { timeMajor: true });
    expect(alive).toMatchObject({ states: 1, made: 1, layouts: 3 });
    for (let batch = 1; batch < 10; batch++) model.run(tensor([batch, 2, 2]));
    expect(alive.states).toBe(1);
  });

  test('where memory ends, nothing leaks and the model stays usable', async () => {
    const { alive, api } = counted(backend);
    alive.fail = 'compile';
    await expectError(() => api.createModel(oneGru(2, 3)), 'out_of_memory');
    alive.fail = '';
    using model = await api.createModel(oneGru(2, 3));
    const expected = model.run(tensor([2, 3, 2]));
    for (const fail of ['setLengths', 'run', 'createState']) {
      alive.fail = fail;
      await expectError(() => model.run(tensor([3, 4, 2])), 'out_of_memory', fail);
      expect(alive.states).toBe(0);
      if (fail !== 'run') await expectError(() => model.createStream(), 'out_of_memory', fail);
      expect(alive.states).toBe(0);
      alive.fail = '';
      expect(model.run(tensor([2, 3, 2]))).toEqual(expected);
    }
  });

  test.runIf(globalThis.gc)('forgotten models and streams are freed', async () => {
    const { alive, api } = counted(backend);
    await (async () => {
      const model = await api.createModel(oneGru(2, 3));
      model.run(tensor([1, 2, 2]));
      model.createStream().step(numbers(2));
    })();
    await collected(() => alive.models === 0 && alive.states === 0);
    expect(alive).toMatchObject({ models: 0, states: 0 });
  });

  test.runIf(globalThis.gc)('a stream outlives its forgotten model', async () => {
    const { alive, api } = counted(backend);
    const stream = (await api.createModel(oneGru(2, 3))).createStream();
    await collected(() => alive.models === 0);
    expect(alive.models).toBe(0);
    expect(stream.step(numbers(2)).length).toBe(3);
    stream.dispose();
    expect(alive.states).toBe(0);
  });

  test.runIf(globalThis.gc && !process.env['GRU_COVERAGE'])('step(x, out) allocates nothing', async () => {
    using model = await plain.createModel(textModel());
    using stream = model.createStream({ batch: 2 });
    const ids = Int32Array.of(1, 2);
    const y = new Float32Array(4);
    const outs = { logits: y, summary: new Float32Array(10) };
    const record = { ids };
    const { heap, arrays } = growth(20_000, 400_000, () => {
      stream.step(ids, y);
      stream.step(record, outs);
    });
    // 40,000 steps: an object in each would be a megabyte, an array of a number 160,000 bytes.
    expect(heap).toBeLessThan(400_000);
    expect(arrays).toBeLessThan(40_000);
  });
});
