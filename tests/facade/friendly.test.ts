import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect as print } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { GruError } from '../../ts/base/errors.ts';
import type { LoadProgress } from '../../ts/index.ts';
import { createGru, createLstm, createModel, createRnn, loadModel } from '../../ts/index.ts';
import { keras } from '../../ts/formats/keras.ts';
import { onnx } from '../../ts/formats/onnx.ts';
import { createPool } from '../../ts/pool.ts';
import { onDemand } from '../../ts/base/host.ts';
import { filesBeside } from '../../ts/io/source.ts';
import * as statically from '../../ts/static.ts';
import { compileForWorklet, createModelSync } from '../../ts/worklet.ts';
import { sourceWorker } from '../pool/source.ts';
import { expectError, numbers, oneGru, tensor } from './helpers.ts';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const text = (content: string) => new TextEncoder().encode(content);
const LFS = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n';

describe('what came instead of a file is said, with its name, whatever the format', () => {
  const came: [string, Uint8Array, string][] = [
    ['nothing', text(''), 'empty: 0 bytes'],
    ['a pointer of Git LFS', text(LFS), 'git lfs pull'],
    ['a page', text('\n<!DOCTYPE html>\n<html lang="en">'), 'HTML'],
    ['a page behind a comment and a byte order mark', text('\ufeff<!-- x --><html>'), 'HTML'],
    ['a page behind comments of any form', text('<!----> \n<!--><html>--><!-- a -- b --><head>'), 'HTML'],
    // A pattern took 1.8 times as long for each of them.
    ['comments and no page behind them', text('<!---->'.repeat(73)), 'text <!---->'],
    ['a comment without an end', text('<!-- <html>'.repeat(60)), 'text <!-- <html>'],
    ['what gzip made', Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3), 'packed by gzip: unpack it'],
    ['what xz made', Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4), 'packed by xz'],
    ['what zstd made', Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x24, 0), 'packed by zstd'],
    ['an archive of tar', text(`model.pt${'\0'.repeat(249)}ustar${'\0'.repeat(250)}`), 'packed by tar'],
    ['an answer in XML', text('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'), 'XML'],
  ];
  test.each(came)('%s', async (_, bytes, what) => {
    const folder = mkdtempSync(join(tmpdir(), 'gru-friendly-'));
    try {
      for (const name of ['m.keras', 'm.h5', 'm.onnx', 'm.pt', 'm.safetensors', 'model.json']) {
        const path = join(folder, name);
        writeFileSync(path, bytes);
        await expectError(() => loadModel(path), 'invalid_file', name, what);
        await expectError(() => statically.loadModel(path, { formats: [keras, onnx] }), 'invalid_file', name, what);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
    await expectError(() => loadModel(bytes), 'invalid_file', what);
  });

  test('beside a model too', async () => {
    const beside = filesBeside(new Uint8Array(1), { 'w.bin': text(LFS), 'e.bin': text('') });
    await expectError(() => beside('w.bin'), 'invalid_file', 'w.bin', 'git lfs pull');
    expect(await beside('e.bin')).toHaveLength(0);
  });

  test("a server's answer in words is shown", async () => {
    await expectError(() => loadModel(text('Repository not found')), 'invalid_file', 'text Repository not found');
  });
});

