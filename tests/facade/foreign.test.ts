import { describe, expect, test } from 'vitest';
import type { GruModel } from '../../ts/api/model.ts';
import type { RunOptions } from '../../ts/run/options.ts';
import type { ModelInput } from '../../ts/run/inputs.ts';
import type { RunResult } from '../../ts/run/result.ts';
import { BACKENDS } from '../backends.ts';
import { stopwatch } from '../formats/mutate.ts';
import { expectError, numbers, oneGru, tensor, textModel, twoInputs } from './helpers.ts';

const IDS = [1, 2, 3, 4, 5, 6];

/** Ids of which one is a getter that calls back when it is read for the `at`-th time, and counts. */
function idsThatCall(act: () => void, at = 1) {
  const seen = { reads: 0 };
  const ids = [...IDS];
  Object.defineProperty(ids, 2, {
    get() {
      if (++seen.reads === at) act();
      return 3;
    },
  });
  return { ids, seen };
}

/** A typed array whose every property and method says something else than is so. */
class Liar extends Float32Array {
  static get [Symbol.species]() {
    return Array as never;
  }
  override get length() {
    return 1e9;
  }
  override get byteOffset() {
    return 4;
  }
  override get buffer(): ArrayBuffer {
    return new ArrayBuffer(4);
  }
  override set() {
    throw new Error('set');
  }
  override subarray(): never {
    throw new Error('subarray');
  }
  override slice(): never {
    throw new Error('slice');
  }
  override [Symbol.iterator](): never {
    throw new Error('iterator');
  }
}

/** TypeScript's library of 2023 does not know buffers that can be resized. */
function resizable(bytes: number): ArrayBuffer & { resize(bytes: number): void } {
  const Buffer = ArrayBuffer as unknown as new (bytes: number, options: object) => ReturnType<typeof resizable>;
  return new Buffer(bytes, { maxByteLength: bytes });
}

