import { gruWeights } from '../../layouts/canonical.ts';
import type { GruSpec, MergeSpec, ValueRef } from '../../../spec/spec.ts';
import { isRecord } from '../../../base/tensor.ts';
import type { SpecBuilder } from '../builder.ts';
import { Fields } from '../fields.ts';
import type { Features, Mask, Value } from '../values.ts';
import type { WeightGroup } from '../weights.ts';
import type { Call, Resolved, Translate } from './call.ts';
import { asFeatures, checkArguments, firstArgument, isNothing } from './call.ts';
import type { Cell } from './cells.ts';
import { readCells, readGruCell } from './cells.ts';
import { maskOfCall } from './core.ts';

/** A layer of class GRU or RNN: cells and how they go through a sequence. */
interface Recurrent {
  cells: Cell[];
  returnSequences: boolean;
  returnState: boolean;
  goBackwards: boolean;
  zeroOutputForMask: boolean;
}

const SUPPORTED = ['GRU', 'RNN'];

function readRecurrent(className: string, fields: Fields, builder: SpecBuilder, weights: WeightGroup): Recurrent {
  const recurrent = {
    returnSequences: fields.flag('return_sequences', false),
    returnState: fields.flag('return_state', false),
    goBackwards: fields.flag('go_backwards', false),
    zeroOutputForMask: fields.flag('zero_output_for_mask', false),
  };
  if (fields.flag('stateful', false)) {
    builder.note(`${fields.layer}: stateful; a stream keeps its state from call to call, run() starts from zero`);
  }
  fields.ignore('unroll');
  fields.expect('time_major', [false], 'tensors are (batch, steps, features) here');
  fields.expect('num_constants', [null, 0], 'cells have no further inputs here');
  fields.expect('ragged', [false], 'ragged tensors');
  const cells =
    className === 'RNN'
      ? readCells(fields, builder, weights)
      : [readGruCell(fields, builder, weights.part('cell', 'gru_cell'))];
  if (className === 'RNN' && builder.dialect.framework === 'tfjs') {
    // TensorFlow.js writes the cell's fields once more beside it.
    fields.ignore('units', 'activation', 'recurrent_activation', 'use_bias', 'dropout', 'recurrent_dropout');
    fields.ignore('implementation', 'reset_after', 'cells');
  }
  fields.finish();
  return { cells, ...recurrent };
}

/** What a recurrent layer reads. */
interface Inputs {
  features: Features;
  mask: Mask | undefined;
  carried: Mask | undefined;
  states: ValueRef[];
}

/** The tensors of a call: the sequence, initial states in any of the forms of Keras, and the mask. */
function readInputs(call: Call, stateSizes: number[]): Inputs {
  const { fields } = call;
  checkArguments(call, 'mask', 'initial_state');
  const first = firstArgument(call);
  // Keras 2 and TensorFlow.js append the states to the first argument.
  const list = Array.isArray(first) ? first : [first];
  const given: Resolved[] = list.slice(1);
  for (const more of [call.kwargs.get('initial_state'), call.args[1]]) {
    if (isNothing(more)) continue;
    if (given.length > 0) throw fields.invalid('is given initial states twice');
    given.push(...(Array.isArray(more) ? more.flat(2) : [more!]));
  }
  const value = (argument: Resolved | undefined): Value => {
    if (argument === undefined || Array.isArray(argument) || !('value' in argument)) {
      throw fields.unsupported('is given something else than tensors');
    }
    return argument.value;
  };
  const features = asFeatures(call, value(list[0]));
  if (features.kind !== 'sequence') throw fields.invalid('reads a tensor without steps');
  if (given.length > 0 && given.length !== stateSizes.length) {
    throw fields.unsupported(`is given ${given.length} initial states, it has ${stateSizes.length}`);
  }
  const states = given.map((argument, i) => {
    const state = asFeatures(call, value(argument));
    if (state.kind !== 'vector' || state.size !== stateSizes[i]) {
      throw fields.invalid(`initial state ${i} must be vectors of ${stateSizes[i]!}`);
    }
    return state.ref;
  });
  const { used, carried } = maskOfCall(call, features);
  const dropped = states.length > 0 && used !== undefined && used === carried && isNothing(call.kwargs.get('mask'));
  if (dropped && call.builder.dialect.statesDropMask) {
    call.builder.note(
      `${fields.layer}: initial states are given, so ${call.builder.dialect.label} leaves out the mask`,
    );
    return { features, mask: undefined, carried, states };
  }
  return { features, mask: used, carried, states };
}

