import { specError } from './check.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase, ValueRef } from './spec.ts';

/**
 * Sums of rows over the steps, as a vector: y[i * size + j] = sum over t ascending of weights[t][i] * values[t][j]. With weights by a
 * `timeSoftmax` it is attention pooling.
 */
export interface WeightedSumSpec extends LayerBase {
  type: 'weightedSum';
  /** Weights, values: of the same steps. */
  inputs: ValueRef[];
}

export const weightedSum: LayerKind<WeightedSumSpec> = {
  type: 'weightedSum',
  code: 14,
  fields: [],
  check() {
    // no sizes, no options
  },
  ports(spec, inputs) {
    const [weights, values] = inputs;
    if (!weights || !values || inputs.length !== 2) {
      throw specError(spec, `takes two inputs, weights and values, got ${inputs.length}`);
    }
    if (inputs.some(({ kind, dtype }) => kind !== 'sequence' || dtype !== 'float32')) {
      throw specError(spec, 'takes float32 values of steps');
    }
    return [{ port: 'output', kind: 'vector', dtype: 'float32', size: weights.size * values.size }];
  },
  tensors: () => [],
  params: () => ({}),
  notStreamable: () => 'it sums over all steps',
};
