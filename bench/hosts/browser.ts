import { build } from 'esbuild';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import puppeteer, { type Browser } from 'puppeteer-core';
import sirv from 'sirv';
import type { Reply } from '../session.ts';
import type { Host } from './host.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Isolation gives pages their finest clock. */
const ISOLATED = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
const IMPORTS = {
  'gru-wasm': '/dist/index.js',
  'onnxruntime-web': '/bench/node_modules/onnxruntime-web/dist/ort.wasm.min.mjs',
};

async function script(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('page.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    external: ['node:*', 'onnxruntime-node', ...Object.keys(IMPORTS)],
    write: false,
  });
  return outputFiles[0]!.text;
}

/** Serves the repository and one page on 127.0.0.1. */
async function serve() {
  const page = `<!doctype html><title>gru-wasm bench</title><link rel="icon" href="data:,">
    <script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>
    <script type="module">${await script()}</script>`;
  const files = sirv(ROOT, { dev: true });
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(ISOLATED)) response.setHeader(name, value);
    if (request.url === '/') response.setHeader('content-type', 'text/html; charset=utf-8').end(page);
    else files(request, response, () => void response.writeHead(404).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

const QUIET = ['--disable-background-networking', '--disable-component-update', '--disable-sync'];
/** A page waits for its turn behind others: it must not be slowed down for that. */
const AWAKE = [
  '--disable-background-timer-throttling',
  '--disable-renderer-backgrounding',
  '--disable-backgrounding-occluded-windows',
];

/** Engines in pages of a headless browser, one page an engine. */
export async function browserHost(name: string, executablePath: string): Promise<Host> {
  const { server, url } = await serve();
  let browser: Browser;
  try {
    browser = await puppeteer.launch({
      browser: name === 'firefox' ? 'firefox' : 'chrome',
      executablePath,
      headless: true,
      protocolTimeout: 600_000,
      args: name === 'firefox' ? [] : [...QUIET, ...AWAKE, ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])],
    });
  } catch (error) {
    server.close();
    throw error;
  }
  return {
    kind: 'page',
    title: await browser.version(),
    slug: name,
    async seat(engineName) {
      const context = await browser.createBrowserContext();
      const page = await context.newPage();
      await page.goto(url);
      await page.waitForFunction('globalThis.ask');
      return {
        async ask(command, order) {
          try {
            const text = await page.evaluate(
              `ask(${[engineName, command, order].map((a) => JSON.stringify(a)).join(', ')})`,
            );
            return JSON.parse(text as string, revive) as Reply<never>;
          } catch (error) {
            return { error: `the page failed: ${error instanceof Error ? error.message : String(error)}` };
          }
        },
        close: () => context.close(),
      };
    },
    async close() {
      await browser.close();
      server.close();
    },
  };
}

function revive(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('base64' in value)) return value;
  const bytes = Buffer.from(value.base64 as string, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
