import { directions } from '../../../layers/recurrent.ts';
import type { GruSpec } from '../../../spec/spec.ts';
import { flush } from '../activation.ts';
import { floats } from '../buffer.ts';
import { gateFunctions, gatesAfter, resetBefore, updateBefore } from '../gates.ts';
import type { GateFunctions } from '../gates.ts';
import { multiply, packMatrix } from '../matmul.ts';
import type { PackedMatrix } from '../matmul.ts';
import { ROW_BLOCK, emptyPlan, fillPlan } from '../plan.ts';
import type { Layout, Order, Plan } from '../plan.ts';
import type { Build, Io, Layer, Workspace } from './layer.ts';
import { writeRow, writeZeros } from './output.ts';
import type { Combine } from './output.ts';

/** A GRU layer: forward, reverse or both, reset gate before or after the matmul. */
export const gru: Build<GruSpec> = (spec) => new Gru(spec);

/** Buffers of a workspace, by their place in `scratch`. */
const PROJECTED = 0;
const SUMS = 1;
/** Reset gate before the matmul only. */
const PRODUCT = 2;
const CANDIDATE = 3;

interface Direction {
  readonly order: Order;
  /** z, r, n. */
  readonly input: PackedMatrix;
  /** z, r, n with the reset gate after the matmul, otherwise z, r. */
  readonly recurrent: PackedMatrix;
  /** n, with the reset gate before the matmul. */
  readonly candidate: PackedMatrix | undefined;
  readonly bias: Float32Array;
  /** Where the recurrent sums start, with the reset gate after the matmul: 0, 0, recurrentBias. */
  readonly init: Float32Array;
}

class Gru implements Layer {
  readonly bytes: number;
  readonly orders: readonly Order[];
  readonly #size: number;
  readonly #functions: GateFunctions;
  readonly #directions: readonly Direction[];
  readonly #combine: Combine;
  readonly #masked: boolean;
  readonly #zeroMasked: boolean;

  constructor(spec: GruSpec) {
    this.#size = spec.hiddenSize;
    this.#functions = gateFunctions(spec.recurrentActivation, spec.activation, spec.clip);
    this.#directions = directions(spec).map((direction) => pack(spec, direction));
    this.#combine = spec.merge ?? 'concat';
    this.#masked = spec.mask !== undefined;
    this.#zeroMasked = spec.paddedOutput === 'zero';
    this.orders = this.#directions.map(({ order }) => order);
    this.bytes = this.#directions
      .flatMap((d) => [d.input.panels, d.recurrent.panels, d.candidate?.panels, d.bias, d.init])
      .reduce((sum, buffer) => sum + (buffer?.byteLength ?? 0), 0);
  }

  workspace(batch: number): Workspace {
    const before = this.#directions[0]!.candidate !== undefined;
    const row = batch * this.#size;
    return {
      hidden: this.#directions.map(() => new Float32Array(row)),
      scratch: [0, (before ? 2 : 3) * row, ...(before ? [row, row] : [])].map((length) => new Float32Array(length)),
      unmasked: undefined,
      started: this.#directions.map(() => new Uint8Array(batch)),
    };
  }

