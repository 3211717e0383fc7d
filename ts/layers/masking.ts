import type { MaskingSpec } from '../spec.ts';
import { floatBits, onlyInput, specError } from './check.ts';
import { describe } from '../tensor.ts';
import type { LayerKind } from './kind.ts';

export const masking: LayerKind<MaskingSpec> = {
  type: 'masking',
  code: 4,
  fields: ['maskValue'],
  check(spec) {
    if (!Number.isFinite(spec.maskValue))
      throw specError(spec, `maskValue must be a finite number, got ${describe(spec.maskValue)}`);
  },
  ports(spec, inputs) {
    const { kind, size } = onlyInput(spec, inputs);
    return [
      { port: 'output', kind, dtype: 'float32', size },
      { port: 'mask', kind, dtype: 'float32', size: 1 },
    ];
  },
  tensors: () => [],
  params: (spec) => ({ maskValue: floatBits(spec.maskValue) }),
};
