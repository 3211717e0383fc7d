import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../../ts/backends/backend.ts';
import { jsBackend } from '../../ts/backends/js/index.ts';
import { ownBinaries } from '../../ts/backends/wasm/binaries.ts';
import { wasmBackend } from '../../ts/backends/wasm/index.ts';
import { resolveGraph } from '../../ts/spec/graph.ts';
import { type Choices, Random } from '../random.ts';
import { graphRun, gruRun, randomGru, wideRun } from './cases.ts';
import { choices } from './choices.ts';
import { firstDifference, runOn } from './engines.ts';
import { runNative, type Run } from './native.ts';

describe('the same bits', () => {
  let baseline: Backend;
  beforeAll(async () => {
    baseline = await wasmBackend({ deterministic: true, binaries: ownBinaries });
  });

  const makers: [string, number, (random: Choices) => Run][] = [
    ['gru layers', 200, gruRun],
    ['wide gru layers', 30, wideRun],
    ['graphs of layers', 60, graphRun],
  ];
  test.each(makers)('%s: baseline wasm, native and JS', (_, count, make) => {
    const runs: Run[] = [];
    const inWords = ({ lengths, graph }: Run) =>
      JSON.stringify({ lengths, layers: graph.spec.layers }, (key, value: unknown) =>
        key === 'weights' ? undefined : value,
      );
    fc.assert(
      fc.property(fc.gen(), (draw) => {
        const run = make(choices(draw));
        runs.push(run);
        const difference = firstDifference(runOn(baseline, run), runOn(jsBackend, run));
        expect(difference, `wasm and JS: ${inWords(run)}`).toBeUndefined();
      }),
      { numRuns: count, seed: 20261124 },
    );
    // In one process, all at once.
    const native = runNative(runs);
    for (const [i, run] of runs.entries()) {
      const difference = firstDifference(runOn(baseline, run), native[i]!);
      expect(difference, `wasm and native: ${inWords(run)}`).toBeUndefined();
    }
  });

  test('a row does not depend on the batch around it, a step not on the run around it', () => {
    const random = new Random(7);
    for (let i = 0; i < 20; i++) {
      const gru = { ...randomGru(random, 'gru', 5), direction: 'forward' as const };
      delete gru.merge;
      delete gru.reversedOutput;
      gru.weights = Object.fromEntries(
        Object.entries(gru.weights).map(([k, w]) => [k.replace('reverse', 'forward'), w]),
      );
      const graph = resolveGraph({ inputs: [{ name: 'x', dtype: 'float32', size: 5 }], layers: [gru] });
      const lengths = [random.int(1, 30), random.int(1, 30), random.int(1, 30)];
      const x = lengths.map((length) => random.floats(length * 5));
      const h = lengths.map(() => random.floats(gru.hiddenSize));
      const join = (parts: Float32Array[]) => Float32Array.from(parts.flatMap((part) => [...part]));
      for (const backend of [baseline, jsBackend]) {
        const together = runOn(backend, { graph, lengths, timeMajor: false, inputs: [join(x)], hidden: [join(h)] });
        const alone = lengths.map((length, b) =>
          runOn(backend, {
            graph,
            lengths: [length],
            timeMajor: false,
            inputs: [x[b] as never],
            hidden: [h[b] as never],
          }),
        );
        expect(
          firstDifference(together, [
            join(alone.map(([y]) => y as never)),
            join(alone.map(([, last]) => last as never)),
          ]),
        ).toBeUndefined();
        const model = backend.compile(graph);
        const state = model.createState(1);
        state.setLengths([{ lengths: [1] }]);
        state.writeHidden(0, h[0] as never);
        const steps = Array.from({ length: lengths[0]! }, (_, t) => {
          state.inputFloats(0).set(x[0]!.subarray(5 * t, 5 * t + 5));
          state.run();
          return state.output(0).slice();
        });
        expect(firstDifference([join(steps)], [alone[0]?.[0] as never])).toBeUndefined();
        state.free();
        model.free();
      }
    }
  });
});