/** One direction: a gru layer for each cell, each reading what the one before gives. */
function addDirection(
  builder: SpecBuilder,
  name: string,
  recurrent: Recurrent,
  inputs: Inputs,
  reversedOutput: boolean,
): { output: ValueRef; states: ValueRef[]; size: number } {
  const { cells, goBackwards, returnSequences, zeroOutputForMask } = recurrent;
  const { features, mask, states } = inputs;
  const lastStep = needsLastStep(builder, recurrent, inputs);
  const direction = goBackwards ? 'reverse' : 'forward';
  let input = sequenceOf(builder, features, mask);
  let { size } = features;
  const finalStates: ValueRef[] = [];
  cells.forEach((cell, i) => {
    const last = i === cells.length - 1;
    const layer = last && !lastStep ? name : builder.name(`${name}_cell_${i}`);
    const spec: GruSpec = {
      ...gruFields(cell, size),
      name: layer,
      inputs: [input],
      direction,
      ...(last && !returnSequences && !lastStep ? { returns: 'last' } : {}),
      // Inner cells leave their output at its place in the sequence, so that the mask fits.
      ...(last && goBackwards && (reversedOutput || lastStep) ? { reversedOutput: true } : {}),
      ...maskFields(mask, zeroOutputForMask),
      ...(states.length > 0 ? { initialState: [states[i]!] } : {}),
      weights: gruWeights({ [direction]: cell.weights(size, layer, direction) }),
    };
    input = builder.add(spec);
    finalStates.push(`${layer}:${direction}State`);
    size = cell.hiddenSize;
  });
  if (lastStep) input = builder.add({ type: 'step', name, inputs: [input], index: -1 });
  return { output: input, states: finalStates, size };
}

/** What a layer reads that skips the steps of a mask: those of the features' own need not be exact. */
function sequenceOf(builder: SpecBuilder, features: Features, mask: Mask | undefined): ValueRef {
  return mask && mask.key === features.mask?.key ? features.ref : builder.exact(features);
}

function gruFields({ hiddenSize, resetAfter, activation, recurrentActivation }: Cell, inputSize: number) {
  return { type: 'gru', inputSize, hiddenSize, resetAfter, activation, recurrentActivation } as const;
}

function maskFields(mask: Mask | undefined, zeros: boolean): Pick<GruSpec, 'mask' | 'paddedOutput'> {
  return mask ? { mask: mask.ref(), ...(zeros ? { paddedOutput: 'zero' } : {}) } : {};
}

/** Refuses what masked steps give where the spec cannot say it. */
function checkMask({ fields, builder }: Call, recurrent: Recurrent, { mask, states }: Inputs): void {
  const { framework, repeatsState, label } = builder.dialect;
  const stacked = recurrent.cells.length > 1;
  if (repeatsState && stacked && (recurrent.returnState || states.length > 0)) {
    throw fields.unsupported(
      `${label} lists the states of several cells from the last to the first, which is not supported`,
    );
  }
  if (!mask) return;
  if (repeatsState && states.length > 0 && (recurrent.returnSequences || framework === 'tfjs')) {
    throw fields.unsupported(`initial states with a masked input are not supported for ${label}`);
  }
  if (framework === 'tfjs' && stacked)
    throw fields.unsupported('several cells with a masked input are refused by TensorFlow.js');
}

/** What masked steps leave as the last output, where that is not the final state. */
function needsLastStep({ dialect }: SpecBuilder, recurrent: Recurrent, { mask, states }: Inputs): boolean {
  if (mask === undefined || recurrent.returnSequences || dialect.repeatsState) return false;
  return recurrent.zeroOutputForMask || states.length > 0;
}

/** GRU, and RNN around one or several cells. */
const recurrent: Translate = (call) => {
  const { builder, fields, layer, name, weights } = call;
  const found = readRecurrent(layer.className, fields, builder, weights);
  const inputs = readInputs(
    call,
    found.cells.map(({ hiddenSize }) => hiddenSize),
  );
  checkMask(call, found, inputs);
  const { output, states, size } = addDirection(builder, name, found, inputs, found.returnSequences);
  return [
    mainOutput(output, size, found, inputs),
    ...(found.returnState ? states.map((ref, i) => stateOutput(ref, found.cells[i]!)) : []),
  ];
};

function mainOutput(ref: ValueRef, size: number, { returnSequences }: Recurrent, { carried }: Inputs): Features {
  return returnSequences
    ? { is: 'features', ref, kind: 'sequence', size, mask: carried }
    : { is: 'features', ref, kind: 'vector', size };
}

function stateOutput(ref: ValueRef, { hiddenSize }: Cell): Features {
  return { is: 'features', ref, kind: 'vector', size: hiddenSize };
}

