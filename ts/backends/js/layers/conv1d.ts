import { conv1d as kind, conv1dWindows } from '../../../layers/conv1d.ts';
import { type Windows, windowsPast } from '../../../layers/windows.ts';
import { GruError } from '../../../base/errors.ts';
import { numbersOf } from '../../../base/weights.ts';
import type { Conv1dSpec } from '../../../spec/spec.ts';
import { applyRows, rowFunction, type RowFunction } from '../activation.ts';
import { floats } from '../buffer.ts';
import { matrixRows, partOfRows } from '../integers.ts';
import { multiply, packMatrix, type PackedMatrix } from '../matmul.ts';
import { type Layout, ROW_BLOCK } from '../plan.ts';
import type { Build, Io, Layer, Workspace } from './layer.ts';
import { nothing } from './layer.ts';
import { keepPast, type KeptRows, pastRow, seenOf } from './past.ts';
import { windowsIn } from './windows.ts';

const fround = Math.fround;

/** A convolution over the steps of a sequence. Rows are gathered as crate/src/layers/conv1d says. */
export const conv1d: Build<Conv1dSpec> = (spec, [input], axis) =>
  new Conv1d(spec, kind.notStreamable!(spec, [input!]) === undefined, axis);

/** Multiplies windows of a part of the channels: row i of `out` is that of the window at row `windows[i]` of `x`, which starts at `xAt`. */
interface Product {
  readonly parts: number;
  /** Channels of a part in a gathered row, and how often each is in it. */
  readonly width: number;
  readonly repeat: number;
  readonly bytes: number;
  sums(part: number, x: Float32Array, xAt: number, windows: Int32Array, count: number, out: Float32Array): void;
}

/** The sequence that windows are gathered of. */
interface Source {
  readonly x: Float32Array;
  readonly layout: Layout;
  readonly sequence: number;
  readonly steps: number;
  /** Where its past lies in the state, and how many steps have come. */
  readonly past: number;
  readonly seen: number;
}

class Conv1d implements Layer {
  readonly bytes: number;
  readonly orders = [];
  readonly keepsTiny = true;
  readonly #spec: Conv1dSpec;
  readonly #axis: number;
  readonly #product: Product;
  readonly #stride: number;
  readonly #dilation: number;
  readonly #windows: Windows;
  readonly #past: KeptRows | undefined;
  readonly #function: RowFunction;
  /** Windows of outputs that are so many apart have taps in common, as many rows apart as `advance` says. */
  readonly #phases: number;
  readonly #advance: number;

  constructor(spec: Conv1dSpec, streams: boolean, axis: number) {
    const { stride = 1, dilation = 1, groups = 1 } = spec;
    const common = greatestCommonDivisor(stride, dilation);
    this.#spec = spec;
    this.#axis = axis;
    this.#stride = stride;
    this.#dilation = dilation;
    this.#windows = conv1dWindows(spec);
    this.#past = streams ? { ...windowsPast(this.#windows), size: spec.inputSize } : undefined;
    this.#function = rowFunction(spec.activation ?? 'linear');
    this.#phases = dilation / common;
    this.#advance = stride / common;
    this.#product = groups > 1 && groups === spec.inputSize ? depthwise(spec) : grouped(spec);
    this.bytes = this.#product.bytes;
  }

  workspace(batch: number): Workspace {
    const states = this.#past ? [new Float32Array(batch * pastRow(this.#past))] : [];
    return { ...nothing, states, scratch: [new Float32Array(0), new Float32Array(0)] };
  }

