import { checkFinite, floatBits, onlyInput } from './check.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase } from './spec.ts';

/** Passes its input on and gives, at the port `mask`, 0 for each row in which every value equals `maskValue`, else 1. */
export interface MaskingSpec extends LayerBase {
  type: 'masking';
  /** A step is masked where all its values are this. */
  maskValue: number;
}

export const masking: LayerKind<MaskingSpec> = {
  type: 'masking',
  code: 4,
  fields: ['maskValue'],
  check(spec) {
    checkFinite(spec, 'maskValue', spec.maskValue);
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
