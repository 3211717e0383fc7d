import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { relocateHtml, relocateScript, relocateStyle } from '../relocate.mjs';

test('a page finds its files, and the folder of the site, from where it lies', () => {
  const page =
    '<head><link href="/__base__/a.css"></head><body><script>x=JSON.parse("{\\"base\\":\\"/__base__/\\"}")</script></body>';
  const text = relocateHtml(page, 1);
  expect(text).toContain('href="../a.css"');
  expect(text).toContain('new URL("../", location.href).pathname');
  expect(text).toContain('JSON.parse("{\\"base\\":\\"/__base__/\\"}".replaceAll("/__base__/", __base__))');
});

test('scripts and styles', () => {
  expect(relocateScript('const f = () => {return"/__base__/assets/x.js"}')).toBe(
    'const f = () => {return(__base__+"assets/x.js")}',
  );
  expect(relocateStyle('url(/__base__/assets/x.woff2)', 1)).toBe('url(../assets/x.woff2)');
});

test.each([
  [`'{"0":"/__base__/changes.html#a","1":"/__base__/start.html"}'`, '{"0":"/in/changes.html#a","1":"/in/start.html"}'],
  [String.raw`"<a href=\"/__base__/x\">it's</a>"`, `<a href="/in/x">it's</a>`],
  ['`${1}"/__base__/x${2}`', '1"/in/x2'],
  [`/["']/.test("'") && '/__base__/'`, '/in/'],
  [`Object.keys({"/__base__/x":1})[0]`, '/in/x'],
])('the base stands anywhere in a string: %s', (code, expected) => {
  expect(runInNewContext(relocateScript(`(${code})`), { __base__: '/in/' })).toBe(expected);
});
