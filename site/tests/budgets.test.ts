import axe from 'axe-core';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DIST, pages, serve, Visitor } from './harness.ts';

/** Kilobytes of script, gzipped as servers send it, that a page may ask for before a demo is opened. */
const SCRIPT = 150;

/** All documents, and one of each kind of the API. */
const ALIKE = /^api\/(?!index\.html$|index\/(index|functions\/loadModel|interfaces\/RunOptions)\.html$)/;
const seen = pages.filter((name) => !ALIKE.test(name));

describe('in Chromium', () => {
  let visitor: Visitor;
  let site: Awaited<ReturnType<typeof serve>>;
  beforeAll(async () => {
    site = await serve();
    visitor = await Visitor.start('chromium', site.url);
  });
  afterAll(async () => {
    await visitor.close();
    site.close();
  });

  // Sixty pages or more, on whatever machine.
  test.each([
    ['a desk, light', 1200, 'light'],
    ['a phone, dark', 390, 'dark'],
  ])(
    'axe finds nothing serious on any page: %s',
    async (_, width, theme) => {
      await visitor.page.setViewport({ width, height: 900 });
      await visitor.page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
      const found: string[] = [];
      for (const name of seen) {
        await visitor.open(name);
        await visitor.page.evaluate(axe.source);
        const violations = await visitor.page.evaluate(async () => {
          const results = await (globalThis as unknown as { axe: typeof axe }).axe.run({ resultTypes: ['violations'] });
          return results.violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
        });
        for (const { id, nodes } of violations)
          found.push(`${name}: ${id}: ${nodes.map(({ html }) => html).join(' ')}`);
        const wide = await visitor.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (wide > 0) found.push(`${name}: ${wide} pixels wider than the window`);
      }
      expect(found).toEqual([]);
    },
    1_200_000,
  );

  test.each(['index.html', 'start.html', 'how-a-gru-works.html'])('%s: scripts', async (name) => {
    await visitor.page.setViewport({ width: 1200, height: 900 });
    await visitor.open(name);
    const scripts = await visitor.page.evaluate(() =>
      performance
        .getEntriesByType('resource')
        .map(({ name: url }) => new URL(url).pathname)
        .filter((path) => path.endsWith('.js')),
    );
    const size = (path: string) => gzipSync(readFileSync(join(DIST, path.replace(/^\/some\/folder\//, '')))).length;
    const kilobytes = [...new Set(scripts)].reduce((sum, path) => sum + size(path), 0) / 1000;
    expect(kilobytes).toBeLessThan(SCRIPT);
    expect(kilobytes).toBeGreaterThan(20); // else nothing was counted
  });
});
