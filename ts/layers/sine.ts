import { checkFlag, onlyInput } from './check.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase } from './spec.ts';

/** y = sin x, or cos x, of each number: of times (Time2Vec), and of layers whose activation it is (SIREN, Snake). */
export interface SineSpec extends LayerBase {
  type: 'sine';
  /** Default false. */
  cosine?: boolean;
}

export const sine: LayerKind<SineSpec> = {
  type: 'sine',
  code: 28,
  fields: ['cosine'],
  check(spec) {
    checkFlag(spec, 'cosine', spec.cosine);
  },
  ports(spec, inputs) {
    const { kind, size } = onlyInput(spec, inputs);
    return [{ port: 'output', kind, dtype: 'float32', size }];
  },
  tensors: () => [],
  params: ({ cosine = false }) => ({ cosine: Number(cosine) }),
};
