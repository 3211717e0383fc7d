import { describe, expect, test } from 'vitest';
import * as index from '../../ts/index.ts';
import * as js from '../../ts/js.ts';
import type { ModelOptions } from '../../ts/api/options.ts';
import { GruModel } from '../../ts/api/model.ts';
import type { KerasWeights } from '../../ts/formats/layouts/keras.ts';
import * as slim from '../../ts/slim.ts';
import * as statically from '../../ts/static.ts';
import { GruStream } from '../../ts/stream/stream.ts';
import { GruStreams } from '../../ts/stream/streams.ts';
import * as worklet from '../../ts/worklet.ts';
import { BACKENDS } from '../backends.ts';
import { numbers, oneGru, tensor, textModel } from './helpers.ts';
import { type Call, ODD, refused } from './odd-values.ts';

interface Given {
  model: GruModel;
  text: GruModel;
  stream: GruStream;
  streams: GruStreams;
}

const x = () => numbers(3);
const bad = (value: unknown) => value as never;

/** By method, a call for each argument and option. A method without arguments has none. */
const MODEL: Record<string, (of: Given) => Call[]> = {
  run: ({ model, text }) => [
    (odd) => model.run(bad(odd)),
    (odd) => model.run(bad({ x: odd })),
    (odd) => model.run(bad([odd, x()])),
    (odd) => model.run(bad({ data: odd, shape: [1, 3] })),
    (odd) => model.run(bad({ data: x(), shape: odd })),
    (odd) => model.run(bad({ data: x(), shape: [odd, 3] })),
    (odd) => text.run(bad(odd)),
    (odd) => text.run(bad([1, odd])),
    (odd) => text.run(bad([[1], odd])),
    (odd) => text.run([1, 2], { initialStates: bad({ first: odd }) }),
    (odd) => model.run(x(), bad(odd)),
    ...['initialStates', 'timeMajor', 'lengths', 'mask', 'padding', 'out', 'odd'].map(
      (key): Call =>
        (odd) =>
          model.run({ data: x(), shape: [1, 1, 3] }, bad({ [key]: odd })),
    ),
    (odd) => model.run(x(), { initialStates: bad({ gru: odd }) }),
    (odd) => model.run({ data: x(), shape: [1, 1, 3] }, { lengths: bad([odd]) }),
    (odd) => model.run({ data: x(), shape: [1, 1, 3] }, { mask: bad([odd]) }),
    (odd) => model.run({ data: x(), shape: [1, 1, 3] }, { mask: bad({ data: [1], shape: odd }) }),
    ...['output', 'outputs', 'states'].map(
      (key): Call =>
        (odd) =>
          model.run(x(), { out: bad({ ...model.run(x()), [key]: odd }) }),
    ),
    (odd) => model.run(x(), { out: bad({ ...model.run(x()), states: { gru: { data: odd, shape: [1, 5] } } }) }),
  ],
  createStream: ({ model }) => [
    (odd) => model.createStream(bad(odd)),
    (odd) => {
      model.createStream({ batch: bad(odd) }).dispose();
    },
  ],
  createStreams: ({ model }) => [
    (odd) => {
      model.createStreams(bad(odd)).dispose();
    },
  ],
  stream: ({ model }) => [
    (odd) => model.stream(bad(odd)),
    (odd) => model.stream(bad([odd])).next(),
    (odd) => model.stream([x()], bad(odd)),
    (odd) => model.stream([x()], { batch: bad(odd) }),
    (odd) => model.stream([x()], { signal: bad(odd) }),
  ],
  transform: ({ model }) => [
    (odd) => model.transform(bad(odd)),
    (odd) => model.transform({ batch: bad(odd) }),
    (odd) => model.transform({ signal: bad(odd) }),
  ],
  toJSON: () => [],
  trace: ({ model }) => [
    (odd) => model.trace(bad(odd)),
    (odd) => model.trace(bad({ x: odd })),
    (odd) => model.trace(x(), bad(odd)),
    (odd) => model.trace(x(), { layer: bad(odd) }),
    (odd) => model.trace(x(), { direction: bad(odd) }),
    (odd) => model.trace(x(), { lengths: bad(odd) }),
    (odd) => model.trace(x(), { initialStates: bad(odd) }),
  ],
  save: ({ model }) => [(odd) => model.save(bad(odd)), (odd) => model.save({ dtype: bad(odd) })],
  spec: () => [],
  dispose: () => [],
};

