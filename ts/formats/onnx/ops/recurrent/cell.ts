import type { Activation, LayerBase, RecurrentBase } from '../../../../spec/spec.ts';
import { nodeError } from '../../attributes.ts';
import type { RecurrentSpec } from '../../builder.ts';
import type { NodeContext } from '../../context.ts';

/** One direction's rows of W and R, the two halves of its rows of B, and its rows of P. */
export interface DirectionTensors {
  input: Float32Array;
  recurrent: Float32Array;
  biases: { input: Float32Array; recurrent: Float32Array } | undefined;
  peepholes: Float32Array | undefined;
}

/** Weights of one direction, under the keys that they have in the spec after `forward.` or `reverse.`. */
export type DirectionWeights = Record<string, Float32Array>;

/** What the attributes that only one operator has say. */
export interface CellForm {
  /** For the report. */
  convention?: string;
  /** Which weights B becomes. */
  biases: readonly string[];
  /** Weights in the canonical form. */
  weights(tensors: DirectionTensors): DirectionWeights;
  /** The layer; functions of a direction in the operator's order. */
  layer(
    base: RecurrentBase & LayerBase,
    functions: readonly Activation[],
    weights: Record<string, Float32Array>,
  ): RecurrentSpec;
}

/** Initial states that an operator takes. */
export interface StateInput {
  /** Number of the input. */
  index: number;
  name: 'initial_h' | 'initial_c';
  slot: 'hidden' | 'cell';
  /** The output of the final ones. */
  final: 'Y_h' | 'Y_c';
}

/** A recurrent operator: what tells it from the others. */
export interface RecurrentOperator {
  op: string;
  /** Parts of H rows in W, R and each half of B; in P, of H values. */
  gates: number;
  peepholes: number;
  /** The functions of a direction, f, g, h, where a node lists none. */
  functions: readonly ('Sigmoid' | 'Tanh')[];
  /** In the order of the final states among the outputs. */
  states: readonly StateInput[];
  /** Reads the attributes that it alone has. */
  form(context: NodeContext): CellForm;
}

export const HIDDEN: StateInput = { index: 5, name: 'initial_h', slot: 'hidden', final: 'Y_h' };
export const CELL: StateInput = { index: 6, name: 'initial_c', slot: 'cell', final: 'Y_c' };

/** An attribute that is 0 or 1. */
export function readFlag({ attributes, node }: NodeContext, name: string): boolean {
  const given = attributes.int(name) ?? 0;
  if (given === 0 || given === 1) return given === 1;
  throw nodeError(node, `attribute '${name}' is ${given}; expected 0 or 1`, 'invalid_file');
}

/** Fields for the functions that are not the spec's default. */
export function functionFields<K extends string>(
  given: Record<K, Activation>,
  defaults: Record<K, Activation>,
): Partial<Record<K, Activation>> {
  const changed = Object.entries<Activation>(given).filter(([field, value]) => value !== defaults[field as K]);
  return Object.fromEntries(changed) as Partial<Record<K, Activation>>;
}

/** Part `i` of `count` equal ones: a view. */
export function part(data: Float32Array, i: number, count: number): Float32Array {
  return data.subarray((i * data.length) / count, ((i + 1) * data.length) / count);
}

/** The two biases as one. */
export function sumBiases({ input, recurrent }: { input: Float32Array; recurrent: Float32Array }): Float32Array {
  return input.map((value, i) => value + recurrent[i]!);
}
