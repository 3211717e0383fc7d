import type { MarkdownRenderer } from 'vitepress';
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { repository } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { repository?: { url: string } };
/** package.json's repository, which a release fills in. */
const REPOSITORY = (repository?.url ?? 'https://example.invalid/gru-wasm').replace(/^git\+/, '').replace(/\.git$/, '');

/** Files of the repository that are pages: prefix of the file, prefix of the page. */
export const REWRITES = {
  'docs/:path*': ':path*',
  'site/pages/:path*': ':path*',
  'site/generated/:path*': ':path*',
  'SECURITY.md': 'security.md',
  'CHANGELOG.md': 'changes.md',
};

/** The page made of a file of the repository, or undefined. */
function pageOf(file: string): string | undefined {
  const path = Object.entries(REWRITES)
    .map(([from, to]) => {
      const prefix = from.replace(':path*', '');
      return from.endsWith('*')
        ? file.startsWith(prefix)
          ? file.slice(prefix.length)
          : undefined
        : file === from
          ? to
          : undefined;
    })
    .find((page) => page !== undefined);
  return path?.endsWith('.md') ? `/${path.replace(/\.md$/, '').replace(/(^|\/)index$/, '$1')}` : undefined;
}

/**
 * Documents link to each other and to files of the repository by relative paths, as they are read there. Here the former become pages of the
 * site, the latter addresses of the repository.
 */
export function linksOutward(markdown: MarkdownRenderer): void {
  markdown.core.ruler.push('links-outward', ({ tokens, env }) => {
    const { realPath, path: pagePath = realPath } = (env ?? {}) as { realPath?: string; path?: string };
    // Text of a page's front matter comes without a page.
    if (pagePath === undefined) return;
    const from = dirname(realPath ?? pagePath);
    for (const token of tokens.flatMap((block) => block.children ?? []).filter(({ type }) => type === 'link_open')) {
      const [path = '', hash] = (token.attrGet('href') ?? '').split('#');
      if (path === '' || /^([a-z]+:|\/)/i.test(path)) continue;
      const file = relative(root, join(from, path));
      const target = pageOf(file) ?? `${REPOSITORY}/tree/HEAD/${file}`;
      token.attrSet('href', hash === undefined ? target : `${target}#${hash}`);
    }
  });
}
