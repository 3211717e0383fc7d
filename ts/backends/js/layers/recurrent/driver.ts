import { directions } from '../../../../layers/recurrent.ts';
import type { LayerSpec, RecurrentBase } from '../../../../spec/spec.ts';
import { flush } from '../../../../base/denormals.ts';
import { floats } from '../../buffer.ts';
import { multiply, packMatrix } from '../../matmul.ts';
import type { PackedMatrix } from '../../matmul.ts';
import { ROW_BLOCK, emptyPlan, fillPlan } from '../../plan.ts';
import type { Layout, Order, Plan } from '../../plan.ts';
import type { Build, Io, Layer, Workspace } from '../layer.ts';
import { orZeros, weightsOf } from './cell.ts';
import type { Cell, CellKind } from './cell.ts';
import { writeRow, writeZeros } from './output.ts';
import type { Combine } from './output.ts';

type RecurrentSpec = Extract<LayerSpec, RecurrentBase>;

/** A kind of recurrent layer: the driver of steps, directions, masks and outputs around its cell. */
export function recurrent<S extends RecurrentSpec>(cell: (spec: S) => CellKind): Build<S> {
  return (spec) => new Recurrent(spec, cell(spec));
}

/** Places of the first initial state among the inputs, and of the first final state among the outputs. */
const STATES = 2;

interface Direction {
  readonly order: Order;
  readonly input: PackedMatrix;
  readonly bias: Float32Array;
  readonly cell: Cell;
}

class Recurrent implements Layer {
  readonly bytes: number;
  readonly orders: readonly Order[];
  readonly #size: number;
  readonly #cell: CellKind;
  readonly #directions: readonly Direction[];
  readonly #combine: Combine;
  readonly #masked: boolean;
  readonly #zeroMasked: boolean;

  constructor(spec: RecurrentSpec, cell: CellKind) {
    this.#size = spec.hiddenSize;
    this.#cell = cell;
    this.#directions = directions(spec).map((direction) => pack(spec, direction, cell));
    this.#combine = spec.merge ?? 'concat';
    this.#masked = spec.mask !== undefined;
    this.#zeroMasked = spec.paddedOutput === 'zero';
    this.orders = this.#directions.map(({ order }) => order);
    this.bytes = this.#directions
      .flatMap(({ input, bias, cell }) => [input.panels, bias, ...cell.buffers])
      .reduce((sum, buffer) => sum + buffer.byteLength, 0);
  }

