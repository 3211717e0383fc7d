import { describe, expect, test } from 'vitest';
import { table, visible } from '../../ts/cli/terminal.ts';

describe('a table', () => {
  test('counts the columns that a terminal gives a text', () => {
    // Two for each of these characters and pictures, one of several code points; none for an accent that stands on a letter.
    const names = ['plain', '語音', 'ｗｉｄｅ', '👩‍👩‍👧', 'e\u0301te\u0301', '한국어'];
    const lines = table(
      ['name', 'n'],
      names.map((name) => [name, 'x']),
    ).split('\n');
    const columns = [5, 4, 8, 2, 3, 6];
    expect(lines).toEqual([
      `name${' '.repeat(6)}n`,
      ...names.map((name, i) => `${name}${' '.repeat(10 - columns[i]!)}x`),
    ]);
  });

  test('has numbers to the right', () => {
    expect(table(['層', 'n'], [['語', 1], ['ab', 1000]])).toBe('層      n\n語      1\nab  1,000'); // prettier-ignore
  });
});

test.each(['\x1b', '\x07', '\x7f', '\u009b', '\n', '\u2028', '\u2029', '\u200e', '\u202e', '\u2066', '\u061c'])(
  'what a terminal would obey is not shown: %j',
  (character) => {
    expect(visible(`a${character}b`)).toBe('a\ufffdb');
  },
);

test('letters of all scripts, and what joins them, are', () => {
  for (const text of ['é', 'مرحبا', 'שלום', '👩‍👩‍👧', 'क्\u200dष']) expect(visible(text)).toBe(text);
});
