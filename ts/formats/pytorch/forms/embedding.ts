import { shapeOf } from '../names.ts';
import { BASE, MODULE } from './checks.ts';
import type { Form, PytorchLayerBase } from './form.ts';
import { moduleTensors, type PytorchModule } from './module.ts';

/** `nn.Embedding`. */
export interface PytorchEmbedding extends PytorchLayerBase {
  /** Name of the module. */
  embedding: PytorchModule;
}

/** A matrix alone says no more. */
export const MATRIX = 'Embedding or Linear without bias';

export const embedding: Form<'embedding', PytorchEmbedding> = {
  value: MODULE,
  fields: BASE,
  looks: (tensors) => (tensors.size === 1 && shapeOf(tensors, 'weight')?.length === 2 ? MATRIX : undefined),
  read(line, { name, tensors, takes }) {
    const { weight } = moduleTensors('embedding', line.embedding, tensors, ['weight']);
    const taken = tensors.take(weight, `${name}/embeddings`, [-1, -1]);
    const [vocabularySize, outputSize] = taken.shape as [number, number];
    takes(1, 'int32');
    return {
      load: async () => {
        const embeddings = (await taken.floats()).slice();
        return { name, type: 'embedding', vocabularySize, outputSize, weights: { embeddings } };
      },
    };
  },
};
