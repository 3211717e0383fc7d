import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { filesBeside, type ModelSource, readSource } from '../../ts/io/source.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'gru-paths-'));
const folder = path.join(root, 'model');
fs.mkdirSync(path.join(folder, 'sub'), { recursive: true });
fs.writeFileSync(path.join(root, 'secret'), 'secret');
for (const name of ['group1-shard1of2.bin', 'a b.data', 'gewichte_ä.bin', 'sub/x.bin'])
  fs.writeFileSync(path.join(folder, name), 'data');
fs.symlinkSync(path.join(root, 'secret'), path.join(folder, 'link'));
fs.symlinkSync('loop', path.join(folder, 'loop'));
afterAll(() => {
  fs.rmSync(root, { recursive: true });
});

const model = path.join(folder, 'model.json');
const HOSTILE = ['', '.', '..', '../secret', './../secret', 'sub/../../secret', '%2e%2e/secret', '.%2e/secret', '\t../secret',
  '.\t./secret', ' ../secret', 'x ', '/etc/passwd', '\\etc', '..\\secret', 'C:\\x', 'C:x', 'file:///etc/passwd', 'fi\nle:///x',
  'http://127.0.0.1/', '//127.0.0.1/x', 'x?y', 'x#y', 'x\0', 'a//b', 'a/', 'NUL', 'con.bin', 'x.', '．．/secret']; // prettier-ignore

// No random folder in the names of tests: Stryker finds those that reach a mutant by name.
const LOCAL: [string, ModelSource][] = [
  ['a path', model],
  ['a URL', pathToFileURL(model)],
];
const SOURCES: [string, ModelSource][] = [
  ...LOCAL,
  ['the text of a URL', pathToFileURL(model).href],
  ['http:', 'http://127.0.0.1:9/m/model.json'],
  ['bytes', Buffer.from('')],
];

for (const [kind, source] of SOURCES) {
  it.each(HOSTILE)(`refuses the name %j beside ${kind}`, async (name) => {
    await expect(filesBeside(source, {})(name)).rejects.toMatchObject({ code: 'invalid_file' });
  });
}

it.each(LOCAL)('reads what is beside %s, and no link that leads out', async (_, source) => {
  const beside = filesBeside(source, {});
  for (const name of ['group1-shard1of2.bin', './a b.data', 'gewichte_ä.bin', 'sub/x.bin'])
    expect(String(Buffer.from((await beside(name))!))).toBe('data');
  expect(await beside('missing')).toBeUndefined();
  await expect(beside('link')).rejects.toMatchObject({ code: 'invalid_file' });
  await expect(beside('sub')).rejects.toMatchObject({ code: 'io' });
  await expect(beside('loop')).rejects.toMatchObject({ code: 'io', cause: { code: 'ELOOP' } });
});

it.each([
  ['a device', '/dev/zero'],
  ['a folder', folder],
])('refuses %s as a model', async (_, source) => {
  await expect(readSource(source)).rejects.toMatchObject({ code: 'io' });
});