  reserve(workspace: Workspace, _: Layout, layouts: readonly Layout[]): Workspace {
    const { kernelSize, outputSize } = this.#spec;
    const { parts, width } = this.#product;
    const rows = Math.min(layouts[this.#axis]!.rows, ROW_BLOCK);
    const room = Math.min(rows * kernelSize, ROW_BLOCK + kernelSize);
    const [gathered, sums] = workspace.scratch;
    return {
      ...workspace,
      scratch: [floats(room * width * parts, gathered), floats((rows * outputSize) / parts, sums)],
      block: { input: new Int32Array(rows), output: new Int32Array(rows) },
    };
  }

  run(io: Io, workspace: Workspace): void {
    const { layout, layouts } = io;
    const x = io.inputs[0]!;
    const state = workspace.states[0];
    const to = layouts[this.#axis]!;
    for (let b = 0; b < layout.batch; b++) {
      const { outputs } = this.#windowsOf(this.#source(x, layout, state, b));
      if (outputs !== to.lengths[b]) {
        throw new GruError('internal', `conv1d layer '${this.#spec.name}': ${outputs} rows are not ${to.lengths[b]!}`);
      }
    }
    const y = io.outputs[0];
    if (y) {
      this.#sums(x, layout, to, workspace, y);
      applyRows(this.#function, y, this.#spec.outputSize);
    }
    if (this.#past && state) keepPast(this.#past, state, layout, x);
  }

  #source(x: Float32Array, layout: Layout, state: Float32Array | undefined, sequence: number): Source {
    const past = this.#past && state ? layout.sequences[sequence]! * pastRow(this.#past) : 0;
    const seen = this.#past && state ? seenOf(this.#past, state, past) : 0;
    return { x, layout, sequence, steps: layout.lengths[sequence]!, past, seen };
  }

  #windowsOf({ steps, seen }: Source): { start: number; outputs: number } {
    return windowsIn(this.#windows, steps, seen);
  }

  #sums(x: Float32Array, layout: Layout, to: Layout, workspace: Workspace, y: Float32Array): void {
    const { kernelSize } = this.#spec;
    const { input, output } = workspace.block!;
    const [gathered] = workspace.scratch as [Float32Array];
    const state = workspace.states[0];
    const room = gathered.length / (this.#product.width * this.#product.parts);
    // Windows that have no row in common are gathered one by one, without what lies between them.
    const most = this.#advance < kernelSize ? ROW_BLOCK : 1;
    let entries = 0;
    let used = 0;
    for (let b = 0; b < layout.batch; b++) {
      const source = this.#source(x, layout, state, b);
      const { start, outputs } = this.#windowsOf(source);
      for (let phase = 0; phase < Math.min(this.#phases, outputs); phase++) {
        for (let t = phase; t < outputs;) {
          if (used + kernelSize > room || entries === ROW_BLOCK) {
            this.#flush(workspace, room, entries, y);
            entries = used = 0;
          }
          const fits = Math.floor((room - used - kernelSize) / this.#advance) + 1;
          const left = Math.ceil((outputs - t) / this.#phases);
          const count = Math.min(fits, ROW_BLOCK - entries, left, most);
          const rows = (count - 1) * this.#advance + kernelSize;
          this.#gather(source, state, start + t * this.#stride, gathered, room, used, rows);
          for (let i = 0; i < count; i++) {
            input[entries] = used + i * this.#advance;
            output[entries++] = to.starts[b]! + (t + i * this.#phases) * to.stride;
          }
          used += rows;
          t += count * this.#phases;
        }
      }
    }
    this.#flush(workspace, room, entries, y);
  }

  /** Copies the rows of a sequence from step `first` on, each `dilation`-th, to `count` rows of all parts from row `to` on. */
  #gather(
    { x, layout, sequence, steps, past, seen }: Source,
    state: Float32Array | undefined,
    first: number,
    gathered: Float32Array,
    room: number,
    to: number,
    count: number,
  ): void {
    const { inputSize } = this.#spec;
    const { parts, width, repeat } = this.#product;
    const channels = inputSize / parts;
    for (let i = 0; i < count; i++) {
      const step = first + i * this.#dilation;
      const inside = step >= 0 && step < steps;
      const kept = step < 0 && this.#past !== undefined;
      const from = inside ? x : state;
      const row = inside
        ? (layout.starts[sequence]! + step * layout.stride) * inputSize
        : kept
          ? past + ((seen + this.#past.steps + step) % this.#past.steps) * inputSize
          : 0;
      for (let part = 0; part < parts; part++) {
        const at = (part * room + to + i) * width;
        if (!from || !(inside || kept)) gathered.fill(0, at, at + width);
        else if (repeat === 1) for (let c = 0; c < channels; c++) gathered[at + c] = from[row + part * channels + c]!;
        else for (let c = 0; c < width; c++) gathered[at + c] = from[row + Math.floor(c / repeat)]!;
      }
    }
  }

  /** Computes the outputs of a block. */
  #flush({ scratch, block }: Workspace, room: number, count: number, y: Float32Array): void {
    const { outputSize } = this.#spec;
    const { parts, width } = this.#product;
    const [gathered, sums] = scratch as [Float32Array, Float32Array];
    const { input, output } = block!;
    const size = outputSize / parts;
    for (let part = 0; part < parts; part++) {
      this.#product.sums(part, gathered, part * room * width, input, count, sums);
      for (let i = 0; i < count; i++) {
        const at = output[i]! * outputSize + part * size;
        for (let j = 0; j < size; j++) y[at + j] = sums[i * size + j]!;
      }
    }
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** A matrix a group. */
function grouped({ inputSize, outputSize, kernelSize, groups = 1, weights }: Conv1dSpec): Product {
  const width = inputSize / groups;
  const size = outputSize / groups;
  const depth = kernelSize * width;
  const bias = new Float32Array(outputSize);
  bias.set(weights.bias ?? []);
  const rows = matrixRows(weights.kernel);
  const matrices = Array.from({ length: groups }, (_, group): PackedMatrix => {
    const kernel = partOfRows(rows, group * size, (group + 1) * size, depth);
    return packMatrix(kernel, size, depth, width);
  });
  const bytes = matrices.reduce((sum, { panels }) => sum + panels.byteLength, bias.byteLength);
  return {
    parts: groups,
    width,
    repeat: 1,
    bytes,
    sums(part, x, xAt, windows, count, out) {
      multiply(matrices[part]!, x, xAt, windows, 0, count, bias, part * size, 0, out, 0, size);
    },
  };
}

/** Each output has one channel: a row of weights a tap. */
function depthwise({ inputSize, outputSize, kernelSize, weights }: Conv1dSpec): Product {
  const numbers = numbersOf(weights.kernel);
  const kernel = new Float32Array(numbers.length);
  for (let o = 0; o < outputSize; o++) {
    for (let tap = 0; tap < kernelSize; tap++) kernel[tap * outputSize + o] = numbers[o * kernelSize + tap]!;
  }
  const bias = new Float32Array(outputSize);
  bias.set(weights.bias ?? []);
  return {
    parts: 1,
    width: outputSize,
    repeat: outputSize / inputSize,
    bytes: kernel.byteLength + bias.byteLength,
    sums(_, x, xAt, windows, count, out) {
      for (let i = 0; i < count; i++) {
        const from = xAt + windows[i]! * outputSize;
        for (let o = 0; o < outputSize; o++) {
          let sum = bias[o]!;
          for (let tap = 0; tap < kernelSize; tap++) {
            const k = tap * outputSize + o;
            sum = fround(sum + fround(kernel[k]! * x[from + k]!));
          }
          out[i * outputSize + o] = sum;
        }
      }
    },
  };
}
