import { connect } from 'node:net';
import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { authenticator } from '../src/auth.ts';
import type { HttpOptions } from '../src/http/options.ts';
import { createHttpServer } from '../src/http/server.ts';
import { Metrics } from '../src/metrics.ts';
import { InferenceService, type ServiceOptions } from '../src/service.ts';
import { gruModel, HIDDEN, INPUT, lastModel, steps, taggerModel } from './models.ts';
import { OPTIONS } from './options.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function serve(options: Partial<ServiceOptions & HttpOptions & { keys: string[] }> = {}) {
  const metrics = new Metrics();
  const models = {
    gru: await gruModel(),
    tagger: await taggerModel('reverse'),
    last: await lastModel(),
  };
  const service = await InferenceService.create(models, {
    ...OPTIONS,
    observe: metrics,
    ...options,
  });
  metrics.watch(service);
  const app = createHttpServer(service, {
    authenticate: authenticator(options.keys ?? []),
    allowOrigins: [],
    metrics,
    logger: pino({ level: 'silent' }),
    maxBody: 2 ** 16,
    maxBodies: 2 ** 24,
    requestTimeout: 60_000,
    ...options,
  });
  const close = async () => {
    await service.close();
    await app.close();
  };
  closing.push(close);
  return { app, service, close, ...models };
}

const post = (app: FastifyInstance, payload: object | Buffer | string, headers = {}, url = '/v2/models/gru/infer') =>
  app.inject({ method: 'POST', url, payload, headers });
const tensor = (data: ArrayLike<number>, more = {}) => ({
  name: 'x',
  datatype: 'FP32',
  shape: [1, data.length / INPUT, INPUT],
  data: Array.from(data),
  ...more,
});
const errorOf = (response: { json(): unknown }) => (response.json() as { error: string }).error;

test('an answer is bounded as a request is: sequences without steps cost no byte of one', async () => {
  const { app } = await serve({ maxAnswer: 400 });
  const ask = (model: string, batch: number, count: number) => {
    const data = Array.from({ length: batch * count * INPUT }, () => 0);
    const input = tensor(data, { shape: [batch, count, INPUT] });
    return post(app, { inputs: [input] }, {}, `/v2/models/${model}/infer`);
  };
  // 100 numbers, 5 a step or a sequence.
  for (const [model, batch, count] of [['gru', 4, 5], ['last', 20, 0], ['last', 20, 2]] as const) {
    expect((await ask(model, batch, count)).statusCode, model).toBe(200);
    const response = await ask(model, batch + 1, count);
    expect(response.statusCode, model).toBe(413);
    expect(errorOf(response)).toMatch(/answer would be \d+ numbers/);
  }
  // A block of a live one too: of ids four bytes a step are asked, and any number answered.
  for (const [count, status] of [[20, 200], [21, 413]] as const) {
    const inputs = [tensor(steps(count))];
    const live = await post(app, { parameters: { sequence_id: 'a', sequence_start: true }, inputs });
    expect(live.statusCode, String(count)).toBe(status);
  }
  const response = await ask('last', 2 ** 20 + 1, 0);
  expect(response.statusCode).toBe(400);
  expect(errorOf(response)).toMatch(/at most 1048576 sequences/);
}); // prettier-ignore

test('what a browser sends without asking is not let in from a page of another origin', async () => {
  const { app } = await serve();
  const body = JSON.stringify({ inputs: [tensor(new Float32Array(INPUT))] });
  const headers = (origin: string, type: string) => ({ host: 'localhost:8080', origin, 'content-type': type });
  for (const type of ['text/plain', 'TEXT/plain;charset=utf-8', 'multipart/form-data; boundary=a', 'application/x-www-form-urlencoded']) {
    const response = await post(app, body, headers('http://evil.example', type));
    expect(response.statusCode, type).toBe(403);
    expect(errorOf(response)).toMatch(/evil\.example are not let in/);
    expect((await post(app, body, headers('http://localhost:8080', type))).statusCode, type).toBe(200);
  }
  // Of these it asks first, which is not answered: CORS is off.
  expect((await post(app, body, headers('http://evil.example', 'application/json'))).statusCode).toBe(200);
  const asked = await app.inject({ method: 'OPTIONS', url: '/v2/models/gru/infer', headers: headers('http://evil.example', 'text/plain') });
  expect(asked.headers).not.toHaveProperty('access-control-allow-origin');
}); // prettier-ignore