  reserve(workspace: Workspace, layout: Layout): Workspace {
    const rows = Math.min(layout.rows, Math.max(ROW_BLOCK, layout.batch));
    const projected = floats(rows * 3 * this.#size, workspace.scratch[PROJECTED]);
    return {
      ...workspace,
      scratch: [projected, ...workspace.scratch.slice(1)],
      unmasked: this.#masked ? emptyPlan(layout) : undefined,
    };
  }

  run(io: Io, workspace: Workspace): void {
    const count = this.#directions.length;
    const concat = count === 2 && this.#combine === 'concat';
    const rowSize = concat ? 2 * this.#size : this.#size;
    for (let d = 0; d < count; d++) {
      const column = concat && d === 1 ? this.#size : 0;
      const combine = !concat && d === 1 ? this.#combine : 'concat';
      this.#runDirection(d, io, workspace, rowSize, column, combine);
      const hidden = workspace.hidden[d]!;
      const last = io.outputs[1];
      if (last) {
        for (let b = 0; b < io.layout.batch; b++) {
          writeRow(combine, last, b * rowSize + column, hidden, io.layout.sequences[b]! * this.#size, this.#size);
        }
      }
      const state = io.outputs[2 + d];
      if (state) copyRows(hidden, io.layout.sequences, this.#size, state);
    }
  }

  #runDirection(d: number, io: Io, workspace: Workspace, rowSize: number, column: number, combine: Combine): void {
    const direction = this.#directions[d]!;
    const size = this.#size;
    const { layout, outputs, inputs } = io;
    const hidden = workspace.hidden[d]!;
    const projected = workspace.scratch[PROJECTED]!;
    const full = io.plans[direction.order]!;
    const sequence = outputs[0];
    const x = inputs[0]!;
    const mask = inputs[1];
    const initial = inputs[2 + d];
    if (initial) setRows(hidden, layout.sequences, size, initial);
    let plan = full;
    if (mask) {
      plan = workspace.unmasked!;
      fillPlan(plan, layout, direction.order, mask);
      if (initial || direction.order !== 'forward') workspace.started[d]!.fill(0);
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
        multiply(direction.input, x, 0, plan.input, blockStart, count, direction.bias, 0, 0, projected, 0, 3 * size);
      }
      if (from < to) this.#step(direction, plan, from, to, (from - blockStart) * 3 * size, hidden, layout, workspace);
      if (!sequence) continue;
      for (let e = from; e < to; e++) {
        writeRow(combine, sequence, plan.output[e]! * rowSize + column, hidden, plan.batch[e]! * size, size);
      }
      if (mask) this.#writeMasked(full, s, mask, workspace.started[d]!, hidden, sequence, rowSize, column, combine);
    }
  }

  /** New hidden values of the entries `from` to `to - 1`, whose input projections start at `p`. */
  #step(
    direction: Direction,
    plan: Plan,
    from: number,
    to: number,
    p: number,
    hidden: Float32Array,
    { iota }: Layout,
    { scratch }: Workspace,
  ): void {
    const { recurrent, candidate } = direction;
    const f = this.#functions;
    const size = this.#size;
    const n = to - from;
    const projected = scratch[PROJECTED]!;
    const sums = scratch[SUMS]!;
    if (!candidate) {
      multiply(recurrent, hidden, 0, plan.batch, from, n, direction.init, 0, 0, sums, 0, 3 * size);
      for (let i = 0; i < n; i++) {
        gatesAfter(f, size, sums, i * 3 * size, projected, p + i * 3 * size, hidden, plan.batch[from + i]! * size);
      }
      return;
    }
    const product = scratch[PRODUCT]!;
    const fresh = scratch[CANDIDATE]!;
    multiply(recurrent, hidden, 0, plan.batch, from, n, projected, p, 3 * size, sums, 0, 2 * size);
    for (let i = 0; i < n; i++) {
      resetBefore(f, size, sums, i * 2 * size, hidden, plan.batch[from + i]! * size, product, i * size);
    }
    multiply(candidate, product, 0, iota, 0, n, projected, p + 2 * size, 3 * size, fresh, 0, size);
    for (let i = 0; i < n; i++) {
      updateBefore(f, size, sums, i * 2 * size, fresh, i * size, hidden, plan.batch[from + i]! * size);
    }
  }

  /** Output rows of the masked entries of step s: the state held since the last output, or zeros. */
  #writeMasked(
    full: Plan,
    s: number,
    mask: Float32Array,
    started: Uint8Array,
    hidden: Float32Array,
    sequence: Float32Array,
    rowSize: number,
    column: number,
    combine: Combine,
  ): void {
    const size = this.#size;
    for (let e = full.offsets[s]!; e < full.offsets[s + 1]!; e++) {
      const b = full.batch[e]!;
      const at = full.output[e]! * rowSize + column;
      if (mask[full.input[e]!] !== 0) started[b] = 1;
      else if (this.#zeroMasked || started[b] === 0) writeZeros(combine, sequence, at, size);
      else writeRow(combine, sequence, at, hidden, b * size, size);
    }
  }
}

/** Row i of `out` = row `sequences[i]` of `hidden`. */
function copyRows(hidden: Float32Array, sequences: Int32Array, size: number, out: Float32Array): void {
  for (let i = 0; i < sequences.length; i++) {
    const at = sequences[i]! * size;
    for (let j = 0; j < size; j++) out[i * size + j] = hidden[at + j]!;
  }
}

/** Row `sequences[i]` of `hidden` = row i of `values`. */
function setRows(hidden: Float32Array, sequences: Int32Array, size: number, values: Float32Array): void {
  for (let i = 0; i < sequences.length; i++) {
    const at = sequences[i]! * size;
    for (let j = 0; j < size; j++) hidden[at + j] = flush(values[i * size + j]!);
  }
}

function pack(spec: GruSpec, direction: 'forward' | 'reverse'): Direction {
  const { inputSize, hiddenSize: size, resetAfter, weights } = spec;
  const recurrent = weights[`${direction}.recurrent`]!;
  const bias = new Float32Array(3 * size);
  bias.set(weights[`${direction}.bias`] ?? []);
  const init = new Float32Array(resetAfter ? 3 * size : 0);
  const recurrentBias = weights[`${direction}.recurrentBias`];
  if (resetAfter && recurrentBias) init.set(recurrentBias, 2 * size);
  const split = resetAfter ? 3 * size : 2 * size;
  return {
    order: direction === 'forward' ? 'forward' : spec.reversedOutput ? 'reverseProcessed' : 'reverse',
    input: packMatrix(weights[`${direction}.input`]!, 3 * size, inputSize),
    recurrent: packMatrix(recurrent.subarray(0, split * size), split, size),
    candidate: resetAfter ? undefined : packMatrix(recurrent.subarray(split * size), size, size),
    bias,
    init,
  };
}