  workspace(batch: number): Workspace {
    const row = batch * this.#size;
    const directions = this.#directions.map(() => ({
      state: Array.from({ length: this.#cell.slots }, () => new Float32Array(row)),
      started: new Float32Array(batch),
    }));
    const slots = Array.from({ length: this.#cell.slots }, (_, slot) => directions.map(({ state }) => state[slot]!));
    return {
      states: [...slots.flat(), ...directions.map(({ started }) => started)],
      directions,
      scratch: this.#cell.scratch.map((width) => new Float32Array(width * row)),
      projected: new Float32Array(0),
      unmasked: undefined,
    };
  }

  reserve(workspace: Workspace, layout: Layout): Workspace {
    const rows = Math.min(layout.rows, Math.max(ROW_BLOCK, layout.batch));
    return {
      ...workspace,
      projected: floats(rows * this.#cell.gates * this.#size, workspace.projected),
      unmasked: this.#masked ? emptyPlan(layout) : undefined,
    };
  }

  run(io: Io, workspace: Workspace): void {
    const { layout, inputs, outputs } = io;
    const size = this.#size;
    const { states } = workspace;
    for (let i = 0; i < states.length; i++) {
      const initial = inputs[STATES + i];
      if (initial) setRows(states[i]!, layout.sequences, size, initial);
    }
    const count = this.#directions.length;
    const concat = count === 2 && this.#combine === 'concat';
    const rowSize = concat ? 2 * size : size;
    for (let d = 0; d < count; d++) {
      const column = concat && d === 1 ? size : 0;
      const combine = !concat && d === 1 ? this.#combine : 'concat';
      this.#runDirection(d, io, workspace, rowSize, column, combine);
      const hidden = workspace.directions[d]!.state[0]!;
      const last = outputs[1];
      if (!last) continue;
      for (let b = 0; b < layout.batch; b++) {
        writeRow(combine, last, b * rowSize + column, hidden, layout.sequences[b]! * size, size);
      }
    }
    for (let i = 0; i < states.length; i++) {
      const final = outputs[STATES + i];
      if (final) copyRows(states[i]!, layout.sequences, size, final);
    }
  }

  #runDirection(d: number, io: Io, workspace: Workspace, rowSize: number, column: number, combine: Combine): void {
    const { order, input, bias, cell } = this.#directions[d]!;
    const size = this.#size;
    const width = this.#cell.gates * size;
    const { layout, outputs, inputs } = io;
    const { state, started } = workspace.directions[d]!;
    const { projected, scratch } = workspace;
    const hidden = state[0]!;
    const full = io.plans[order]!;
    const sequence = outputs[0];
    const x = inputs[0]!;
    const mask = inputs[1];
    let plan = full;
    if (mask) {
      plan = workspace.unmasked!;
      fillPlan(plan, layout, order, mask);
      // Runs that carry a state on go forward, and go on with what they repeat at masked steps.
      if (inputs[STATES] || order !== 'forward') started.fill(0);
    }

    let blockStart = 0;
    let blockEnd = 0;
    for (let s = 0; s < layout.steps; s++) {
      const from = plan.offsets[s]!;
      const to = plan.offsets[s + 1]!;
      if (s === blockEnd) {
        // The input projection of a block of steps at once: one pass over the input weights.
        blockStart = from;
        do blockEnd++;
        while (blockEnd < layout.steps && plan.offsets[blockEnd + 1]! - blockStart <= ROW_BLOCK);
        const count = plan.offsets[blockEnd]! - blockStart;
        multiply(input, x, 0, plan.input, blockStart, count, bias, 0, 0, projected, 0, width);
      }
      if (from < to) {
        const p = (from - blockStart) * width;
        cell.step(state, plan.batch, from, to - from, projected, p, scratch, layout.iota);
      }
      for (let e = from; sequence && e < to; e++) {
        writeRow(combine, sequence, plan.output[e]! * rowSize + column, hidden, plan.batch[e]! * size, size);
      }
      if (mask) this.#writeMasked(full, s, mask, started, hidden, sequence, rowSize, column, combine);
    }
  }

  /** Output rows of the masked entries of step s: the state held since the last output, or zeros. */
  #writeMasked(
    full: Plan,
    s: number,
    mask: Float32Array,
    started: Float32Array,
    hidden: Float32Array,
    sequence: Float32Array | undefined,
    rowSize: number,
    column: number,
    combine: Combine,
  ): void {
    const size = this.#size;
    for (let e = full.offsets[s]!; e < full.offsets[s + 1]!; e++) {
      const b = full.batch[e]!;
      const at = full.output[e]! * rowSize + column;
      if (mask[full.input[e]!] !== 0) started[b] = 1;
      else if (!sequence) continue;
      else if (this.#zeroMasked || started[b] === 0) writeZeros(combine, sequence, at, size);
      else writeRow(combine, sequence, at, hidden, b * size, size);
    }
  }
}

/** Row i of `out` = row `sequences[i]` of `state`. */
function copyRows(state: Float32Array, sequences: Int32Array, size: number, out: Float32Array): void {
  for (let i = 0; i < sequences.length; i++) {
    const at = sequences[i]! * size;
    for (let j = 0; j < size; j++) out[i * size + j] = state[at + j]!;
  }
}

/** Row `sequences[i]` of `state` = row i of `values`. */
function setRows(state: Float32Array, sequences: Int32Array, size: number, values: Float32Array): void {
  for (let i = 0; i < sequences.length; i++) {
    const at = sequences[i]! * size;
    for (let j = 0; j < size; j++) state[at + j] = flush(values[i * size + j]!);
  }
}

function pack(spec: RecurrentSpec, direction: 'forward' | 'reverse', cell: CellKind): Direction {
  const { inputSize, hiddenSize } = spec;
  const sums = cell.gates * hiddenSize;
  const weights = weightsOf(spec, direction);
  return {
    order: direction === 'forward' ? 'forward' : spec.reversedOutput ? 'reverseProcessed' : 'reverse',
    input: packMatrix(weights.matrix('input'), sums, inputSize),
    bias: orZeros(weights.vector('bias'), sums),
    cell: cell.pack(weights),
  };
}