const STREAM: Record<string, (of: Given) => Call[]> = {
  step: ({ model, text, stream }) => [
    (odd) => stream.step(bad(odd)),
    (odd) => stream.step(bad({ x: odd })),
    (odd) => stream.step(x(), bad(odd)),
    (odd) => stream.step(x(), bad({ y: odd })),
    (odd) => {
      using ids = text.createStream({ batch: 2 });
      ids.step(bad(odd));
    },
    (odd) => {
      using ids = text.createStream({ batch: 2 });
      ids.step(bad([1, odd]));
    },
    (odd) => {
      using other = model.createStream();
      other.step(bad(odd), bad(odd));
    },
  ],
  hiddenState: ({ stream }) => [(odd) => (stream.hiddenState = bad(odd))],
  restore: ({ stream }) => [
    (odd) => {
      stream.restore(bad(odd));
    },
  ],
  run: ({ stream }) => [
    (odd) => stream.run(bad(odd)),
    (odd) => stream.run(bad({ x: odd })),
    (odd) => stream.run(x(), bad(odd)),
    (odd) => stream.run(x(), bad({ y: odd })),
  ],
  snapshot: () => [],
  reset: () => [],
  dispose: () => [],
};

const STREAMS: Record<string, (of: Given) => Call[]> = {
  runMany: ({ streams }) => [
    (odd) => streams.runMany(bad(odd), [x()]),
    (odd) => streams.runMany(bad([odd]), [x()]),
    (odd) => streams.runMany([0], bad(odd)),
    (odd) => streams.runMany([0], bad([odd])),
    (odd) => streams.runMany([0], bad({ x: odd })),
    (odd) => streams.runMany([0], [x()], bad(odd)),
    (odd) => streams.runMany([0], [x()], bad([odd])),
  ],
  stepMany: ({ streams }) => [
    (odd) => streams.stepMany(bad(odd), x()),
    (odd) => streams.stepMany(bad([odd]), x()),
    (odd) => streams.stepMany([0], bad(odd)),
    (odd) => streams.stepMany([0], bad({ x: odd })),
    (odd) => streams.stepMany([0], x(), bad(odd)),
    (odd) => streams.stepMany([0], x(), bad({ y: odd })),
  ],
  hiddenState: ({ streams }) => [(odd) => streams.hiddenState(bad(odd))],
  hiddenStates: ({ streams }) => [(odd) => streams.hiddenStates(bad(odd)), (odd) => streams.hiddenStates(bad([odd]))],
  setHiddenState: ({ streams }) => [
    (odd) => {
      streams.setHiddenState(bad(odd), numbers(5));
    },
    (odd) => {
      streams.setHiddenState(0, bad(odd));
    },
  ],
  reset: ({ streams }) => [
    (odd) => {
      streams.reset(bad(odd));
    },
  ],
  snapshot: ({ streams }) => [(odd) => streams.snapshot(bad(odd))],
  restore: ({ streams }) => [
    (odd) => {
      streams.restore(bad(odd), streams.snapshot(0));
    },
    (odd) => {
      streams.restore(0, bad(odd));
    },
  ],
  dispose: () => [],
};

const publicNames = (prototype: object) =>
  Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor' && !PRIVATE.has(name));
/** What TypeScript calls private. */
const PRIVATE = new Set(
  [
    'alive',
    'advance',
    'collect',
    'layOut',
    'layOutAnew',
    'slots',
    'eachState',
    'readChoice',
    'choose',
    'checkDoubles',
    'checkIndex',
  ].values(),
);

test.each([
  ['GruModel', GruModel.prototype, MODEL],
  ['GruStream', GruStream.prototype, STREAM],
  ['GruStreams', GruStreams.prototype, STREAMS],
])('every method of %s is in the table', (_, prototype, table) => {
  expect(publicNames(prototype).sort()).toEqual(Object.keys(table).sort());
});

describe.each(BACKENDS)('odd values on $name', ({ api }) => {
  test.each([
    ['GruModel', MODEL],
    ['GruStream', STREAM],
    ['GruStreams', STREAMS],
  ])('at every method of %s: a GruError or nothing, and the next numbers are right', async (name, table) => {
    using model = await api.createModel(oneGru(3, 5));
    using text = await api.createModel(textModel());
    const want = [model.run(tensor([2, 4, 3])), text.run([1, 2, 3])];
    const first = model.createStream().step(x());
    for (const [method, calls] of Object.entries(table)) {
      using stream = model.createStream();
      using streams = model.createStreams(3);
      for (const [i, call] of calls({ model, text, stream, streams }).entries()) {
        for (const odd of Object.keys(ODD)) await refused(call, odd, `${name}.${method}, call ${i}`);
      }
      stream.reset();
      streams.reset();
      expect(stream.step(x()), method).toEqual(first);
      expect(streams.stepMany([1], x()), method).toEqual(first);
      expect([model.run(tensor([2, 4, 3])), text.run([1, 2, 3])], method).toEqual(want);
    }
  });
});

