import { once } from 'node:events';
import { expect, test } from 'vitest';
import type { ClientOptions } from 'ws';
import { gruModel, INPUT, steps, taggerModel } from './models.ts';
import { floats, MAX_CONNECTIONS, soon, webSockets } from './sockets.ts';

const gru = await gruModel();
const server = webSockets(async () => ({ gru: await gruModel(), tagger: await taggerModel() }));
const open = (path = '/v2/models/gru/stream', options?: ClientOptions, protocols?: string[]) =>
  server.open(path, options, protocols);
const row = (x: Float32Array, t: number) => x.slice(t * INPUT, (t + 1) * INPUT);
const { live } = server;

test('frames in, results out, in order, however many are sent at once; the stream ends with its connection', async () => {
  const { socket, next } = await open();
  const x = steps(100);
  for (let t = 0; t < 90; t++) socket.send(row(x, t));
  socket.send(x.slice(90 * INPUT));
  const answers = await next(91);
  expect(Float32Array.from(answers.flatMap((answer) => [...floats(answer)]))).toEqual(gru.run(x).output.data);
  expect(live()).toBe(1);
  socket.close();
  await soon(() => live() === 0);
});

test('text frames; the key of a page as a subprotocol; an error does not end the stream', async () => {
  const { socket, next } = await open('/v2/models/tagger/stream', { headers: {} }, ['gru-wasm', 'key.two']);
  expect(socket.protocol).toBe('gru-wasm');
  const frame = (data: number[]) =>
    JSON.stringify({
      inputs: [{ name: 'ids', datatype: 'INT32', shape: [1, data.length], data }],
    });
  for (const text of [frame([1]), frame([7]), 'no JSON', frame([2, 3])]) socket.send(text);
  const answers = (await next(4)).map(
    (answer) => JSON.parse(String(answer)) as { error?: string; parameters?: object },
  );
  expect(answers[0]!.parameters).toEqual({ sequence_step: 1 });
  expect(answers[1]!.error).toMatch(/ids are 0 to 6/);
  expect(answers[2]!.error).toMatch(/no JSON/);
  expect(answers[3]!.parameters).toEqual({ sequence_step: 3 });
});

test('a sequence with an id outlives its connection', async () => {
  const x = steps(2);
  const one = await open('/v2/models/gru/stream?sequence_id=a&sequence_start=true');
  one.socket.send(row(x, 0));
  await one.next(1);
  one.socket.close();
  await once(one.socket, 'close');
  const two = await open('/v2/models/gru/stream?sequence_id=a&sequence_step=1');
  two.socket.send(row(x, 1));
  expect(floats((await two.next(1))[0]!)).toEqual(gru.run(x).output.data.slice(5));
});

test.each(['sequence_id', 'sequence_end', 'sequence_step'])('a text frame has no %s of its own', async (name) => {
  const { socket, next } = await open();
  const inputs = [{ name: 'x', shape: [1, 1, INPUT], datatype: 'FP32', data: Array.from(steps(1)) }];
  socket.send(JSON.stringify({ inputs, parameters: { [name]: name === 'sequence_end' ? true : 1 } }));
  socket.send(JSON.stringify({ inputs }));
  const [refused, answered] = await next(2);
  expect(JSON.parse(String(refused))).toMatchObject({
    reason: 'bad_request',
    error: expect.stringContaining(name) as string,
  });
  expect(JSON.parse(String(answered))).toMatchObject({ parameters: { sequence_step: 1 } });
});

test('frames of wrong lengths are refused; those that are too large end the connection', async () => {
  const { socket, next } = await open();
  socket.send(Buffer.alloc(7));
  socket.send(Buffer.alloc(0));
  for (const answer of await next(2)) expect(answer).toMatch(/expected shape|at least one step/);
  socket.send(Buffer.alloc(2 ** 16 + 1));
  expect((await once(socket, 'close'))[0]).toBe(1009);
});

test.each([
  ['no key', '/v2/models/gru/stream', { headers: {} }, 401],
  ['a page of another origin', '/v2/models/gru/stream', { origin: 'https://evil.example' }, 403],
  ['no model', '/v2/models/none/stream', {}, 404],
  ['an address that is none', '//', {}, 404],
  ['an address that is none', '//[', {}, 404],
  ['another path', '/v2/stream', {}, 404],
  ['a wrong step', '/v2/models/gru/stream?sequence_id=a&sequence_step=-1', {}, 400],
  ['an empty step', '/v2/models/gru/stream?sequence_id=a&sequence_step=', {}, 400],
  ['a step in hexadecimal', '/v2/models/gru/stream?sequence_id=a&sequence_step=0x1', {}, 400],
  ['an empty id', '/v2/models/gru/stream?sequence_id=', {}, 400],
  ['a start that is neither', '/v2/models/gru/stream?sequence_id=a&sequence_start=maybe', {}, 400],
])('%s is not let in', async (_, path, options, status) => {
  await expect(open(path, options)).rejects.toThrow(String(status));
});

test('a page of an origin that is allowed is let in', async () => {
  const { socket } = await open('/v2/models/gru/stream', { origin: 'https://app.example' });
  expect(socket.readyState).toBe(socket.OPEN);
});

test('connections are limited', async () => {
  const all = [await open(), await open(), await open()];
  await expect(open()).rejects.toThrow('503');
  all[0]!.socket.close();
  await once(all[0]!.socket, 'close');
  await soon(() => server.connections() < MAX_CONNECTIONS);
  await open();
});

test('a stream that was refused when it began is told to connect again', async () => {
  const full = await open('/v2/models/gru/streams');
  const count = 100;
  const numbers = Uint32Array.from({ length: count }, (_, i) => i + 2 ** 30);
  full.socket.send(
    Buffer.concat([Uint32Array.of(count), numbers, steps(count)].map(({ buffer }) => Buffer.from(buffer))),
  );
  await full.next(1);
  const { socket, next } = await open();
  for (let t = 0; t < 2; t++) socket.send(row(steps(2), t));
  const [first, second] = (await next(2)).map(String);
  expect(first).toMatch(/too_many/);
  expect(second).toMatch(/no sequence of this connection: connect again/);
});
