import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { DIST, pages } from './harness.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const documents = new Map(pages.map((name) => [name, readFileSync(join(DIST, name), 'utf8')]));
const idsOf = new Map(
  [...documents].map(([name, html]) => [name, new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id))]),
);

/** The file that an address of the site is answered with. */
const fileAt = (path: string): string | undefined =>
  [path, `${path}.html`, posix.join(path, 'index.html')].find(
    (name) => /\.\w+$/.test(name) && existsSync(join(DIST, name)),
  );

/** What is wrong with a link of a page, if anything. */
function wrong(page: string, href: string): string | undefined {
  const [address = '', hash] = href.split('#');
  const inRepository = /\/tree\/HEAD\/(.*)$/.exec(address)?.[1];
  if (inRepository !== undefined)
    return existsSync(join(ROOT, decodeURIComponent(inRepository))) ? undefined : 'no such file in the repository';
  if (/^[a-z]+:/i.test(address)) return undefined;
  const target = address === '' ? page : fileAt(posix.join(dirname(page), address));
  if (target === undefined) return 'no such page';
  if (hash === undefined || !target.endsWith('.html')) return undefined;
  return idsOf.get(target)?.has(decodeURIComponent(hash)) ? undefined : `no such place in ${target}`;
}

test('links lead to pages, to places in them, and to files of the repository', () => {
  const broken = [...documents].flatMap(([page, html]) =>
    [...html.matchAll(/<a [^>]*href="([^"]*)"/g)].flatMap(([, href]) => {
      const problem = wrong(page, href!.replaceAll('&amp;', '&'));
      return problem === undefined ? [] : [`${page}: ${href!}: ${problem}`];
    }),
  );
  expect([...new Set(broken)]).toEqual([]);
});

/** docs/, site/pages: every one of them is in the sidebar. */
test('every document can be reached from the sidebar', () => {
  const start = documents.get('start.html')!;
  const sidebar = start.slice(start.indexOf('<aside'), start.indexOf('id="VPContent"'));
  const listed = new Set([...sidebar.matchAll(/href="\.?\/?([^"]*)"/g)].map(([, href]) => href));
  // The first page is the title, changes are the version, those of the API list each other.
  const elsewhere = /^(index|changes)\.html$|^api\//;
  expect(pages.filter((name) => !elsewhere.test(name) && !listed.has(name))).toEqual([]);
});
