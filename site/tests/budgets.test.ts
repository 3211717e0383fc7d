import axe from 'axe-core';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DIST, pages, serve, Visitor } from './harness.ts';

/** Kilobytes of script, gzipped as servers send it, that a page may ask for before a demo is opened. */
const SCRIPT = 150;
/** Kilobytes of all files: a page of documents. */
const ALL = 350;
const REQUESTS = 30;
/** Style sheets and scripts that the first paint waits for. */
const BLOCKING = 2;
/** The cumulative layout shift that web.dev calls good. */
const MOVED = 0.1;
/** A desk, a small laptop, a phone. */
const VIEWPORTS = [
  [1350, 940],
  [1100, 800],
  [412, 823],
] as const;

/** All documents, and one of each kind of the API. */
const ALIKE = /^api\/(?!index\.html$|index\/(index|functions\/loadModel|interfaces\/RunOptions)\.html$)/;
const seen = pages.filter((name) => !ALIKE.test(name));

const inDist = (path: string) => readFileSync(join(DIST, path));
/** Fonts and pictures are small already. */
const size = (path: string) => (/\.(woff2|png)$/.test(path) ? inDist(path) : gzipSync(inDist(path))).length;
const bytes = (paths: readonly string[]) => paths.reduce((sum, path) => sum + size(path), 0);
/** Scripts that come with a page: those that its HTML names. */
const scriptsOf = (html: string) =>
  [...new Set(html.match(/assets\/[^"' ]+\.js(?=")/g) ?? [])].filter((path) => !path.endsWith('.map'));
const letters = (text: string) => text.replace(/[^a-z0-9]/gi, '');
const textOf = (html: string) => letters(html.replace(/<[^>]*>|&\w+;|&#\w+;/g, ''));

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

  test('the first visit of each page: what it asks for, waits for and moves', async () => {
    const found: string[] = [];
    for (const name of seen) {
      const isDemo = /^try\/|^how-a-gru/.test(name);
      const html = readFileSync(join(DIST, name), 'utf8');
      for (const [width, height] of VIEWPORTS) {
        const { paths, blocking, moved, largest } = await visitor.firstVisit(name, width, height);
        const kilobytes = bytes(paths) / 1000;
        const script = bytes(isDemo ? scriptsOf(html) : paths.filter((path) => path.endsWith('.js'))) / 1000;
        expect(script, 'else nothing was counted').toBeGreaterThan(20);
        const over = [
          script > SCRIPT && `${script} KB of script`,
          !isDemo && kilobytes > ALL && `${kilobytes} KB`,
          !isDemo && paths.length > REQUESTS && `${paths.length} requests`,
          blocking > BLOCKING && `${blocking} files before the first paint`,
          moved > MOVED && `moves by ${moved}`,
          !textOf(html).includes(letters(largest)) && `the largest paint waits for scripts: ${largest}`,
        ];
        found.push(...over.filter(Boolean).map((what) => `${name}, ${width} wide: ${String(what)}`));
      }
    }
    expect(found).toEqual([]);
  }, 1_200_000);
});
