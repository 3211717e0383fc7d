import type { GruModel } from 'gru-wasm';
import { createPool, GruError, type GruPool } from 'gru-wasm/pool';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { numbers, plain, SIZE, wide } from './models.ts';
import { sourceWorker } from './source.ts';
import { wordsOf } from '../formats/refusal.ts';

const createWorker = () => sourceWorker();

let model: GruModel;
let pool: GruPool;
beforeAll(async () => {
  model = await plain({}, 128);
  pool = await createPool(model, { workers: 1, createWorker });
});
afterAll(() => pool.close());

const LENGTH = 16 * 50 * SIZE;
const batch = (data = numbers(LENGTH)) => ({ data, shape: [16, 50, SIZE] });

test('JSON.stringify(pool) is what its model is, and how many run it', () => {
  expect(JSON.parse(JSON.stringify(pool))).toEqual({ ...(JSON.parse(JSON.stringify(model)) as object), workers: 1 });
});

/** What the caller's own code throws, which passes as it is. */
const MINE = new Error('from a getter');
const thrower = () => {
  throw MINE;
};
const cyclic: Record<string, unknown> = {};
cyclic['self'] = cyclic;
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

/** Values that make no sense anywhere. */
const ODD: [string, unknown][] = [
  ['null', null],
  ['NaN', NaN],
  ['-1', -1],
  ['0.5', 0.5],
  ['Infinity', Infinity],
  ['2 ** 53', 2 ** 53],
  ['a bigint', 5n],
  ['a string', 'x'],
  ['a symbol', Symbol('x')],
  ['a function', () => 1],
  ['a class', class extends Map {}],
  ['a date', new Date(0)],
  ['a map', new Map()],
  ['cyclic', cyclic],
  ['without a prototype', Object.create(null)],
  ['without a text', { toString: 1, valueOf: thrower }],
  ['a promise', Promise.resolve(1)],
  ['a throwing getter', Object.defineProperty({}, 'data', { get: thrower, enumerable: true })],
  ['a throwing proxy', new Proxy({}, { get: thrower, has: thrower, ownKeys: thrower })],
  ['a revoked proxy', revoked()],
  ['a proxy of an array', new Proxy(numbers(LENGTH), {})],
  [
    'a detached array',
    (() => {
      const array = numbers(8);
      structuredClone(array.buffer, { transfer: [array.buffer] });
      return array;
    })(),
  ],
];

/** Takes a function: a promise among the values would be awaited. */
async function outcome(call: () => Promise<unknown>): Promise<unknown> {
  return call().then(
    () => 'done',
    (error: unknown) => error,
  );
}

function expectFair(error: unknown): void {
  if (error !== MINE) wordsOf(error);
}

describe.each(ODD)('%s', (name, odd) => {
  test.each(['workers', 'maxQueue', 'createWorker', 'startTimeout'])("as createPool's %s", async (option) => {
    const isFunction = option === 'createWorker' && typeof odd === 'function';
    const isNumber = option === 'startTimeout' && odd === 0.5;
    const error = await outcome(() =>
      createPool(model, { workers: 1, createWorker, [option]: odd }).then((made) => made.close()),
    );
    if (isNumber) return;
    expect(error).toBeInstanceOf(GruError);
    expect(error).toMatchObject({ code: isFunction ? 'worker_lost' : 'invalid_argument' });
  });

  test('as the model and the options of createPool', async () => {
    expect(await outcome(() => createPool(odd as never))).toMatchObject({
      name: 'GruError',
      code: 'invalid_argument',
    });
    const made = await outcome(() => createPool(model, odd as object).then((some) => some.close()));
    // One without entries is taken for no options; workers of the package itself are not there in the source.
    if (made !== 'done') expectFair(made);
  });

  test.each(['signal', 'timeout', 'lengths', 'mask', 'initialStates', 'padding'])("as run's %s", async (option) => {
    const isTimeout = option === 'timeout' && odd === 0.5;
    const error = await outcome(() => pool.run(batch(), { [option]: odd }));
    // An object without entries names no layer.
    if (option === 'initialStates' && error === 'done') return;
    if (!isTimeout) expectFair(error);
  });

  test('as the input, its data and its shape, and the options of run', async () => {
    for (const input of [
      odd,
      { data: odd, shape: [16, 50, SIZE] },
      { data: numbers(LENGTH), shape: odd },
      [odd],
      { x: odd },
    ]) {
      const error = await outcome(() => pool.run(input as Float32Array));
      if (error !== 'done') expectFair(error);
    }
    const error = await outcome(() => pool.run(batch(), odd as object));
    if (error !== 'done' && error !== MINE) expect(error).toMatchObject({ name: 'GruError', code: 'invalid_argument' });
    expect(name).not.toBe('');
  });

  afterAll(async () => {
    expect(await pool.run(batch())).toEqual(model.run(batch()));
  });
});

