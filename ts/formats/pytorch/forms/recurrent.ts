import type { ValueRef } from '../../../spec/spec.ts';
import { PROJECTION, RECURRENT_TENSOR, type RecurrentType, typeByShape } from '../../layouts/pytorch.ts';
import { readInitialStates } from '../initial.ts';
import { shapeOf, type Shapes } from '../names.ts';
import { readRecurrent, recurrentTensorNames } from '../recurrent.ts';
import { BASE, MODULE, NAME_OR_NAMES, oneOf } from './checks.ts';
import type { Form, Pending, Place, PytorchLayerBase } from './form.ts';
import type { PytorchModule } from './module.ts';

/** What all recurrent modules have. */
interface PytorchRecurrent extends PytorchLayerBase {
  /**
   * What the next layer reads. `sequence` (the default): `output`. `last`: the last layer's final states `h_n`, those of
   * the two directions one after the other (`torch.cat((h_n[-2], h_n[-1]), 1)`). `output[:, -1]` of two directions is
   * another value: see {@link PytorchStep}.
   */
  returns?: 'sequence' | 'last' | undefined;
  /**
   * Where the initial hidden states come from: the name of a recurrent module with as many layers and directions (its final states),
   * values of one row a sequence in the order of `h_0`, or the name of a tensor of the state dict (a learned `h_0` of one sequence).
   * Default: zeros, or what `run` is given.
   */
  initialState?: ValueRef | ValueRef[] | undefined;
}

/** `nn.GRU` (all its layers and directions, counted from the tensors) or `nn.GRUCell` (run over a sequence). */
export interface PytorchGru extends PytorchRecurrent {
  /** Name of the module. */
  gru: PytorchModule;
}

/** `nn.LSTM` (all its layers and directions, counted from the tensors) or `nn.LSTMCell` (run over a sequence). */
export interface PytorchLstm extends PytorchRecurrent {
  /** Name of the module. */
  lstm: PytorchModule;
  /**
   * Where the initial cell states come from, as `initialState` says it of `c_0`. Left out where `initialState` is the name of an
   * LSTM: both of its final states. Left out beside another `initialState`: zeros.
   */
  initialCell?: ValueRef | ValueRef[] | undefined;
}

/** `nn.RNN` (all its layers and directions, counted from the tensors) or `nn.RNNCell` (run over a sequence). */
export interface PytorchRnn extends PytorchRecurrent {
  /** Name of the module. */
  rnn: PytorchModule;
  /** As the module was made with; a state dict does not say it. Default `tanh`. */
  nonlinearity?: 'tanh' | 'relu' | undefined;
}

const FIELDS = { ...BASE, returns: oneOf('sequence', 'last'), initialState: NAME_OR_NAMES };

export const gru: Form<'gru', PytorchGru> = {
  value: MODULE,
  fields: FIELDS,
  looks: looksLike('gru'),
  read: (line, place) => readModule('gru', line, line.gru, place),
};

export const lstm: Form<'lstm', PytorchLstm> = {
  value: MODULE,
  fields: { ...FIELDS, initialCell: NAME_OR_NAMES },
  looks: looksLike('lstm'),
  read: (line, place) => readModule('lstm', line, line.lstm, place),
};

export const rnn: Form<'rnn', PytorchRnn> = {
  value: MODULE,
  fields: { ...FIELDS, nonlinearity: oneOf('tanh', 'relu') },
  looks: looksLike('rnn'),
  read: (line, place) => readModule('rnn', line, line.rnn, place),
};

function looksLike(type: RecurrentType) {
  return (tensors: Shapes): string | undefined => {
    const recurrent = shapeOf(tensors, tensors.has('weight_hh_l0') ? 'weight_hh_l0' : 'weight_hh');
    if (recurrent?.length !== 2) return undefined;
    const names = [...tensors.keys()];
    if (names.some((name) => PROJECTION.test(name))) return type === 'lstm' ? 'LSTM with proj_size' : undefined;
    if (typeByShape(recurrent) !== type || !names.every((name) => RECURRENT_TENSOR.test(name))) return undefined;
    return type.toUpperCase() + (tensors.has('weight_hh') ? 'Cell' : '');
  };
}

function readModule(
  type: RecurrentType,
  line: PytorchGru | PytorchLstm | PytorchRnn,
  module: PytorchModule,
  place: Place,
): Pending[] {
  const { name, tensors, source } = place;
  const nonlinearity = 'nonlinearity' in line ? line.nonlinearity : undefined;
  const stack = readRecurrent(type, name, recurrentTensorNames(type, module, tensors), tensors, nonlinearity);
  const { inputSize, hiddenSize, direction = 'forward' } = stack[0]!.spec;
  place.takes(inputSize);
  const initial = readInitialStates(line, stack, place);
  const form = {
    gru: 'reset gate after the recurrent product',
    lstm: 'gates i, f, g, o',
    rnn: `nonlinearity ${nonlinearity ?? 'tanh (the state dict does not say)'}`,
  }[type];
  place.note(`${type} '${name}': ${form}, ${stack.length} layer(s), ${direction}, hidden size ${hiddenSize}`);
  return stack.map((layer, k) => {
    const isLast = k === stack.length - 1;
    const extra = {
      ...(isLast && line.returns ? { returns: line.returns } : {}),
      ...(initial ? { initialState: initial[k]! } : {}),
    };
    const reads = k > 0 ? [stack[k - 1]!.spec.name] : initial ? [source] : undefined;
    return {
      name: layer.spec.name,
      ...(reads ? { inputs: reads } : {}),
      load: async () => ({ ...(await layer.load()), ...extra }),
      stack: layer,
    };
  });
}