test.each([
  ['all of a row in one list', [1, 2, [[1, 2, 3, 4, 5, 6]]]],
  ['steps and features swapped', [1, 2, [[[1, 2], [3, 4], [5, 6]]]]],
  ['without the batch', [1, 2, [[1, 2, 3], [4, 5, 6]]]],
  ['steps of different lengths', [1, 2, [[[1, 2], [3, 4, 5, 6]]]]],
  ['lists in one step alone', [1, 2, [[[1, 2, 3], [4, 5, [6]]]]]],
  ['lists among numbers', [1, 2, [1, 2, 3, [4, 5, 6]]]],
  ['deeper than the shape', [1, 2, [[[[1], [2], [3]], [[4], [5], [6]]]]]],
  ['more than there is room for', [1, 2, [[[1, 2, 3], [4, 5, 6]], []]]],
] as const)('data that are nested in another way than their shape are refused: %s', async (_, [batch, count, data]) => {
  const { app } = await serve();
  const response = await post(app, { inputs: [{ name: 'x', datatype: 'FP32', shape: [batch, count, INPUT], data }] });
  expect(response.statusCode).toBe(400);
  expect(errorOf(response)).toBe('input x: data is nested in another way than shape [1,2,3]: one flat list is taken too');
}); // prettier-ignore

test('data nested by their shape are as flat ones, and where there are none', async () => {
  const { app } = await serve();
  const ask = async (shape: number[], data: unknown[]) => {
    const response = await post(app, { inputs: [{ name: 'x', datatype: 'FP32', shape, data }] });
    expect(response.statusCode, response.body).toBe(200);
    return response.json<{ outputs: unknown }>().outputs;
  };
  const [one, two] = [[1, 2, 3], [4, 5, 6]]; // prettier-ignore
  expect(await ask([1, 2, INPUT], [[one, two]])).toEqual(await ask([1, 2, INPUT], [...one, ...two]));
  expect(await ask([2, 1, INPUT], [[one], [two]])).toEqual(await ask([2, 1, INPUT], [...one, ...two]));
  expect(await ask([2, 0, INPUT], [[], []])).toEqual(await ask([2, 0, INPUT], []));
});

test('a sequence_id that JSON has rounded is refused, with what to do', async () => {
  const { app } = await serve();
  const text = JSON.stringify({ parameters: { sequence_id: 0, sequence_start: true }, inputs: [tensor(steps(1))] });
  for (const [id, status] of [['9007199254740993', 400], ['18446744073709551615', 400], ['9007199254740991', 200], ['"9007199254740993"', 200]] as const) {
    const response = await post(app, text.replace('"sequence_id":0', `"sequence_id":${id}`));
    expect(response.statusCode, id).toBe(status);
    if (status === 400) expect(errorOf(response)).toMatch(/JSON numbers beyond that are not exact, send a string$/);
  }
}); // prettier-ignore

