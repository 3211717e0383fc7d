import { transform } from 'esbuild';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compileFunction, runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import * as index from '../../ts/index.ts';
import { keras } from '../../ts/formats/keras.ts';
import { runOnnx } from '../../ts/formats/onnx/run.ts';
import * as pool from '../../ts/pool.ts';
import * as precision from '../../ts/precision.ts';
import * as slim from '../../ts/slim.ts';
import * as statically from '../../ts/static.ts';
import * as worklet from '../../ts/worklet.ts';
import { wasmFile } from '../built.ts';
import { onnxModel, tensor } from '../formats/onnx/build.ts';
import { numbers } from '../facade/helpers.ts';
import { sourceWorker } from '../pool/source.ts';

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The examples in comments of a file, with what they are about. */
function examplesIn(path: string): [where: string, code: string][] {
  const text = readFileSync(at(path), 'utf8');
  return [...text.matchAll(/\/\*\*((?:(?!\*\/)[^])*?)@example\n([^]*?)\*\/\n\s*(.*)/g)].map(([, , body, next]) => {
    const code = body!.replaceAll(/^ *\* ?/gm, '').replace(/^@[^]*/m, '');
    const name = next!.replace(/^(export |async |readonly |function |class |interface )*/, '');
    return [`${path}: ${/^\w+/.exec(name)![0]}`, code] as const;
  });
}

const EXAMPLES = (readdirSync(at('ts'), { recursive: true }) as string[])
  .filter((name) => name.endsWith('.ts'))
  .sort()
  .flatMap((name) => examplesIn(`ts/${name}`));

/** A GRU from `size` features to as many, whose layer is called as an example calls it. */
async function gruOf(size: number, name = 'encoder') {
  const weights = { kernel: numbers(3 * size * size), recurrentKernel: numbers(3 * size * size, 2) };
  return index.createGru({ inputSize: size, hiddenSize: size, resetAfter: false, name }, weights);
}

const GRU_ONNX = onnxModel({
  nodes: [{ op: 'GRU', inputs: ['X', 'W', 'R'], outputs: ['Y', 'Y_h'], attributes: { hidden_size: 3 } }],
  inputs: [{ name: 'X', shape: ['steps', 'batch', 64] }],
  outputs: ['Y', 'Y_h'],
  initializers: [tensor('W', [1, 9, 64], numbers(576)), tensor('R', [1, 9, 3], numbers(27))],
});

/** The files that examples name, by those that stand for them. */
const FILES: Record<string, () => Promise<Parameters<typeof index.loadModel>[0]>> = {
  'speech.safetensors': async () => (await gruOf(64)).save(),
  'speech.onnx': async () => (await gruOf(64)).save(),
  'weather.keras': async () => (await gruOf(64)).save(),
  'amp.safetensors': () => Promise.resolve(at('examples/audio/amp.safetensors')),
  'gru.onnx': () => Promise.resolve(GRU_ONNX),
  'speech.keras': () => Promise.resolve(at('tests/fixtures/cases/keras_gru_after_seq/model.keras')),
  'tagger.pt': () => Promise.resolve(at('tests/fixtures/cases/torch_module_embedding_gru_linear/model.pt')),
};
const file = (name: string) => FILES[name]!();

