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
  expect(relocateScript('return"/__base__/assets/x.js"')).toBe('return __base__+"assets/x.js"');
  expect(relocateStyle('url(/__base__/assets/x.woff2)', 1)).toBe('url(../assets/x.woff2)');
});