function detached(length: number): Float32Array {
  const array = new Float32Array(length);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

describe.each(BACKENDS)('what the caller hands in on $name', ({ api }) => {
  test('a getter among ids that runs the model: both runs are right, and each id is read once', async () => {
    using model = await api.createModel(textModel());
    const want = model.run(IDS);
    for (const inner of [IDS, [9, 9], [[9], [9, 9]]] as ModelInput[]) {
      const wantInner = model.run(inner);
      for (const at of [1, 2, 3]) {
        let got: RunResult | undefined;
        const { ids, seen } = idsThatCall(() => (got = model.run(inner)), at);
        expect(model.run(ids)).toEqual(want);
        expect(seen.reads).toBe(1);
        if (at === 1) expect(got).toEqual(wantInner);
      }
    }
  });

  test('a getter that disposes the model or the stream: a GruError, and other models keep their numbers', async () => {
    using other = await api.createModel(oneGru(3, 5));
    const want = other.run(tensor([4, 3]));
    const use: [string, (model: GruModel) => void][] = [
      [
        'ids',
        (model) =>
          model.run(
            idsThatCall(() => {
              model.dispose();
            }).ids,
          ),
      ],
      [
        'input',
        (model) =>
          model.run({
            get ids() {
              model.dispose();
              return IDS;
            },
          }),
      ],
      [
        'shape',
        (model) =>
          model.run({
            data: IDS,
            get shape() {
              model.dispose();
              return [6];
            },
          }),
      ],
      [
        'state',
        (model) =>
          model.run(IDS, {
            initialStates: {
              get first() {
                model.dispose();
                return numbers(4);
              },
            },
          }),
      ],
      [
        'option',
        (model) =>
          model.run(IDS, {
            get padding() {
              model.dispose();
              return 'zero' as const;
            },
          }),
      ],
      [
        'lengths',
        (model) =>
          model.run(
            { data: IDS, shape: [1, 6] },
            {
              lengths: [
                {
                  get length() {
                    model.dispose();
                    return 1;
                  },
                }.length,
              ],
            },
          ),
      ],
      [
        'batch',
        (model) =>
          model.createStream({
            get batch() {
              model.dispose();
              return 1;
            },
          }),
      ],
      [
        'step',
        (model) => {
          const stream = model.createStream({ batch: 6 });
          stream.step(
            idsThatCall(() => {
              stream.dispose();
            }).ids,
          );
        },
      ],
      [
        'stepMany',
        (model) => {
          const streams = model.createStreams(9);
          streams.stepMany(
            idsThatCall(() => {
              streams.dispose();
            }).ids,
            IDS,
          );
        },
      ],
      [
        'out',
        (model) => {
          const stream = model.createStream();
          stream.step(1, {
            get logits() {
              stream.dispose();
              return new Float32Array(2);
            },
          });
        },
      ],
    ];
    for (const [what, call] of use) {
      const model = await api.createModel(textModel());
      await expectError(() => {
        call(model);
      }, 'disposed');
      expect(other.run(tensor([4, 3])), what).toEqual(want);
      model.dispose();
    }
  });

  test('a step inside a step comes first, and both are right', async () => {
    using model = await api.createModel(textModel());
    using stream = model.createStream({ batch: 6 });
    using plain = model.createStream({ batch: 6 });
    const want = [plain.step([6, 5, 4, 3, 2, 1]), plain.step(IDS)];
    let inner: Float32Array | undefined;
    const outer = stream.step(idsThatCall(() => (inner = stream.step([6, 5, 4, 3, 2, 1]))).ids);
    expect([inner, outer]).toEqual(want);
    using streams = model.createStreams(7);
    using others = model.createStreams(7);
    const wantMany = [others.stepMany([0, 1], [6, 5]), others.stepMany([1, 2, 3, 4, 5, 6], IDS)];
    const outerMany = streams.stepMany(idsThatCall(() => (inner = streams.stepMany([0, 1], [6, 5]))).ids, IDS);
    expect([inner, outerMany]).toEqual(wantMany);
  });

  test('a getter that throws: its own error, and the next call is right', async () => {
    using model = await api.createModel(textModel());
    using stream = model.createStream({ batch: 6 });
    const why = new Error('mine');
    const { ids } = idsThatCall(() => {
      throw why;
    });
    const want = model.run(IDS);
    expect(() => model.run(ids)).toThrow(why);
    expect(model.run(IDS)).toEqual(want);
    expect(() =>
      stream.step(
        idsThatCall(() => {
          throw why;
        }).ids,
      ),
    ).toThrow(why);
    expect(stream.hiddenState.every((value) => value === 0)).toBe(true);
    expect(stream.step(IDS)).toEqual(model.createStream({ batch: 6 }).step(IDS));
  });

  test('each property is read once', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const reads: string[] = [];
    const watched = <T extends object>(name: string, target: T): T =>
      new Proxy(target, {
        get(of, key) {
          if (typeof key === 'string') reads.push(`${name}.${key}`);
          const value: unknown = Reflect.get(of, key);
          return Array.isArray(value) ? watched(`${name}.${key as string}`, value) : value;
        },
      });
    const out = model.run(tensor([2, 4, 3]));
    const want = model.run(tensor([2, 4, 3]), { lengths: [4, 1], initialStates: tensor([1, 2, 5]) });
    const options: RunOptions = watched('options', {
      lengths: [4, 1],
      initialStates: watched('state', tensor([1, 2, 5])),
      out: watched('out', {
        output: out.output,
        outputs: watched('outputs', out.outputs),
        states: watched('states', out.states),
      }),
    });
    const got = model.run(watched('x', tensor([2, 4, 3])), options);
    expect(out.output).toEqual(want.output);
    expect(out.states).toEqual(want.states);
    expect(got).toBeInstanceOf(Object);
    expect(reads.filter((read, i) => reads.indexOf(read) !== i)).toEqual([]);
  });

  test('typed arrays that lie about themselves are taken for what they are', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const x = tensor([4, 3]);
    const want = model.run(x, { initialStates: numbers(5, 9) });
    const options = { initialStates: new Liar(numbers(5, 9)) };
    expect(model.run(new Liar(x.data), options)).toEqual(want);
    expect(model.run({ data: new Liar(x.data), shape: [4, 3] }, options)).toEqual(want);
    expect(model.run([new Liar(x.data)], { padding: 'none' }).output.data).toEqual(model.run(x).output.data);
    const owned = Object.defineProperty(x.data.slice(), 'length', { value: 0 });
    expect(model.run(owned, options)).toEqual(want);
    using stream = model.createStream();
    using plain = model.createStream();
    stream.hiddenState = new Liar(numbers(5, 9));
    plain.hiddenState = numbers(5, 9);
    const y = new Liar(5);
    expect(stream.step(new Liar(numbers(3)), y)).toBe(y);
    expect(Array.from({ length: 5 }, (_, i) => y[i])).toEqual([...plain.step(numbers(3))]);
  });

  test('a Proxy of a typed array is none', async () => {
    using model = await api.createModel(oneGru(3, 5));
    const fake = new Proxy(numbers(3), {});
    const heir = Object.create(Float32Array.prototype) as Float32Array;
    for (const bad of [fake, heir]) {
      await expectError(() => model.run({ x: bad }), 'dtype_mismatch');
      await expectError(() => model.createStream().step({ x: bad }), 'dtype_mismatch');
      await expectError(() => (model.createStream().hiddenState = bad), 'dtype_mismatch');
      await expectError(() => model.createStream().step(numbers(3), { y: bad }), 'dtype_mismatch');
    }
  });

  test('arrays whose buffer has gone, before the call or while it reads', async () => {
    using model = await api.createModel(oneGru(3, 5));
    using two = await api.createModel(twoInputs());
    const x = tensor([2, 4, 3]);
    const want = model.run(x);
    await expectError(() => model.run(detached(12)), 'dtype_mismatch');
    await expectError(() => model.run({ data: detached(24), shape: [2, 4, 3] }), 'dtype_mismatch');
    await expectError(() => model.run([numbers(3), detached(3)]), 'dtype_mismatch', 'sequence 1', 'transferred');
    await expectError(() => model.run(x, { initialStates: detached(10) }), 'dtype_mismatch', "initialStates['gru']");
    await expectError(() => model.run(x, { lengths: detached(2) }), 'dtype_mismatch', 'lengths');
    await expectError(() => model.run(x, { mask: detached(8) }), 'dtype_mismatch', 'mask');
    const out = model.run(x);
    structuredClone(out.output.data.buffer, { transfer: [out.output.data.buffer] });
    await expectError(() => model.run(x, { out }), 'dtype_mismatch', "out.outputs['y']");
    await expectError(() => model.createStream().step(detached(3)), 'shape_mismatch');
    await expectError(() => model.createStream().step(numbers(3), detached(5)), 'shape_mismatch');
    const frames = numbers(12);
    const meanwhile = {
      frames: { data: frames, shape: [4, 3] },
      more: numbers(8),
      get speaker() {
        structuredClone(frames.buffer, { transfer: [frames.buffer] });
        return numbers(4);
      },
    };
    await expectError(() => two.run(meanwhile), 'shape_mismatch', "'frames'", 'transferred');
    expect(model.run(x)).toEqual(want);
    expect(two.run({ frames: numbers(12), more: numbers(8), speaker: numbers(4) }).output.shape).toEqual([4, 6]);
  });

  test('an array that is out of the bounds of its shrunk buffer is not an empty one', async () => {
    using model = await api.createModel(oneGru(3, 5));
    using words = await api.createModel(textModel());
    const outOfBounds = <T>(Kind: new (buffer: ArrayBuffer, at: number, length: number) => T, length: number): T => {
      const buffer = resizable(8 + 4 * length);
      const array = new Kind(buffer, 8, length);
      buffer.resize(4);
      return array;
    };
    const gone = () => outOfBounds(Float32Array, 12);
    await expectError(() => model.run(gone()), 'dtype_mismatch', "'x'", 'shrunk');
    await expectError(() => model.run([numbers(3), gone()]), 'dtype_mismatch', 'sequence 1');
    await expectError(() => model.run({ data: gone(), shape: [0, 3] }), 'dtype_mismatch');
    await expectError(() => words.run(outOfBounds(Int32Array, 12)), 'dtype_mismatch', 'shrunk');
    await expectError(() => words.createStreams(3).stepMany(outOfBounds(Int32Array, 1), []), 'dtype_mismatch');
    await expectError(
      () => model.run({ data: numbers(0), shape: [0, 2, 3] }, { lengths: gone() }),
      'dtype_mismatch',
      'lengths',
    );
    await expectError(() => (model.createStream().hiddenState = gone()), 'dtype_mismatch', 'hiddenState');
    await expectError(
      () => {
        model.createStreams(2).setHiddenState(1, gone());
      },
      'dtype_mismatch',
      'hiddenState',
    );
  });

  test('what is read shrinks or transfers an array of out: refused, and the hidden state stays', async () => {
    using model = await api.createModel({ ...oneGru(3, 5), outputs: ['gru', { name: 'last', from: 'gru:last' }] });
    using stream = model.createStream();
    using streams = model.createStreams(1);
    stream.step(numbers(3));
    streams.stepMany([0], numbers(3));
    const before = stream.hiddenState;
    const harms: ((buffer: ReturnType<typeof resizable>) => void)[] = [
      (buffer) => {
        buffer.resize(4);
      },
      (buffer) => {
        structuredClone(buffer, { transfer: [buffer] });
      },
    ];
    for (const harm of harms) {
      const victim = () => new Float32Array(resizable(20), 0, 5);
      const [inputs, outputs] = [model.inputs[0]!.name, model.outputs.map(({ name }) => name)] as const;
      const harmful = (target: Float32Array, key: string, value: Float32Array) => ({
        get [key]() {
          harm(target.buffer as ReturnType<typeof resizable>);
          return value;
        },
      });
      for (const step of [
        (x: never, out: never) => stream.step(x, out),
        (x: never, out: never) => streams.stepMany([0], x, out),
      ]) {
        const out = victim();
        await expectError(() => step(harmful(out, inputs, numbers(3)) as never, out as never), 'shape_mismatch');
        const first = victim();
        const two = { [outputs[0]!]: first };
        Object.defineProperties(
          two,
          Object.getOwnPropertyDescriptors(harmful(first, outputs[1]!, new Float32Array(5))),
        );
        await expectError(() => step(numbers(3) as never, two as never), 'shape_mismatch');
      }
      expect(stream.hiddenState).toEqual(before);
      expect(streams.hiddenState(0)).toEqual(before);

      const result = model.run(numbers(6));
      const target = { ...result.output, data: new Float32Array(resizable(40), 0, 10) };
      const state = harmful(target.data, 'gru', new Float32Array(5));
      const states = {
        get gru() {
          return { data: (state as { gru: Float32Array }).gru, shape: [1, 5] };
        },
      };
      const out = { output: target, outputs: { ...result.outputs, [outputs[0]!]: target }, states };
      await expectError(() => model.run(numbers(6), { out }), 'dtype_mismatch', `'${outputs[0]!}'`);
    }
  });

  test('arrays of out that overlap are refused; one that is the input is not', async () => {
    using model = await api.createModel({ ...oneGru(3, 3), outputs: ['gru', { name: 'last', from: 'gru:last' }] });
    const x = tensor([4, 3]);
    const want = model.run(x);
    const all = new Float32Array(30);
    const result = (output: number, last: number, state: number): RunResult => {
      const outputs = {
        gru: { data: all.subarray(output, output + 12), shape: [4, 3] },
        last: { data: all.subarray(last, last + 3), shape: [3] },
      };
      return { output: outputs.gru, outputs, states: { gru: { data: all.subarray(state, state + 3), shape: [1, 3] } } };
    };
    for (const [output, last, state] of [
      [0, 11, 20],
      [0, 20, 22],
      [0, 20, 0],
      [5, 4, 20],
    ] as const) {
      await expectError(() => model.run(x, { out: result(output, last, state) }), 'invalid_argument', 'overlap');
    }
    expect(model.run(x, { out: result(3, 0, 15) }).outputs['last']!.data).toEqual(want.outputs['last']!.data);
    const own = result(3, 0, 15);
    own.output.data.set(x.data);
    expect(model.run({ data: own.output.data, shape: [4, 3] }, { out: own }).output.data).toEqual(want.output.data);
    using stream = model.createStream();
    const step = numbers(3);
    const first = model.createStream().step(step);
    await expectError(
      () => stream.step(step, { gru: all.subarray(0, 3), last: all.subarray(2, 5) }),
      'invalid_argument',
      'overlap',
    );
    const buffer = new Float32Array(4);
    buffer.set(step);
    expect(stream.step(buffer.subarray(0, 3), buffer.subarray(1))).toEqual(first);
  });

  test('20,000 arrays of out take no longer than they are many, and two of them that overlap are found', async () => {
    const names = Array.from({ length: 20_000 }, (_, i) => `y${i}`);
    using model = await api.createModel({ ...oneGru(3, 4), outputs: names.map((name) => ({ name, from: 'gru' })) });
    const out = model.run(numbers(3));
    const all = new Float32Array(4 * names.length);
    const record = Object.fromEntries(names.map((name, i) => [name, all.subarray(4 * i, 4 * i + 4)]));
    using stream = model.createStream();
    const took = stopwatch();
    model.run(numbers(3), { out });
    stream.step(numbers(3), record);
    // 0.1 s; 18 s with each compared with all others.
    expect(took()).toBeLessThan(5000);
    expect(all.subarray(4 * 19_999)).toEqual(out.outputs['y7']!.data);
    record['y3'] = all.subarray(4 * 19_000 + 3, 4 * 19_000 + 7);
    await expectError(() => stream.step(numbers(3), record), 'invalid_argument', "'y19000' and 'y3' overlap");
    record['y3'] = all.subarray(0, 4);
    await expectError(() => stream.step(numbers(3), record), 'invalid_argument', "'y0' and 'y3' overlap");
    // Of those that are not asked for there are none.
    const one = { y5: new Float32Array(4) };
    stream.step(numbers(3), one);
  });

  test('sizes that cannot be: a GruError before any work', async () => {
    using model = await api.createModel(oneGru(4, 8));
    const none = new Float32Array(0);
    const want = model.run(tensor([2, 4]));
    for (const batch of [2 ** 21, 2 ** 24, 2 ** 32, 2 ** 32 + 1, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      await expectError(() => model.run({ data: none, shape: [batch, 0, 4] }), 'out_of_memory', `${batch} sequences`);
      await expectError(() => model.createStream({ batch }), 'out_of_memory', `${batch} sequences`);
      await expectError(() => model.createStreams(batch), 'out_of_memory', `${batch} sequences`);
      await expectError(() => model.stream([], { batch }), 'out_of_memory', `${batch} sequences`);
      await expectError(() => model.transform({ batch }), 'out_of_memory', `${batch} sequences`);
    }
    await expectError(() => model.run({ data: none, shape: [0, 2 ** 32, 4] }), 'out_of_memory', 'steps');
    await expectError(() => model.run({ data: none, shape: [0, 2 ** 40, 4] }, { lengths: [] }), 'out_of_memory');
    const wide = Array.from({ length: 4096 }, (_, b) => new Float32Array(b === 0 ? 4 * 40_000 : 4));
    await expectError(() => model.run(wide), 'out_of_memory', '[4096, 40000, 8]');
    await expectError(() => model.run([], { lengths: new Array(2 ** 32 - 1) }), 'shape_mismatch', 'lengths');
    expect(model.run(tensor([2, 4]))).toEqual(want);
  });

  test('130,000 sequences in an array', async () => {
    using model = await api.createModel(oneGru(1, 1));
    const count = 130_000;
    const data = numbers(count);
    const { output } = model.run(Array.from({ length: count }, (_, b) => data.subarray(b, b + 1)));
    const want = model.run({ data, shape: [count, 1, 1] }).output;
    expect(Buffer.compare(new Uint8Array(output.data.buffer), new Uint8Array(want.data.buffer))).toBe(0);
  });

  test('no steps, after another model has made the memory grow', async () => {
    using model = await api.createModel(oneGru(4, 8));
    const none = { data: new Float32Array(0), shape: [2, 0, 4] };
    const want = model.run(none);
    using streams = model.createStreams(3);
    streams.stepMany([], new Float32Array(0));
    using large = await api.createModel(oneGru(512, 512));
    expect(large.states).toHaveLength(1);
    expect(model.run(none)).toEqual(want);
    expect(streams.stepMany([], new Float32Array(0))).toHaveLength(0);
  });
});
