// The picture of README.md, from the built site: npm run site, then with Node 22.18 or later: node site/picture.ts
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { serve, Visitor } from './tests/harness.ts';

const file = fileURLToPath(new URL('picture.png', import.meta.url));
const site = await serve();
const visitor = await Visitor.start('chromium', site.url);
try {
  await visitor.page.setViewport({ width: 800, height: 1200 });
  await visitor.open('how-a-gru-works.html');
  await visitor.page.waitForSelector('.playground .plot canvas');
  await visitor.page.select('select[name=input]', 'two pulses');
  await visitor.set('input[name="r.w"]', '2');
  await visitor.textWith('.playground output', /h = /);
  const panel = await visitor.page.waitForSelector('.playground');
  await panel!.screenshot({ path: file });
  console.log(`${file}: ${(statSync(file).size / 1000).toFixed(0)} KB`);
} finally {
  await visitor.close();
  site.close();
}
