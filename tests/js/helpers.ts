import { expect } from 'vitest';
import type { BackendState } from '../../ts/backends/backend.ts';
import { jsBackend } from '../../ts/backends/js/index.ts';
import { resolveGraph } from '../../ts/spec/graph.ts';
import { useAllKinds } from '../../ts/layers/full.ts';
import type { GruSpec, LstmSpec, ModelSpec, RnnSpec } from '../../ts/spec/spec.ts';

useAllKinds();

export function randomFloats(next: () => number, length: number, scale = 1): Float32Array {
  return new Float32Array(length).map(() => (next() * 2 - 1) * scale);
}

export function pick<T>(next: () => number, choices: readonly T[]): T {
  return choices[Math.floor(next() * choices.length)]!;
}

export function makeState(
  spec: ModelSpec,
  batch: number,
  lengths?: ArrayLike<number>,
  timeMajor?: boolean,
): BackendState {
  const state = jsBackend.compile(resolveGraph(spec)).createState(batch);
  if (lengths) state.setLengths([{ lengths, timeMajor }]);
  return state;
}

/** Weights for both directions where both are wanted. */
export function gruWeights(
  next: () => number,
  { inputSize, hiddenSize, resetAfter, direction }: Omit<GruSpec, 'weights' | 'name' | 'type'>,
): GruSpec['weights'] {
  const weights: GruSpec['weights'] = {};
  const all = direction === 'bidirectional' ? (['forward', 'reverse'] as const) : [direction ?? 'forward'];
  for (const d of all as ('forward' | 'reverse')[]) {
    weights[`${d}.input`] = randomFloats(next, 3 * hiddenSize * inputSize);
    weights[`${d}.recurrent`] = randomFloats(next, 3 * hiddenSize * hiddenSize, 0.7);
    if (next() < 0.7) weights[`${d}.bias`] = randomFloats(next, 3 * hiddenSize);
    if (resetAfter && next() < 0.7) weights[`${d}.recurrentBias`] = randomFloats(next, hiddenSize);
  }
  return weights;
}

/** An lstm or rnn layer with weights for the directions that it has. */
export function cellLayer(
  next: () => number,
  spec: Omit<LstmSpec, 'weights' | 'name'> | Omit<RnnSpec, 'weights' | 'name'>,
): LstmSpec | RnnSpec {
  const { type, inputSize, hiddenSize, direction = 'forward' } = spec;
  const rows = (type === 'lstm' ? 4 : 1) * hiddenSize;
  const peepholes = type === 'lstm' && next() < 0.3;
  const weights: LstmSpec['weights'] = {};
  for (const d of direction === 'bidirectional' ? (['forward', 'reverse'] as const) : [direction]) {
    weights[`${d}.input`] = randomFloats(next, rows * inputSize, 1 / Math.sqrt(inputSize));
    weights[`${d}.recurrent`] = randomFloats(next, rows * hiddenSize, 1 / Math.sqrt(hiddenSize));
    if (next() < 0.7) weights[`${d}.bias`] = randomFloats(next, rows);
    if (peepholes) weights[`${d}.peepholes`] = randomFloats(next, 3 * hiddenSize);
  }
  return { name: 'layer', ...spec, weights };
}

/** Sequences of one layer of 5 inputs, in a batch and beyond a block of rows: each step by step has the same bits. */
export function expectSameSteps(next: () => number, layer: ModelSpec['layers'][number], hiddenSize: number): void {
  const spec: ModelSpec = { inputs: [{ name: 'x', dtype: 'float32', size: 5 }], layers: [layer] };
  const lengths = [250, 3, 0, 200];
  const x = randomFloats(next, 453 * 5);
  const whole = makeState(spec, 4, lengths);
  whole.inputFloats(0).set(x);
  whole.run();
  let row = 0;
  for (const length of lengths) {
    const step = makeState(spec, 1, [1]);
    for (let t = 0; t < length; t++, row++) {
      step.inputFloats(0).set(x.subarray(row * 5, (row + 1) * 5));
      step.run();
      expect(step.output(0)).toEqual(whole.output(0).subarray(row * hiddenSize, (row + 1) * hiddenSize));
    }
  }
}
