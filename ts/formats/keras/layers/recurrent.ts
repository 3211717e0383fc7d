import { recurrentWeights } from '../../layouts/canonical.ts';
import type { RecurrentBase, ValueRef } from '../../../spec/spec.ts';
import type { SpecBuilder } from '../builder.ts';
import type { Fields } from '../fields.ts';
import { snakeCase } from '../h5-weights.ts';
import type { Features, Mask } from '../values.ts';
import type { WeightGroup } from '../weights.ts';
import type { Call, Translate } from './call.ts';
import type { Cell } from './cell-kinds.ts';
import { CELLS, CUDNN_CELLS, statePorts } from './cell-kinds.ts';
import { readCells } from './cells.ts';
import type { Inputs } from './recurrent-inputs.ts';
import { readInputs } from './recurrent-inputs.ts';

/** A recurrent layer: cells and how they go through a sequence. */
export interface Recurrent {
  cells: Cell[];
  returnSequences: boolean;
  returnState: boolean;
  goBackwards: boolean;
  zeroOutputForMask: boolean;
  unroll: boolean;
}

export function readRecurrent(
  className: string,
  fields: Fields,
  builder: SpecBuilder,
  weights: WeightGroup,
): Recurrent {
  const recurrent = {
    returnSequences: fields.flag('return_sequences', false),
    returnState: fields.flag('return_state', false),
    goBackwards: fields.flag('go_backwards', false),
    zeroOutputForMask: fields.flag('zero_output_for_mask', false),
    unroll: fields.flag('unroll', false),
  };
  if (fields.flag('stateful', false)) {
    builder.note(`${fields.layer}: stateful; a stream keeps its state from call to call, run() starts from zero`);
  }
  fields.expect('time_major', [false], 'tensors are (batch, steps, features) here');
  fields.expect('num_constants', [null, 0], 'cells have no further inputs here');
  fields.expect('ragged', [false], 'ragged tensors');
  const cells = readLayerCells(className, fields, builder, weights);
  fields.finish();
  return { cells, ...recurrent };
}

function readLayerCells(className: string, fields: Fields, builder: SpecBuilder, weights: WeightGroup): Cell[] {
  if (className !== 'RNN') {
    const read = CELLS[className] ?? CUDNN_CELLS[className]!;
    return [read(fields, builder, cellWeights(className, weights))];
  }
  if (builder.dialect.framework === 'tfjs') {
    // TensorFlow.js writes the cell's fields once more beside it.
    fields.ignore('units', 'activation', 'recurrent_activation', 'use_bias', 'dropout', 'recurrent_dropout');
    fields.ignore('implementation', 'reset_after', 'unit_forget_bias', 'cells');
  }
  return readCells(fields, builder, weights);
}

/** The weights of the one cell that a layer of a class makes. */
export function cellWeights(className: string, weights: WeightGroup): WeightGroup {
  return weights.part('cell', snakeCase(`${className}Cell`));
}

/**
 * One direction: a layer for each cell, each reading what the one before gives. `turned`: its steps are taken from the last to the
 * first then, as Bidirectional does with its second layer.
 */
