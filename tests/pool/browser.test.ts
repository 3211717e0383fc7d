import { createReadStream, existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { browserPath } from '../../scripts/browsers.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const DYING = `
  import '/dist/pool-worker.js';
  let jobs = 0;
  addEventListener('message', ({ data }) => { if ('job' in data && ++jobs === 2) self.close(); });`;

/** Without COOP and COEP: the page is not isolated and has no SharedArrayBuffer. */
const server: Server = createServer((request, response) => {
  const path = new URL(request.url ?? '/', 'http://localhost').pathname;
  const file = join(ROOT, path);
  const type = extname(path) === '.js' ? 'text/javascript' : 'text/html';
  response.setHeader('content-type', type);
  if (path === '/') response.end('<!doctype html><link rel="icon" href="data:,">');
  else if (path === '/dying.js') response.end(DYING);
  else if (/^\/dist\/[\w./-]+\.js$/.test(path) && !path.includes('..') && existsSync(file)) {
    createReadStream(file).pipe(response);
  } else response.writeHead(404).end();
});

let browser: Browser;
let page: Page;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  browser = await puppeteer.launch({
    executablePath: await browserPath('chromium'),
    args: ['--no-sandbox'],
  });
  page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}, 120_000);
afterAll(async () => {
  await (browser as Browser | undefined)?.close();
  server.close();
});

/** Runs in the page: 12 calls, each compared with `model.run`. */
const inPage = (createWorker: string) => `(async () => {
  const { createGru } = await import('/dist/index.js');
  const { createPool } = await import('/dist/pool.js');
  const numbers = (length, seed) => Float32Array.from({ length }, (_, i) => Math.sin(i * seed));
  const model = await createGru(
    { inputSize: 16, hiddenSize: 64, resetAfter: true },
    { kernel: numbers(16 * 192, 1.3), recurrentKernel: numbers(64 * 192, 1.7) },
  );
  let workers = 0;
  const pool = await createPool(model, { workers: 2, maxQueue: 2${createWorker} });
  const calls = [];
  for (let i = 0; i < 12; i++) {
    await pool.ready;
    const input = Array.from({ length: 20 }, (_, b) => numbers(16 * (30 + ((b * 7) % 40)), i + b + 1));
    calls.push(pool.run(input).then(({ output }) => {
      const expected = model.run(input).output.data;
      return output.data.length === expected.length && output.data.every((v, j) => Object.is(v, expected[j]));
    }));
  }
  const equal = await Promise.all(calls);
  await pool.close();
  return { equal, workers, isolated: crossOriginIsolated, shared: typeof SharedArrayBuffer };
})()`;

test('Web Workers without shared memory: the results of model.run', async () => {
  const result = await page.evaluate(inPage(''));
  expect(result).toMatchObject({ equal: Array<boolean>(12).fill(true), isolated: false, shared: 'undefined' });
}, 60_000);

test('a Web Worker that closes itself is replaced, and its work done again', async () => {
  const createWorker = `, createWorker: () =>
    new Worker(++workers === 1 ? '/dying.js' : '/dist/pool-worker.js', { type: 'module' })`;
  const result = await page.evaluate(inPage(createWorker));
  expect(result).toMatchObject({ equal: Array<boolean>(12).fill(true), workers: 3 });
}, 60_000);

test('a script that is not there: createPool rejects', async () => {
  const createWorker = `, createWorker: () => new Worker('/nowhere.js', { type: 'module' })`;
  const code = await page.evaluate(`${inPage(createWorker)}.catch((error) => error.code)`);
  expect(code).toBe('worker_lost');
}, 60_000);
