import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { rmSync, writeFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { SequenceStore } from '../src/core/store.ts';
import { readServeOptions } from '../src/options.ts';
import { startServer } from '../src/serve.ts';
import { Tracing } from '../src/tracing.ts';
import { gruModel, INPUT } from './models.ts';

interface Sent {
  name: string;
  traceId: string;
  parentSpanId?: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status: { code: number };
  attributes: { key: string; value: object }[];
}

interface Body {
  resourceSpans: { resource: { attributes: object[] }; scopeSpans: { spans: Sent[] }[] }[];
}

/** What an OTLP receiver got. */
const bodies: Body[] = [];
const receiver = createServer((request, response) => {
  let text = '';
  request.on('data', (part) => (text += String(part)));
  request.on('end', () => {
    if (request.url === '/v1/traces') bodies.push(JSON.parse(text) as Body);
    response.setHeader('content-type', 'application/json').end('{}');
  });
});
const spans = () =>
  bodies.flatMap((body) => body.resourceSpans.flatMap((one) => one.scopeSpans.flatMap((s) => s.spans)));
const of = (name: string) => spans().filter((span) => span.name === name);
const told = ({ attributes }: Sent) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

const folder = mkdtempSync(join(tmpdir(), 'gru-tracing-'));
beforeAll(async () => {
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  writeFileSync(join(folder, 'gru.safetensors'), (await gruModel()).save());
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`);
  vi.stubEnv('OTEL_SERVICE_NAME', 'scorer');
});
afterEach(() => {
  bodies.length = 0;
});
afterAll(() => {
  vi.unstubAllEnvs();
  receiver.close();
  rmSync(folder, { recursive: true });
});

async function serveOne(...words: string[]) {
  const args = [join(folder, 'gru.safetensors'), '--port', '0', '--no-grpc', '--log-level', 'silent', ...words];
  const server = await startServer(readServeOptions(args) as Exclude<ReturnType<typeof readServeOptions>, 'help'>);
  const infer = (model: string, headers = {}) =>
    fetch(`${server.http}/v2/models/${model}/infer`, {
      method: 'POST',
      headers,
      body: JSON.stringify({
        parameters: { sequence_id: 'a', sequence_start: true },
        inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 1, INPUT], data: Array.from({ length: INPUT }, () => 0.5) }],
      }),
    });
  return { server, infer };
}

test('a span a request, under that of its caller, and one a batch', async () => {
  const { server, infer } = await serveOne('--otel');
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  expect((await infer('gru', { traceparent: `00-${traceId}-b7ad6b7169203331-01` })).status).toBe(200);
  expect((await infer('gru', { traceparent: 'nonsense' })).status).toBe(200);
  await server.close();
  const [first, second] = of('infer');
  expect(first).toMatchObject({ traceId, parentSpanId: 'b7ad6b7169203331' });
  expect(second!.parentSpanId).toBeUndefined();
  for (const span of [first!, second!]) expect(told(span)).toEqual({ 'gru.model': 'gru', 'gru.outcome': 'ok' });
  expect(BigInt(first!.endTimeUnixNano)).toBeGreaterThan(BigInt(first!.startTimeUnixNano));
  expect(of('batch').map(told)).toEqual(
    Array.from({ length: 2 }, () => ({ 'gru.model': 'gru', 'gru.batch.kind': 'step', 'gru.batch.size': 1 })),
  );
  expect(bodies[0]!.resourceSpans[0]!.resource.attributes).toContainEqual({
    key: 'service.name',
    value: { stringValue: 'scorer' },
  });
});

test('without --otel nothing is sent, nor where the sampler says so', async () => {
  for (const [sampler, words] of [
    ['always_on', []],
    ['always_off', ['--otel']],
  ] as const) {
    vi.stubEnv('OTEL_TRACES_SAMPLER', sampler);
    const { server, infer } = await serveOne(...words);
    expect((await infer('gru')).status).toBe(200);
    await server.close();
  }
  vi.stubEnv('OTEL_TRACES_SAMPLER', undefined);
  expect(spans()).toEqual([]);
});

test('reads and writes of states, and what failed', async () => {
  const tracing = await Tracing.start(() => undefined);
  const store: SequenceStore = {
    load: (ids) => Promise.resolve(ids.map(() => undefined)),
    save: () => Promise.reject(new Error('away')),
    close: () => Promise.resolve(),
  };
  const traced = tracing.store('gru', store);
  await traced.load(['a', 'b', 'c']);
  const write = { id: 'a', sequence: { step: 1, state: new Uint8Array(4), last: undefined }, replaces: undefined };
  await expect(traced.save([write, write])).rejects.toThrow('away');
  for (const outcome of ['internal', 'bad_request']) tracing.request('gru', outcome, 5);
  await tracing.close();
  expect(of('read states').map((span) => [told(span), span.status.code])).toEqual([
    [{ 'gru.model': 'gru', 'gru.states': 3 }, 0],
  ]);
  expect(of('write states').map((span) => [told(span), span.status.code])).toEqual([
    [{ 'gru.model': 'gru', 'gru.states': 2 }, 2],
  ]);
  expect(of('infer').map(({ status }) => status.code)).toEqual([2, 0]);
});

test.each([
  ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc', /http\/json, got grpc/],
  ['OTEL_TRACES_SAMPLER', 'jaeger_remote', /jaeger_remote is not known/],
  ['OTEL_TRACES_SAMPLER_ARG', '2', /from 0 to 1, got 2/],
])('%s=%s is refused', async (name, value, message) => {
  await expect(Tracing.start(() => undefined, { [name]: value })).rejects.toThrow(message);
});

test('nobody takes the spans: the server ends all the same, and says that they are lost', async () => {
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', 'http://127.0.0.1:1');
  const said: string[] = [];
  const tracing = await Tracing.start((text) => said.push(text));
  tracing.batch('gru', 'step', 1, 1);
  await tracing.close();
  expect(said.at(-1)).toMatch(/the last spans are lost/);
});
