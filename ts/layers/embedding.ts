import type { WeightTensor } from '../base/weights.ts';
import { checkFlag, checkSize, specError } from './check.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase } from './spec.ts';

/** ids (rows) -> (rows, outputSize): row `id` of the table. */
export interface EmbeddingSpec extends LayerBase {
  type: 'embedding';
  /** Number of ids: valid ones are 0 .. vocabularySize - 1. */
  vocabularySize: number;
  /** Values of a row that it gives. */
  outputSize: number;
  /** Id 0 is padding; the layer gets a port `mask` that is 0 there. */
  maskZero?: boolean;
  /** embeddings: (vocabularySize, outputSize). */
  weights: { embeddings: WeightTensor };
}

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
  tensors: (spec) => [{ key: 'embeddings', shape: [spec.vocabularySize, spec.outputSize], quantizable: true }],
  params: ({ vocabularySize, outputSize, maskZero = false }) => ({
    vocabularySize,
    outputSize,
    maskZero: Number(maskZero),
  }),
  vocabularySize: (spec) => spec.vocabularySize,
};
