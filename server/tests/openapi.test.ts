import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveModel } from '../src/core/model.ts';
import { readServeOptions, type ServeOptions } from '../src/options.ts';
import { type RunningServer, startServer } from '../src/serve.ts';
import { gruModel, taggerModel } from './models.ts';

let folder: string;
let server: RunningServer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gru-openapi-'));
  await writeFile(join(folder, 'gru.safetensors'), (await gruModel()).save());
  await writeFile(join(folder, 'tagger.safetensors'), (await taggerModel()).save());
  const models = [join(folder, 'gru.safetensors'), join(folder, 'tagger.safetensors')];
  const options = readServeOptions(
    [...models, '--port', '0', '--no-grpc', '--log-level', 'silent'],
    {},
  ) as ServeOptions;
  server = await startServer(options);
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

interface Operation {
  requestBody?: {
    content: Record<string, { schema: { required: string[] }; examples: Record<string, { value: object }> }>;
  };
  responses: Record<string, { description: string }>;
}
interface Description {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
}

test('the description has each route, with what it takes and answers', async () => {
  const response = await fetch(`${server.http}/openapi.json`);
  const { openapi, paths } = (await response.json()) as Description;
  expect(openapi).toMatch(/^3\./);
  expect(Object.keys(paths).sort()).toEqual([
    '/metrics',
    '/v2',
    '/v2/health/live',
    '/v2/health/ready',
    '/v2/models/{model}',
    '/v2/models/{model}/infer',
    '/v2/models/{model}/ready',
    '/v2/models/{model}/versions/{version}',
    '/v2/models/{model}/versions/{version}/infer',
    '/v2/models/{model}/versions/{version}/ready',
    '/v2/repository/index',
  ]);
  const { requestBody, responses } = paths['/v2/models/{model}/infer']!['post']!;
  expect(requestBody!.content['application/json']!.schema.required).toEqual(['inputs']);
  expect(Object.keys(responses)).toEqual(['200', '400', '401', '403', '404', '409', '413', '421', '429', '503', '504']);
});

test('the examples of the description are answered', async () => {
  const description = (await (await fetch(`${server.http}/openapi.json`)).json()) as Description;
  const { examples } =
    description.paths['/v2/models/{model}/infer']!['post']!.requestBody!.content['application/json']!;
  const statuses = await Promise.all(
    Object.values(examples).flatMap(({ value }) =>
      ['gru', 'tagger'].map(async (model) => {
        const url = `${server.http}/v2/models/${model}/infer`;
        return (await fetch(url, { method: 'POST', body: JSON.stringify(value) })).status;
      }),
    ),
  );
  // Two of each model, and each is an example for that model alone.
  expect(statuses.sort()).toEqual([200, 200, 200, 200, 400, 400, 400, 400]);
});

test('what is described is not cut: an answer keeps fields that no schema names', async () => {
  const response = await fetch(`${server.http}/v2/models/none`);
  expect(response.status).toBe(404);
  expect(await response.json()).toHaveProperty('error');
});

/** Of a Python that has schemathesis: `GRU_PYTHON`, or the machine's own. */
const python = process.env['GRU_PYTHON'] ?? 'python3';
const hasSchemathesis = spawnSync(python, ['-c', 'import schemathesis']).status === 0;

/** It asks some thousands of times. */
const LONG = { timeout: 1_800_000 };

/** What the hooks make valid requests of. */
async function described() {
  const models = await Promise.all([gruModel(), taggerModel()]);
  const of = ({ inputs, outputs }: ReturnType<typeof serveModel>) => ({
    inputs,
    outputs: outputs.map(({ name }) => name),
  });
  return { gru: of(serveModel('gru', models[0])), tagger: of(serveModel('tagger', models[1])) };
}

test.skipIf(!hasSchemathesis)('schemathesis finds no 5xx, and no answer that is not described', LONG, async () => {
  const checks = 'not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance';
  const args = ['-m', 'schemathesis.cli', 'run', `${server.http}/openapi.json`, '--checks', checks];
  const counts = join(folder, 'counts.json');
  const child = spawn(python, [...args, '--seed', '1', '--max-examples', '50', '--no-color'], {
    stdio: 'pipe',
    cwd: folder,
    env: {
      ...process.env,
      PYTHONPATH: new URL('clients', import.meta.url).pathname,
      SCHEMATHESIS_HOOKS: 'schemathesis_hooks',
      GRU_MODELS: JSON.stringify(await described()),
      GRU_COUNTS: counts,
    },
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (text += String(piece)));
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect(code, text.slice(-6000)).toBe(0);
  const { 200: answered = 0, ...refused } = JSON.parse(await readFile(counts, 'utf8')) as Record<number, number>;
  const others = Object.values(refused).reduce((sum, count) => sum + count, 0);
  expect(answered, JSON.stringify(refused)).toBeGreaterThan(others);
});