const bidirectional: Translate = (call) => {
  const { builder, fields, name } = call;
  const merge = fields.take('merge_mode');
  if (![null, 'concat', 'sum', 'mul', 'ave'].includes(merge as null)) {
    throw fields.unsupported(`merge_mode ${JSON.stringify(merge)}; supported: concat, sum, mul, ave, null`);
  }
  const [forward, backward] = readDirections(call);
  fields.ignore('layer', 'backward_layer', 'num_constants', 'return_sequences', 'return_state', 'stateful');
  fields.finish();
  const zeros = builder.dialect.bidirectionalZeros && forward.returnSequences;
  for (const direction of [forward, backward]) direction.zeroOutputForMask = zeros;
  const cells = [...forward.cells, ...backward.cells];
  const inputs = readInputs(
    call,
    cells.map(({ hiddenSize }) => hiddenSize),
  );
  checkMask(call, forward, inputs);
  const states = (refs: ValueRef[]) => (forward.returnState ? refs.map((ref, i) => stateOutput(ref, cells[i]!)) : []);

  const [cell, reverseCell] = cells as [Cell, Cell];
  const inOne = merge !== null && cells.length === 2 && !needsLastStep(builder, forward, inputs);
  if (inOne && sameFields(cell, reverseCell)) {
    const size = merge === 'concat' ? 2 * cell.hiddenSize : cell.hiddenSize;
    const { features, mask } = inputs;
    builder.add({
      ...gruFields(cell, features.size),
      name,
      inputs: [sequenceOf(builder, features, mask)],
      direction: 'bidirectional',
      merge: merge as MergeSpec['merge'],
      ...(forward.returnSequences ? {} : { returns: 'last' }),
      ...maskFields(mask, zeros),
      ...(inputs.states.length > 0 ? { initialState: inputs.states } : {}),
      weights: gruWeights({
        forward: cell.weights(features.size, name, 'forward'),
        reverse: reverseCell.weights(features.size, name, 'reverse'),
      }),
    });
    return [mainOutput(name, size, forward, inputs), ...states([`${name}:forwardState`, `${name}:reverseState`])];
  }

  const half = forward.cells.length;
  const parts = [forward, backward].map((direction, d) => {
    const own = inputs.states.slice(d * half, d === 0 ? half : undefined);
    const partName = builder.name(`${name}_${d === 0 ? 'forward' : 'backward'}`);
    return addDirection(builder, partName, direction, { ...inputs, states: own }, false);
  });
  const finalStates = states(parts.flatMap((part) => part.states));
  if (merge === null)
    return [...parts.map(({ output, size }) => mainOutput(output, size, forward, inputs)), ...finalStates];
  const sizes = parts.map(({ size }) => size);
  if (merge !== 'concat' && sizes[0] !== sizes[1]) {
    throw fields.unsupported(`merge_mode ${JSON.stringify(merge)} of directions of ${sizes.join(' and ')} units`);
  }
  builder.add({ type: 'merge', name, inputs: parts.map(({ output }) => output), merge: merge as MergeSpec['merge'] });
  const size = merge === 'concat' ? sizes[0]! + sizes[1]! : sizes[0]!;
  return [mainOutput(name, size, forward, inputs), ...finalStates];
};

function sameFields(a: Cell, b: Cell): boolean {
  return JSON.stringify(gruFields(a, 1)) === JSON.stringify(gruFields(b, 1));
}

/** The two layers: Keras makes the second of the first, unless the config has one. */
function readDirections(call: Call): [Recurrent, Recurrent] {
  const { fields, builder, weights } = call;
  const layers = [fields.take('layer'), fields.take('backward_layer') ?? null];
  const [forward, backward] = layers.map((layer, d): Recurrent => {
    const own = layer ?? layers[0];
    if (!isRecord(own) || typeof own['class_name'] !== 'string' || !isRecord(own['config'])) {
      throw fields.invalid('its layer is missing');
    }
    const { class_name: className, config } = own as { class_name: string; config: Record<string, unknown> };
    if (!SUPPORTED.includes(className)) {
      throw fields.unsupported(`around a layer of class ${className}; supported: ${SUPPORTED.join(', ')}`);
    }
    const given = typeof config['name'] === 'string' ? config['name'] : className;
    const [attribute, prefix] = d === 0 ? ['forward_layer', 'forward_'] : ['backward_layer', 'backward_'];
    const name = layer !== null && d === 1 ? given : `${prefix}${given.replace(new RegExp(`^${prefix}`), '')}`;
    const inner = new Fields(`${fields.layer}: ${className} '${name}'`, config);
    return readRecurrent(className, inner, builder, weights.part(attribute, name));
  }) as [Recurrent, Recurrent];
  if (layers[1] === null) backward.goBackwards = true;
  if (forward.goBackwards || !backward.goBackwards) {
    throw fields.unsupported(
      'its forward layer goes backwards; supported: forward_layer forwards, backward_layer backwards',
    );
  }
  for (const name of ['returnSequences', 'returnState'] as const) {
    if (forward[name] !== backward[name]) throw fields.invalid(`its layers differ in ${name}`);
  }
  return [forward, backward];
}

/** Recurrent layers, by class. */
export const RECURRENT: Record<string, Translate> = { GRU: recurrent, RNN: recurrent, Bidirectional: bidirectional };
