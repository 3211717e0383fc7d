import { checkSize, onlyInput, specError } from './check.ts';
import { describe } from '../base/tensor.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase } from './spec.ts';

/** Neighbouring values of each row: `start` .. `start + size - 1`. */
export interface SliceSpec extends LayerBase {
  type: 'slice';
  /** The first feature. */
  start: number;
  /** How many features. */
  size: number;
}

export const slice: LayerKind<SliceSpec> = {
  type: 'slice',
  code: 7,
  fields: ['start', 'size'],
  check(spec) {
    checkSize(spec, 'size', spec.size);
    if (!Number.isInteger(spec.start) || spec.start < 0) {
      throw specError(spec, `start must be a whole number from 0, got ${describe(spec.start)}`);
    }
  },
  ports(spec, inputs) {
    const { kind, size } = onlyInput(spec, inputs);
    if (spec.start + spec.size > size) {
      throw specError(spec, `takes values ${spec.start} to ${spec.start + spec.size - 1} of rows of ${size}`);
    }
    return [{ port: 'output', kind, dtype: 'float32', size: spec.size }];
  },
  tensors: () => [],
  params: ({ start, size }) => ({ start, size }),
};
