import { fromTextbook } from '../../layouts/textbook.ts';
import type { SpecBuilder } from '../builder.ts';
import type { Fields } from '../fields.ts';
import type { WeightGroup, WeightTensor } from '../weights.ts';
import { expectShape } from '../weights.ts';
import type { Cell } from './cell-kinds.ts';

/** The Dense layers of a textbook's cell. */
export const GATES = ['update_gate', 'reset_gate', 'candidate_hidden'] as const;

/** A cell of the user's own, known by the names of its three Dense layers on [h, x]: the textbook's. */
export function readTextbookCell(className: string, fields: Fields, builder: SpecBuilder, weights: WeightGroup): Cell {
  const hiddenSize = fields.size('units');
  fields.finish();
  builder.note(
    `${fields.layer}: read as the textbook's GRU by the names of its Dense layers (${GATES.join(', ')}): sigmoid, tanh, rows of the hidden state first, reset gate before the recurrent product`,
  );
  return {
    spec: { type: 'gru', hiddenSize, resetAfter: false, activation: 'tanh', recurrentActivation: 'sigmoid' },
    weights: (inputSize, layer, direction) =>
      builder.once(`${fields.layer} ${direction}`, () => {
        const target = `${layer}/${direction}`;
        const gate = (name: string) => {
          const part = weights.part(name, name);
          const kernel = part.take(0, 'kernel');
          if (!kernel) throw fields.invalid(`the weights of ${name} are not in the file`);
          const bias = part.take(1, 'bias');
          const where = `${target}.input, ${target}.recurrent`;
          return {
            kernel: readGate(kernel, [hiddenSize + inputSize, hiddenSize], where),
            bias: bias && readGate(bias, [hiddenSize], `${target}.bias`),
          };
        };
        const readGate = (tensor: WeightTensor, shape: number[], where: string) => {
          builder.tensors.push({ source: tensor.name, shape: [...tensor.shape], dtype: tensor.dtype, target: where });
          return expectShape(tensor, shape, `${fields.layer} (${className})`);
        };
        return fromTextbook(
          { updateGate: gate('update_gate'), resetGate: gate('reset_gate'), candidateHidden: gate('candidate_hidden') },
          { inputSize, hiddenSize },
        );
      }),
  };
}