describe('where a browser says no more than that it failed', () => {
  const onPage = (onLine: boolean) => {
    vi.stubGlobal('process', undefined);
    vi.stubGlobal('location', new URL('https://page.example/app/'));
    vi.stubGlobal('navigator', { onLine });
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
  };
  test.each<[string, string, boolean, string[]]>([
    ['another origin', 'https://a.example/m.pt', true, ['https://a.example', 'pages of https://page.example', 'CORS']],
    ['its own', 'm.pt', true, ['could not be read: Failed to fetch']],
    ['no network', 'm.pt', false, ['the browser is offline: Failed to fetch']],
    ['a path', 'file:///m.pt', true, ['a page reads no paths', 'Blob']],
    ['a path of Windows', 'C:\\models\\m.pt', false, ['a page reads no paths', 'Blob']],
  ])('%s', async (_, source, onLine, words) => {
    onPage(onLine);
    await expectError(() => loadModel(source, { backend: 'js' }), 'io', source, ...words);
  });

  test('a response that hides its bytes, and files of an input', async () => {
    const opaque = new Response();
    Object.defineProperties(opaque, { type: { value: 'opaque' }, ok: { value: false }, status: { value: 0 } });
    await expectError(() => loadModel(opaque), 'io', 'no-cors');
    const files = { length: 1, 0: new Blob([]), [Symbol.toStringTag]: 'FileList' };
    await expectError(() => loadModel(files as never), 'invalid_argument', 'FileList', 'files[0]');
  });
});

test('a folder, and an address that nothing reads, are said', async () => {
  await expectError(() => loadModel(tmpdir()), 'io', tmpdir(), 'it is a folder', 'model.json');
  for (const address of ['ftp://a.example/m.pt', 's3://bucket/m.pt', 'gs://bucket/m.onnx']) {
    await expectError(() => loadModel(address), 'io', address, 'https:');
  }
});

test('a safetensors file that begins as what gzip makes is read', async () => {
  using model = await createModel(oneGru(2, 3));
  const file = model.save();
  const length = new DataView(file.buffer).getUint32(0, true);
  const header = 0x8b1f;
  const longer = new Uint8Array(file.length - length + header).fill(0x20);
  longer.set(file.subarray(0, 8 + length));
  longer.set(file.subarray(8 + length), 8 + header);
  new DataView(longer.buffer).setUint32(0, header, true);
  using read = await loadModel(longer);
  expect(read.run(numbers(2))).toEqual(model.run(numbers(2)));
});

test('an unreachable host is named with the cause', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  await expectError(
    () => loadModel(`http://127.0.0.1:${port}/m.pt`),
    'io',
    'fetch failed: ',
    'ECONNREFUSED',
    String(port),
  );
  // OpenSSL's ends with a line break.
  const refused = new TypeError('fetch failed', { cause: new Error('wrong version number\n') });
  vi.stubGlobal('fetch', () => Promise.reject(refused));
  await expect(loadModel('https://a.example/m.pt')).rejects.toThrow(/fetch failed: wrong version number$/);
  const failed = new TypeError('fetch failed', {
    cause: new AggregateError([new Error('connect to ::1'), new Error('connect to 127.0.0.1')]),
  });
  vi.stubGlobal('fetch', () => Promise.reject(failed));
  await expectError(() => loadModel('https://a.example/m.pt'), 'io', 'fetch failed: connect to 127.0.0.1');
});

test('a Node that is too old', async () => {
  vi.stubGlobal('process', { versions: { node: '18.20.4' } });
  const attempts = [() => loadModel('m.keras'), () => createModel(oneGru(2, 3)), () => statically.inspect('m.keras')];
  const errors = await Promise.all(attempts.map((attempt) => attempt().catch((error: unknown) => error)));
  vi.unstubAllGlobals();
  for (const error of errors) {
    expect(error).toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/Node 18\.20\.4 is too old.*20\.19/) as string,
    });
  }
});

test('data without a shape', async () => {
  using model = await createModel(oneGru(2, 3));
  const given = { data: numbers(8) };
  await expectError(() => model.run(given), 'shape_mismatch', "input 'x'", 'no shape', '[B, T, 2]', '[T, 2]');
  await expectError(() => model.run({ x: given } as never), 'shape_mismatch', "input 'x'", 'no shape', '[B, T, 2]');
  await expectError(() => model.run({ ...given, dims: [4, 2] }), 'shape_mismatch', 'data, dims has no shape');
});

