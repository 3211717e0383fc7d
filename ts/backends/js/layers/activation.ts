import type { ActivationSpec } from '../../../spec/spec.ts';
import { applyRows, rowFunction } from '../activation.ts';
import { stateless } from './layer.ts';
import type { Build } from './layer.ts';

/** An elementwise function, or softmax over the row. */
export const activation: Build<ActivationSpec> = (spec, [input]) => {
  const f = rowFunction(spec.activation);
  const size = input!.size;
  return stateless(0, ({ inputs: [x], outputs: [y] }) => {
    if (!x || !y) return;
    y.set(x);
    applyRows(f, y, size);
  });
};