export function addDirection(
  builder: SpecBuilder,
  name: string,
  recurrent: Recurrent,
  inputs: Inputs,
  turned: boolean,
): { output: ValueRef; states: ValueRef[]; size: number } {
  const { cells, goBackwards, returnSequences, zeroOutputForMask } = recurrent;
  const { features, mask, states } = inputs;
  const lastStep = needsLastStep(builder, recurrent, inputs);
  const unturned = unturnedMask(recurrent, inputs);
  const direction = goBackwards ? 'reverse' : 'forward';
  const reversedOutput = goBackwards && (returnSequences ? !turned || unturned !== undefined : lastStep);
  let input = sequenceOf(builder, features, mask);
  let { size } = features;
  const finalStates: ValueRef[] = [];
  let given = 0;
  cells.forEach((cell, i) => {
    const last = i === cells.length - 1;
    const layer = last && !lastStep ? name : builder.name(`${name}_cell_${i}`);
    const ports = statePorts(cell, direction);
    const initialState = states.slice(given, (given += ports.length));
    input = builder.add({
      ...cell.spec,
      inputSize: size,
      name: layer,
      inputs: [input],
      direction,
      ...(last && !returnSequences && !lastStep ? { returns: 'last' } : {}),
      // Inner cells leave their output at its place in the sequence, so that the mask fits.
      ...(last && reversedOutput ? { reversedOutput: true } : {}),
      ...maskFields(mask, zeroOutputForMask && !unturned),
      ...(initialState.length > 0 ? { initialState } : {}),
      weights: recurrentWeights({ [direction]: cell.weights(size, layer, direction) }),
    });
    for (const port of ports) finalStates.push(`${layer}:${port}`);
    size = cell.spec.hiddenSize;
  });
  if (lastStep) input = builder.add({ type: 'step', name, inputs: [input], index: -1 });
  if (unturned) {
    builder.note(
      `${name}: unroll, backwards under a mask: zeros are where Keras on TensorFlow puts them, not at the masked steps; save with unroll=False for those`,
    );
    input = builder.zeroMasked(input, size, unturned);
  }
  if (turned && returnSequences && reversedOutput === goBackwards) {
    input = builder.add({ type: 'reverse', name: builder.name(`${name}_turned`), inputs: [input] });
  }
  return { output: input, states: finalStates, size };
}

/** What a layer reads that skips the steps of a mask: those of the features' own need not be exact. */
export function sequenceOf(builder: SpecBuilder, features: Features, mask: Mask | undefined): ValueRef {
  return mask && mask.key === features.mask?.key ? features.ref : builder.exact(features);
}

export function maskFields(mask: Mask | undefined, zeros: boolean): Pick<RecurrentBase, 'mask' | 'paddedOutput'> {
  return mask ? { mask: mask.ref(), ...(zeros ? { paddedOutput: 'zero' } : {}) } : {};
}

/** Refuses what masked steps give where the spec cannot say it. */
export function checkMask({ fields, builder }: Call, recurrent: Recurrent, { mask, states }: Inputs): void {
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
export function needsLastStep({ dialect }: SpecBuilder, recurrent: Recurrent, { mask, states }: Inputs): boolean {
  if (mask === undefined || recurrent.returnSequences || dialect.repeatsState) return false;
  return recurrent.zeroOutputForMask || states.length > 0;
}

/** The mask by which an unrolled loop of Keras zeroes outputs of reversed time without being reversed itself. */
export function unturnedMask(recurrent: Recurrent, { mask }: Inputs): Mask | undefined {
  const { goBackwards, returnSequences, unroll, zeroOutputForMask } = recurrent;
  return unroll && goBackwards && returnSequences && zeroOutputForMask ? mask : undefined;
}

/** Sizes of a layer's initial and final states, in Keras's order. */
export function stateSizes({ cells }: Recurrent): number[] {
  return cells.flatMap((cell) => statePorts(cell, 'forward').map(() => cell.spec.hiddenSize));
}

export function stateOutputs(refs: readonly ValueRef[], sizes: readonly number[]): Features[] {
  return refs.map((ref, i) => ({ is: 'features', ref, kind: 'vector', size: sizes[i]! }));
}

const recurrent: Translate = (call) => {
  const { builder, fields, layer, name, weights } = call;
  const found = readRecurrent(layer.className, fields, builder, weights);
  const sizes = stateSizes(found);
  const inputs = readInputs(call, sizes);
  checkMask(call, found, inputs);
  const { output, states, size } = addDirection(builder, name, found, inputs, false);
  return [mainOutput(output, size, found, inputs), ...(found.returnState ? stateOutputs(states, sizes) : [])];
};

export function mainOutput(ref: ValueRef, size: number, { returnSequences }: Recurrent, { carried }: Inputs): Features {
  return returnSequences
    ? { is: 'features', ref, kind: 'sequence', size, mask: carried }
    : { is: 'features', ref, kind: 'vector', size };
}

/** Recurrent layers of one direction, by class: those of one cell, and RNN around one or several. */
export const RECURRENT: Record<string, Translate> = Object.fromEntries(
  [...Object.keys(CELLS), 'RNN', ...Object.keys(CUDNN_CELLS)].map((className) => [className, recurrent]),
);