test('--allow-origins: pages of these are answered with CORS, of others not', async () => {
  const app_ = 'https://app.example';
  const { app } = await serve({ allowOrigins: [app_, 'http://localhost:5173'] });
  const preflight = (origin: string) => {
    const headers = { host: 'localhost:8000', origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type' };
    return app.inject({ method: 'OPTIONS', url: '/v2/models/gru/infer', headers });
  };
  const asked = await preflight(app_);
  expect(asked.statusCode).toBe(204);
  expect(asked.headers).toMatchObject({
    'access-control-allow-origin': app_,
    'access-control-allow-headers': 'authorization,content-type',
    'access-control-max-age': '600',
  });
  expect(asked.headers['access-control-allow-credentials']).toBeUndefined();
  const body = JSON.stringify({ inputs: [tensor(new Float32Array(INPUT))] });
  for (const type of ['application/json', 'text/plain']) {
    const answer = await post(app, body, { host: 'localhost:8000', origin: app_, 'content-type': type });
    expect(answer.statusCode, type).toBe(200);
    expect(answer.headers['access-control-allow-origin']).toBe(app_);
  }
  for (const origin of ['https://evil.example', 'https://app.example.evil.example', 'http://app.example', 'null']) {
    expect((await preflight(origin)).headers, origin).not.toHaveProperty('access-control-allow-origin');
    expect((await post(app, body, { host: 'localhost:8000', origin, 'content-type': 'text/plain' })).statusCode).toBe(403);
  }
  // Refusals too: a page is to see why.
  const wrong = await post(app, '{}', { host: 'localhost:8000', origin: app_, 'content-type': 'application/json' });
  expect([wrong.statusCode, wrong.headers['access-control-allow-origin']]).toEqual([400, app_]);
}); // prettier-ignore

test('health, metadata, the list of models, metrics', async () => {
  const { app, service } = await serve();
  const get = async (url: string) => {
    const response = await app.inject({ url });
    return { status: response.statusCode, body: response.json<unknown>() };
  };
  expect(await get('/v2')).toMatchObject({
    status: 200,
    body: { name: 'gru-wasm-server' },
  });
  expect(await get('/v2/health/live')).toEqual({
    status: 200,
    body: { live: true },
  });
  expect(await get('/v2/health/ready')).toEqual({
    status: 200,
    body: { ready: true },
  });
  expect(await get('/v2/models/gru/ready')).toEqual({
    status: 200,
    body: { name: 'gru', ready: true },
  });
  expect(await get('/v2/models/gru/versions/1')).toEqual({
    status: 200,
    body: {
      name: 'gru',
      versions: ['1'],
      platform: 'gru-wasm',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, -1, INPUT] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, -1, HIDDEN] }],
    },
  });
  expect((await get('/v2/models/gru/versions/2')).status).toBe(404);
  expect((await get('/v2/models/other')).status).toBe(404);
  const index = await post(app, {}, {}, '/v2/repository/index');
  expect(index.json()).toEqual(['gru', 'tagger', 'last'].map((name) => ({ name, version: '1', state: 'READY' })));
  await post(app, {
    inputs: [tensor(steps(1))],
    parameters: { sequence_id: 4, sequence_start: true },
  });
  // Of a model that there is, and one that there is not: its name is the client's, and would be a series each.
  await post(app, { inputs: [tensor(steps(1))], parameters: { sequence_id: 5 } });
  await service.steps('other', []).catch(() => undefined);
  const { body: told } = await app.inject({ url: '/metrics' });
  expect(told).toMatch(/gru_live_sequences\{model="gru"\} 1/);
  for (const labels of ['model="gru",outcome="ok"', 'model="gru",outcome="not_found"', 'model="",outcome="not_found"'])
    expect(told).toContain(`gru_request_seconds_count{${labels}} 1`);
  service.drain();
  expect((await get('/v2/health/ready')).status).toBe(503);
  expect((await post(app, { inputs: [tensor(steps(1))] })).statusCode).toBe(503);
});

test('whole sequences of different lengths, in one run', async () => {
  const { app, gru } = await serve();
  const inputs = [1, 4, 2].map((count) => steps(count, count));
  const answers = await Promise.all(inputs.map((x) => post(app, { id: 'q', inputs: [tensor(x)] })));
  answers.forEach((answer, i) => {
    expect(answer.headers['content-type']).toMatch('application/json');
    const { data, shape } = gru.run(inputs[i]!).output;
    expect(answer.json()).toEqual({
      model_name: 'gru',
      model_version: '1',
      id: 'q',
      outputs: [{ name: 'y', datatype: 'FP32', shape: [1, ...shape], data: [...data] }],
    });
  });
});

test('a batch, ids of 64 bits, outputs by name, a model that does not stream', async () => {
  const { app, tagger } = await serve();
  const ids = [1, 2, 3, 6, 5, 4];
  const url = '/v2/models/tagger/infer';
  const input = {
    name: 'ids',
    datatype: 'INT64',
    shape: [2, 3],
    data: [ids.slice(0, 3), ids.slice(3)],
  };
  const answer = await post(app, { inputs: [input], outputs: [{ name: 'words' }] }, {}, url);
  const { data } = tagger.run({ data: Int32Array.from(ids), shape: [2, 3] }).outputs['words']!;
  expect(answer.json()).toMatchObject({
    outputs: [{ name: 'words', shape: [2, 3, 2], data: [...data] }],
  });
  expect(answer.json<{ outputs: [] }>().outputs).toHaveLength(1);
  const live = await post(
    app,
    {
      inputs: [{ ...input, shape: [1, 6], data: ids }],
      parameters: { sequence_id: 1, sequence_start: true },
    },
    {},
    url,
  );
  expect(live.statusCode).toBe(400);
  expect(errorOf(live)).toMatch(/tagger runs whole sequences only.*rnn/);
});

