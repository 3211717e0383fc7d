import type { MaskingSpec } from '../../../spec/spec.ts';
import { stateless } from './layer.ts';
import type { Build } from './layer.ts';

/** Passes its input on; the second port is 0 for rows in which every value equals the mask value, else 1. */
export const masking: Build<MaskingSpec> = (spec, [input]) => {
  const maskValue = Math.fround(spec.maskValue);
  const size = input!.size;
  return stateless(0, ({ inputs: [x], outputs: [output, mask] }) => {
    if (!x) return;
    output?.set(x);
    if (!mask) return;
    for (let row = 0; row < mask.length; row++) {
      let differs = 0;
      for (let j = row * size; j < (row + 1) * size; j++) if (x[j] !== maskValue) differs = 1;
      mask[row] = differs;
    }
  });
};
