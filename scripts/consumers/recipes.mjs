import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { codeBlocks } from '../blocks.mjs';
import { at } from '../lib.mjs';
import { bundleForWorkerd } from './hosts.mjs';
import { nodeOf, printed, project, tool } from './lib.mjs';
import { served } from './next.mjs';
import { launch, SILENCE } from './visit.mjs';

/** An empty project beside the installed package, with a model and, by path, blocks of code of the pages. */
function recipe(name, files, model = 'model.safetensors') {
  const folder = project('.recipes', name);
  rmSync(folder, { recursive: true, force: true });
  const blocks = codeBlocks();
  const place = (path) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    return join(folder, path);
  };
  for (const [path, block] of Object.entries(files)) writeFileSync(place(path), blocks.get(block));
  cpSync(at('examples', 'g2p', 'encoder.safetensors'), place(model));
  return folder;
}

/** What each of them shows is the shape of a result of 320 values. */
function expectShape(text) {
  if (!/\b320\b/.test(text)) throw new Error(`shows ${text.trim().slice(-1500)}`);
  return [];
}

async function textOfPage(url, selector) {
  const browser = await launch();
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(SILENCE);
    await page.goto(url);
    await page.waitForFunction(`/\\d/.test(document.querySelector(${JSON.stringify(selector)})?.textContent)`);
    return await page.$eval(selector, (element) => element.textContent);
  } finally {
    await browser.close();
  }
}

const inHost = (name, title, command, options) => ({
  name: `recipe-${name}`,
  title: `The recipe of the pages: ${title}`,
  parts: [],
  async run() {
    const cwd = recipe(name, { [`${name}.mjs`]: `${name}.mjs` });
    return expectShape(await printed(command(), [...options, `${name}.mjs`], { cwd }));
  },
});

/** The pages' code for hosts and frameworks that nothing else here needs (the rest: site/tests/code.test.ts). */
export const recipes = [
  inHost('deno', 'Deno', () => tool('@deno', 'linux-x64-glibc', 'deno'), [
    ...['run', '--allow-read', '--no-prompt', '--no-remote', '--no-lock', '--node-modules-dir=manual'],
  ]),
  inHost('bun', 'Bun', () => tool('@oven', 'bun-linux-x64', 'bin', 'bun'), []),
  {
    name: 'recipe-cloudflare',
    title: 'The recipe of the pages: Workers of Cloudflare, by miniflare',
    parts: [],
    async run() {
      const folder = recipe('cloudflare', { 'cloudflare.mjs': 'cloudflare.mjs' }, 'public/model.safetensors');
      await bundleForWorkerd(folder, join(folder, 'cloudflare.mjs'));
      const word = JSON.stringify([8, 5, 12, 12, 15]);
      return expectShape(await printed(nodeOf(24), [project('workerd', 'run.mjs'), folder, '2026-07-01', word]));
    },
  },
  {
    name: 'recipe-next',
    title: 'The recipe of the pages: Next, client and server',
    parts: [],
    async run() {
      const folder = recipe(
        'next',
        { 'app/page.jsx': 'page.jsx', 'app/client.jsx': 'client.jsx' },
        'public/model.safetensors',
      );
      for (const path of ['app/layout.jsx', 'package.json']) cpSync(project('next', path), join(folder, path));
      // The packages lie above the project.
      writeFileSync(
        join(folder, 'next.config.mjs'),
        `export default { turbopack: { root: ${JSON.stringify(project())} } };`,
      );
      return served(folder, async (url) => [
        ...expectShape(await textOfPage(url, '#server')),
        ...expectShape(await textOfPage(url, '#client')),
      ]);
    },
  },
];
