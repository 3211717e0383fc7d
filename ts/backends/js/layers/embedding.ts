import { GruError } from '../../../base/errors.ts';
import { numbersOf } from '../../../base/weights.ts';
import type { EmbeddingSpec } from '../../../spec/spec.ts';
import { stateless } from './layer.ts';
import type { Build } from './layer.ts';

/** Rows of a table by id. */
export const embedding: Build<EmbeddingSpec> = (spec) => {
  const { name, outputSize: size, vocabularySize } = spec;
  const table = new Float32Array(numbersOf(spec.weights.embeddings));
  return stateless(table.byteLength, ({ ids, outputs: [output, mask] }) => {
    if (!ids) return;
    if (output) {
      for (let row = 0; row < ids.length; row++) {
        const id = ids[row]!;
        if (id < 0 || id >= vocabularySize) {
          throw new GruError(
            'id_out_of_range',
            `embedding layer '${name}': id ${id} at row ${row} is not in 0 .. ${vocabularySize - 1}`,
          );
        }
        for (let j = 0; j < size; j++) output[row * size + j] = table[id * size + j]!;
      }
    }
    if (mask) {
      for (let row = 0; row < ids.length; row++) mask[row] = ids[row] === 0 ? 0 : 1;
    }
  });
};
