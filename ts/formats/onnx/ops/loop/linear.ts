import { isNumber, NotTerms, type Factor, type SourceFactor, type Term } from './terms.ts';

/** The state that a cell carries, and the sizes of the values it may read. */
export interface CellSources {
  /** Name and size of the hidden state. */
  state: string;
  hiddenSize: number;
  /** Sizes of the inputs by name: of the sequence, and of cells below. */
  inputs: ReadonlyMap<string, number>;
}

/** What a gate's function is applied to: W x + U h + b, and what is no such product. */
export interface Linear {
  /** (hiddenSize, size) by name of an input. */
  inputs: Map<string, Float32Array>;
  recurrent: Float32Array | undefined;
  bias: Float32Array | undefined;
  rest: Term[];
}

/** A factor that is one, of a kind. */
export const isSource = (factor: Factor | undefined, name: string): factor is SourceFactor =>
  factor?.kind === 'source' && factor.name === name;

/** Takes a sum apart. */
export function readLinear(terms: readonly Term[], sources: CellSources): Linear {
  const { hiddenSize, state, inputs } = sources;
  const linear: Linear = { inputs: new Map(), recurrent: undefined, bias: undefined, rest: [] };
  for (const term of terms) {
    const { coefficient, factors } = term;
    const [factor] = factors;
    if (!factor) {
      linear.bias = filled(coefficient, hiddenSize);
      continue;
    }
    const product = factors.length === 1 ? asProduct(factor) : undefined;
    if (!product || (product.of.name !== state && !inputs.has(product.of.name))) {
      linear.rest.push(term);
      continue;
    }
    const { of } = product;
    const columns = of.name === state ? hiddenSize : inputs.get(of.name)!;
    const known = of.name === state ? linear.recurrent : linear.inputs.get(of.name);
    const matrix = known ?? new Float32Array(hiddenSize * columns);
    addProduct(matrix, columns, coefficient, product);
    if (of.name === state) linear.recurrent = matrix;
    else linear.inputs.set(of.name, matrix);
  }
  return linear;
}

interface SourceProduct {
  /** Undefined: the source itself, row by row. */
  matrix: Float32Array | undefined;
  of: SourceFactor;
}

function asProduct(factor: Factor): SourceProduct | undefined {
  if (factor.kind === 'source') return { matrix: undefined, of: factor };
  if (factor.kind !== 'product') return undefined;
  const [of] = factor.of;
  return factor.of.length === 1 && of?.kind === 'source' ? { matrix: factor.matrix, of } : undefined;
}

function addProduct(
  into: Float32Array,
  columns: number,
  coefficient: Term['coefficient'],
  { matrix, of }: SourceProduct,
): void {
  const rows = into.length / columns;
  for (let i = 0; i < rows; i++) {
    const scale = typeof coefficient === 'number' ? coefficient : coefficient[i]!;
    const at = i * columns + of.start;
    if (!matrix) into[at + i]! += scale;
    else for (let j = 0; j < of.size; j++) into[at + j]! += scale * matrix[i * of.size + j]!;
  }
}

export function filled(coefficient: Term['coefficient'], size: number): Float32Array {
  return typeof coefficient === 'number' ? new Float32Array(size).fill(coefficient) : coefficient;
}

/** A matrix that a coefficient scales row by row. */
export function scaledRows(matrix: Float32Array, coefficient: Term['coefficient'], rows: number): Float32Array {
  if (isNumber(coefficient, 1)) return matrix;
  const columns = matrix.length / rows;
  const scale = filled(coefficient, rows);
  return matrix.map((value, i) => value * scale[Math.floor(i / columns)]!);
}

/** The rows of a cell's weights, gate after gate. */
export function stackGates(gates: readonly Linear[], sources: CellSources) {
  const { hiddenSize, inputs: sizes } = sources;
  const names = [...sizes.keys()].filter((name) => gates.some(({ inputs }) => inputs.has(name)));
  const inputSize = names.reduce((sum, name) => sum + sizes.get(name)!, 0);
  if (inputSize === 0) throw new NotTerms('a cell that reads no step of a sequence');
  const rows = gates.length * hiddenSize;
  const input = new Float32Array(rows * inputSize);
  const recurrent = new Float32Array(rows * hiddenSize);
  const bias = gates.some((gate) => gate.bias) ? new Float32Array(rows) : undefined;
  for (const [g, gate] of gates.entries()) {
    let start = 0;
    for (const name of names) {
      const size = sizes.get(name)!;
      const matrix = gate.inputs.get(name);
      for (let i = 0; matrix && i < hiddenSize; i++) {
        input.set(matrix.subarray(i * size, (i + 1) * size), (g * hiddenSize + i) * inputSize + start);
      }
      start += size;
    }
    if (gate.recurrent) recurrent.set(gate.recurrent, g * hiddenSize * hiddenSize);
    if (gate.bias) bias!.set(gate.bias, g * hiddenSize);
  }
  return { names, inputSize, input, recurrent, bias };
}
