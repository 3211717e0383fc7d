import type { EmbeddingSpec } from '../spec.ts';
import { checkFlag, checkSize, specError } from './check.ts';
import type { LayerKind } from './kind.ts';

export const embedding: LayerKind<EmbeddingSpec> = {
  type: 'embedding',
  code: 0,
  weighted: true,
  fields: ['vocabularySize', 'outputSize', 'maskZero'],
  check(spec) {
    checkSize(spec, 'vocabularySize', spec.vocabularySize);
    checkSize(spec, 'outputSize', spec.outputSize);
    checkFlag(spec, 'maskZero', spec.maskZero);
  },
  ports(spec, inputs) {
    const [input] = inputs;
    if (inputs.length !== 1 || input?.dtype !== 'int32') throw specError(spec, 'takes one input of int32 ids');
    return [
      { port: 'output', kind: input.kind, dtype: 'float32', size: spec.outputSize },
      ...(spec.maskZero ? [{ port: 'mask', kind: input.kind, dtype: 'float32', size: 1 } as const] : []),
    ];
  },
  tensors: (spec) => [{ key: 'embeddings', shape: [spec.vocabularySize, spec.outputSize] }],
  params: ({ vocabularySize, outputSize, maskZero = false }) => ({
    vocabularySize,
    outputSize,
    maskZero: Number(maskZero),
  }),
  vocabularySize: (spec) => spec.vocabularySize,
};