describe('what the caller does after the call does no harm', () => {
  const want = () => model.run(batch(), { initialStates: { data: numbers(16 * 128, 8), shape: [1, 16, 128] } });

  test.each<[string, (array: Float32Array) => void]>([
    ['fills', (array) => array.fill(9)],
    ['transfers', ({ buffer }) => structuredClone(buffer, { transfer: [buffer as ArrayBuffer] })],
  ])('%s the arrays', async (_, change) => {
    const input = batch();
    const states = numbers(16 * 128, 8);
    // Two calls: the second waits behind the first.
    const calls = [1, 2].map(() => pool.run(input, { initialStates: { data: states, shape: [1, 16, 128] } }));
    change(input.data);
    change(states);
    for (const result of await Promise.all(calls)) expect(result).toEqual(want());
  });

  test('lengths, shapes and sequences', async () => {
    const lengths = Array.from({ length: 16 }, (_, b) => 50 - b);
    const input = batch();
    const sequences = lengths.map((steps, b) => numbers(steps * SIZE, b));
    const expected = [model.run(input, { lengths }), model.run(sequences)];
    const calls = [pool.run(input, { lengths }), pool.run(sequences)];
    lengths.fill(1);
    input.shape.length = 0;
    for (const sequence of sequences) sequence.fill(9);
    sequences.length = 0;
    expect(await Promise.all(calls)).toEqual(expected);
  });

  test('an array that was transferred before the call is refused', async () => {
    const input = batch();
    structuredClone(input.data.buffer, { transfer: [input.data.buffer as ArrayBuffer] });
    expect(await outcome(() => pool.run(input))).toMatchObject({ name: 'GruError', code: 'dtype_mismatch' });
  });
});

describe("the caller's code that runs while pool.run reads its arguments", () => {
  /** The object, with a getter in place of one of its values. */
  const getting = <T extends object>(object: T, key: keyof T, touch: () => unknown): T => {
    const value = object[key];
    return Object.defineProperty(object, key, { enumerable: true, get: () => (touch(), value) });
  };
  const small = () => ({ data: numbers(SIZE), shape: [1, SIZE] });
  const states = () => ({ data: numbers(16 * 128), shape: [1, 16, 128] });
  const foreign = (touch: () => unknown) =>
    ({ aborted: false, addEventListener: touch, removeEventListener: () => undefined }) as unknown as AbortSignal;

  /** Arguments of a run that touch at one place. */
  const places: [string, (touch: () => unknown) => Parameters<GruPool['run']>][] = [
    ['data', (touch) => [getting(batch(), 'data', touch)]],
    ['a shape', (touch) => [getting(batch(), 'shape', touch)]],
    ['an input of a small run', (touch) => [getting(small(), 'data', touch)]],
    ['a record', (touch) => [getting({ x: batch() }, 'x', touch)]],
    ['an item of lengths', (touch) => [batch(), { lengths: getting(Array<number>(16).fill(3), 2, touch) }]],
    ['states', (touch) => [batch(), { initialStates: getting({ gru: states() }, 'gru', touch) }]],
    ['an option', (touch) => [batch(), getting({ timeMajor: false }, 'timeMajor', touch)]],
    ['the method of a signal', (touch) => [batch(), { signal: foreign(touch) }]],
  ];

  test.each(places)('%s: what it throws passes as it is, and the pool goes on', async (_, args) => {
    expect(await outcome(() => pool.run(...args(thrower)))).toBe(MINE);
    await pool.drain();
    expect(await pool.run(batch())).toEqual(model.run(batch()));
  });

  test.each(places)('%s: where it closes the pool, the call is rejected', async (_, args) => {
    const closing = await createPool(model, { workers: 1, createWorker });
    const error = await outcome(() => closing.run(...args(() => void closing.close())));
    expect(error).toMatchObject({ name: 'GruError', code: 'disposed' });
    await closing.drain();
  });

  test('where it aborts, the call is rejected with the reason', async () => {
    const enough = new AbortController();
    const input = getting(batch(), 'data', () => {
      enough.abort(MINE);
    });
    expect(await outcome(() => pool.run(input, { signal: enough.signal }))).toBe(MINE);
  });

  test('where it takes the memory of states away that were read before, the call is refused', async () => {
    const [batch, steps] = [64, 50];
    const layered = await wide();
    const own = await createPool(layered, { workers: 1, createWorker });
    const input = {
      ids: { data: new Int32Array(batch * steps), shape: [batch, steps] },
      x: { data: numbers(batch * steps * SIZE), shape: [batch, steps, SIZE] },
      v: { data: numbers(batch * 8), shape: [batch, 8] },
    };
    const both = { data: numbers(2 * batch * 64), shape: [2, batch, 64] };
    const { buffer } = both.data;
    const initialStates = getting({ both, one: { data: numbers(batch * 64), shape: [1, batch, 64] } }, 'one', () =>
      structuredClone(buffer, { transfer: [buffer] }),
    );
    const error = await outcome(() => own.run(input, { initialStates }));
    expect(error).toMatchObject({ code: 'dtype_mismatch', message: expect.stringMatching(/'both'/) as string });
    await own.close();
  });

  test('options of createPool: what a getter throws passes as it is', async () => {
    expect(await outcome(() => createPool(model, getting({ workers: 1 }, 'workers', thrower)))).toBe(MINE);
  });
});

