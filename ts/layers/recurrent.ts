import { describe } from '../base/tensor.ts';
import { isFloats } from '../base/typed-array.ts';
import type { WeightTensor } from '../base/weights.ts';
import { checkActivation } from './activations.ts';
import { checkChoice, checkFlag, checkSize, floatBits, specError } from './check.ts';
import { foldBefore } from './fold.ts';
import { keptSlot, type LayerKind, type RecurrentSlot, type StateSlot, type TensorSlot } from './kind.ts';
import { checkMask, onlySteps } from './steps.ts';
import type { Activation, AnyLayer, LayerBase, ValueRef } from './spec.ts';

/** Ways to make one value of the two of both directions: the first of those of a merge layer, which models of the core flavour do without. */
export const DIRECTION_MERGES = ['concat', 'sum', 'mul', 'ave'] as const;

/** What all recurrent layers have: directions over one sequence value, and a state from step to step. */
export interface RecurrentBase extends LayerBase {
  /** Features of a step. */
  inputSize: number;
  /** Units: values of a hidden state, in one direction. */
  hiddenSize: number;
  /** Default `forward`. */
  direction?: 'forward' | 'reverse' | 'bidirectional';
  /** How the two directions of a bidirectional layer become one value. Default `concat`. */
  merge?: 'concat' | 'sum' | 'mul' | 'ave';
  /** What the layer's main value is: all hidden states, or the last one. Default `sequence`. */
  returns?: 'sequence' | 'last';
  /** Reverse direction only: leave the output in the order of processing (Keras's go_backwards). Default false. */
  reversedOutput?: boolean;
  /** Default `tanh`. */
  activation?: Activation;
  /** Bounds the input of every activation of a gate or candidate to [-clip, clip]. */
  clip?: number;
  /**
   * Where the initial states come from, one vector value (batch, hiddenSize) each: the hidden states of the directions, then an
   * lstm's cell states. Left out: kept by the state.
   */
  initialState?: ValueRef[];
  /** A mask value (port `mask`): a step whose mask is 0 keeps the state. */
  mask?: ValueRef;
  /** What the output is at masked steps. Default `hold`: the output of the step before (zero at first). */
  paddedOutput?: 'zero' | 'hold';
}

/** The weights of a recurrent layer: those of the directions that it has, by direction and tensor. */
export type RecurrentWeights<K extends string> = Partial<
  Record<`${'forward' | 'reverse'}.${'input' | 'recurrent'}`, WeightTensor> &
    Record<`${'forward' | 'reverse'}.${Exclude<K, 'input' | 'recurrent'>}`, Float32Array>
>;

type RecurrentSpec = RecurrentBase & AnyLayer;

const DIRECTIONS = ['forward', 'reverse', 'bidirectional'] as const;

/** Ports of a slot's final values, by direction. */
export const STATE_PORTS = { hidden: 'State', cell: 'Cell' } as const;

/** The directions that a recurrent layer runs, in the order of its states. */
export function directions({ direction = 'forward' }: RecurrentBase): ('forward' | 'reverse')[] {
  return direction === 'bidirectional' ? ['forward', 'reverse'] : [direction];
}

/** What tells one cell from another; the rest is the driver's. */
export interface Cell<S extends RecurrentSpec> {
  type: S['type'];
  code: number;
  /** What it carries from step to step, `hidden` first. */
  slots: readonly RecurrentSlot[];
  /** Fields beyond those of {@link RecurrentBase}. */
  fields: readonly string[];
  check(spec: S): void;
  /** Words that tell its forms apart. */
  form?(spec: S): Record<string, number>;
  /** Tensors of one direction, without its name. */
  tensors(spec: S): TensorSlot[];
  /** Words of its functions. */
  functions(spec: S): Record<string, number[]>;
}

