import type { DefaultTheme } from 'vitepress';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../.generated/api', import.meta.url));

/** What typedoc wrote (`npm run api`): a group for each entry of the package. */
export function apiSidebar(): DefaultTheme.SidebarItem[] {
  const sidebar = join(folder, 'typedoc-sidebar.json');
  if (existsSync(sidebar)) return JSON.parse(readFileSync(sidebar, 'utf8')) as DefaultTheme.SidebarItem[];
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ text: name, link: `/api/${name}/` }));
}
