import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type BrowserName, DIST, serve, Visitor } from './harness.ts';

/** Bytes on the visitor's disk; a third of them comes over the network. */
const KEPT = 17e6;

test.each<BrowserName>(['chromium', 'firefox'])(
  'after a first look at its first page the site needs no server: %s',
  async (name) => {
    const site = await serve();
    const visitor = await Visitor.start(name, site.url);
    try {
      await visitor.open('');
      await visitor.page.evaluate(async () => {
        await navigator.serviceWorker.ready;
        // Its first act is to take over the pages that are open.
        while (!navigator.serviceWorker.controller) await new Promise((resolve) => setTimeout(resolve, 50));
      });
      site.close();
      await visitor.open('try/keywords.html');
      await visitor.textWith('.heard', /go/);
      await visitor.open('try/words.html');
      await visitor.textWith('.phonemes', /R IH0 K ER1 AH0 N T/);
      await visitor.open('try/audio.html');
      await visitor.textWith('.load', /%/);
      await visitor.open('try/model.html');
      await visitor.click('button[name=example]');
      await visitor.page.waitForSelector('.plot canvas');
      await visitor.open('how-a-gru-works');
      await visitor.textWith('.playground output', /h = /);
      await visitor.open('api/index/functions/loadModel.html');
      await visitor.textWith('h1', /loadModel/);
      expect(visitor.problems).toEqual([]);
      // The others' engines are large, and are not kept before they are asked for.
      await visitor.open('try/benchmark.html');
      await visitor.click('input[value=onnxruntime]');
      await visitor.click('button[name=start]');
      expect(await visitor.textWith('.panel [role=alert]', /./)).toMatch(/ONNX Runtime Web.* network once/);
      const kept = await visitor.page.evaluate(async () => {
        const [name] = await caches.keys();
        const cache = await caches.open(name!);
        return (await cache.keys()).map(({ url }) => new URL(url).pathname);
      });
      const files = kept.map((path) => join(DIST, path.replace(/^\/some\/folder\//, '') || 'index.html'));
      const bytes = files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
      expect(bytes).toBeLessThan(KEPT);
    } finally {
      await visitor.close();
      site.close();
    }
  },
);
