import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../../ts/backends/backend.ts';
import { jsBackend } from '../../ts/backends/js/index.ts';
import { coreBinaries, ownBinaries } from '../../ts/backends/wasm/binaries.ts';
import { hasRelaxedSimd, wasmBackend } from '../../ts/backends/wasm/index.ts';
import { flavourOf } from '../../ts/layers/index.ts';
import { resolveGraph } from '../../ts/spec/graph.ts';
import { type Choices, Random } from '../random.ts';
import {
  attentionRun,
  CELLS,
  type CellType,
  convRun,
  crossAttentionRun,
  encoderDecoderRun,
  elementwiseRun,
  graphRun,
  integerProductRun,
  integerRun,
  layerRun,
  nestedRun,
  normRun,
  randomLayer,
  streamRun,
  wideRun,
} from './cases.ts';
import { choices } from './choices.ts';
import { firstDifference, runOn } from './engines.ts';
import { axisLengths, runNative, type Run } from './native.ts';

describe('the same bits', () => {
  let baseline: Backend;
  let core: Backend;
  beforeAll(async () => {
    baseline = await wasmBackend({ deterministic: true, binaries: ownBinaries });
    core = await wasmBackend({ deterministic: true, binaries: coreBinaries });
  });

  const makers: [string, number, (random: Choices, types: readonly CellType[]) => Run][] = [
    ['layers', 300, layerRun],
    ['wide layers', 50, wideRun],
    ['graphs of layers', 60, graphRun],
    ['normalization', 150, normRun],
    ['convolutions', 200, convRun],
    ['in the middle of a stream', 150, streamRun],
    ['attention', 120, attentionRun],
    ['attention to another axis', 120, crossAttentionRun],
    ['an encoder and a decoder', 120, encoderDecoderRun],
    ['elementwise layers', 100, elementwiseRun],
    ['steps that are sequences', 120, nestedRun],
    ['weights of integers', 150, integerRun],
  ];
  test.each(makers)('%s: baseline wasm, native and JS', (_, count, make) => {
    const runs: Run[] = [];
    const inWords = ({ lengths, graph }: Run) =>
      JSON.stringify({ lengths, layers: graph.spec.layers }, (key, value: unknown) =>
        key === 'weights' ? undefined : value,
      );
    fc.assert(
      fc.property(fc.gen(), (draw) => {
        const run = make(choices(draw), CELLS);
        // A failure is made small by thousands of runs, which are not kept.
        if (runs.length < count) runs.push(run);
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
      if (flavourOf(run.graph.spec.layers) === 'full') continue;
      expect(firstDifference(runOn(core, run), native[i]!), `core and native: ${inWords(run)}`).toBeUndefined();
    }
  });

  test.runIf(hasRelaxedSimd())('products of integers: the relaxed build too', async () => {
    const relaxed = await wasmBackend({ binaries: ownBinaries });
    fc.assert(
      fc.property(fc.gen(), (draw) => {
        const run = integerProductRun(choices(draw));
        expect(firstDifference(runOn(relaxed, run), runOn(jsBackend, run))).toBeUndefined();
      }),
      { numRuns: 150, seed: 20261129 },
    );
  });

  test('a row does not depend on the batch around it, a step not on the run around it', () => {
    const random = new Random(7);
    for (let i = 0; i < 60; i++) {
      const type = CELLS[i % CELLS.length]!;
      const layer = randomLayer(random, 'layer', 5, { types: [type] });
      layer.direction = 'forward';
      delete layer.merge;
      delete layer.reversedOutput;
      layer.weights = Object.fromEntries(
        Object.entries(layer.weights).map(([k, w]) => [k.replace('reverse', 'forward'), w]),
      );
      const graph = resolveGraph({ inputs: [{ name: 'x', dtype: 'float32', size: 5 }], layers: [layer] });
      const lengths = [random.int(1, 30), random.int(1, 30), random.int(1, 30)];
      const x = lengths.map((length) => random.floats(length * 5));
      // By slot, then by sequence.
      const states = graph.states.map(({ size }) => lengths.map(() => random.floats(size)));
      const join = (parts: Float32Array[]) => Float32Array.from(parts.flatMap((part) => [...part]));
      for (const backend of [baseline, jsBackend]) {
        const run = { graph, timeMajor: false };
        const together = runOn(backend, { ...run, lengths, inputs: [join(x)], hidden: states.map(join) });
        const alone = lengths.map((length, b) =>
          runOn(backend, { ...run, lengths: [length], inputs: [x[b]!], hidden: states.map((rows) => rows[b]!) }),
        );
        expect(
          firstDifference(
            together,
            together.map((_, r) => join(alone.map((results) => results[r]!))),
          ),
        ).toBeUndefined();
        const model = backend.compile(graph);
        const state = model.createState(1);
        state.setLengths([{ lengths: [1] }]);
        states.forEach((rows, s) => {
          state.writeHidden(s, rows[0]!);
        });
        const steps = Array.from({ length: lengths[0]! }, (_, t) => {
          state.inputFloats(0).set(x[0]!.subarray(5 * t, 5 * t + 5));
          state.run();
          return state.output(0).slice();
        });
        expect(firstDifference([join(steps)], [alone[0]![0]!])).toBeUndefined();
        state.free();
        model.free();
      }
    }
  });

  test.each([
    ['graphs of layers', graphRun],
    ['attention', attentionRun],
    ['steps that are sequences', nestedRun],
  ])('%s: a sequence does not depend on the batch around it', (_, make) => {
    fc.assert(
      fc.property(fc.gen(), (draw) => {
        const run = { ...make(choices(draw)), timeMajor: false };
        // By axis, those that layers make included.
        const lengths = axisLengths(run);
        const starts = lengths.map((own) =>
          own.map((_, b) => own.slice(0, b).reduce((sum, length) => sum + length, 0)),
        );
        const together = runOn(jsBackend, run);
        for (const [b, length] of run.lengths.entries()) {
          const own = <T extends Float32Array | Int32Array>(values: T, kind: string, size: number, axis = 0): T => {
            const [start, rows] = kind === 'sequence' ? [starts[axis]![b]!, lengths[axis]![b]!] : [b, 1];
            return values.slice(start * size, (start + rows) * size) as T;
          };
          const shapes = [
            ...run.graph.outputs,
            ...run.graph.states.map(({ size }) => ({ kind: 'vector', size, axis: 0 })),
          ];
          const alone = runOn(jsBackend, {
            ...run,
            lengths: [length],
            inputs: run.inputs.map((values, i) => own(values, 'sequence', run.graph.inputs[i]!.size)),
            hidden: run.graph.states.map(({ size }, i) => own(run.hidden[i]!, 'vector', size)),
          });
          const want = together.map((values, i) => own(values, shapes[i]!.kind, shapes[i]!.size, shapes[i]!.axis));
          expect(firstDifference(alone, want), `sequence ${b} of ${run.lengths.join(', ')}`).toBeUndefined();
        }
      }),
      { numRuns: 40, seed: 20261128 },
    );
  });
});
