// Finds paths of the machine that built a file, in every tracked file: text, binary files and what is packed inside of them.
import { spawnSync } from 'node:child_process';
import { lstatSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, inflateRawSync, inflateSync } from 'node:zlib';
import { root } from './lib.mjs';

/** Before a path stands no part of another path or name: `a/home/x` is none, nor is `https://example.org/home/x`. */
const START = String.raw`(?:(?<=file://)|(?<![\w.~$@/\\}-]))`;
/** What is behind the marks of a path, up to a character that no such path has. */
const REST = String.raw`[\w.+@-]+`;

/** What gives a machine away. Names in angle brackets or with a `$` (`/home/<user>`) are no machine's. */
export const PATHS = [
  ['home folder', `${START}/home/${REST}/`],
  ['home folder of root', `${START}/root/${REST}`],
  ['home folder (macOS)', `${START}/Users/(?!Shared/)${REST}/`],
  ['home folder (Windows)', String.raw`[A-Za-z]:[\\/]{1,2}Users[\\/]{1,2}(?!Public\b)${REST}[\\/]`],
  // KServe puts models into /mnt/models.
  ['work folder', `${START}/(?:work|workspace|builds?|mnt(?!/models/)|content|kaggle)/${REST}/`],
  ['temporary folder', `${START}(?:/private)?(?:/var)?/tmp/${REST}`],
  ['temporary folder (macOS)', `${START}(?:/private)?/var/folders/${REST}/`],
  ['installed Python package', `${START}/${REST}[^\\0\\n"']{0,200}/(?:site|dist)-packages/`],
  ['installed Python package (Windows)', String.raw`[A-Za-z]:\\[^\0\n"']{0,200}\\site-packages\\`],
  ['registry of Cargo', `/\\.cargo/registry/src/`],
].map(([what, source]) => ({ what, pattern: new RegExp(source, 'g') }));

/** Text as Latin-1, so that every byte stays what it is; UTF-16 as its lower bytes. */
function* textsOf(bytes) {
  yield bytes.toString('latin1');
  // Every second byte is zero in UTF-16 of plain letters.
  if (bytes.includes('/\0', 0, 'latin1') || bytes.includes(':\0\\\0', 0, 'latin1')) {
    yield bytes.toString('latin1').replaceAll('\0', '');
  }
}

const MAX_DEPTH = 3;
const LOCAL = Buffer.from('PK\x03\x04', 'latin1');
const CENTRAL = Buffer.from('PK\x01\x02', 'latin1');

/** What is packed in some bytes: members of zip files that lie anywhere in them, gzip bodies, zlib streams of PNG or HDF5. */
function* packedIn(bytes) {
  const inflate = (unpack, from, to) => {
    try {
      return unpack(bytes.subarray(from, to), { finishFlush: 2, maxOutputLength: 2 ** 28 });
    } catch {
      return undefined; // not such a stream
    }
  };
  for (let at = bytes.indexOf(CENTRAL); at >= 0; at = bytes.indexOf(CENTRAL, at + 4)) {
    if (at + 46 > bytes.length || bytes.readUInt16LE(at + 10) !== 8) continue;
    const offset = bytes.readUInt32LE(at + 42);
    if (offset + 30 > bytes.length || bytes.compare(LOCAL, 0, 4, offset, offset + 4) !== 0) continue;
    const start = offset + 30 + bytes.readUInt16LE(offset + 26) + bytes.readUInt16LE(offset + 28);
    const data = inflate(inflateRawSync, start, start + bytes.readUInt32LE(at + 20));
    if (data) yield { name: bytes.toString('latin1', at + 46, at + 46 + bytes.readUInt16LE(at + 28)), data };
  }
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    const data = inflate(gunzipSync, 0);
    if (data) yield { name: 'gzip', data };
  }
  // The first byte of a zlib stream with the usual window, and a check digit in the second.
  for (let at = bytes.indexOf(0x78); at >= 0; at = bytes.indexOf(0x78, at + 1)) {
    if (![0x01, 0x5e, 0x9c, 0xda].includes(bytes[at + 1])) continue;
    const data = inflate(inflateSync, at);
    if (data?.length > 64) yield { name: `zlib at ${at}`, data };
  }
}

/** The paths in a file: `{ where, what, path }`, `where` naming the packed members on the way. */
export function findPaths(bytes, where, depth = 0) {
  const found = [];
  for (const text of textsOf(bytes)) {
    for (const { what, pattern } of PATHS) {
      for (const match of text.matchAll(pattern)) found.push({ where, what, path: match[0] });
    }
  }
  if (depth < MAX_DEPTH) {
    for (const { name, data } of packedIn(bytes)) found.push(...findPaths(data, `${where} > ${name}`, depth + 1));
  }
  return found;
}

function main() {
  const { stdout } = spawnSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28 });
  const files = (stdout ?? '').split('\0').filter((name) => name !== '');
  if (files.length === 0) throw new Error('git lists no files: this check needs a clone');
  const isFile = (name) => lstatSync(join(root, name), { throwIfNoEntry: false })?.isFile();
  const found = files.filter(isFile).flatMap((name) => findPaths(readFileSync(join(root, name)), name));
  const lines = new Set(found.map(({ where, what, path }) => `${where}: ${what}: ${JSON.stringify(path)}`));
  for (const line of lines) console.log(line);
  if (lines.size > 0) console.log(`${lines.size} paths of build machines; write these files anew without them`);
  return lines.size === 0 ? 0 : 1;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) process.exitCode = main();
