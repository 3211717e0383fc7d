import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { weightsOf } from '../../ts/base/weights.ts';
import type { ModelSpec } from '../../ts/spec/spec.ts';
import { LAYERS } from '../../ts/layers/full.ts';
import { resolveGraph } from '../../ts/spec/graph.ts';
import { BACKENDS } from '../backends.ts';
import { integerRun, MAKERS } from '../parity/cases.ts';
import { firstDifference, runOn } from '../parity/engines.ts';
import { Random } from '../random.ts';

/** A spec may come from another realm, as a frame or a vm has one: its arrays are of other classes, and are weights all the same. */

const copyThere = runInNewContext(`(function copy(value) {
  if (ArrayBuffer.isView(value)) return new globalThis[value.constructor.name](value);
  if (Array.isArray(value)) return value.map(copy);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, copy(one)]));
})`) as (spec: ModelSpec) => ModelSpec;

describe.each(BACKENDS)('$name', ({ backend }) => {
  test('layers of every kind, of every dtype', () => {
    const [kinds, dtypes] = [new Set<string>(), new Set<string>()];
    for (const make of [...MAKERS, integerRun]) {
      for (let seed = 0; seed < 6; seed++) {
        const run = make(new Random(seed));
        const spec = copyThere(run.graph.spec);
        for (const layer of spec.layers) {
          kinds.add(layer.type);
          for (const tensor of Object.values(weightsOf(layer))) {
            expect(tensor).not.toBeInstanceOf(Float32Array);
            dtypes.add(tensor && 'dtype' in tensor ? tensor.dtype : 'f32');
          }
        }
        const expected = runOn(backend, run);
        expect(firstDifference(runOn(backend, { ...run, graph: resolveGraph(spec) }), expected)).toBeUndefined();
      }
    }
    expect(Object.keys(LAYERS).filter((kind) => !kinds.has(kind))).toEqual([]);
    expect([...dtypes].sort()).toEqual(['f32', 'i16', 'i8']);
  });
});
