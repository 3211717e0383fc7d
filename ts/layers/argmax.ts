import { checkFlag, onlyInput } from './check.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase } from './spec.ts';

/** Where the greatest value of each row stands: an int32 id. */
export interface ArgmaxSpec extends LayerBase {
  type: 'argmax';
  /** The last of equal values. Default false: the first. */
  last?: boolean;
}

export const argmax: LayerKind<ArgmaxSpec> = {
  type: 'argmax',
  code: 25,
  fields: ['last'],
  check(spec) {
    checkFlag(spec, 'last', spec.last);
  },
  ports(spec, inputs) {
    const { kind, size } = onlyInput(spec, inputs);
    return [{ port: 'output', kind, dtype: 'int32', size: 1, vocabularySize: size }];
  },
  tensors: () => [],
  params: ({ last = false }) => ({ last: Number(last) }),
};
