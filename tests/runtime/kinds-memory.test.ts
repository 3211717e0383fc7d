import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRaw, writeOnnx, writeRaw, writeRtneural, writeTorchSafetensors } from '../../bench/load/models.mjs';
import { seedsOf, FORMATS } from '../../scripts/fuzz/seeds.mjs';
import * as whole from '../../ts/index.ts';
import { LAYERS } from '../../ts/layers/full.ts';
import { BACKENDS, memoryOf } from '../backends.ts';
import { inUse } from '../heap.ts';
import { integerRun, MAKERS, streamRun } from '../parity/cases.ts';
import { runOn } from '../parity/engines.ts';
import { Random } from '../random.ts';

/** What stays of a model that is gone: of every kind of layer, and of every reader of files. */

const ALL_MAKERS = [...MAKERS, streamRun, integerRun];

/** Expects that `work` leaves less than `most` bytes behind: 0.2 MB and less was seen. */
async function expectLeft(most: number, work: () => void | Promise<void>): Promise<void> {
  const before = await inUse();
  await work();
  const after = await inUse();
  expect(after.heap + after.arrays - before.heap - before.arrays).toBeLessThan(most);
}

describe.each(BACKENDS)('$name', ({ name, backend, api }) => {
  const wasm = () => (name === 'js' ? 0 : memoryOf(name).buffer.byteLength);

  test('models of every kind of layer, made, run and freed', async () => {
    const runs = ALL_MAKERS.flatMap((make) => Array.from({ length: 12 }, (_, seed) => make(new Random(seed))));
    const kinds = new Set(runs.flatMap(({ graph }) => graph.spec.layers.map(({ type }) => type)));
    expect(Object.keys(LAYERS).filter((kind) => !kinds.has(kind as never))).toEqual([]);
    const pass = () => {
      for (const run of runs) runOn(backend, run);
    };
    pass();
    const memory = wasm();
    // 3,300 models: a number that each leaves behind would be 26 KB, a state far more.
    await expectLeft(4e6, () => {
      for (let i = 0; i < (name === 'js' ? 4 : 25); i++) pass();
    });
    expect(wasm()).toBe(memory);
  });

  test.each(FORMATS)('files of %s, loaded and disposed of', async (format) => {
    const { files } = await seedsOf(format, whole);
    // From all over the list: the first ones of a format may all be there to be refused.
    const every = Math.ceil(files.length / 8);
    const inputs = files.filter((_, i) => i % every === 0).map(({ parts, build }) => build(parts));
    let loaded = 0;
    const pass = async () => {
      for (const { bytes, options } of inputs) {
        try {
          (await api.loadModel(bytes, options)).dispose();
          loaded++;
        } catch (error) {
          // some files are there to be refused
          if (!(error instanceof whole.GruError)) throw error;
        }
      }
    };
    for (let i = 0; i < 3; i++) await pass();
    // Those of TorchScript are state dicts that say no wiring: they are read, and refused then.
    if (format !== 'torchscript') expect(loaded).toBeGreaterThan(0);
    const memory = wasm();
    await expectLeft(3e6, async () => {
      for (let i = 0; i < 25; i++) await pass();
    });
    expect(wasm()).toBe(memory);
  });

  if (name !== 'js') {
    describe('a model of 9.8 MB', () => {
      let folder: string;
      beforeAll(() => {
        folder = mkdtempSync(join(tmpdir(), 'gru-memory-'));
      });
      afterAll(() => {
        rmSync(folder, { recursive: true });
      });
      const BYTES = 9.8e6;

      test.each<[string, (file: string) => void]>([
        ['torch.safetensors', writeTorchSafetensors],
        ['model.onnx', writeOnnx],
        ['model.json', writeRtneural],
      ])('%s takes its weights once and gives them back', async (file, write) => {
        const path = join(folder, file);
        write(path);
        const bytes = new Uint8Array(readFileSync(path));
        const load = () => api.loadModel(bytes);
        const before = wasm();
        (await load()).dispose();
        const first = wasm();
        // Packed weights, and those of the file while they are packed.
        expect(first - before).toBeLessThan(3 * BYTES);
        for (let i = 0; i < 4; i++) (await load()).dispose();
        expect(wasm()).toBe(first);
      });

      test('arrays', async () => {
        const path = join(folder, 'raw.bin');
        writeRaw(path);
        const config = { inputSize: 640, hiddenSize: 640, resetAfter: true };
        const make = () =>
          api.createGru(config, { layout: 'pytorch', ...(readRaw(readFileSync(path)) as object) } as never);
        (await make()).dispose();
        const first = wasm();
        for (let i = 0; i < 4; i++) (await make()).dispose();
        expect(wasm()).toBe(first);
      });
    });
  }
});