test('a Promise where a value is meant', async () => {
  using model = await createModel(oneGru(2, 3));
  await expectError(() => loadModel(Promise.resolve('m.pt') as never), 'invalid_argument', 'Promise: await it');
  await expectError(
    () => model.run(Promise.resolve(numbers(2)) as never),
    'dtype_mismatch',
    'a Promise (await it first)',
  );
});

describe('weights of another type of recurrent layer', () => {
  const [inputSize, hiddenSize] = [4, 8];
  const keras = (gates: number) => ({
    kernel: numbers(inputSize * gates * hiddenSize),
    recurrentKernel: numbers(hiddenSize * gates * hiddenSize),
  });
  const pytorch = (gates: number) => ({
    layout: 'pytorch' as const,
    weight_ih_l0: numbers(gates * hiddenSize * inputSize),
    weight_hh_l0: numbers(gates * hiddenSize * hiddenSize),
  });
  test.each([keras, pytorch])('%s', async (layout) => {
    const gru = { inputSize, hiddenSize, resetAfter: true };
    const sizes = { inputSize, hiddenSize };
    await expectError(() => createGru(gru, layout(4)), 'shape_mismatch', 'has 4 gates', 'an LSTM: createLstm makes it');
    await expectError(() => createGru(gru, layout(1)), 'shape_mismatch', 'a simple RNN: createRnn');
    await expectError(() => createLstm(sizes, layout(3)), 'shape_mismatch', 'a GRU: createGru');
    await expectError(() => createRnn(sizes, layout(4)), 'shape_mismatch', 'an LSTM');
    await expectError(() => createGru({ ...gru, hiddenSize: 16 }, layout(3)), 'shape_mismatch', 'expected');
  });
});

test('an array whose buffer has been transferred', async () => {
  using model = await createModel(oneGru(2, 3));
  const gone = () => {
    const array = numbers(2);
    structuredClone(array, { transfer: [array.buffer] });
    return array;
  };
  const why = ['dtype_mismatch', 'its buffer has been transferred'] as const;
  await expectError(() => model.run(gone()), ...why);
  await expectError(() => model.run(numbers(2), { initialStates: gone() }), ...why);
  using stream = model.createStream();
  const gives = ['shape_mismatch', 'its buffer has been transferred'] as const;
  await expectError(() => stream.step(gone()), ...gives);
  await expectError(() => stream.run(gone()), ...gives);
  await expectError(() => stream.step(numbers(2), gone()), ...gives);
  expect(stream.run(new Float32Array(0))).toHaveLength(0);
});

test('console.log(model) is five lines', async () => {
  using model = await createModel(oneGru(2, 3), { backend: 'js' });
  expect(print(model).split('\n')).toEqual([
    expect.stringMatching(/^GruModel on js: \d+ parameters, streams$/) as string,
    '  inputs:  x float32[batch, steps, 2]',
    '  layers:  gru [batch, steps, 3]',
    '  outputs: y float32[batch, steps, 3]',
    '  states:  gru.hidden [1, batch, 3]',
  ]);
  expect(print(model.createStream({ batch: 2 }))).toBe('GruStream { batch: 2 }');
  expect(print(model.createStreams(3))).toBe('GruStreams { count: 3 }');
  const pool = await createPool(model, { workers: 1, createWorker: () => sourceWorker() });
  expect(print(pool)).toBe('GruPool { workers: 1 }');
  await pool.close();
  model.dispose();
  expect(print(model)).toBe('GruModel (disposed)');
});

test('JSON.stringify(model) is what the model is, not its weights', async () => {
  const spec = oneGru(2, 3);
  using model = await createModel({ ...spec, layers: [spec.layers[0]!, { name: 'first', type: 'step', index: 0 }] });
  const { inputs, outputs, layers, states, streamable, backend } = model;
  expect(JSON.parse(JSON.stringify({ model }))).toEqual({
    model: { inputs, outputs, layers, states, streamable, backend },
  });
});