test('each option is read once', async () => {
  const counted = (values: Record<string, unknown>) => {
    const reads: Record<string, number> = {};
    const options = {};
    for (const [key, value] of Object.entries(values)) {
      const get = () => {
        reads[key] = (reads[key] ?? 0) + 1;
        return value;
      };
      Object.defineProperty(options, key, { enumerable: true, get });
    }
    return { reads, options };
  };
  const creation = counted({ workers: 1, maxQueue: 4, createWorker, startTimeout: 1e6 });
  const second = await createPool(model, creation.options);
  expect(creation.reads).toEqual({ workers: 1, maxQueue: 1, createWorker: 1, startTimeout: 1 });
  const { signal } = new AbortController();
  const run = counted({ signal, timeout: 1e6, lengths: undefined, mask: undefined, padding: 'zero', timeMajor: false });
  await second.run(batch(), run.options);
  expect(run.reads).toEqual({ signal: 1, timeout: 1, lengths: 1, mask: 1, padding: 1, timeMajor: 1 });
  await second.close();
});

test.each([
  [{ padding: 'same' }, "pool.run: padding must be zero, hold or none, got the string 'same'"],
  [{ timeMajor: 1 }, 'pool.run: timeMajor must be true or false, got 1'],
  [{ lengths: [1] }, 'pool.run: lengths: expected 16, one a sequence, got 1'],
  [{ initialStates: 1 }, /^pool\.run: initialStates\['\w+'\]: expected a tensor or an array, got 1$/],
])('errors of %j name the function', async (options, message) => {
  await expect(pool.run(batch(), options as never)).rejects.toThrow(message);
});

interface Run {
  x: Float32Array;
  shape: number[];
  states: Float32Array;
}

test.each([1, 16])(
  'what is given is read once, of %i sequences too: a getter may give something else then',
  async (count) => {
    const [first, second] = [1, 2].map((seed) => ({
      x: numbers(count * 50 * SIZE, seed),
      shape: [count, 50, SIZE],
      states: numbers(count * 128, seed + 2),
    })) as [Run, Run];
    const reads: string[] = [];
    const changing = (name: string, a: unknown, b: unknown, object: object) =>
      Object.defineProperty(object, name, {
        enumerable: true,
        get: () => (reads.push(name), reads.filter((read) => read === name).length === 1 ? a : b),
      });
    const input = changing('data', first.x, second.x, { shape: first.shape });
    const states = changing('gru', { data: first.states, shape: [1, count, 128] }, undefined, {});
    const result = await pool.run(input as { data: Float32Array; shape: number[] }, { initialStates: states });
    expect(reads.sort()).toEqual(['data', 'gru']);
    const initialStates = { gru: { data: first.states, shape: [1, count, 128] } };
    expect(result).toEqual(model.run({ data: first.x, shape: first.shape }, { initialStates }));
  },
);

test('a signal of another realm will do', async () => {
  const { signal } = new AbortController();
  const foreign = {
    aborted: false,
    addEventListener: signal.addEventListener.bind(signal),
    removeEventListener: signal.removeEventListener.bind(signal),
  };
  expect(await pool.run(batch(), { signal: foreign as unknown as AbortSignal })).toEqual(model.run(batch()));
});
