import { spawn } from 'node:child_process';
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
import { bin } from './bin.ts';
import { gruModel, INPUT } from './models.ts';
import { hasRedis, startRedis } from './redis.ts';

interface Sent {
  name: string;
  traceId: string;
  spanId: string;
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
const told = ({ attributes }: Sent): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0] as unknown]));

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
  const write = { key: 'a', version: undefined, step: 1, ended: false, last: undefined };
  await expect(traced.save([write, write], new Float32Array(8))).rejects.toThrow('away');
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

/** Rows of one step each, some shards of them; the last one may be none. */
function rowsFile(name: string, bad: boolean) {
  const rows = Array.from({ length: 30 }, (_, id) =>
    JSON.stringify({ id, x: [id / 8, 0.5, ...(bad && id === 29 ? [] : [1])] }),
  );
  writeFileSync(join(folder, name), rows.join('\n'));
  return join(folder, name);
}

const scoreWords = (input: string, output: string, ...more: string[]) => [
  ...[join(folder, 'gru.safetensors'), '--input', input, '--output', join(folder, output), '--shard-bytes', '200'],
  ...more,
];

/** A command of what has been built, as threads need it, to its end. */
async function command(...words: string[]) {
  const [code] = (await once(spawn(process.execPath, [bin, ...words], { stdio: 'ignore' }), 'exit')) as [number];
  return code;
}

test('a span a file that is scored, and one a shard under it', async () => {
  const input = rowsFile('rows.ndjson', false);
  expect(await command('score', ...scoreWords(input, 'out.ndjson', '--otel'))).toBe(0);
  const [run] = of('score');
  const shards = of('shard');
  expect(told(run!)).toMatchObject({ 'gru.shards': shards.length });
  expect(shards.length).toBeGreaterThan(2);
  expect(shards.map((span) => told(span)['gru.shard'])).toEqual(expect.arrayContaining([...shards.keys()]));
  for (const { traceId, parentSpanId } of shards) expect([traceId, parentSpanId]).toEqual([run!.traceId, run!.spanId]);
  bodies.length = 0;
  expect(
    await command('score', ...scoreWords(rowsFile('bad.ndjson', true), 'bad-out.ndjson', '--otel', '--threads', '1')),
  ).toBe(5);
  expect(of('score').map(({ status }) => status.code)).toEqual([2]);
  expect(of('shard').filter(({ status }) => status.code === 2)).toHaveLength(1);
  bodies.length = 0;
  expect(await command('score', ...scoreWords(input, 'again.ndjson'))).toBe(0);
  expect(spans()).toEqual([]);
});

test.skipIf(!hasRedis)('shards of workers are under the span of the run that put them in', async () => {
  const redis = await startRedis();
  const worker = spawn(process.execPath, [bin, 'worker', '--queue', redis.url, '--otel'], { stdio: 'ignore' });
  const words = scoreWords(rowsFile('queued.ndjson', false), 'queued-out.ndjson', '--otel', '--queue', redis.url);
  expect(await command('score', ...words)).toBe(0);
  worker.kill('SIGTERM');
  await once(worker, 'exit');
  await redis.stop();
  const [run] = of('score');
  expect(of('shard')).toHaveLength(Number(told(run!)['gru.shards']));
  for (const { parentSpanId } of of('shard')) expect(parentSpanId).toBe(run!.spanId);
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
