import { describe } from '../base/tensor.ts';
import { checkChoice, checkFlag, checkSize, floatBits, onlyInput, specError } from './check.ts';
import { composeAffine } from './fold.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase } from './spec.ts';

/**
 * (x - m) / s * scale + shift, where m and s are those of the row, or of each of `groups` parts of it:
 *
 *     standard   m the mean, s = sqrt(variance + epsilon)       layer and group normalization
 *     variance   m = 0, s = sqrt(variance + epsilon)            Keras's rms_scaling
 *     rms        m = 0, s = sqrt(mean of x^2 + epsilon)         Zhang and Sennrich 2019 (arXiv:1910.07467)
 *     unit       m = 0, s = max(sqrt(sum of x^2), epsilon)
 *
 * The variance is the mean of (x - mean)^2.
 */
export interface NormSpec extends LayerBase {
  type: 'norm';
  /** Values of a row. */
  inputSize: number;
  /** What rows are divided by: see the equations. */
  norm: 'standard' | 'variance' | 'rms' | 'unit';
  /** Keeps the divisor from zero. */
  epsilon: number;
  /** Equal parts of the row, of neighbouring features. Default 1. */
  groups?: number;
  /** m and s are of all steps of a sequence together (a vector has one row alone). Default false: each step has its own. */
  overTime?: boolean;
  /** scale (left out: 1), shift (left out: 0): (inputSize). */
  weights: { scale?: Float32Array; shift?: Float32Array };
}

/** Numbered as in crate/src/layers/norm.rs. */
const NORMS = ['standard', 'variance', 'rms', 'unit'] as const;

export const norm: LayerKind<NormSpec> = {
  type: 'norm',
  code: 11,
  weighted: true,
  fields: ['inputSize', 'norm', 'epsilon', 'groups', 'overTime'],
  check(spec) {
    checkSize(spec, 'inputSize', spec.inputSize);
    if ((spec.norm as unknown) === undefined) throw specError(spec, 'norm is missing');
    checkChoice(spec, 'norm', spec.norm, NORMS);
    if (!(Number.isFinite(spec.epsilon) && spec.epsilon >= 0)) {
      throw specError(spec, `epsilon must be a finite number from 0, got ${describe(spec.epsilon)}`);
    }
    checkFlag(spec, 'overTime', spec.overTime);
    const { groups, inputSize } = spec;
    if (groups === undefined) return;
    checkSize(spec, 'groups', groups);
    if (inputSize % groups > 0) throw specError(spec, `${inputSize} features are no ${groups} equal groups`);
  },
  ports(spec, inputs) {
    const { kind, size } = onlyInput(spec, inputs, spec.inputSize);
    return [{ port: 'output', kind, dtype: 'float32', size }];
  },
  tensors: ({ inputSize }) => ['scale', 'shift'].map((key) => ({ key, shape: [inputSize], optional: true })),
  params: ({ inputSize, norm, epsilon, groups = 1, overTime = false }) => ({
    inputSize,
    norm: NORMS.indexOf(norm),
    epsilon: floatBits(epsilon),
    groups,
    overTime: Number(overTime),
  }),
  foldOutput: (spec, affine) => ({ ...spec, weights: composeAffine(spec.weights, affine) }),
  notStreamable: ({ overTime }) => (overTime ? 'it takes the mean of all steps of the sequence' : undefined),
};
