import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { type Client, credentials, loadPackageDefinition, Metadata, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { authenticator } from '../src/auth.ts';
import { createGrpcServer, listen, LOADING, PROTO } from '../src/grpc/server.ts';
import { InferenceService } from '../src/service.ts';
import { gruModel, HIDDEN, INPUT, steps, taggerModel } from './models.ts';
import { OPTIONS } from './options.ts';

interface Answer {
  id?: string;
  parameters?: Record<string, { int64_param: number }>;
  outputs: { name: string; shape: number[] }[];
  raw_output_contents: Buffer[];
}
type Call = (
  request: object,
  metadata: Metadata,
  callback: (error: ServiceError | null, answer: never) => void,
) => void;

const { inference } = loadPackageDefinition(loadSync(PROTO, { ...LOADING, longs: Number })) as unknown as {
  inference: {
    GRPCInferenceService: new (address: string, channel: object) => Client & Record<string, Call>;
  };
};

const gru = await gruModel();
const KEY = 'secret';
let client: Client & Record<string, Call>;
let close: () => Promise<void>;
let port: number;

beforeEach(async () => {
  const service = await InferenceService.create({ gru: await gruModel(), tagger: await taggerModel() }, OPTIONS);
  const server = createGrpcServer(service, {
    authenticate: authenticator([KEY, 'other']),
    maxBody: 2 ** 16,
  });
  port = await listen(server, '127.0.0.1:0', undefined);
  client = new inference.GRPCInferenceService(`127.0.0.1:${port}`, credentials.createInsecure());
  close = async () => {
    client.close();
    server.forceShutdown();
    await service.close();
  };
});
afterEach(() => close());

function metadataOf(key: string): Metadata {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${key}`);
  return metadata;
}

const call = <T = Answer>(method: string, request: object, key = KEY) =>
  new Promise<T>((resolve, reject) => {
    client[method]!(request, metadataOf(key), (error, answer) => {
      if (error) reject(error);
      else resolve(answer);
    });
  });

const bytes = (x: Float32Array) => Buffer.from(x.buffer, x.byteOffset, x.byteLength);
const request = (x: Float32Array, parameters = {}, more = {}) => ({
  model_name: 'gru',
  parameters,
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1, x.length / INPUT, INPUT] }],
  raw_input_contents: [bytes(x)],
  ...more,
});
const valuesOf = ({ raw_output_contents: [raw] }: Answer) => new Float32Array(Uint8Array.from(raw!).buffer);

test('health, metadata, the list of models', async () => {
  expect(await call('ServerLive', {}, 'none')).toEqual({ live: true });
  expect(await call('ServerReady', {}, 'none')).toEqual({ ready: true });
  expect(await call('ModelReady', { name: 'gru', version: '1' }, 'none')).toEqual({ ready: true });
  expect(await call('ServerMetadata', {}, 'none')).toMatchObject({
    name: 'gru-wasm-server',
  });
  expect(await call('ModelMetadata', { name: 'gru' })).toMatchObject({
    platform: 'gru-wasm',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, -1, INPUT] }],
  });
  expect(await call('RepositoryIndex', {})).toMatchObject({
    models: [{ name: 'gru' }, { name: 'tagger' }],
  });
});

test('numbers of 64 bits are whole: sequences beside each other above 2^53, and beside their texts', async () => {
  const x = steps(1);
  const ids = ['9007199254740992', '9007199254740993', '18446744073709551615', '18446744073709551614'];
  const named = [...ids.map((uint64_param) => ({ uint64_param })), { int64_param: '9223372036854775807' }];
  const calls = [...named, { string_param: ids[0] }];
  for (const sequence_id of calls) {
    const answer = await call('ModelInfer', request(x, { sequence_id, sequence_start: { bool_param: true } }));
    expect(answer.parameters!['sequence_step']!.int64_param).toBe(1);
  }
  // Each is one of its own: none has been begun anew by its neighbour.
  for (const sequence_id of calls) {
    const answer = await call('ModelInfer', request(x, { sequence_id, sequence_step: { int64_param: 1 } }));
    expect(answer.parameters!['sequence_step']!.int64_param).toBe(2);
  }
  const large = { sequence_id: { int64_param: 7 }, sequence_step: { uint64_param: '9007199254740993' } };
  await expect(call('ModelInfer', request(x, large))).rejects.toMatchObject({
    code: 3,
    details: 'sequence_step must be a whole number, got 9007199254740993',
  });
  await expect(
    call('ModelInfer', request(x, { sequence_id: { int64_param: '-9007199254740993' } })),
  ).rejects.toMatchObject({
    code: 3,
    details: expect.stringMatching(/^sequence_id must be .* got -9007199254740993$/) as string,
  });
});

test.each([
  ['contents and raw_input_contents exclude each other', { fp32_contents: [1, 2, 3] }, true],
  ['contents and raw_input_contents exclude each other', { bool_contents: [true] }, true],
  ['FP32 is in fp32_contents, not in int_contents', { fp32_contents: [1, 2, 3], int_contents: [1] }, false],
  ['FP32 is in fp32_contents, not in bytes_contents', { bytes_contents: [Buffer.from('x')] }, false],
])('values in two places are refused: %s', async (message, contents, isRaw) => {
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 1, INPUT], contents }];
  const raw = isRaw ? {} : { raw_input_contents: [] };
  const asked = call('ModelInfer', request(steps(1), {}, { inputs, ...raw }));
  await expect(asked).rejects.toMatchObject({ code: 3, details: `input x: ${message}` });
});

test('empty contents beside raw ones are none', async () => {
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 1, INPUT], contents: {} }];
  expect((await call('ModelInfer', request(steps(1), {}, { inputs }))).outputs).toHaveLength(1);
});

test('whole sequences: raw contents, and typed ones', async () => {
  const x = steps(4);
  const answer = await call('ModelInfer', request(x, {}, { id: 'q' }));
  expect(answer).toMatchObject({
    id: 'q',
    outputs: [{ name: 'y', shape: [1, 4, HIDDEN] }],
  });
  expect(valuesOf(answer)).toEqual(gru.run(x).output.data);
  const inputs = [
    {
      name: 'x',
      datatype: 'FP32',
      shape: [1, 4, INPUT],
      contents: { fp32_contents: [...x] },
    },
  ];
  expect(valuesOf(await call('ModelInfer', request(x, {}, { inputs, raw_input_contents: [] })))).toEqual(
    valuesOf(answer),
  );
  const ids = [
    {
      name: 'ids',
      datatype: 'INT64',
      shape: [1, 2],
      contents: { int64_contents: [3, 4] },
    },
  ];
  const tagged = await call('ModelInfer', {
    model_name: 'tagger',
    inputs: ids,
    outputs: [{ name: 'words' }],
  });
  expect(tagged.outputs).toMatchObject([{ name: 'words', shape: [1, 2, 2] }]);
});

test('a live sequence over calls and over a stream', async () => {
  const x = steps(6);
  const frame = (t: number, id: number, more = {}) =>
    request(x.subarray(t * INPUT, (t + 1) * INPUT), {
      sequence_id: { int64_param: id },
      sequence_start: { bool_param: t === 0 },
      ...more,
    });
  const outputs: number[] = [];
  for (let t = 0; t < 3; t++) {
    const answer = await call('ModelInfer', frame(t, 1));
    expect(answer.parameters!['sequence_step']!.int64_param).toBe(t + 1);
    outputs.push(...valuesOf(answer));
  }
  expect(Float32Array.from(outputs)).toEqual(gru.run(x.subarray(0, 3 * INPUT)).output.data);

  const stream = (
    client['ModelStreamInfer'] as unknown as (
      metadata: Metadata,
    ) => import('@grpc/grpc-js').ClientDuplexStream<object, { error_message?: string; infer_response: Answer }>
  ).call(client, metadataOf(KEY));
  const answers: { error_message?: string; infer_response: Answer }[] = [];
  stream.on('data', (answer: (typeof answers)[0]) => answers.push(answer));
  for (let t = 0; t < 6; t++) stream.write(frame(t, 2));
  stream.write(frame(1, 99));
  stream.end();
  await new Promise((resolve, reject) => stream.on('end', resolve).on('error', reject));
  expect(answers).toHaveLength(7);
  expect(answers[6]!.error_message).toMatch(/no sequence/);
  expect(Float32Array.from(answers.slice(0, 6).flatMap(({ infer_response }) => [...valuesOf(infer_response)]))).toEqual(
    gru.run(x).output.data,
  );
});

describe('what is refused', () => {
  const refused = (code: number, text: RegExp) =>
    expect.objectContaining({
      code,
      details: expect.stringMatching(text) as string,
    }) as Error;

  test('a wrong key; sequences of another key', async () => {
    await expect(call('ModelInfer', request(steps(1)), 'none')).rejects.toEqual(refused(16, /API key/));
    const first = {
      sequence_id: { string_param: 'a' },
      sequence_start: { bool_param: true },
    };
    await call('ModelInfer', request(steps(1), first));
    const next = { sequence_id: { string_param: 'a' } };
    await expect(call('ModelInfer', request(steps(1), next), 'other')).rejects.toEqual(refused(5, /no sequence/));
    const wrong = { ...next, sequence_step: { int64_param: 4 } };
    const error: ServiceError = await call('ModelInfer', request(steps(1), wrong)).then(
      () => Promise.reject(new Error()),
      (error: unknown) => error as ServiceError,
    );
    expect([error.code, error.metadata.get('sequence-step')]).toEqual([10, ['1']]);
  });

  const input = (more: object) => ({
    inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 1, INPUT], ...more }],
  });
  test.each([
    ['no model', { model_name: 'none' }, 5, /no model none/],
    ['no input', { inputs: [], raw_input_contents: [] }, 3, /input x is missing/],
    ['an unknown input', input({ name: 'z' }), 3, /no input "z"/],
    ['a wrong datatype', input({ datatype: 'INT8' }), 3, /expected datatype FP32/],
    ['a wrong shape', input({ shape: [1, 1, 4] }), 3, /expected shape/],
    ['a negative shape', input({ shape: [1, -1, INPUT] }), 3, /expected shape/],
    ['a huge shape', input({ shape: [2 ** 20, 2 ** 30, INPUT] }), 3, /bytes, got 12/],
    [
      'raw contents of another number',
      { raw_input_contents: [Buffer.alloc(12), Buffer.alloc(12)] },
      3,
      /2 raw_input_contents for 1/,
    ],
    ['raw contents that are too short', { raw_input_contents: [Buffer.alloc(11)] }, 3, /12 bytes, got 11/],
    ['typed contents that are missing', { raw_input_contents: [] }, 3, /contents has 0/],
    [
      'classification',
      { outputs: [{ name: 'y', parameters: { classification: { int64_param: 2 } } }] },
      3,
      /classification/,
    ],
    ['an output twice', { outputs: [{ name: 'y' }, { name: 'y' }] }, 3, /twice/],
    ['a sequence id below 0', { parameters: { sequence_id: { int64_param: '-18446744073709551' } } }, 3, /sequence_id/],
    ['a message that is too large', { raw_input_contents: [Buffer.alloc(2 ** 16)] }, 8, /larger than max/],
  ])('%s', async (_, more, code, text) => {
    await expect(call('ModelInfer', request(steps(1), {}, more))).rejects.toEqual(refused(code, text));
    expect(valuesOf(await call('ModelInfer', request(steps(1))))).toHaveLength(HIDDEN);
  });

  /** The status of a call whose body is these bytes, of no client's making. */
  async function statusOf(body: Buffer): Promise<number> {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const stream = session.request({
      ':method': 'POST',
      ':path': '/inference.GRPCInferenceService/ModelInfer',
      'content-type': 'application/grpc',
      te: 'trailers',
      authorization: `Bearer ${KEY}`,
    });
    let status = NaN;
    const take = (headers: Record<string, unknown>) => {
      if (headers['grpc-status'] !== undefined) status = Number(headers['grpc-status']);
    };
    stream
      .on('response', take)
      .on('trailers', take)
      .on('error', () => undefined);
    stream.end(body);
    stream.resume();
    await once(stream, 'close');
    session.close();
    return status;
  }
  const message = (length: number, ...bytes: number[]) => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(length, 1);
    return Buffer.concat([head, Buffer.from(bytes)]);
  };
  test.each([
    ['bytes that are no message', message(4, 0xff, 0xff, 0xff, 0xff), [13]],
    // A text is cut where the message ends, and there is no such model.
    ['a field that says it is longer than its message', message(3, 0x0a, 0x7f, 0x61), [5]],
    // That the client has gone may be said instead, or nothing.
    ['a length beyond what comes', message(100, 1, 2, 3), [1, 12, 13]],
    ['a length beyond the limit', message(2 ** 32 - 1, 1, 2, 3), [8]],
    ['nothing', Buffer.alloc(0), [12, 13]],
  ])('%s', async (_, body, statuses) => {
    expect(statuses).toContain(await statusOf(body));
    expect(valuesOf(await call('ModelInfer', request(steps(1))))).toHaveLength(HIDDEN);
  });

  test('what is no HTTP/2 is closed', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(10));
    socket.resume();
    await once(socket, 'close');
    expect(valuesOf(await call('ModelInfer', request(steps(1))))).toHaveLength(HIDDEN);
  });

  test('a flood of sequences is bounded', async () => {
    const begin = (id: number) =>
      call('ModelInfer', request(steps(1), { sequence_id: { int64_param: id }, sequence_start: { bool_param: true } }));
    const asked = await Promise.allSettled(Array.from({ length: 150 }, (_, i) => begin(i + 1)));
    const codes = asked.flatMap((one) => (one.status === 'rejected' ? [(one.reason as ServiceError).code] : []));
    expect(codes).toEqual(Array.from({ length: 50 }, () => 8));
  });
});

test.each(['ModelInfer', 'ModelStreamInfer', 'RepositoryIndex', 'ModelMetadata'])(
  'a stranger is refused before a message of %s is read',
  async (method) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const stream = session.request({
      ':method': 'POST',
      ':path': `/inference.GRPCInferenceService/${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    // A message of 60,000 bytes, of which ten come.
    stream.write(Buffer.of(0, 0, 0, 0xea, 0x60, ...new Uint8Array(10)));
    const [headers] = (await once(stream, 'response')) as [Record<string, string>];
    expect(headers['grpc-status']).toBe('16');
    session.destroy();
  },
  5_000,
);