test('binary tensors, both ways', async () => {
  const { app, gru } = await serve();
  const x = steps(4);
  const head = JSON.stringify({
    inputs: [
      tensor(x, {
        data: undefined,
        parameters: { binary_data_size: x.byteLength },
      }),
    ],
    outputs: [{ name: 'y', parameters: { binary_data: true } }],
  });
  // Of an odd length: the values behind it are not aligned.
  const json = Buffer.from(head.length % 2 === 0 ? `${head} ` : head);
  const headers = {
    'content-type': 'application/octet-stream',
    'inference-header-content-length': String(json.length),
  };
  const answer = await post(app, Buffer.concat([json, Buffer.from(x.buffer)]), headers);
  expect(answer.statusCode).toBe(200);
  const length = Number(answer.headers['inference-header-content-length']);
  expect(JSON.parse(answer.rawPayload.toString('utf8', 0, length))).toMatchObject({
    outputs: [
      {
        name: 'y',
        shape: [1, 4, HIDDEN],
        parameters: { binary_data_size: 4 * 4 * HIDDEN },
      },
    ],
  });
  const expected = gru.run(x).output.data;
  expect(answer.rawPayload.subarray(length)).toEqual(
    Buffer.from(expected.buffer, expected.byteOffset, expected.byteLength),
  );
});

test('a live sequence over requests', async () => {
  const { app, gru } = await serve();
  const x = steps(3);
  const outputs: number[] = [];
  for (let t = 0; t < 3; t++) {
    const parameters = {
      sequence_id: 'talk',
      sequence_start: t === 0,
      sequence_end: t === 2,
      sequence_step: t,
    };
    const answer = await post(app, {
      inputs: [tensor(x.subarray(t * INPUT, (t + 1) * INPUT))],
      parameters,
    });
    const {
      outputs: [y],
      parameters: said,
    } = answer.json<{ outputs: [{ data: number[] }]; parameters: object }>();
    expect(said).toEqual({ sequence_step: t + 1 });
    outputs.push(...y.data);
  }
  expect(Float32Array.from(outputs)).toEqual(gru.run(x).output.data);
  const late = await post(app, {
    inputs: [tensor(steps(1))],
    parameters: { sequence_id: 'talk' },
  });
  expect(late.statusCode).toBe(404);
  expect(errorOf(late)).toMatch(/no sequence talk: begin it/);
});

test('a conflict says where the sequence is', async () => {
  const { app } = await serve();
  const send = (parameters: object) =>
    post(app, {
      inputs: [tensor(steps(2))],
      parameters: { sequence_id: 9, ...parameters },
    });
  await send({ sequence_start: true });
  const late = await send({ sequence_step: 7 });
  expect([late.statusCode, late.json()]).toEqual([
    409,
    { error: 'sequence 9 is at step 2, the request is for step 7', sequence_step: 2 },
  ]);
});

