import type { SliceSpec } from '../spec.ts';
import { checkSize, onlyInput, specError } from './check.ts';
import { describe } from '../tensor.ts';
import type { LayerKind } from './kind.ts';

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
