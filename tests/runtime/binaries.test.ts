import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { unpack } from '../../ts/backends/wasm/packed.ts';

const BUILDS = ['baseline', 'relaxed'] as const;
const built = (name: string) => readFileSync(new URL(`../../crate/pkg/${name}/gru_wasm_bg.wasm`, import.meta.url));

describe('the inlined binaries are those that were built', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test.each(BUILDS)('%s, by zlib', async (name) => {
    expect(Buffer.from(await unpack(name)).equals(built(name))).toBe(true);
  });

  test.each(BUILDS)('%s, by DecompressionStream', async (name) => {
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined);
    expect(Buffer.from(await unpack(name)).equals(built(name))).toBe(true);
  });
});
