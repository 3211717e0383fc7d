import type { OnnxNode, OnnxTensor } from './messages.ts';
import type { ImportReport } from '../report.ts';
import type { Attributes } from './attributes.ts';
import type { BoundTensor } from './binding.ts';
import type { SpecBuilder } from './builder.ts';
import type { Budget } from './limits.ts';
import type { Scope } from './scope.ts';
import type { Baked } from './size.ts';
import type { Source } from './source.ts';
import type { Constant, Factor, Rows, Segment, Value } from './value.ts';

/** What a node is read with. */
export interface NodeContext {
  node: OnnxNode;
  opset: number;
  attributes: Attributes;
  /** One an input of the node; undefined for those left out. */
  inputs: (Value | undefined)[];
  graph: GraphContext;
  /** Names that the graphs inside of the node may read; undefined where one node is taken out. */
  scope?: Scope;
}

/** What is known of the graph as a whole. */
export interface GraphContext {
  builder: SpecBuilder;
  budget: Budget;
  baked: Baked;
  /**
   * Demands that the axes of a value have these roles. Starts the reading anew, by an exception, when an axis comes from a
   * graph input of which another role was assumed; false if it cannot be.
   */
  demand(rows: Rows, roles: (Factor['role'] | undefined)[]): boolean;
  /**
   * A part is taken of this axis: one of a graph input is features unless something demands otherwise. Starts the reading
   * anew, by an exception, when that changes a role.
   */
  preferFeature(axis: readonly Factor[]): void;
  /** Demands that a value without a time axis is a sequence of one step. */
  demandSequence(rows: Rows): boolean;
  /** Demands that a value is one a sequence: steps of which the file says that there is one are none. */
  demandVector(rows: Rows): void;
  /** A constant as a row for each sequence, as of an input that has one; undefined for one of other axes than the batch and features. */
  forAll(constant: Constant, name: string): Rows | undefined;
  /** Whether a graph input is read as numbers, beside what it says of lengths. */
  isNumbers(input: number): boolean;
  /** Demands that floats of a graph input, where these rows are such, are whole numbers: ids. Starts the reading anew. */
  demandIds(rows: Rows): void;
  /** Whether steps that the file fixes may be features of whole sequences, which no stream gives: where the graph is read in no other way. */
  flattensSteps(): boolean;
  /** Whether steps may be taken by their numbers: where the graph is read in no other way, for cells that are written out take each step. */
  numbersSteps(): boolean;
  /** The name of a graph input. */
  inputName(input: number): string;
  /** Whether columns are just those of a graph input. */
  isInput(columns: readonly Segment[], input: number): boolean;
  /** By recurrent node: the input that gives the lengths of its sequences (undefined: it has none). */
  lengths: Map<string, number | undefined>;
  /** Steps were counted by the T of a Shape, in picking one or a range: by this node. */
  counted: string | undefined;
  conventions: Set<string>;
  /** The values of a tensor of the file, read once. */
  tensorData(tensor: OnnxTensor): Constant;
  /** For the report: where a tensor went. */
  place(constant: Constant, target: string): void;
}

/** What the inputs of a graph say of axes, for those that read it. */
type OfInputs = Pick<
  GraphContext,
  | 'baked'
  | 'flattensSteps'
  | 'numbersSteps'
  | 'demand'
  | 'preferFeature'
  | 'demandSequence'
  | 'demandVector'
  | 'forAll'
  | 'isNumbers'
  | 'demandIds'
>;

/**
 * Of a graph of which nothing has been read.
 *
 * @param bound the inputs, as they are added
 * @param tensors where those of the file went, for the report
 */
export function newContext(
  source: Source,
  builder: SpecBuilder,
  { bound, tensors }: { bound: readonly BoundTensor[]; tensors: ImportReport['tensors'] },
  ofInputs: OfInputs,
): GraphContext {
  return {
    ...ofInputs,
    builder,
    budget: builder.budget,
    inputName: (input) => bound[input]?.name ?? '',
    isInput: ([segment], input) => segment !== undefined && bound[input]?.values[0] === segment.ref,
    lengths: new Map(),
    counted: undefined,
    conventions: new Set(),
    tensorData: (tensor) => source.data(tensor),
    place: (constant, target) => {
      for (const tensor of source.placed(constant, target)) tensors.push(tensor);
    },
  };
}

/** Gives the values of a node's outputs. */
export type Operator = (context: NodeContext) => (Value | undefined)[];