type Api = Pick<typeof index, 'loadModel' | 'createModel' | 'createGru' | 'createLstm' | 'createRnn' | 'inspect'>;
const spec = oneGru(3, 5);
const config = { inputSize: 2, hiddenSize: 3 };

function fromArrays<C>(
  create: (config: C, weights: KerasWeights, options?: ModelOptions) => Promise<unknown>,
  of: C,
  gates: number,
  biases = 1,
): Call[] {
  const bias = numbers(biases * gates * 3);
  const weights = { kernel: numbers(gates * 6), recurrentKernel: numbers(gates * 9), bias };
  return [
    (odd) => create(bad(odd), weights),
    (odd) => create(of, bad(odd)),
    (odd) => create(of, weights, bad(odd)),
    ...Object.keys(weights).map(
      (key): Call =>
        (odd) =>
          create(of, bad({ ...weights, [key]: odd })),
    ),
  ];
}

/** By function, a call for each argument and option. */
const MAKERS: Record<keyof Api, (of: Api) => Call[]> = {
  loadModel: (of) => [
    (odd) => of.loadModel(new Uint8Array(8), bad(odd)),
    ...['backend', 'deterministic', 'revectorize', 'odd'].map(
      (key): Call =>
        (odd) =>
          of.loadModel(new Uint8Array(8), bad({ [key]: odd })),
    ),
  ],
  inspect: (of) => [(odd) => of.inspect(new Uint8Array(8), bad(odd))],
  createModel: (of) => [
    (odd) => of.createModel(bad(odd)),
    (odd) => of.createModel(spec, bad(odd)),
    ...['backend', 'deterministic', 'odd'].map(
      (key): Call =>
        (odd) =>
          of.createModel(spec, bad({ [key]: odd })),
    ),
  ],
  createGru: (of) => fromArrays(of.createGru, { ...config, resetAfter: true }, 3, 2),
  createLstm: (of) => fromArrays(of.createLstm, config, 4),
  createRnn: (of) => fromArrays(of.createRnn, config, 1),
};

describe('odd values at the functions of each entry', () => {
  const entries: [string, Record<string, unknown>, string[]][] = [
    ['gru-wasm', index, []],
    ['gru-wasm/js', js, []],
    ['gru-wasm/static', statically, []],
    ['gru-wasm/slim', slim, [...Object.keys(MAKERS), 'createRuntime']],
    ['gru-wasm/worklet', worklet, ['compileForWorklet', 'createModelSync']],
  ];

  test.each(entries)('every function of %s is in a table', (_, entry, own) => {
    const makers = own.length > 0 ? [] : Object.keys(MAKERS);
    expect(Object.keys(entry).sort()).toEqual(['GruError', ...makers, ...own].sort());
  });

  test.each([
    ['gru-wasm', index],
    ['gru-wasm/js', js],
    ['gru-wasm/static', statically],
  ] as [string, Api][])('%s', async (name, entry) => {
    for (const [key, calls] of Object.entries(MAKERS)) {
      for (const [i, call] of calls(entry).entries()) {
        for (const odd of Object.keys(ODD)) await refused(call, odd, `${name}: ${key}, call ${i}`);
      }
    }
  });

  test('what gru-wasm/static, gru-wasm/slim and gru-wasm/worklet take besides', async () => {
    const core = await worklet.compileForWorklet();
    const calls: Call[] = [
      (odd) => slim.createRuntime(bad(odd)),
      (odd) => statically.loadModel(new Uint8Array(8), { formats: bad(odd) }),
      (odd) => statically.loadModel(new Uint8Array(8), { formats: bad([odd]) }),
      (odd) => slim.createRuntime({ baseline: bad(odd) }).createModel(spec),
      (odd) => slim.createModel(spec, bad(odd)),
      (odd) => slim.createModel(spec, { wasm: bad(odd) }),
      (odd) => slim.createModel(spec, { wasm: { baseline: bad(odd) } }),
      (odd) => slim.createModel(spec, { wasm: { baseline: new Uint8Array(8) }, backend: bad(odd) }),
      (odd) => worklet.compileForWorklet(bad(odd)),
      (odd) => worklet.compileForWorklet({ deterministic: bad(odd) }),
      (odd) => worklet.createModelSync(bad(odd), spec),
      (odd) => worklet.createModelSync(core, bad(odd)),
      (odd) => worklet.createModelSync({ ...core, module: bad(odd) }, spec),
      (odd) => worklet.createModelSync({ ...core, relaxed: bad(odd) }, spec),
      (odd) => worklet.createModelSync({ ...core, kernels: bad(odd) }, spec),
    ];
    for (const [i, call] of calls.entries()) {
      for (const odd of Object.keys(ODD)) await refused(call, odd, `call ${i}`);
    }
  });
});
