import type { SliceSpec } from '../../../spec/spec.ts';
import { stateless } from './layer.ts';
import type { Build } from './layer.ts';

/** Neighbouring columns of each row. */
export const slice: Build<SliceSpec> = ({ start, size }, [input]) => {
  const stride = input!.size;
  return stateless(0, ({ inputs: [x], outputs: [y] }) => {
    if (!x || !y) return;
    const rows = y.length / size;
    for (let row = 0; row < rows; row++) {
      for (let j = 0; j < size; j++) y[row * size + j] = x[row * stride + start + j]!;
    }
  });
};
