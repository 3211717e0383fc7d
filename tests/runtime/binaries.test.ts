import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { packed as full } from '../../ts/backends/wasm/packed.ts';
import { packed as core } from '../../ts/backends/wasm/packed-core.ts';
import { unpack } from '../../ts/backends/wasm/unpack.ts';
import { wasmFile } from '../built.ts';

const BUILDS = [
  ['baseline', full, 'baseline'],
  ['relaxed', full, 'relaxed'],
  ['core-baseline', core, 'baseline'],
  ['core-relaxed', core, 'relaxed'],
] as const;
const built = (name: string) => readFileSync(wasmFile(name));

describe('the inlined binaries are those that were built', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test.each(BUILDS)('%s, by zlib', async (name, packed, build) => {
    expect(Buffer.from(await unpack(packed, build)).equals(built(name))).toBe(true);
  });

  test.each(BUILDS)('%s, by DecompressionStream', async (name, packed, build) => {
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined);
    expect(Buffer.from(await unpack(packed, build)).equals(built(name))).toBe(true);
  });
});