describe('API keys', () => {
  test.each([
    [{}, 'there is no API key: send authorization: Bearer KEY'],
    [{ authorization: 'Bearer three' }, 'this is no API key: send authorization: Bearer KEY'],
  ])('%j is refused', async (headers, message) => {
    const { app } = await serve({ keys: ['one', 'two'] });
    const response = await post(app, { inputs: [tensor(steps(1))] }, headers);
    expect([response.statusCode, errorOf(response)]).toEqual([401, message]);
  });

  test('are asked for where there are any, but for health', async () => {
    const { app } = await serve({ keys: ['one', 'two'] });
    for (const headers of [
      {},
      { authorization: 'Bearer three' },
      { authorization: 'Basic one' },
      { 'x-api-key': 'three' },
    ]) {
      for (const url of ['/v2/models/gru', '/metrics'])
        expect((await app.inject({ url, headers })).statusCode).toBe(401);
      expect((await post(app, {}, headers)).statusCode).toBe(401);
    }
    expect((await app.inject({ url: '/v2/health/ready' })).statusCode).toBe(200);
    for (const headers of [{ authorization: 'Bearer two' }, { 'x-api-key': 'one' }]) {
      expect((await app.inject({ url: '/v2/models/gru', headers })).statusCode).toBe(200);
    }
  });

  test('keep sequences apart', async () => {
    const { app } = await serve({ keys: ['one', 'two'] });
    const send = (key: string, parameters: object) =>
      post(
        app,
        {
          inputs: [tensor(steps(1))],
          parameters: { sequence_id: 5, ...parameters },
        },
        { 'x-api-key': key },
      );
    expect((await send('one', { sequence_start: true })).statusCode).toBe(200);
    expect((await send('two', {})).statusCode).toBe(404);
    expect((await send('two', { sequence_start: true, sequence_end: true })).statusCode).toBe(200);
    expect((await send('one', { sequence_step: 1 })).statusCode).toBe(200);
  });
});

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const MALFORMED: [string, object | string | Buffer, RegExp, object?][] = [
  ['no body', '', /no JSON/],
  ['no JSON', '{"inputs": [', /no JSON/],
  ['not UTF-8', Buffer.from([0x22, 0xff, 0x22]), /no JSON/],
  ['JSON that nests', `{"inputs": ${nested(50_000 / 2)}}`, /deeper than 16/],
  ['no object', '[1]', /must be a JSON object/],
  ['no inputs', {}, /inputs must be a list/],
  ['an input that is none', { inputs: [7] }, /an input must be an object/],
  ['an input missing', { inputs: [] }, /input x is missing/],
  ['an unknown input', { inputs: [tensor(steps(1), { name: '__proto__' })] }, /no input "__proto__"/],
  ['an input twice', { inputs: [tensor(steps(1)), tensor(steps(1))] }, /twice/],
  ['an unknown output', { inputs: [tensor(steps(1))], outputs: [{ name: 'z' }] }, /no output "z"/],
  ['an output twice', { inputs: [tensor(steps(1))], outputs: [{ name: 'y' }, { name: 'y' }] }, /twice/],
  [
    'classification',
    {
      inputs: [tensor(steps(1))],
      outputs: [{ name: 'y', parameters: { classification: 3 } }],
    },
    /classification/,
  ],
  ['a wrong datatype', { inputs: [tensor(steps(1), { datatype: 'FP64' })] }, /expected datatype FP32, got "FP64"/],
  ['a wrong rank', { inputs: [tensor(steps(1), { shape: [INPUT] })] }, /expected shape \[batch, steps, 3\]/],
  ['a wrong size', { inputs: [tensor(steps(1), { shape: [1, 1, 4] })] }, /expected shape/],
  ['a negative shape', { inputs: [tensor(steps(1), { shape: [1, -1, INPUT] })] }, /expected shape/],
  ['a huge shape', { inputs: [tensor(steps(1), { shape: [2 ** 20, 2 ** 30, INPUT] })] }, /values, but data has 3/],
  ['a shape of words', { inputs: [tensor(steps(1), { shape: ['1', 1, INPUT] })] }, /expected shape/],
  ['data of words', { inputs: [tensor(steps(1), { data: [1, '2', 3] })] }, /value 1 is "2"/],
  ['data that is none', { inputs: [tensor(steps(1), { data: 'abc' })] }, /must be a list of numbers/],
  [
    'a compressed body',
    gzipSync(JSON.stringify({ inputs: [tensor(steps(1))] })),
    /content-encoding "gzip": send it as it is/,
    { 'content-encoding': 'gzip' },
  ],
  ['too few values', { inputs: [tensor(steps(1), { data: [1] })] }, /but data has 1/],
  ['a number beyond FP32', { inputs: [tensor([1e39, 0, 0])] }, /value 0 is 1e\+39, no FP32/],
  ['an id that is none', { id: 7, inputs: [tensor(steps(1))] }, /id must be a string/],
  ['a long id', { id: 'a'.repeat(257), inputs: [tensor(steps(1))] }, /more than 256/],
  ['parameters that are none', { inputs: [tensor(steps(1))], parameters: [] }, /parameters must be an object/],
  ['a wrong sequence id', { inputs: [tensor(steps(1))], parameters: { sequence_id: 1.5 } }, /sequence_id/],
  [
    'a long sequence id',
    {
      inputs: [tensor(steps(1))],
      parameters: { sequence_id: 'a'.repeat(257) },
    },
    /more than 256/,
  ],
  [
    'a wrong flag',
    {
      inputs: [tensor(steps(1))],
      parameters: { sequence_id: 1, sequence_start: 1 },
    },
    /true or false/,
  ],
  [
    'a snapshot where there is no store',
    {
      inputs: [tensor(steps(1))],
      parameters: { sequence_id: 1, sequence_start: true, sequence_snapshot: true },
    },
    /no store of states \(gru serve --state\)/,
  ],
  [
    'a snapshot of no sequence',
    { inputs: [tensor(steps(1))], parameters: { sequence_snapshot: true } },
    /give its sequence_id/,
  ],
  [
    'a wrong step',
    {
      inputs: [tensor(steps(1))],
      parameters: { sequence_id: 1, sequence_step: -1 },
    },
    /sequence_step/,
  ],
  ['a flag without a sequence', { inputs: [tensor(steps(1))], parameters: { sequence_start: true } }, /sequence_id/],
  [
    'a batch in a sequence',
    {
      inputs: [tensor(steps(2), { shape: [2, 1, INPUT] })],
      parameters: { sequence_id: 1, sequence_start: true },
    },
    /batch 1/,
  ],
  [
    'no step in a sequence',
    {
      inputs: [tensor([])],
      parameters: { sequence_id: 1, sequence_start: true },
    },
    /at least one step/,
  ],
  ['a JSON length that lies', { inputs: [] }, /is 99999, but/, { 'inference-header-content-length': '99999' }],
  ['a JSON length that is none', { inputs: [] }, /whole number/, { 'inference-header-content-length': '-1' }],
  [
    'a binary size that lies',
    {
      inputs: [
        tensor(steps(1), {
          data: undefined,
          parameters: { binary_data_size: 12 },
        }),
      ],
    },
    /does not fit/,
  ],
  [
    'a binary size that is none',
    {
      inputs: [
        tensor(steps(1), {
          data: undefined,
          parameters: { binary_data_size: 1e300 },
        }),
      ],
    },
    /does not fit/,
  ],
  [
    'bytes behind the tensors',
    Buffer.from('{"inputs":[]}1234'),
    /4 bytes behind/,
    { 'inference-header-content-length': '13' },
  ],
];

