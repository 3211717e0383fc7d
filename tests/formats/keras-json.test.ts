import { expect, test } from 'vitest';
import { parseJson } from '../../ts/io/json.ts';

test.each([
  ['more lists than a config has', `{"a":[${'[],'.repeat(600_000)}1]}`],
  ['more keys than a config has', `{${'"a":1,'.repeat(1_000_001)}"a":1}`],
  ['more bytes than a config has', `{"a":"${'x'.repeat(2 ** 24)}"}`],
  ['deep lists', `{"a":${'['.repeat(200_000)}`],
  ['an end inside a text', '{"a":"'],
  ['no object', '[1]'],
])('%s: refused before it is parsed, as a GruError', (_, json) => {
  expect(() => parseJson(json, 'config.json')).toThrow(expect.objectContaining({ code: 'invalid_file' }));
});

test('brackets and escapes inside of text do not count', () => {
  const text = `${'['.repeat(1000)}\\"${'{'.repeat(1000)}`;
  expect(parseJson(JSON.stringify({ text, long: '"\\'.repeat(1_000_000) }), 'config.json')['text']).toBe(text);
});
