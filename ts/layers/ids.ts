import { specError } from './check.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase } from './spec.ts';

/**
 * Whole numbers (rows, 1) as int32 ids (rows): x towards zero; -1, which is no id, below 0 and from 2^31 on. What is no id ends a run with
 * `id_out_of_range` where a layer reads it, when the layers before that one have run.
 */
export interface IdsSpec extends LayerBase {
  type: 'ids';
}

export const ids: LayerKind<IdsSpec> = {
  type: 'ids',
  code: 27,
  fields: [],
  check() {
    // no sizes, no options
  },
  ports(spec, inputs) {
    const [input] = inputs;
    if (inputs.length !== 1 || input?.dtype !== 'float32' || input.size !== 1)
      throw specError(spec, 'takes one input of one float32 number a row');
    return [{ port: 'output', kind: input.kind, dtype: 'int32', size: 1 }];
  },
  tensors: () => [],
  params: () => ({}),
};
