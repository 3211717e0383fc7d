import { fileURLToPath } from 'node:url';
import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import * as script from '../../scripts/check-paths.mjs';
import { writeZip } from '../formats/zip-writer.ts';
import { runNode } from '../run-node.ts';

const findPaths = script.findPaths as (bytes: Uint8Array, where: string) => { where: string }[];
const bytes = (text: string) => Buffer.from(text, 'latin1');
/** Paths are written with a bar in them, so that this file holds none. */
const whole = (text: string) => text.replaceAll('|', '');
const PATH = whole('/home|/ada/gru/model.py');
/** Deflate leaves short text as it is: this is packed so that the path is not to be seen in it. */
const packable = bytes(
  `${`${PATH}\n`.repeat(3)}${whole('/home|/a').repeat(9)}`.padStart(900, whole('/home|/ad /home|/')),
);

test.each([
  ['/home|/ada/x'],
  ['"/root|/.cache/x"'],
  ['file:///Users|/ada/x.py'],
  ['C:\\Users|\\ada\\x.py'],
  ['C:\\\\Users|\\\\ada\\\\x.py'],
  ['C:/Users|/ada/x.py'],
  ['/work|/gru/x.py'],
  ['/tmp|/pt/v'],
  ['/var/tmp|/x'],
  ['/private/var/folders|/zz/T/x'],
  ['/opt/venv/lib/python3.11/site-packages|/torch/nn.py'],
  ['/usr/lib/python3/dist-packages|/numpy'],
  ['/opt/.cargo|/registry/src/index'],
])('finds %s', (text) => {
  expect(findPaths(bytes(`x = ${whole(text)}\0`), 'f')).not.toEqual([]);
  expect(findPaths(Buffer.from(`x = ${whole(text)}`, 'utf16le'), 'f'), 'in UTF-16').not.toEqual([]);
});

test.each([
  ['/home/<user>/x'],
  ['https://example.org/home/ada/x'],
  ['src/home/ada/x'],
  ['$HOME/work/x/y'],
  ['/Users/Shared/x'],
  ['site-packages/torch'],
  ['torch/nn/modules/rnn.py'],
  ['./tmp/x'],
])('does not find %s', (text) => {
  expect(findPaths(bytes(text), 'f')).toEqual([]);
});

describe('finds a path', () => {
  test.each<[string, Uint8Array, string]>([
    ['between bytes of other things', Buffer.concat([Buffer.alloc(9, 0xff), bytes(PATH)]), 'f'],
    ['in a stored member of a zip file', writeZip([{ name: 'a', data: packable }]), 'f'],
    ['in a packed member of a zip file', writeZip([{ name: 'a', data: packable, method: 8 }]), 'f > a'],
    ['in a zip file behind other bytes', writeZip([{ name: 'b', data: writeZip([{ name: 'a', data: packable, method: 8 }]) }, { name: 'c', data: packable, method: 8 }]), 'f > c'],
    ['in a zip file in a zip file', writeZip([{ name: 'b', data: writeZip([{ name: 'a', data: packable, method: 8 }]), method: 8 }]), 'f > b > a'],
    ['in a gzip file', gzipSync(packable), 'f > gzip'],
    ['in a zlib stream somewhere', Buffer.concat([Buffer.alloc(7), deflateSync(packable)]), 'f > zlib at 7'],
  ])('%s', (_, file, where) => {
    expect(findPaths(Buffer.from(file), 'f').map((found) => found.where)).toContain(where);
  }); // prettier-ignore
});

test('no tracked file holds one', () => {
  const path = fileURLToPath(new URL('../../scripts/check-paths.mjs', import.meta.url));
  const { status, stdout } = runNode([path]);
  expect(stdout).toBe('');
  expect(status).toBe(0);
});
