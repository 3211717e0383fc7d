import { expect, test } from 'vitest';
import { textBeforeZeros, textUntilZero } from '../../ts/formats/hdf5/file.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

test.each([
  ['kernel\0\0', 'kernel', 'kernel'],
  ['kernel', 'kernel', 'kernel'],
  ['a\0b', 'a', 'a\0b'],
  ['a\0b\0', 'a', 'a\0b'],
  ['\0\0', '', ''],
  ['', '', ''],
  ['é\0', 'é', 'é'],
])('%j until its first zero, and without those behind it', (text, until, before) => {
  expect([textUntilZero(bytes(text)), textBeforeZeros(bytes(text))]).toEqual([until, before]);
});

test('zeros before the end are passed over once', () => {
  // By a pattern 2 million zeros took an hour.
  const text = new Uint8Array(2_000_000);
  text[text.length - 1] = 0x78;
  expect(textBeforeZeros(text)).toHaveLength(text.length);
  expect(textUntilZero(text)).toBe('');
});
