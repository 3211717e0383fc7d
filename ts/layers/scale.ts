import { checkSize, onlyInput, specError } from './check.ts';
import { composeAffine } from './fold.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase } from './spec.ts';

/**
 * scale x + shift, for each feature: batch normalization at inference, a change of units. With `steps` the two differ from step to
 * step as well.
 */
export interface ScaleSpec extends LayerBase {
  type: 'scale';
  /** Values of a row. */
  inputSize: number;
  /** scale and shift have a row for each step: every sequence then has this many steps. */
  steps?: number;
  /** scale (left out: 1), shift (left out: 0): (inputSize), or (steps, inputSize). */
  weights: { scale?: Float32Array; shift?: Float32Array };
}

export const scale: LayerKind<ScaleSpec> = {
  type: 'scale',
  code: 10,
  weighted: true,
  fields: ['inputSize', 'steps'],
  check(spec) {
    checkSize(spec, 'inputSize', spec.inputSize);
    if (spec.steps !== undefined) checkSize(spec, 'steps', spec.steps);
  },
  ports(spec, inputs) {
    const { kind, size } = onlyInput(spec, inputs, spec.inputSize);
    if (spec.steps !== undefined && kind !== 'sequence') {
      throw specError(spec, 'has weights for each step, its input has one row a sequence');
    }
    return [{ port: 'output', kind, dtype: 'float32', size }];
  },
  tensors({ inputSize, steps }) {
    const shape = steps === undefined ? [inputSize] : [steps, inputSize];
    return ['scale', 'shift'].map((key) => ({ key, shape, optional: true }));
  },
  params: ({ inputSize, steps }) => ({ inputSize, steps: steps ?? 0 }),
  steps: ({ steps }) => steps,
  affine: ({ steps, weights: { scale, shift } }) => (steps === undefined ? { scale, shift } : undefined),
  foldOutput: (spec, affine) =>
    spec.steps === undefined ? { ...spec, weights: composeAffine(spec.weights, affine) } : undefined,
  notStreamable: ({ steps }) => (steps === undefined ? undefined : 'its weights differ from step to step'),
};
