import { createReadStream, existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { browserPath } from '../../scripts/browsers.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const DYING = `
  import '/dist/pool-worker.js';
  let jobs = 0;
  addEventListener('message', ({ data }) => { if ('job' in data && ++jobs === 2) self.close(); });`;

/** A page is isolated, and has SharedArrayBuffer, where its path says so. */
const server: Server = createServer((request, response) => {
  const path = new URL(request.url ?? '/', 'http://localhost').pathname;
  const file = join(ROOT, path);
  const type = extname(path) === '.js' ? 'text/javascript' : 'text/html';
  response.setHeader('content-type', type);
  // A worker of an isolated page needs the second header of its own.
  if (path === '/isolated') response.setHeader('cross-origin-opener-policy', 'same-origin');
  if (path !== '/plain') response.setHeader('cross-origin-embedder-policy', 'require-corp');
  if (path === '/isolated' || path === '/plain') response.end('<!doctype html><link rel="icon" href="data:,">');
  else if (path === '/dying.js') response.end(DYING);
  else if (/^\/dist\/[\w./-]+\.js$/.test(path) && !path.includes('..') && existsSync(file)) {
    createReadStream(file).pipe(response);
  } else response.writeHead(404).end();
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => {
  server.close();
});

/** Runs in the page: 12 calls, each compared with `model.run`; then two more, of which one is aborted. */
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
  const run = async (seed, options) => {
    const input = Array.from({ length: 20 }, (_, b) => numbers(16 * (30 + ((b * 7) % 40)), seed + b + 1));
    const { output } = await pool.run(input, options);
    const expected = model.run(input).output.data;
    return output.data.length === expected.length && output.data.every((v, j) => Object.is(v, expected[j]));
  };
  const calls = [];
  for (let i = 0; i < 12; i++) {
    await pool.ready;
    calls.push(run(i));
  }
  const equal = await Promise.all(calls);
  const abort = new AbortController();
  const [last, aborted] = [run(12), run(13, { signal: abort.signal })];
  abort.abort('enough');
  const settled = [await last, await aborted.catch((reason) => reason)];
  await pool.drain();
  await pool.close();
  return { equal, settled, workers, isolated: crossOriginIsolated, shared: typeof SharedArrayBuffer };
})()`;

describe.each(['chromium', 'firefox'] as const)('%s', (name) => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await puppeteer.launch({
      browser: name === 'firefox' ? 'firefox' : 'chrome',
      executablePath: await browserPath(name),
      args: name === 'firefox' ? [] : ['--no-sandbox'],
    });
  });
  afterAll(async () => {
    await (browser as Browser | undefined)?.close();
  });

  describe.each([
    ['plain', { isolated: false, shared: 'undefined' }],
    ['isolated', { isolated: true, shared: 'function' }],
  ])('a page that is %s', (path, kind) => {
    let page: Page;
    beforeAll(async () => {
      page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`);
    });
    const expected = { equal: Array<boolean>(12).fill(true), settled: [true, 'enough'], ...kind };

    test('Web Workers: the results of model.run', async () => {
      expect(await page.evaluate(inPage(''))).toMatchObject(expected);
    });

    test('a Web Worker that closes itself is replaced, and its work done again', async () => {
      const createWorker = `, createWorker: () =>
        new Worker(++workers === 1 ? '/dying.js' : '/dist/pool-worker.js', { type: 'module' })`;
      expect(await page.evaluate(inPage(createWorker))).toMatchObject({ ...expected, workers: 3 });
    });

    test('a script that is not there: createPool rejects', async () => {
      const createWorker = `, createWorker: () => new Worker('/nowhere.js', { type: 'module' })`;
      expect(await page.evaluate(`${inPage(createWorker)}.catch((error) => error.code)`)).toBe('worker_lost');
    });
  });
});