test.each([
  ['createGru', createGru, 'resetAfter'],
  ['createLstm', createLstm, 'inputForget'],
  ['createRnn', createRnn, 'name'],
] as const)('%s says config where the config is meant', async (maker, create, field) => {
  const make = (config: unknown, weights: unknown) => create(config as never, weights as never);
  await expectError(
    () => make(undefined, {}),
    'invalid_argument',
    `${maker}: config fields must be an object, got undefined`,
  );
  const units = { inputSize: 1, hiddenSize: 1, units: 1 };
  await expectError(
    () => make(units, {}),
    'invalid_argument',
    `${maker}: unknown config field 'units'; known: inputSize`,
    field,
  );
});

test('arrays of another layout than the one that is named are told to name it, before all else', async () => {
  const sizes = { inputSize: 1, hiddenSize: 1 };
  const make = (weights: object, config = {}) => createGru({ ...sizes, ...config } as never, weights as never);
  const said = "createGru: 'weight_ih_l0' is of another layout than Keras's: give layout: 'pytorch' beside it";
  for (const config of [{}, { resetAfter: true }, { resetAfter: false }])
    await expectError(
      () => make({ weight_ih_l0: [1, 2, 3], weight_hh_l0: [1, 2, 3] }, config),
      'invalid_argument',
      said,
    );
  await expectError(() => make({ weight_hh: [1, 2, 3] }), 'invalid_argument', "'weight_hh' is of another layout");
  await expectError(() => make({ updateGate: {} }), 'invalid_argument', "give layout: 'textbook'");
  await expectError(
    () => createLstm(sizes, { outputGate: {} } as never),
    'invalid_argument',
    "createLstm: 'outputGate'",
  );
  await expectError(() => createRnn(sizes, { weight_ih: [1] } as never), 'invalid_argument', "give layout: 'pytorch'");
  const keras = { kernel: [1, 2, 3], recurrentKernel: [1, 2, 3] };
  await expectError(() => make(keras), 'invalid_spec', 'resetAfter is missing: true (PyTorch, Keras) or false');
});

test('what holds no fields is named by its kind', async () => {
  using model = await createModel(oneGru(2, 3));
  const others = { Map: new Map([['x', [1, 2]]]), Set: new Set([1, 2]), DataView: new DataView(new ArrayBuffer(8)) };
  for (const [name, value] of Object.entries({ ...others, ArrayBuffer: new ArrayBuffer(8), Date: new Date() })) {
    await expectError(() => model.run(value as never), 'dtype_mismatch', "input 'x'", `got an object of ${name}`);
  }
  await expectError(() => loadModel(new Map() as never), 'invalid_argument', 'Uint8Array; got an object of Map');
  await expectError(() => loadModel({} as never), 'invalid_argument', 'got an object with nothing');
  const stream = new Response('x').body!;
  await expectError(() => loadModel(stream as never), 'invalid_argument', 'new Response(stream)');
  const request = new Request('https://a.example/m.onnx');
  await expectError(() => loadModel(request as never), 'invalid_argument', 'await fetch(request)');
});

test('a part of the package that has not run yet: the entry that has none is named', async () => {
  const nothing = () => Promise.resolve(undefined);
  await expectError(() => onDemand(nothing), 'backend_unavailable', 'top-level await', "'gru-wasm/static'");
});

test('a File is called by its name', async () => {
  const file = (content: string, name = 'my.pt') => new File([content], name);
  await expectError(() => loadModel(file('hello')), 'invalid_file', "'my.pt': not a model file");
  await expectError(() => loadModel(file('PK\x03\x04 and no more')), 'invalid_file', 'my.pt');
  await expectError(() => loadModel(file('hello'), { maxBytes: 2 }), 'io', "'my.pt'");
  await expectError(() => loadModel(new Blob(['hello'])), 'invalid_file', 'not a model file');
  const odd = Object.defineProperty(file('hello'), 'name', { value: 5 });
  await expectError(() => loadModel(odd), 'invalid_file', 'not a model file');
});

