import { build, type Plugin } from 'esbuild';
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import puppeteer, { type Browser, type CDPSession, type Page } from 'puppeteer-core';
import { browserPath } from '../../scripts/browsers.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SERVED = /^\/(dist|examples)\/[\w./-]+$/;
const TYPES: Record<string, string> = { '.js': 'text/javascript', '.html': 'text/html', '.wasm': 'application/wasm' };

/** Chromium's microphone hears a recording, again and again, and may be asked without a dialog. */
const MICROPHONE = [
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
  `--use-file-for-fake-audio-capture=${join(ROOT, 'examples/keywords/sample.wav')}`,
];

/** The pages' scripts import the sources for their types; in the browser they get the built package. */
const builtPackage: Plugin = {
  name: 'built-package',
  setup(build) {
    build.onResolve({ filter: /\/ts\/\w+\.ts$/ }, ({ path }) => ({
      path: path.replace(/^.*\/ts\/(\w+)\.ts$/, '/dist/$1.js'),
      external: true,
    }));
  },
};

/** A script of this folder, for a browser. */
async function script(name: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(name, import.meta.url))],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    plugins: [builtPackage],
    write: false,
  });
  return outputFiles[0]!.text;
}

/** Serves the built package, the examples and this folder's scripts on 127.0.0.1; to other hosts' pages nothing. */
async function serve(): Promise<{ server: Server; url: string }> {
  const made: Record<string, [type: string, text: string]> = {
    '/': ['text/html', '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>'],
    '/page.js': ['text/javascript', await script('page.ts')],
    '/processor.js': ['text/javascript', await script('processor.ts')],
  };
  const server = createServer((request, response) => {
    // Isolation gives pages their finest clock.
    response.setHeader('cross-origin-opener-policy', 'same-origin');
    response.setHeader('cross-origin-embedder-policy', 'require-corp');
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const own = made[path];
    if (own) {
      response.setHeader('content-type', own[0]).end(own[1]);
      return;
    }
    const file = join(ROOT, path);
    if (!SERVED.test(path) || path.includes('..') || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('content-type', TYPES[extname(path)] ?? 'application/octet-stream');
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

export type BrowserName = 'chromium' | 'firefox';

/** A headless browser at the page `page.ts`. */
export class Visit {
  private readonly browser: Browser;
  private readonly page: Page;
  private opened: Page | undefined;
  private readonly server: Server;

  private constructor(browser: Browser, page: Page, server: Server) {
    this.browser = browser;
    this.page = page;
    this.server = server;
  }

  static async start(name: BrowserName): Promise<Visit> {
    const executablePath = await browserPath(name);
    const { server, url } = await serve();
    const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync'];
    let browser: Browser | undefined;
    const problems: string[] = [];
    try {
      browser = await puppeteer.launch({
        browser: name === 'firefox' ? 'firefox' : 'chrome',
        executablePath,
        headless: true,
        args:
          name === 'firefox' ? [] : [...quiet, ...MICROPHONE, ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])],
      });
      const page = await browser.newPage();
      page.on('pageerror', (error) => problems.push(String(error)));
      page.on('response', (response) => {
        if (!response.ok()) problems.push(`HTTP status ${response.status()} for ${response.url()}`);
      });
      await page.goto(url);
      await page.waitForFunction('globalThis.tasks', { timeout: 100_000 });
      return new Visit(browser, page, server);
    } catch (cause) {
      await browser?.close();
      server.close();
      throw new Error(`the page did not start in ${name}: ${problems.join('; ') || String(cause)}`, { cause });
    }
  }

  /** Calls a function of `page.ts`; what goes in and comes out is JSON (a float32 comes through it unchanged). */
  async call<R>(task: string, ...args: unknown[]): Promise<R> {
    return (await this.page.evaluate(`tasks.${task}(${args.map((arg) => JSON.stringify(arg)).join()})`)) as R;
  }

  /** Chromium: the JavaScript heap of the page's next worklet, in bytes. */
  async workletHeap(): Promise<() => Promise<number>> {
    const page = await this.page.createCDPSession();
    const attached = new Promise<CDPSession>((resolve) => page.once('sessionattached', resolve));
    await page.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: true });
    return async () => {
      const worklet = await attached;
      return (await worklet.send('Runtime.getHeapUsage')).usedSize;
    };
  }

  /** Opens another page of the served ones and waits for `condition`, an expression. @returns Its value. */
  async open<R>(path: string, condition: string): Promise<R> {
    this.opened = await this.browser.newPage();
    await this.opened.goto(new URL(path, this.page.url()).href);
    return this.until(condition);
  }

  /** Clicks on an element of the page opened last. */
  async click(selector: string): Promise<void> {
    await this.opened!.click(selector);
  }

  /** Waits for `condition`, an expression, in the page opened last. @returns Its value. */
  async until<R>(condition: string): Promise<R> {
    const value = await this.opened!.waitForFunction(condition, { timeout: 200_000 });
    return (await value.jsonValue()) as R;
  }

  async version(): Promise<string> {
    return this.browser.version();
  }

  async stop(): Promise<void> {
    await this.browser.close();
    this.server.close();
  }
}