/** What examples take for granted. */
async function scopeOf(where: string, code: string): Promise<Record<string, unknown>> {
  const [batch, steps, size] = [2, 10, 64];
  const model = await gruOf(code.includes('stream.run(samples)') ? 1 : size);
  const [, shape] = /\{ data, shape: (\[[^\]]+\])/.exec(code) ?? [];
  const sizes = (shape ? runInNewContext(shape, { batch, steps, size }) : []) as number[];
  const data = numbers(sizes.reduce((n, d) => n * d, 1));
  const sequences = [numbers(5 * size), numbers(3 * size), numbers(size)];
  const [first, second, third] = sequences;
  const gates = code.includes('createLstm') ? 4 : 3;
  const rnn = code.includes('createRnn');
  const stateDict = {
    weight_ih_l0: numbers((rnn ? 1 : 3) * 8 * 4),
    weight_hh_l0: numbers((rnn ? 1 : 3) * 8 * 8),
  };
  async function* frames() {
    for (const frame of sequences) yield await Promise.resolve(frame.subarray(0, size));
  }
  const entry = [
    [/static/, statically],
    [/runtime/, slim],
  ].find(([name]) => (name as RegExp).test(where))?.[1] as typeof statically | undefined;
  const core = await worklet.compileForWorklet();
  return {
    ...{ ...index, ...entry, ...worklet, ...precision, keras, runOnnx },
    ...(where.includes('runtime') ? { createRuntime: slim.createRuntime } : {}),
    loadModel: async (name: string, options?: object) => (entry ?? index).loadModel(await file(name), options),
    inspect: async (name: string) => index.inspect(await file(name)),
    createPool: (of: index.GruModel, options?: object) =>
      pool.createPool(of, { workers: 1, ...options, createWorker: () => sourceWorker() }),
    fetch: (path: string) => Promise.resolve(new Response(readFileSync(wasmFile(path.slice(1).replace('.wasm', ''))))),
    ...{ model, batch, steps, size, data, sequences, first, second, third, x: data },
    kernel: numbers(gates * 8 * 4),
    recurrentKernel: numbers(gates * 8 * 8),
    bias: numbers(gates * 8),
    stateDict,
    batches: [sequences, sequences],
    source: [sequences, sequences],
    use: () => undefined,
    show: (y: Float32Array) => {
      expect(y).toHaveLength(size);
    },
    write: () => undefined,
    writeFile: (_: string, bytes: Uint8Array) => {
      expect(bytes.length).toBeGreaterThan(1000);
    },
    console: {
      log: () => undefined,
      table: (rows: object[]) => {
        expect(rows.length).toBeGreaterThan(0);
      },
    },
    microphone: frames(),
    frames: new ReadableStream({
      async start(controller) {
        for await (const frame of frames()) controller.enqueue(frame);
        controller.close();
      },
    }),
    sink: new WritableStream(),
    signal: new AbortController().signal,
    samples: numbers(128),
    samplesOf3: numbers(3 * size),
    samplesOf17: numbers(size),
    stream: model.createStream(),
    streams: model.createStreams(18),
    ...(where.includes('GruStreams') ? { x: numbers(3 * size) } : {}),
    ...(/GruPool|ready|types\.ts: run/.test(where)
      ? { pool: await pool.createPool(model, { workers: 1, createWorker: () => sourceWorker() }) }
      : {}),
    AudioWorkletProcessor: Object,
    AudioWorkletNode: function (_: unknown, __: string, { processorOptions }: { processorOptions: object }) {
      expect(Object.keys(processorOptions)).toEqual(['core', 'spec']);
    },
    context: {},
    made: { processorOptions: { core, spec: (await index.loadModel(at('examples/audio/amp.safetensors'))).spec } },
  };
}

/** What is done with what an example defines. */
const AFTER: Record<string, string> = {
  'ts/api/worklet.ts: createModelSync': 'new Amp(made).process([[new Float32Array(128)]], [[new Float32Array(128)]]);',
};

async function run(where: string, code: string): Promise<void> {
  const body = `${code.replaceAll(/^import .*$/gm, '')}\n${AFTER[where] ?? ''}`;
  // Node 20 knows no `await using`.
  const { code: script } = await transform(`const example = async () => {${body}};`, { target: 'es2022' });
  const scope = await scopeOf(where, code);
  const known = Object.keys(scope);
  const made = compileFunction(
    `${script}
return example();`,
    known,
  ) as (...values: unknown[]) => Promise<unknown>;
  await made(...known.map((name) => scope[name]));
  await (scope['pool'] as pool.GruPool | undefined)?.close();
}

describe('the examples in comments, which editors and the site show, run', () => {
  test('all of them are found', () => {
    const marks = (readdirSync(at('ts'), { recursive: true }) as string[])
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) => readFileSync(at(`ts/${name}`), 'utf8').match(/^ *\* @example$/gm) ?? []);
    expect(EXAMPLES).toHaveLength(marks.length);
    expect(new Set(EXAMPLES.map(([where]) => where)).size).toBe(EXAMPLES.length);
  });

  test.each(EXAMPLES)('%s', async (where, code) => {
    await run(where, code);
  });
});
