import { stripVTControlCharacters } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
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

describe('on a terminal that is narrower', () => {
  const { isTTY, columns } = process.stdout;
  afterEach(() => Object.assign(process.stdout, { isTTY, columns }));
  const shown = (room: number, ...given: Parameters<typeof table>) => {
    Object.assign(process.stdout, { isTTY: true, columns: room });
    return stripVTControlCharacters(table(...given)).split('\n');
  };

  test('cells go on below, broken between words, and numbers stay whole', () => {
    const rows = [['encoder/forward.bias', 'batch x steps x 64', 1792]];
    expect(shown(34, ['name', 'gives', 'n'], rows)).toEqual([
      'name          gives              n',
      'encoder/      batch x steps  1,792',
      'forward.bias  x 64',
    ]);
    expect(shown(80, ['name', 'gives', 'n'], rows)).toHaveLength(2);
  });

  test('figures are not broken, nor names but where nothing else fits', () => {
    expect(shown(17, ['layer', 'worst'], [['a_layer', '1.25e-3'], ['語語語語語', '2e-4']])).toEqual([
      'layer     worst',
      'a_layer   1.25e-3',
      '語語語語  2e-4',
      '語',
    ]); // prettier-ignore
  });

  test('of no room at all it is as narrow as it may be', () => {
    for (const room of [1, 5, 0]) expect(shown(room, ['a', 'b'], [['x', 'y']], 2)[0]).toMatch(/^a +b$/);
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
