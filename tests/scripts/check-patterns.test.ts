import { expect, test } from 'vitest';
import * as script from '../../scripts/check-patterns.mjs';

interface Pattern {
  line: number;
  source: string;
  flags: string;
}
const patternsOf = script.patternsOf as (text: string) => Pattern[];
const problemOf = script.problemOf;

test('patterns are found where they are, and what only looks like one is none', () => {
  const text = "const a = /x\\/[/]+$/gi;\n// /comment/\nconst b = 4 / 2 / 1, c = '/text/';\nf(/y/);";
  expect(patternsOf(text)).toEqual([
    { line: 1, source: 'x\\/[/]+$', flags: 'gi' },
    { line: 4, source: 'y', flags: '' },
  ]);
});

test.each([
  ['^\\s*(<!--[\\s\\S]*?-->\\s*)*<(html|head)\\b', 'i', 'exponential'],
  ['\\0+$', '', '2nd degree polynomial'],
  ['\\s*\\n\\s*', 'g', '2nd degree polynomial'],
])('/%s/%s is not linear', async (source, flags, growth) => {
  expect(await problemOf({ source, flags })).toContain(growth);
});

test.each([
  ['\\0.*$', 's'],
  ['_\\d+$', ''],
  ['^<(!doctype\\s+html|html|head|body)\\b', 'i'],
])('/%s/%s is linear', async (source, flags) => {
  expect(await problemOf({ source, flags })).toBeUndefined();
});
