import { describe, expect, test } from 'vitest';
import { createModel, loadModel } from '../../ts/index.ts';
import { createModelSync, compileForWorklet } from '../../ts/worklet.ts';
import { originOf } from '../../ts/api/origin.ts';
import type { GruModel } from '../../ts/api/model.ts';
import { coreBinaries, ownBinaries } from '../../ts/backends/wasm/binaries.ts';
import { instanceOf } from '../../ts/backends/wasm/core.ts';
import { wasmBackend } from '../../ts/backends/wasm/index.ts';
import { LAYERS } from '../../ts/layers/full.ts';
import { CORE_LAYERS, flavourOf } from '../../ts/layers/index.ts';
import { resolveGraph } from '../../ts/spec/graph.ts';
import type { ModelSpec } from '../../ts/spec/spec.ts';
import { expectError, numbers, oneGru } from '../facade/helpers.ts';

const moduleOf = (model: GruModel) => originOf(model)!.backend.shared!.module;

/** A GRU, and what only the full flavour has behind it. */
function pooled(): ModelSpec {
  const { inputs, layers } = oneGru(4, 6);
  const { name } = layers[0]!;
  return { inputs, layers: [...layers, { name: 'pooled', type: 'pool', inputs: [name], pool: 'max', window: 2 }] };
}

describe.each([false, true])('a model, deterministic: %s,', (deterministic) => {
  const options = { backend: 'wasm', deterministic } as const;
  const bits = (model: GruModel) => Buffer.from(model.run(numbers(16)).output.data.slice().buffer).toString('hex');

  test('is compiled on the flavour that has its layers, and loaded from a file on the same', async () => {
    const [core, full] = await Promise.all(
      [coreBinaries, ownBinaries].map((binaries) => wasmBackend({ deterministic, binaries })),
    );
    for (const [spec, backend] of [
      [oneGru(4, 6), core!],
      [pooled(), full!],
    ] as const) {
      using model = await createModel(spec, options);
      using loaded = await loadModel(model.save(), options);
      expect(moduleOf(model)).toBe(backend.shared!.module);
      expect(moduleOf(loaded)).toBe(backend.shared!.module);
      expect(bits(loaded)).toBe(bits(model));
    }
  });

  test('lives on, or dies, with its own flavour alone', async () => {
    using core = await createModel(oneGru(4, 6), options);
    using full = await createModel(pooled(), options);
    const [want, wantFull] = [bits(core), bits(full)];
    instanceOf(moduleOf(full))!.dead = true;
    await expectError(() => full.run(numbers(16)), 'internal', 'dead');
    expect(bits(core)).toBe(want);
    using again = await createModel(pooled(), options);
    expect(bits(again)).toBe(wantFull);
  });

  test('of any layers is made of what compileForWorklet gives', async () => {
    using model = await createModel(pooled(), options);
    using made = createModelSync(await compileForWorklet({ deterministic }), pooled());
    expect(bits(made)).toBe(bits(model));
  });
});

test('the core flavour refuses what it lacks', async () => {
  const backend = await wasmBackend({ deterministic: true, binaries: coreBinaries });
  await expectError(() => backend.compile(resolveGraph(pooled())), 'internal', 'pooled');
});

test('one layer is enough to need the full flavour, also one that nobody knows; what is no list of layers needs none', () => {
  for (const type of [...Object.keys(LAYERS), 'unknown', '__proto__']) {
    expect(flavourOf([{ type: 'gru' }, { type }, null]), type).toBe(Object.hasOwn(CORE_LAYERS, type) ? 'core' : 'full');
  }
  for (const odd of [undefined, null, 3, {}, [null], ['gru'], [{ type: 3 }]]) expect(flavourOf(odd)).toBe('core');
});
