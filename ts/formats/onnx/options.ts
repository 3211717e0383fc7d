import { GruError } from '../../base/errors.ts';
import { checkKnown, describe, isRecord, type TensorLike } from '../../base/tensor.ts';
import { isStrings } from '../lists.ts';

/** Options of the user for ONNX files. */
export interface OnnxOptions {
  /** Take one recurrent node (GRU, LSTM, RNN), by its name (or that of one of its outputs), out of the graph, whatever else the graph holds. */
  node?: string;
  /** Outputs of the graph that are wanted; default: all. */
  outputs?: string[];
  /** Values of inputs of the graph that are the same at each run: weights that the file does not hold. */
  initializers?: Record<string, TensorLike>;
  /**
   * Shapes of inputs of the graph of which the file leaves dimensions free: a number, or a name where it stays free. For graphs that hold
   * for some sizes alone, as ones that branch by how many steps they are given.
   */
  inputShapes?: Record<string, readonly (number | string)[]>;
  /**
   * Inputs that are the initial states of recurrent layers, by the outputs that are their final states: `{ h0: 'hn' }`. They become states
   * that the model keeps, which streams carry on; `runOnnx` still takes them, zeros where they are left out.
   * Of a graph that is one step of GRU, LSTM or RNN cells, the states of the cells: what else it takes and gives are sequences then.
   */
  states?: Record<string, string>;
}

type Kind = readonly [is: (value: unknown) => boolean, text: string];

const RECORD: Kind = [isRecord, 'an object by name'];
const KINDS: Record<keyof OnnxOptions, Kind> = {
  node: [(value) => typeof value === 'string', 'a string'],
  outputs: [isStrings, 'an array of names'],
  initializers: RECORD,
  inputShapes: RECORD,
  states: RECORD,
};

/** Checks what a TypeScript compiler would of the options, but for what names of the graph stand for. @throws GruError `invalid_argument` naming the option. */
export function checkOnnxOptions(options: unknown): asserts options is OnnxOptions {
  checkKnown('onnx', options, Object.keys(KINDS));
  for (const [key, [is, text]] of Object.entries(KINDS)) {
    const value = (options as Record<string, unknown>)[key];
    if (value !== undefined && !is(value))
      throw new GruError('invalid_argument', `onnx.${key} must be ${text}, got ${describe(value)}`);
  }
}