/** A kind of recurrent layer: the driver's part, and the cell's. */
export function recurrent<S extends RecurrentSpec>(cell: Cell<S>): LayerKind<S> {
  const slots = (spec: S): (StateSlot & { slot: RecurrentSlot })[] =>
    cell.slots.flatMap((slot) =>
      directions(spec).map((direction) => ({ slot, direction, size: spec.hiddenSize, fromGraph: !!spec.initialState })),
    );
  return {
    type: cell.type,
    code: cell.code,
    weighted: true,
    fields: [...FIELDS, ...cell.fields],
    check(spec) {
      checkShared(spec, slots(spec).length);
      cell.check(spec);
    },
    extraInputs: (spec) => [spec.mask, ...slots(spec).map((_, i): ValueRef | undefined => spec.initialState?.[i])],
    ports(spec, inputs, [mask, ...initial]) {
      onlySteps(spec, inputs, spec.inputSize);
      checkMask(spec, 'mask', mask, 'sequence');
      for (const state of initial) {
        if (state && (state.kind !== 'vector' || state.size !== spec.hiddenSize || state.dtype !== 'float32')) {
          throw specError(
            spec,
            `initialState must be (batch, ${spec.hiddenSize}) float32, got ${state.kind} of ${state.size}`,
          );
        }
      }
      const size = outputSize(spec);
      return [
        { port: 'sequence', kind: 'sequence', dtype: 'float32', size },
        { port: 'last', kind: 'vector', dtype: 'float32', size },
        ...slots(spec).map(
          ({ slot, direction }) =>
            ({
              port: `${direction}${STATE_PORTS[slot]}`,
              kind: 'vector',
              dtype: 'float32',
              size: spec.hiddenSize,
            }) as const,
        ),
      ];
    },
    mainPort: (spec) => spec.returns ?? 'sequence',
    tensors: (spec) =>
      directions(spec).flatMap((direction) =>
        cell.tensors(spec).map(({ key, ...slot }) => ({ key: `${direction}.${key}`, ...slot })),
      ),
    params: (spec) => ({
      inputSize: spec.inputSize,
      hiddenSize: spec.hiddenSize,
      ...cell.form?.(spec),
      direction: DIRECTIONS.indexOf(spec.direction ?? 'forward'),
      merge: DIRECTION_MERGES.indexOf(spec.merge ?? 'concat'),
      reversedOutput: Number(spec.reversedOutput ?? false),
      zeroMasked: Number(spec.paddedOutput === 'zero'),
      clip: floatBits(spec.clip ?? Infinity),
      ...cell.functions(spec),
    }),
    slots: (spec) => [...slots(spec), ...(holds(spec) ? [keptSlot(1)] : [])],
    foldInput(spec, affine) {
      const weights: Record<string, WeightTensor> = { ...(spec as { weights?: Record<string, WeightTensor> }).weights };
      const [rows] = cell.tensors(spec).find(({ key }) => key === 'input')!.shape as [number];
      for (const direction of directions(spec)) {
        const [input, bias] = [`${direction}.input`, `${direction}.bias`];
        const kernel = weights[input]!;
        if (!isFloats(kernel)) return undefined;
        const folded = foldBefore({ kernel, bias: weights[bias] as Float32Array | undefined }, affine, rows);
        weights[input] = folded.kernel;
        if (folded.bias) weights[bias] = folded.bias;
      }
      return { ...spec, weights };
    },
    notStreamable: (spec) => {
      if (directions(spec).includes('reverse')) return 'it reads the sequence from its end';
      if (spec.initialState) return 'the model computes its initial state, so each run begins anew';
      return undefined;
    },
  };
}

/** Whether a stream goes on with what it repeats at masked steps: it keeps whether any step has counted. */
export function holds({ mask, paddedOutput, direction = 'forward', initialState }: RecurrentBase): boolean {
  return mask !== undefined && paddedOutput !== 'zero' && direction === 'forward' && !initialState;
}

const FIELDS: readonly string[] = [
  'inputSize',
  'hiddenSize',
  'direction',
  'merge',
  'returns',
  'reversedOutput',
  'activation',
  'clip',
  'initialState',
  'mask',
  'paddedOutput',
];

function checkShared(spec: RecurrentSpec, states: number): void {
  checkSize(spec, 'inputSize', spec.inputSize);
  checkSize(spec, 'hiddenSize', spec.hiddenSize);
  checkFlag(spec, 'reversedOutput', spec.reversedOutput);
  checkChoice(spec, 'direction', spec.direction, DIRECTIONS);
  checkChoice(spec, 'merge', spec.merge, DIRECTION_MERGES);
  checkChoice(spec, 'returns', spec.returns, ['sequence', 'last']);
  checkChoice(spec, 'paddedOutput', spec.paddedOutput, ['zero', 'hold']);
  checkActivation(spec, 'activation', spec.activation);
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
  const given = spec.initialState?.filter((ref) => (ref as unknown) !== undefined).length;
  if (given !== undefined && given !== states) {
    throw specError(spec, `initialState needs ${states} reference(s), one a state, got ${given}`);
  }
}

/** Values a row of the layer's output. */
function outputSize({ direction, merge = 'concat', hiddenSize }: RecurrentBase): number {
  return direction === 'bidirectional' && merge === 'concat' ? 2 * hiddenSize : hiddenSize;
}
