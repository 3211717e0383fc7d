import type { Activation, GruSpec, LstmSpec, RnnSpec } from '../../../spec/spec.ts';
import type { DirectionWeights, RecurrentSizes } from '../../layouts/canonical.ts';
import { fromCudnn } from '../../layouts/cudnn.ts';
import { fromKeras, gatesFromKeras } from '../../layouts/keras.ts';
import { readActivation } from '../activation.ts';
import type { SpecBuilder } from '../builder.ts';
import type { Fields } from '../fields.ts';
import type { WeightGroup } from '../weights.ts';

/** What a layer of the spec has from its cell. */
export type CellSpec =
  | Pick<GruSpec, 'type' | 'hiddenSize' | 'resetAfter' | 'activation' | 'recurrentActivation'>
  | Pick<LstmSpec, 'type' | 'hiddenSize' | 'activation' | 'recurrentActivation'>
  | Pick<RnnSpec, 'type' | 'hiddenSize' | 'activation'>;

/** A recurrent cell: everything but the sequence around it. */
export interface Cell {
  spec: CellSpec;
  /** Reads its weights for an input of some size. `layer` and `direction` say where they go. */
  weights(inputSize: number, layer: string, direction: 'forward' | 'reverse'): DirectionWeights;
}

/** Reads the fields that a layer and its cell share, as GRU and GRUCell. */
export type ReadCell = (fields: Fields, builder: SpecBuilder, weights: WeightGroup) => Cell;

/** Gates a unit, and the ports of its final states in Keras's order. */
const KINDS = {
  gru: { gates: 3, ports: ['State'] },
  lstm: { gates: 4, ports: ['State', 'Cell'] },
  rnn: { gates: 1, ports: ['State'] },
} as const;

/** The final states of a layer made of a cell, in Keras's order. */
export function statePorts({ spec }: Cell, direction: 'forward' | 'reverse'): string[] {
  return KINDS[spec.type].ports.map((port) => `${direction}${port}`);
}

/** By the layer's class; the cell's is the same with `Cell`. */
export const CELLS: Record<string, ReadCell> = {
  GRU(fields, builder, weights) {
    const { dialect } = builder;
    // Keras 2 had no reset_after before 2.1.
    const resetAfter = fields.flag('reset_after', dialect.framework === 'keras3' ? undefined : false);
    noteReset(fields, builder, resetAfter);
    return plainCell(fields, builder, weights, {
      type: 'gru',
      hiddenSize: fields.size('units'),
      resetAfter,
      activation: functionOf(fields, builder, 'activation'),
      recurrentActivation: functionOf(fields, builder, 'recurrent_activation'),
    });
  },
  LSTM(fields, builder, weights) {
    // How the bias begins in training.
    fields.ignore('unit_forget_bias');
    return plainCell(fields, builder, weights, {
      type: 'lstm',
      hiddenSize: fields.size('units'),
      activation: functionOf(fields, builder, 'activation'),
      recurrentActivation: functionOf(fields, builder, 'recurrent_activation'),
    });
  },
  SimpleRNN(fields, builder, weights) {
    return plainCell(fields, builder, weights, {
      type: 'rnn',
      hiddenSize: fields.size('units'),
      activation: functionOf(fields, builder, 'activation'),
    });
  },
};

/** Layers of Keras 2 that ran on cuDNN alone. They have no cell of their own. */
export const CUDNN_CELLS: Record<string, ReadCell> = {
  CuDNNGRU(fields, builder, weights) {
    noteReset(fields, builder, true);
    return cudnnCell(fields, builder, weights, { type: 'gru', hiddenSize: fields.size('units'), resetAfter: true });
  },
  CuDNNLSTM(fields, builder, weights) {
    fields.ignore('unit_forget_bias');
    return cudnnCell(fields, builder, weights, { type: 'lstm', hiddenSize: fields.size('units') });
  },
};

function noteReset({ layer }: Fields, builder: SpecBuilder, resetAfter: boolean): void {
  builder.note(`${layer}: reset gate ${resetAfter ? 'after' : 'before'} the recurrent product`);
}

function functionOf(fields: Fields, builder: SpecBuilder, name: string): Activation {
  const { dialect } = builder;
  const found = readActivation(fields, name, dialect);
  if (found === 'softmax') throw fields.unsupported(`${name} softmax is not supported in a recurrent layer`);
  if (typeof found === 'object' && found.name === 'hard_sigmoid') {
    const slope = dialect.framework === 'keras3' ? 'x/6' : '0.2 x';
    builder.note(`hard_sigmoid is clip(${slope} + 0.5, 0, 1): ${dialect.label}`);
  }
  return found;
}

function plainCell(fields: Fields, builder: SpecBuilder, weights: WeightGroup, spec: CellSpec): Cell {
  const useBias = fields.flag('use_bias', true);
  // Dropout is for training, implementation chooses between ways to the same numbers.
  fields.ignore('dropout', 'recurrent_dropout', 'implementation');
  const { gates } = KINDS[spec.type];
  const biasShape = twoBiases(spec) ? [2, gates * spec.hiddenSize] : [gates * spec.hiddenSize];
  return cellOf(fields, builder, weights, spec, useBias ? biasShape : undefined, (own, sizes) =>
    spec.type === 'gru' ? fromKeras(own, sizes, spec.resetAfter) : gatesFromKeras(own, sizes, gates),
  );
}

function cudnnCell(fields: Fields, builder: SpecBuilder, weights: WeightGroup, spec: CellSpec): Cell {
  const { gates } = KINDS[spec.type];
  return cellOf(fields, builder, weights, spec, [2 * gates * spec.hiddenSize], (own, sizes) =>
    fromCudnn(own, sizes, gates, twoBiases(spec)),
  );
}

/** Whether the candidate's two biases stay apart. */
function twoBiases(spec: CellSpec): boolean {
  return spec.type === 'gru' && spec.resetAfter;
}

/** A cell of a kernel, a recurrent kernel and, where it has a shape, a bias. */
function cellOf(
  fields: Fields,
  builder: SpecBuilder,
  weights: WeightGroup,
  spec: CellSpec,
  biasShape: number[] | undefined,
  convert: (own: FileWeights, sizes: RecurrentSizes) => DirectionWeights,
): Cell {
  const { hiddenSize } = spec;
  const columns = KINDS[spec.type].gates * hiddenSize;
  return {
    spec,
    weights: (inputSize, layer, direction) =>
      builder.once(`${fields.layer} ${direction}`, () => {
        const read = (place: number, role: string, shape: readonly number[], ...targets: string[]) => {
          const tensor = weights.take(place, role);
          if (!tensor) throw fields.invalid(`its ${role} is not in the file`);
          const target = targets.map((key) => `${layer}/${direction}.${key}`).join(', ');
          return builder.read(tensor, shape, fields.layer, target, true);
        };
        const own = {
          kernel: read(0, 'kernel', [inputSize, columns], 'input'),
          recurrentKernel: read(1, 'recurrent_kernel', [hiddenSize, columns], 'recurrent'),
          bias: biasShape && read(2, 'bias', biasShape, 'bias', ...(twoBiases(spec) ? ['recurrentBias'] : [])),
        };
        return convert(own, { inputSize, hiddenSize });
      }),
  };
}

/** The arrays of a cell; perhaps views of the file. */
interface FileWeights {
  kernel: Float32Array;
  recurrentKernel: Float32Array;
  bias: Float32Array | undefined;
}
