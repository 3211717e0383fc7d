import { createReadStream, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { browserPath } from '../../scripts/browsers.mjs';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const DIST = at('../dist');
/** Where it is served: the site must not mind. */
const FOLDER = '/some/folder/';
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

function serve(): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://localhost');
    const name = pathname.startsWith(FOLDER) ? pathname.slice(FOLDER.length) : '..';
    const file = [name, `${name}.html`, join(name, 'index.html')]
      .map((path) => join(DIST, path))
      .find((path) => path.startsWith(DIST) && existsSync(path) && statSync(path).isFile());
    if (!file) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream');
    createReadStream(file).pipe(response);
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve({ server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${FOLDER}` });
    });
  });
}

let server: Server;
let url: string;
beforeAll(async () => {
  ({ server, url } = await serve());
});
afterAll(() => void server.close());

/** Every page, by its address below the site. */
const pages = existsSync(DIST)
  ? (JSON.parse(/const FILES = (\[.*\]);/.exec(readFileSync(join(DIST, 'sw.js'), 'utf8'))![1]!) as string[]).filter(
      (name) => name.endsWith('.html') && name !== '404.html',
    )
  : [];

describe.each(['chromium', 'firefox'] as const)('%s', (name) => {
  let browser: Browser;
  let page: Page;
  let downloads: string;
  const problems: string[] = [];

  beforeAll(async () => {
    downloads = mkdtempSync(join(tmpdir(), 'gru-wasm-site-'));
    browser = await puppeteer.launch({
      browser: name === 'firefox' ? 'firefox' : 'chrome',
      executablePath: await browserPath(name),
      headless: true,
      args: name === 'firefox' ? [] : ['--disable-background-networking', '--disable-sync', '--no-sandbox'],
    });
    page = await browser.newPage();
    page.setDefaultTimeout(120_000);
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('response', (response) => {
      if (response.status() >= 400) problems.push(`HTTP status ${response.status()} for ${response.url()}`);
    });
  });
  afterAll(async () => {
    await browser.close();
    rmSync(downloads, { recursive: true });
    // What the last test asks for, and is refused.
    expect(problems.filter((problem) => !problem.includes('127.0.0.1:9/'))).toEqual([]);
  });

  const open = (path: string) => page.goto(url + path, { waitUntil: 'load' });
  const text = (selector: string) => page.$eval(selector, (element) => element.textContent);
  const waitForText = (selector: string, part: string) =>
    page.waitForFunction((s, p) => document.querySelector(s)?.textContent.includes(p), {}, selector, part);
  async function drop(...files: string[]): Promise<void> {
    const input = await page.waitForSelector('input[name=model]');
    await (input as unknown as { uploadFile: (...paths: string[]) => Promise<void> }).uploadFile(...files.map(at));
  }
  const setRange = (selector: string, value: string) =>
    page.$eval(
      selector,
      (element, next) => {
        (element as HTMLInputElement).value = next;
        element.dispatchEvent(new Event('input', { bubbles: true }));
      },
      value,
    );

  test('pages lead to each other in whatever folder they lie', async () => {
    await open('');
    await page.waitForSelector('.VPHero');
    await page.click('a.VPButton[href*="how-a-gru"]');
    await page.waitForSelector('.plot canvas');
    expect(page.url()).toBe(`${url}how-a-gru-works.html`);
    await page.$eval('a[href*="benchmark"]', (link) => {
      (link as HTMLElement).click();
    });
    await page.waitForSelector('button[name=start]');
    expect(page.url()).toBe(`${url}try/benchmark.html`);
  });

  test('the cell follows its weights', async () => {
    await open('how-a-gru-works.html');
    await waitForText('.playground output', 'h = ');
    const before = await text('.playground output');
    await setRange('input[name="z.b"]', '4');
    await page.waitForFunction((old) => document.querySelector('.playground output')!.textContent !== old, {}, before);
    await page.select('select[name=cell]', 'lstm');
    await waitForText('.playground output', 'cell = ');
  });

  test('a word becomes phonemes', async () => {
    await open('try/words.html');
    await waitForText('.phonemes', 'R IH0 K ER1 AH0 N T');
    await page.$eval('input[name=word]', (element) => {
      element.value = 'cat';
      element.dispatchEvent(new Event('input', { bubbles: true }));
    });
    await waitForText('.phonemes', 'K AE1 T');
    expect((await page.$$('figure canvas')).length).toBe(2);
  });

  test('a model that is dropped is inspected, run and plotted; a broken one is told', async () => {
    await open('try/model.html');
    await waitForText('.drop', 'Drop a model here');
    await drop('../../examples/g2p/decoder.safetensors');
    await page.waitForSelector('.plot canvas');
    expect(await text('section h3')).toContain('parameters');
    await drop('pages.test.ts');
    await page.waitForSelector('.panel [role=alert]');
    expect(await text('.panel [role=alert]')).toMatch(/^\w+: /);
  });

  test('the benchmark checks, then measures; it can be stopped', async () => {
    await open('try/benchmark.html');
    await page.waitForSelector('button[name=start]');
    await page.click('button[name=start]');
    await page.waitForSelector('tbody tr');
    await page.click('button[name=stop]');
    await page.waitForSelector('button[name=copy]');
    expect(await text('tbody tr')).toMatch(/e-\d/);
  });

  test('nothing is asked of another origin', async () => {
    await open('try/model.html');
    const blocked = await page.evaluate(async () => {
      try {
        await fetch('http://127.0.0.1:9/');
        return '';
      } catch (error) {
        return String(error);
      }
    });
    expect(blocked).not.toBe('');
    expect(
      await page.$eval('meta[http-equiv="Content-Security-Policy"]', (meta) => meta.getAttribute('content')),
    ).toContain("connect-src 'self'");
  });
});

test('every page holds its title, and no address of the time it was built', () => {
  expect(pages.length).toBeGreaterThan(20);
  for (const name of pages) {
    const html = readFileSync(join(DIST, name), 'utf8');
    expect(html, name).toMatch(/<title>[^<]+<\/title>/);
    expect(
      html.replaceAll('replaceAll("/__base__/"', '').replaceAll(String.raw`\"base\":\"/__base__/\"`, ''),
      name,
    ).not.toContain('/__base__/');
  }
});
