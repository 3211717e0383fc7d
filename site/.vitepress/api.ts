import type { DefaultTheme } from 'vitepress';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The entries of the package that TypeDoc wrote about (build.mjs), by the names that they are imported by. */
export function apiSidebar(): DefaultTheme.SidebarItem[] {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, unknown>;
  };
  return Object.keys(exports)
    .map((name) => ({ text: name.replace('.', 'gru-wasm'), folder: name.slice(2) || 'index' }))
    .filter(({ folder }) => existsSync(join(root, 'site', 'generated', 'api', folder, 'index.md')))
    .map(({ text, folder }) => ({ text, link: `/api/${folder}/` }));
}
