import { activationWords, checkActivation } from './activations.ts';
import { onlyInput, specError } from './check.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase, RowActivation } from './spec.ts';

/** An elementwise function, or softmax or its logarithm over the row. */
export interface ActivationSpec extends LayerBase {
  type: 'activation';
  /** The function. */
  activation: RowActivation;
}

export const activation: LayerKind<ActivationSpec> = {
  type: 'activation',
  code: 2,
  fields: ['activation'],
  check(spec) {
    if ((spec.activation as unknown) === undefined) throw specError(spec, 'activation is missing');
    checkActivation(spec, 'activation', spec.activation, true);
  },
  ports(spec, inputs) {
    const input = onlyInput(spec, inputs);
    return [{ port: 'output', kind: input.kind, dtype: 'float32', size: input.size }];
  },
  tensors: () => [],
  params: (spec) => ({ activation: activationWords(spec.activation) }),
};
