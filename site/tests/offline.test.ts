import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DIST, serve, Visitor } from './harness.ts';

test('after the first visit, and the first use of a demo, no server is needed', async () => {
  const site = await serve();
  const visitor = await Visitor.start('chromium', site.url);
  try {
    await visitor.open('');
    await visitor.page.evaluate(async () => {
      await navigator.serviceWorker.ready;
      // Its first act is to take over the pages that are open.
      while (!navigator.serviceWorker.controller) await new Promise((resolve) => setTimeout(resolve, 50));
    });
    await visitor.open('try/keywords.html');
    await visitor.textWith('.heard', /go/);
    site.close();
    await visitor.open('try/keywords.html');
    await visitor.textWith('.heard', /go/);
    await visitor.open('how-a-gru-works');
    await visitor.textWith('.playground output', /h = /);
    const kept = await visitor.page.evaluate(async () => {
      const [name] = await caches.keys();
      const cache = await caches.open(name!);
      return (await cache.keys()).map(({ url }) => new URL(url).pathname);
    });
    expect(kept.some((path) => path.includes('keywords.') && path.endsWith('.safetensors'))).toBe(true);
    expect(kept.some((path) => path.includes('encoder.'))).toBe(false);
    const files = kept.map((path) => join(DIST, path.replace(/^\/some\/folder\//, '') || 'index.html'));
    const bytes = files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
    expect(bytes).toBeLessThan(6e6);
    expect(visitor.problems).toEqual([]);
  } finally {
    await visitor.close();
    site.close();
  }
});
