import { describe, expect, test } from 'vitest';
import { LAYERS } from '../../ts/layers/full.ts';
import { resolveGraph, type Graph } from '../../ts/spec/graph.ts';
import { BACKENDS } from '../backends.ts';
import { MAKERS } from '../parity/cases.ts';
import { firstDifference, runOn } from '../parity/engines.ts';
import { Random } from '../random.ts';

/** Layers of which nothing is read get no room for what they give: they run, and change nothing. */

/** The graph and a twin of one of its layers, which nobody reads. */
function withTwin({ spec, outputs }: Graph, i: number): Graph {
  const layer = spec.layers[i]!;
  const before = i === 0 ? spec.inputs[0]! : spec.layers[i - 1]!;
  const twin = { ...layer, name: 'twin', inputs: layer.inputs ?? [before.name] };
  return resolveGraph({
    ...spec,
    layers: [...spec.layers, twin],
    outputs: spec.outputs ?? outputs.map(({ name }) => name),
  });
}

describe.each(BACKENDS)('$name', ({ backend }) => {
  test('a layer of every kind', () => {
    const kinds = new Set<string>();
    for (const make of MAKERS) {
      for (let seed = 0; seed < 4; seed++) {
        const run = make(new Random(seed));
        const expected = runOn(backend, run);
        for (const [i, { type }] of run.graph.spec.layers.entries()) {
          expect(firstDifference(runOn(backend, { ...run, graph: withTwin(run.graph, i) }), expected)).toBeUndefined();
          kinds.add(type);
        }
      }
    }
    expect(Object.keys(LAYERS).filter((kind) => !kinds.has(kind))).toEqual([]);
  });
});
