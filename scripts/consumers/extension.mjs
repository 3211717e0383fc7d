import { copyFileSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { outFolder, parts, project, tool } from './lib.mjs';
import { launch } from './visit.mjs';

/** An extension of Manifest V3 as it is installed: its service worker, and a page of it, under the policy that it has, or states. */
const extension = (name, title, policy, backend) => ({
  name: `chromium-${name}`,
  title: `chromium, an extension as installed, ${title}: service worker, page`,
  parts: ['service-worker', 'page'],
  backend,
  async run() {
    const folder = outFolder(name);
    cpSync(project('extension'), folder, { recursive: true });
    cpSync(tool('gru-wasm', 'dist'), join(folder, 'gru-wasm'), { recursive: true });
    copyFileSync(project('model.mjs'), join(folder, 'model.mjs'));
    const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ ...manifest, ...policy }));
    const browser = await launch('chromium', { enableExtensions: [folder], pipe: true });
    try {
      const target = await browser.waitForTarget((each) => each.type() === 'service_worker');
      const page = await browser.newPage();
      await page.goto(new URL('popup.html', target.url()).href);
      const said = [await target.worker(), page].map(async (host) => {
        await host.evaluate(() => new Promise((resolve) => setInterval(() => 'told' in globalThis && resolve(), 20)));
        return host.evaluate(() => globalThis.told);
      });
      return parts((await Promise.all(said)).join('\n'));
    } finally {
      await browser.close();
    }
  },
});

const wasm = { extension_pages: "script-src 'self' 'wasm-unsafe-eval'; object-src 'self'" };

export const extensions = [
  extension('extension-wasm', "'wasm-unsafe-eval'", { content_security_policy: wasm }),
  extension('extension', 'no wasm', {}, 'js'),
];
