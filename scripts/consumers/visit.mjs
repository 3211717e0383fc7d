import puppeteer from 'puppeteer-core';
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { browserPath } from '../browsers.mjs';
import { parts } from './lib.mjs';

const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

/** Serves folders, by prefixes that end in a slash, and files; the first that fits. */
export async function serve(folders, headers = {}) {
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const path = new URL(request.url, 'http://localhost').pathname;
    const [prefix, folder] = Object.entries(folders).find(([prefix]) => path.startsWith(prefix)) ?? [];
    const file = prefix?.endsWith('/') ? join(folder, path.slice(prefix.length) || 'index.html') : folder;
    if (!file || path.includes('..') || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream');
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://localhost:${server.address().port}/`, close: () => server.close() };
}

/** How long a page may be silent: for a machine that does much else. */
export const SILENCE = 90_000;

export async function launch(name = 'chromium', options = {}) {
  return puppeteer.launch({
    ...options,
    browser: name === 'firefox' ? 'firefox' : 'chrome',
    executablePath: await browserPath(name),
    headless: true,
    args: name === 'chromium' && process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
}

/** Opens a page in a browser until it has told of so many parts. */
export async function visit(url, count = 1, name = 'chromium') {
  const browser = await launch(name);
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(SILENCE);
    const said = [];
    let watch;
    const done = new Promise((resolve) => {
      const hear = (line) => {
        said.push(line);
        clearTimeout(watch);
        watch = setTimeout(resolve, SILENCE);
        if (parts(said.join('\n')).length >= count) resolve();
      };
      page.on('console', (message) => hear(message.text()));
      page.on('pageerror', (error) => hear(`page error: ${error}`));
      page.on('requestfailed', (request) => hear(`request failed: ${request.url()}`));
      hear('opened');
    });
    await page.goto(url);
    await done;
    clearTimeout(watch);
    const told = parts(said.join('\n'));
    if (told.length < count)
      throw new Error(`told of ${told.length} parts of ${count}; ${said.join('; ').slice(0, 1500)}`);
    return told;
  } finally {
    await browser.close();
  }
}

/** The same, of served folders. */
export async function visitServed(folders, path, { count, browser, headers } = {}) {
  const { url, close } = await serve(folders, headers);
  try {
    return await visit(url + path, count, browser);
  } finally {
    close();
  }
}
