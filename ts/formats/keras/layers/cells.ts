import type { Activation } from '../../../spec/spec.ts';
import type { DirectionWeights } from '../../layouts/canonical.ts';
import { fromKeras } from '../../layouts/keras.ts';
import { fromTextbook } from '../../layouts/textbook.ts';
import { isRecord } from '../../../base/tensor.ts';
import { readActivation } from '../activation.ts';
import type { SpecBuilder } from '../builder.ts';
import { Fields } from '../fields.ts';
import { uniqueNames } from '../h5-weights.ts';
import type { WeightGroup, WeightTensor } from '../weights.ts';
import { expectShape } from '../weights.ts';

/** A GRU cell: everything but the sequence around it. */
export interface Cell {
  hiddenSize: number;
  resetAfter: boolean;
  activation: Activation;
  recurrentActivation: Activation;
  /** Reads its weights for an input of some size. `layer` and `direction` say where they go. */
  weights(inputSize: number, layer: string, direction: 'forward' | 'reverse'): DirectionWeights;
}

const GATES = ['update_gate', 'reset_gate', 'candidate_hidden'] as const;

/** The cells of a layer of class RNN: one, or several on top of each other. */
export function readCells(fields: Fields, builder: SpecBuilder, weights: WeightGroup): Cell[] {
  const cell = fields.take('cell');
  if (Array.isArray(cell)) return stack(cell as unknown[], fields, builder, weights.part('cell', ''));
  if (isRecord(cell) && cell['class_name'] === 'StackedRNNCells' && isRecord(cell['config'])) {
    const { cells, ...rest } = cell['config'];
    const name = typeof rest['name'] === 'string' ? rest['name'] : '';
    const inner = new Fields(`${fields.layer}: StackedRNNCells '${name}'`, rest);
    inner.expect('reverse_state_order', [false], 'states in reverse order');
    inner.finish();
    return stack(cells, fields, builder, weights.part('cell', name));
  }
  const name = nameOf(cell);
  return [readCell(cell, fields, builder, weights.part('cell', name))];
}

function nameOf(cell: unknown): string {
  const config = isRecord(cell) ? cell['config'] : undefined;
  return isRecord(config) && typeof config['name'] === 'string' ? config['name'] : '';
}

function stack(cells: unknown, fields: Fields, builder: SpecBuilder, weights: WeightGroup): Cell[] {
  if (!Array.isArray(cells) || cells.length === 0) throw fields.invalid('its cells are missing');
  const classes = (cells as unknown[]).map((cell) => (isRecord(cell) ? String(cell['class_name']) : ''));
  const folders = uniqueNames(classes);
  return (cells as unknown[]).map((cell, i) =>
    readCell(cell, fields, builder, weights.part(`cells/${folders[i]!}`, nameOf(cell)), `cell ${i}`),
  );
}

function readCell(cell: unknown, fields: Fields, builder: SpecBuilder, weights: WeightGroup, place = 'cell'): Cell {
  if (!isRecord(cell) || typeof cell['class_name'] !== 'string' || !isRecord(cell['config'])) {
    throw fields.invalid('its cell is missing');
  }
  const { class_name: className, config } = cell as { class_name: string; config: Record<string, unknown> };
  const registered = typeof cell['registered_name'] === 'string' ? cell['registered_name'] : className;
  const inner = new Fields(`${fields.layer}: ${place} ${className} '${nameOf(cell)}'`, config);
  const custom = className !== 'GRUCell' || registered.includes('>');
  if (!custom) {
    const found = readGruCell(inner, builder, weights);
    inner.finish();
    return found;
  }
  if (GATES.every((gate) => weights.has(gate, gate))) return readTextbookCell(className, inner, builder, weights);
  throw fields.unsupported(
    `its cell is of class '${registered}'; supported: GRUCell, and cells of three Dense layers named ${GATES.join(', ')}`,
  );
}

/** The fields that GRU and GRUCell share. */
export function readGruCell(fields: Fields, builder: SpecBuilder, weights: WeightGroup): Cell {
  const { dialect } = builder;
  const hiddenSize = fields.size('units');
  // Keras 2 had no reset_after before 2.1.
  const resetAfter = fields.flag('reset_after', dialect.framework === 'keras3' ? undefined : false);
  if (resetAfter && dialect.framework === 'tfjs') {
    throw fields.unsupported('reset_after true is refused by TensorFlow.js itself; load the Keras file instead');
  }
  const useBias = fields.flag('use_bias', true);
  const [activation, recurrentActivation] = (['activation', 'recurrent_activation'] as const).map((name) => {
    const found = readActivation(fields, name, dialect);
    if (found === 'softmax') throw fields.unsupported(`${name} softmax is not supported in a recurrent layer`);
    return found;
  }) as [Activation, Activation];
  // Dropout is for training, implementation chooses between ways to the same numbers.
  fields.ignore('dropout', 'recurrent_dropout', 'implementation');
  builder.note(`${fields.layer}: reset gate ${resetAfter ? 'after' : 'before'} the recurrent product`);
  for (const found of [activation, recurrentActivation]) {
    if (typeof found === 'object' && found.name === 'hard_sigmoid') {
      builder.note(
        `hard_sigmoid is clip(${dialect.framework === 'keras3' ? 'x/6' : '0.2 x'} + 0.5, 0, 1): ${dialect.label}`,
      );
    }
  }
  return {
    hiddenSize,
    resetAfter,
    activation,
    recurrentActivation,
    weights: (inputSize, layer, direction) =>
      builder.once(`${fields.layer} ${direction}`, () => {
        const gates = 3 * hiddenSize;
        const kernel = weights.take(0, 'kernel');
        const recurrent = weights.take(1, 'recurrent_kernel');
        const bias = useBias ? weights.take(2, 'bias') : undefined;
        if (!kernel || !recurrent || (useBias && !bias)) throw fields.invalid('its weights are not in the file');
        const target = `${layer}/${direction}`;
        return fromKeras(
          {
            kernel: builder.read(kernel, [inputSize, gates], fields.layer, `${target}.input`, true),
            recurrentKernel: builder.read(recurrent, [hiddenSize, gates], fields.layer, `${target}.recurrent`, true),
            bias:
              bias &&
              builder.read(
                bias,
                resetAfter ? [2, gates] : [gates],
                fields.layer,
                resetAfter ? `${target}.bias, ${target}.recurrentBias` : `${target}.bias`,
              ),
          },
          { inputSize, hiddenSize },
          resetAfter,
        );
      }),
  };
}

/** A cell of the user's own, known by the names of its three Dense layers on [h, x]: the textbook's. */
function readTextbookCell(className: string, fields: Fields, builder: SpecBuilder, weights: WeightGroup): Cell {
  const hiddenSize = fields.size('units');
  fields.finish();
  builder.note(
    `${fields.layer}: read as the textbook's GRU by the names of its Dense layers (${GATES.join(', ')}): sigmoid, tanh, rows of the hidden state first, reset gate before the recurrent product`,
  );
  return {
    hiddenSize,
    resetAfter: false,
    activation: 'tanh',
    recurrentActivation: 'sigmoid',
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
