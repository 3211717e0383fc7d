import { checkSize, specError } from './check.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase } from './spec.ts';

/** ids (rows) -> (rows, size): 1 where the id says, else 0. Valid ids are 0 .. size - 1. */
export interface OneHotSpec extends LayerBase {
  type: 'oneHot';
  /** Columns: ids are below it. */
  size: number;
}

export const oneHot: LayerKind<OneHotSpec> = {
  type: 'oneHot',
  code: 24,
  fields: ['size'],
  check(spec) {
    checkSize(spec, 'size', spec.size);
  },
  ports(spec, inputs) {
    const [input] = inputs;
    if (inputs.length !== 1 || input?.dtype !== 'int32') throw specError(spec, 'takes one input of int32 ids');
    return [{ port: 'output', kind: input.kind, dtype: 'float32', size: spec.size }];
  },
  tensors: () => [],
  params: ({ size }) => ({ size }),
  vocabularySize: ({ size }) => size,
};
