import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** What follows of a list when each text that is there already is left out. */
function twice(texts: string[]): string[] {
  return texts.filter((text, i) => texts.indexOf(text) < i);
}

test('docs/arithmetic.md says the order of each thing once', () => {
  const page = read('docs/arithmetic.md');
  expect(twice(page.match(/^#+ .*$/gm)!)).toEqual([]);
  // What a cell of LSTM ends with, and a simple RNN.
  expect(page.match(/outputActivation\(c'\)/g)).toHaveLength(1);
  expect(page.match(/flush\(activation\(clip\(s\)\)\)/g)).toHaveLength(1);
});

test('CHANGELOG.md has no entry twice, as merges leave them', () => {
  expect(twice(read('CHANGELOG.md').match(/^- .{60}/gm)!)).toEqual([]);
});

test('CONTRIBUTING.md: the files and registries of "to add a layer" are there', () => {
  const page = read('CONTRIBUTING.md');
  const recipe = page.slice(page.indexOf('**To add a layer**'), page.indexOf('**To add a line to the wiring'));
  const named = [...recipe.matchAll(/`([^`\n]+)`/g)].map(([, name]) => name!);
  const paths = named.filter((name) => /^(ts|crate|tests)\//.test(name));
  expect(paths.length).toBeGreaterThan(15);
  // The simple RNN is a kind of the recurrent ones, dense of the others.
  const files = paths.flatMap((path) => ['rnn', 'dense'].map((kind) => path.replace('<kind>', kind)));
  const exists = (path: string) => existsSync(new URL(`../../${path}`, import.meta.url));
  expect(paths.filter((_, i) => !exists(files[2 * i]!) && !exists(files[2 * i + 1]!))).toEqual([]);
  // A name in capitals belongs to the path after it, or before it.
  const registries = [...recipe.matchAll(/`([A-Z]+_?[A-Z]+)`(?: of|, in) ?\s*`([^`]+)`/g)];
  expect(registries.length).toBeGreaterThan(3);
  for (const [, name, path] of registries) expect(read(path!), `${name!} of ${path!}`).toContain(` ${name!}`);
});