describe('what is malformed is refused, by name, and the server goes on', () => {
  let app: FastifyInstance;
  let close: () => Promise<void>;
  beforeAll(async () => {
    ({ app, close } = await serve());
    closing.pop();
  });
  afterAll(() => close());

  test.each(MALFORMED)('%s', async (_, payload, message, headers = {}) => {
    const response = await post(app, payload, {
      'content-type': 'application/json',
      ...headers,
    });
    expect(response.statusCode).toBe(400);
    expect(errorOf(response)).toMatch(message);
    expect((await post(app, { inputs: [tensor(steps(1))] })).statusCode).toBe(200);
  });

  test('ids outside of the vocabulary, and outside of 32 bits', async () => {
    for (const id of [7, -1, 2 ** 40, 0.5]) {
      const input = {
        name: 'ids',
        datatype: 'INT64',
        shape: [1, 1],
        data: [id],
      };
      expect((await post(app, { inputs: [input] }, {}, '/v2/models/tagger/infer')).statusCode).toBe(400);
    }
  });

  test('a body that is too large', async () => {
    expect((await post(app, Buffer.alloc(2 ** 16 + 1))).statusCode).toBe(413);
  });

  test('a path that is none', async () => {
    for (const url of ['/', '/v2/models/..%2f..%2fetc', '/v2/models/%ff', `/v2/models/${'a'.repeat(1000)}`]) {
      const response = await app.inject({ url });
      expect([400, 404, 414]).toContain(response.statusCode);
      expect(Object.keys(response.json<object>()), url).toEqual(['error']);
    }
  });
});

