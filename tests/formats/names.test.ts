import { expect, it } from 'vitest';
import { nameSegments, urlBeside } from '../../ts/io/paths.ts';
import { refusal } from './refusal.ts';

const base = new URL('https://example.org/models/a/model.json');

it.each([
  'x',
  '.hidden',
  'falcon.bin',
  'lexicon',
  'comx.bin',
  'lptx.bin',
  'console',
  'com1 x.bin',
  'com\u2074',
  'x.y.z',
  'tied~[1].bin',
  'ä',
  '日本.bin',
  'x'.repeat(1024),
])('takes the name %j', (name) => {
  expect(nameSegments(name)).toEqual([name]);
  expect(urlBeside(name, base).href).toBe(`https://example.org/models/a/${encodeURIComponent(name)}`);
});

it.each([
  'con',
  'CON.bin',
  'prn',
  'aux.x',
  'nul',
  'com1',
  'com9.bin',
  'lpt1',
  'lpt9.x',
  'sub/aux',
  'COM\u00b9',
  'com\u00b2.bin',
  'lpt\u00b3',
  'nul .txt',
  'con  ',
  'x'.repeat(1025),
])('refuses the name %j', (name) => {
  expect(() => nameSegments(name)).toThrow(expect.objectContaining({ code: 'invalid_file' }) as Error);
});

it('only a dot segment at the start is left out', () => {
  expect(nameSegments('./sub/x')).toEqual(['sub', 'x']);
  for (const name of ['sub/./x', '././x']) {
    expect(refusal(() => nameSegments(name))).toMatch(/^invalid_file: the model names the file/);
  }
});

it('shows the start of a long name', () => {
  const message = /\/{100}/;
  expect(() => nameSegments('/'.repeat(2000))).not.toThrow(message);
  expect(() => nameSegments('/'.repeat(2000))).toThrow(`the file "${'/'.repeat(80)}"`);
});
