import type { GruSpec } from '../spec.ts';
import { activationWords, checkActivation } from './activations.ts';
import { checkChoice, checkFlag, checkSize, floatBits, onlyInput, specError } from './check.ts';
import { describe } from '../tensor.ts';
import type { LayerKind } from './kind.ts';
import { MERGES } from './merge.ts';

const DIRECTIONS = ['forward', 'reverse', 'bidirectional'] as const;

/** The directions that a gru layer runs, in the order of its states. */
export function directions(spec: GruSpec): ('forward' | 'reverse')[] {
  const direction = spec.direction ?? 'forward';
  return direction === 'bidirectional' ? ['forward', 'reverse'] : [direction];
}

/** Values a row of the layer's output. */
function outputSize(spec: GruSpec): number {
  return spec.direction === 'bidirectional' && (spec.merge ?? 'concat') === 'concat'
    ? 2 * spec.hiddenSize
    : spec.hiddenSize;
}

export const gru: LayerKind<GruSpec> = {
  type: 'gru',
  code: 5,
  fields: [
    'inputSize',
    'hiddenSize',
    'resetAfter',
    'direction',
    'merge',
    'returns',
    'reversedOutput',
    'activation',
    'recurrentActivation',
    'clip',
    'initialState',
    'mask',
    'paddedOutput',
  ],
  check(spec) {
    checkSize(spec, 'inputSize', spec.inputSize);
    checkSize(spec, 'hiddenSize', spec.hiddenSize);
    if ((spec.resetAfter as unknown) === undefined) throw specError(spec, 'resetAfter is missing: true or false');
    checkFlag(spec, 'resetAfter', spec.resetAfter);
    checkFlag(spec, 'reversedOutput', spec.reversedOutput);
    checkChoice(spec, 'direction', spec.direction, DIRECTIONS);
    checkChoice(spec, 'merge', spec.merge, MERGES);
    checkChoice(spec, 'returns', spec.returns, ['sequence', 'last']);
    checkChoice(spec, 'paddedOutput', spec.paddedOutput, ['zero', 'hold']);
    checkActivation(spec, 'activation', spec.activation);
    checkActivation(spec, 'recurrentActivation', spec.recurrentActivation);
    if (spec.merge !== undefined && spec.direction !== 'bidirectional') {
      throw specError(spec, 'merge is for a bidirectional layer');
    }
    if (spec.reversedOutput && spec.direction !== 'reverse') {
      throw specError(spec, "reversedOutput is for direction 'reverse'");
    }
    if (spec.clip !== undefined && !(Number.isFinite(spec.clip) && spec.clip > 0)) {
      throw specError(spec, `clip must be a finite number above 0, got ${describe(spec.clip)}`);
    }
    if (spec.paddedOutput !== undefined && spec.mask === undefined) {
      throw specError(spec, 'paddedOutput is for a layer with a mask');
    }
    const states = directions(spec).length;
    if (spec.initialState !== undefined && spec.initialState.length !== states) {
      throw specError(
        spec,
        `initialState needs ${states} reference(s), one a direction, got ${spec.initialState.length}`,
      );
    }
    const recurrentBias = directions(spec).find((d) => spec.weights[`${d}.recurrentBias`]);
    if (recurrentBias && !spec.resetAfter) {
      throw specError(spec, `${recurrentBias}.recurrentBias is for resetAfter: true; without it, add it to bias`);
    }
  },
  extraInputs: (spec) => [spec.mask, spec.initialState?.[0], spec.initialState?.[1]],
  ports(spec, inputs, [mask, ...initial]) {
    const input = onlyInput(spec, inputs, spec.inputSize);
    if (input.kind !== 'sequence') throw specError(spec, 'takes a value of steps, its input has one row a sequence');
    if (mask && (mask.kind !== 'sequence' || mask.size !== 1)) throw specError(spec, `'${spec.mask}' is no mask`);
    for (const state of initial) {
      if (state && (state.kind !== 'vector' || state.size !== spec.hiddenSize || state.dtype !== 'float32')) {
        throw specError(
          spec,
          `initialState must be (batch, ${spec.hiddenSize}) float32, got ${state.kind} of ${state.size}`,
        );
      }
    }
    const size = outputSize(spec);
    const state = { kind: 'vector', dtype: 'float32', size: spec.hiddenSize } as const;
    return [
      { port: 'sequence', kind: 'sequence', dtype: 'float32', size },
      { port: 'last', kind: 'vector', dtype: 'float32', size },
      { port: 'forwardState', ...state },
      { port: 'reverseState', ...state },
    ].filter(({ port }) => !port.endsWith('State') || directions(spec).some((d) => port.startsWith(d))) as never;
  },
  mainPort: (spec) => spec.returns ?? 'sequence',
  tensors: (spec) =>
    directions(spec).flatMap((direction) => [
      { key: `${direction}.input`, shape: [3 * spec.hiddenSize, spec.inputSize] },
      { key: `${direction}.recurrent`, shape: [3 * spec.hiddenSize, spec.hiddenSize] },
      { key: `${direction}.bias`, shape: [3 * spec.hiddenSize], optional: true },
      ...(spec.resetAfter ? [{ key: `${direction}.recurrentBias`, shape: [spec.hiddenSize], optional: true }] : []),
    ]),
  params: (spec) => [
    spec.inputSize,
    spec.hiddenSize,
    spec.resetAfter ? 1 : 0,
    DIRECTIONS.indexOf(spec.direction ?? 'forward'),
    MERGES.indexOf(spec.merge ?? 'concat'),
    spec.reversedOutput ? 1 : 0,
    spec.paddedOutput === 'zero' ? 1 : 0,
    floatBits(spec.clip ?? Infinity),
    ...activationWords(spec.recurrentActivation ?? 'sigmoid'),
    ...activationWords(spec.activation ?? 'tanh'),
  ],
  notStreamable: (spec) => {
    if (directions(spec).includes('reverse')) return 'it reads the sequence from its end';
    if (spec.initialState) return 'the model computes its initial state, so each run begins anew';
    return undefined;
  },
};
