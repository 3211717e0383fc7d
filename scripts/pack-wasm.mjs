import zopfli from '@gfx/zopfli';
import { transformSync } from 'esbuild';
import { readFileSync, writeFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';
import { at, main, UserError } from './lib.mjs';
import { binaryName, WASM_FLAVOURS } from './wasm.mjs';

/**
 * Packs both builds of each flavour into crate/pkg/packed.wasm and crate/pkg/core-packed.wasm, which the package inlines: a module of two custom sections,
 * `baseline` (deflated) and `relaxed` (deflated, what has to be done to baseline to get it: a seventh of its size). Being a
 * module, it is inlined and decoded by @rollup/plugin-wasm like any other. ts/backends/wasm/unpack.ts reads it.
 */
const packedFile = (flavour) => at('crate', 'pkg', `${binaryName(flavour, 'packed')}.wasm`);

/** Bytes that a copy must save to be worth its two numbers: from where the last one ended, from near it, from anywhere. */
const COST = { straight: 2, near: 3, far: 12 };
const NEAR = 40;
const HASHED = 6;

/** `to` as copies from `from` and bytes between them, in the form that ts/backends/wasm/patch.ts reads. */
function delta(from, to) {
  const places = new Map();
  const key = (bytes, at) => bytes.toString('latin1', at, at + HASHED);
  for (let i = 0; i + HASHED <= from.length; i++) {
    const list = places.get(key(from, i));
    if (list) list.push(i);
    else places.set(key(from, i), [i]);
  }
  const out = [];
  const number = (value) => {
    for (; value > 127; value >>>= 7) out.push((value & 127) | 128);
    out.push(value);
  };
  number(to.length);
  let expected = 0;
  let fresh = [];
  for (let i = 0; i < to.length;) {
    let best = { saved: -1, start: 0, length: 0 };
    const consider = (start, cost) => {
      if (start < 0) return;
      let length = 0;
      while (start + length < from.length && i + length < to.length && from[start + length] === to[i + length])
        length++;
      if (length - cost > best.saved) best = { saved: length - cost, start, length };
    };
    consider(expected, COST.straight);
    for (let d = 1; d <= NEAR; d++) for (const start of [expected + d, expected - d]) consider(start, COST.near);
    for (const start of places.get(key(to, i)) ?? []) consider(start, COST.far);
    if (best.saved < 0) {
      fresh.push(to[i++]);
      expected++;
      if (i < to.length) continue;
      best = { start: expected, length: 0 };
    }
    const skip = best.start - expected;
    number(fresh.length);
    out.push(...fresh);
    number(skip < 0 ? -2 * skip - 1 : 2 * skip);
    number(best.length);
    fresh = [];
    i += best.length;
    expected = best.start + best.length;
  }
  return Buffer.from(out);
}

const leb = (value) => (value > 127 ? [(value & 127) | 128, ...leb(value >>> 7)] : [value]);

function customSection(name, data) {
  const content = Buffer.concat([Buffer.from([name.length]), Buffer.from(name), data]);
  return Buffer.concat([Buffer.from([0, ...leb(content.length)]), content]);
}

async function pack(flavour, patch) {
  const [baseline, relaxed] = ['baseline', 'relaxed'].map((build) =>
    readFileSync(at('crate', 'pkg', binaryName(flavour, build), 'gru_wasm_bg.wasm')),
  );
  const magic = Buffer.from([0, 97, 115, 109, 1, 0, 0, 0]);
  // Zopfli takes a second, and 6 % off what zlib makes of it.
  const deflate = async (data) => Buffer.from(await zopfli.deflateAsync(data, { numiterations: 15 }));
  const parts = await Promise.all([baseline, delta(baseline, relaxed)].map(deflate));
  const [base, change] = parts.map((part) => inflateRawSync(part));
  if (!baseline.equals(base) || !relaxed.equals(patch(base, change))) {
    throw new UserError('what was packed would not be unpacked the same');
  }
  const sections = [customSection('baseline', parts[0]), customSection('relaxed', parts[1])];
  writeFileSync(packedFile(flavour), Buffer.concat([magic, ...sections]));
}

await main(async () => {
  const { code } = transformSync(readFileSync(at('ts', 'backends', 'wasm', 'patch.ts')), { loader: 'ts' });
  const { patch } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  for (const flavour of Object.keys(WASM_FLAVOURS)) await pack(flavour, patch);
});