test.each([
  ['Keras 3', '{"module": "keras", "class_name": "Functional", "config": {}}'],
  ['Keras 2', '{"class_name": "Sequential", "config": {}}'],
])('the config of a model of %s alone: its weights are missing', async (_, config) => {
  await expectError(
    () => loadModel(text(config)),
    'unsupported',
    'no weights',
    "model.save('model.keras')",
    'keras.config',
  );
});

describe('where wasm is forbidden', () => {
  const forbid = () => {
    vi.stubGlobal('WebAssembly', undefined);
    return vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  };

  test('auto is JavaScript, which is told once, or to onFallback', async () => {
    const warn = forbid();
    const reasons: GruError[] = [];
    const onFallback = (reason: GruError) => reasons.push(reason);
    using told = await createModel(oneGru(2, 3), { onFallback });
    using asked = await createModel(oneGru(2, 3), { backend: 'js' });
    expect([told.backend, asked.backend, warn.mock.calls.length]).toEqual(['js', 'js', 0]);
    expect(reasons).toMatchObject([
      { code: 'backend_unavailable', message: expect.stringContaining('WebAssembly') as string },
    ]);
    for (let i = 0; i < 2; i++) (await createModel(oneGru(2, 3))).dispose();
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/JavaScript.*no WebAssembly SIMD \(to silence: onFallback/)],
    ]);
    await expectError(() => createModel(oneGru(2, 3), { onFallback: 1 as never }), 'invalid_argument', 'onFallback');
  });

  test('a worklet gets the JS backend', async () => {
    using model = await createModel(oneGru(3, 5), { deterministic: true });
    const want = model.run(tensor([7, 3]));
    forbid();
    const reasons: GruError[] = [];
    const core = structuredClone(await compileForWorklet({ onFallback: (reason) => reasons.push(reason) }));
    using other = createModelSync(core, model.spec);
    expect([other.backend, reasons.length]).toEqual(['js', 1]);
    expect(other.run(tensor([7, 3]))).toEqual(want);
    await expectError(() => createModelSync({} as never, model.spec), 'invalid_argument', 'compileForWorklet');
  });
});

test('onProgress: bytes so far, of how many', async () => {
  using model = await createModel(oneGru(20, 30));
  const bytes = new Uint8Array(model.save());
  const progressOf = async (source: Parameters<typeof loadModel>[0]) => {
    const seen: LoadProgress[] = [];
    (await loadModel(source, { onProgress: (progress) => seen.push(progress) })).dispose();
    expect(seen.map(({ loaded }) => loaded)).toEqual(seen.map(({ loaded }) => loaded).sort((a, b) => a - b));
    return seen;
  };
  const whole = { loaded: bytes.length, total: bytes.length };
  expect((await progressOf(new Blob([bytes]))).at(-1)).toEqual(whole);
  expect(await progressOf(bytes)).toEqual([whole]);
  expect((await progressOf(new Response(bytes))).at(-1)).toEqual({ loaded: bytes.length, total: undefined });
  const headers = { 'content-length': String(bytes.length) };
  expect((await progressOf(new Response(bytes, { headers }))).at(-1)).toEqual(whole);
  const folder = mkdtempSync(join(tmpdir(), 'gru-progress-'));
  try {
    writeFileSync(join(folder, 'm.safetensors'), bytes);
    const seen = await progressOf(join(folder, 'm.safetensors'));
    expect(seen.length).toBeGreaterThan(1);
    expect(seen.at(-1)).toEqual(whole);
  } finally {
    rmSync(folder, { recursive: true });
  }
  for (const enough of [new RangeError('enough'), undefined, NaN]) {
    const stop = () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- whatever a caller throws
      throw enough;
    };
    for (const source of [bytes, new Blob([bytes]), new Response(bytes)]) {
      expect(await loadModel(source, { onProgress: stop }).catch((error: unknown) => error)).toBe(enough);
    }
  }
  await expectError(() => loadModel(bytes, { onProgress: 1 as never }), 'invalid_argument', 'onProgress');
});
