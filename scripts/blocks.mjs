import { readdirSync, readFileSync } from 'node:fs';
import { at } from './lib.mjs';

const pagesIn = (...folder) =>
  readdirSync(at(...folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => at(...folder, name));

/**
 * The code of the README and of all pages by the name of its file: what follows the language of a block. A block without one has its language for
 * a name, and cannot be run.
 * @returns {Map<string, string>}
 */
export function codeBlocks() {
  const blocks = new Map();
  for (const page of [at('README.md'), ...pagesIn('docs'), ...pagesIn('site', 'pages')]) {
    for (const [, language, name, code] of readFileSync(page, 'utf8').matchAll(/^```(\w+)(?: (\S+))?\n(.*?)^```/gms)) {
      if (name && blocks.has(name)) throw new Error(`two blocks of code are called ${name}`);
      blocks.set(name ?? language, code);
    }
  }
  return blocks;
}
