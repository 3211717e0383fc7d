// npm run site: the API's pages, the site, and pages that work in any folder -> site/dist
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serviceWorker } from './offline.mjs';
import { relocateHtml, relocateScript, relocateStyle } from './relocate.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const dist = join(here, 'dist');
const bin = (name) => join(here, 'node_modules', '.bin', name);
const run = (name, ...args) =>
  execFileSync(bin(name), args, { cwd: here, stdio: 'inherit', env: { ...process.env, NODE_ENV: 'production' } });

if (!process.argv.includes('--no-api')) run('typedoc', '--logLevel', 'Error');
if (!process.argv.includes('--relocate')) run('vitepress', 'build');

for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  const relocate = { html: relocateHtml, js: relocateScript, css: relocateStyle }[entry.name.split('.').at(-1)];
  if (!entry.isFile() || relocate === undefined) continue;
  const file = join(entry.parentPath, entry.name);
  const depth = relative(dist, file).split(/[/\\]/).length - 1;
  writeFileSync(file, relocate(readFileSync(file, 'utf8'), depth));
}

console.log(`site/dist: ${serviceWorker(dist)}`);