describe('clients that take more than their share', () => {
  test('a flood of sequences is bounded, and what is there goes on', async () => {
    const { app, service } = await serve({
      maxSequences: 20,
      maxSequencesOfKey: 10,
      keys: ['one', 'two', 'three'],
    });
    const begin = (key: string, id: number) =>
      post(
        app,
        {
          inputs: [tensor(steps(1))],
          parameters: { sequence_id: id, sequence_start: id <= 15 },
        },
        { 'x-api-key': key },
      );
    const counts: Record<number, number> = {};
    for (const key of ['one', 'two', 'three']) {
      for (let id = 1; id <= 15; id++) {
        const { statusCode, headers } = await begin(key, id);
        counts[statusCode] = (counts[statusCode] ?? 0) + 1;
        if (statusCode !== 200) expect(headers['retry-after']).toBe('1');
      }
    }
    expect(counts).toEqual({ 200: 20, 429: 10, 503: 15 });
    expect([...service.load()][0]!.live).toBe(20);
  });

  test('memory for states bounds sequences', async () => {
    const { app } = await serve({ maxStateBytes: 2 * 4 * HIDDEN });
    const begin = async (id: number) =>
      (
        await post(app, {
          inputs: [tensor(steps(1))],
          parameters: { sequence_id: id, sequence_start: true },
        })
      ).statusCode;
    expect([await begin(1), await begin(2), await begin(3)]).toEqual([200, 200, 503]);
  });

  test('a client that sends slowly is cut off', async () => {
    const { app } = await serve({ requestTimeout: 200 });
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as { port: number };
    const socket = connect(port, '127.0.0.1');
    socket.write('POST /v2/models/gru/infer HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n{');
    let text = '';
    socket.on('data', (piece) => (text += String(piece)));
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1.1 408/);
  });

  test.each(['content-length: 65536', 'transfer-encoding: chunked'])(
    'bodies on their way, %s, are bounded together',
    async (sent) => {
      const { app } = await serve({ maxBodies: 2 ** 17 });
      await app.listen({ host: '127.0.0.1', port: 0 });
      const { port } = app.server.address() as { port: number };
      const sockets = [0, 1].map(() => connect(port, '127.0.0.1'));
      for (const socket of sockets) {
        socket.write(`POST /v2/models/gru/infer HTTP/1.1\r\nhost: 127.0.0.1\r\n${sent}\r\n\r\n`);
        await once(app.server, 'request');
      }
      const ask = () => post(app, { inputs: [tensor(steps(2))] });
      const refused = await ask();
      expect(refused.statusCode).toBe(503);
      expect(refused.headers['retry-after']).toBe('1');
      expect(errorOf(refused)).toMatch('--max-bodies is 131072');
      for (const socket of sockets) socket.destroy();
      await vi.waitFor(async () => {
        expect((await ask()).statusCode).toBe(200);
      });
      // What is answered makes room for what follows.
      for (let i = 0; i < 500; i++) expect((await ask()).statusCode).toBe(200);
    },
  );

  test('what is no HTTP is answered and closed', async () => {
    const { app } = await serve();
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as { port: number };
    for (const bytes of [
      'hello\r\n\r\n',
      'GET / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
      `GET / HTTP/1.1\r\na: ${'b'.repeat(20_000)}\r\n\r\n`,
    ]) {
      const socket = connect(port, '127.0.0.1');
      socket.write(bytes);
      let text = '';
      socket.on('data', (piece) => (text += String(piece)));
      await once(socket, 'close');
      expect(text).toMatch(/^HTTP\/1.1 4(00|31)/);
    }
  });
});

test('a body of very many small values is refused before it is parsed', async () => {
  const { app } = await serve({ maxBody: 2 ** 22 });
  for (const one of ['{}', '[]']) {
    const response = await post(app, `{"inputs":[${Array.from({ length: 500_000 }, () => one).join(',')}]}`);
    expect(response.statusCode).toBe(400);
    expect(errorOf(response)).toMatch(/more than 500000 objects and lists/);
  }
});

test.each(['/v2/models/gru/infer', '/v2/repository/index'])('without a key no body is waited for: %s', async (url) => {
  const { app } = await serve({ keys: ['one'] });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const socket = connect((app.server.address() as { port: number }).port, '127.0.0.1');
  closing.unshift(() => Promise.resolve(socket.destroy()));
  socket.write(`POST ${url} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n{`);
  expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1.1 401 /);
}, 5000); // prettier-ignore
