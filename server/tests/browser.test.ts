import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer, { type Browser } from 'puppeteer-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readServeOptions, type ServeOptions } from '../src/options.ts';
import { type RunningServer, startServer } from '../src/serve.ts';
import { gruModel, HIDDEN, steps } from './models.ts';

/** Installed by `npm test` of the repository, where it may. */
const names = ['chromium', 'chromium-browser', 'google-chrome'];
const found = spawnSync('sh', ['-c', names.map((name) => `command -v ${name}`).join(' || ')], { encoding: 'utf8' });
const chromium = found.stdout.trim() || undefined;
const KEY = 'a-key-of-the-page';

let folder: string;
let server: RunningServer;
let browser: Browser;
beforeAll(async () => {
  if (chromium === undefined) return;
  folder = await mkdtemp(join(tmpdir(), 'gru-browser-'));
  await writeFile(join(folder, 'gru.safetensors'), (await gruModel()).save());
  const words = [join(folder, 'gru.safetensors'), '--port', '0', '--no-grpc', '--log-level', 'silent'];
  server = await startServer(readServeOptions(words, { GRU_API_KEYS: KEY }) as ServeOptions);
  const args = ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  browser = await puppeteer.launch({ browser: 'chrome', executablePath: chromium, args });
});
afterAll(async () => {
  if (chromium === undefined) return;
  await browser.close();
  await server.close();
  await rm(folder, { recursive: true });
});

/** As text: these are types of a page, not of Node. */
const PAGE = `(url, key, frames) => new Promise((resolve) => {
  const socket = new WebSocket(url, ['gru-wasm', 'key.' + key]);
  socket.binaryType = 'arraybuffer';
  const answers = [];
  socket.onopen = () => frames.forEach((frame) => socket.send(new Float32Array(frame)));
  socket.onmessage = ({ data }) => {
    answers.push([...new Float32Array(data)]);
    if (answers.length === frames.length) resolve(answers);
  };
  socket.onerror = () => resolve(null);
})`;

/** In a page: sends frames over a WebSocket, and gives the answers; null where it does not open. */
async function stream(from: string, to: string, key: string, frames: number[][]): Promise<number[][] | null> {
  const page = await browser.newPage();
  await page.goto(from);
  const given = [to, key, frames].map((value) => JSON.stringify(value)).join(', ');
  const answers = (await page.evaluate(`(${PAGE})(${given})`)) as number[][] | null;
  await page.close();
  return answers;
}

test.skipIf(chromium === undefined)(
  'a page of the server streams, one of another origin and one without a key do not',
  async () => {
    const model = await gruModel();
    const x = steps(4);
    const frames = [0, 1, 2, 3].map((t) => [...x.subarray(t * 3, (t + 1) * 3)]);
    const own = `${server.http}/v2`;
    const url = `${server.http.replace('http', 'ws')}/v2/models/gru/stream`;
    const answers = await stream(own, url, KEY, frames);
    expect(answers).toHaveLength(4);
    expect(Float32Array.from(answers!.flat())).toEqual(model.run(x).output.data);
    expect(answers![0]).toHaveLength(HIDDEN);
    expect(await stream(own, url, 'another', frames)).toBeNull();
    // The same machine under another name is another origin.
    const other = own.replace('127.0.0.1', 'localhost');
    expect(await stream(other, url, KEY, frames)).toBeNull();
  },
);
