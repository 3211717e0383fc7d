import { conv1dPads } from '../../../layers/conv1d.ts';
import type { Conv1dSpec } from '../../../spec/spec.ts';
import { applyRows, rowFunction, type RowFunction } from '../activation.ts';
import { floats } from '../buffer.ts';
import { multiply, packMatrix, type PackedMatrix } from '../matmul.ts';
import { type Layout, ROW_BLOCK } from '../plan.ts';
import type { Build, Io, Layer, Workspace } from './layer.ts';
import { nothing } from './layer.ts';

const fround = Math.fround;

/** A convolution over the steps of a sequence. Rows are gathered as crate/src/layers/conv1d says. */
export const conv1d: Build<Conv1dSpec> = (spec) => new Conv1d(spec);

/** Multiplies windows of a part of the channels: row i of `out` is that of the window at row `windows[i]` of `x`, which starts at `xAt`. */
interface Product {
  readonly parts: number;
  /** Channels of a part in a gathered row, and how often each is in it. */
  readonly width: number;
  readonly repeat: number;
  readonly bytes: number;
  sums(part: number, x: Float32Array, xAt: number, windows: Int32Array, count: number, out: Float32Array): void;
}

class Conv1d implements Layer {
  readonly bytes: number;
  readonly orders = [];
  readonly #spec: Conv1dSpec;
  readonly #product: Product;
  readonly #stride: number;
  readonly #dilation: number;
  readonly #left: number;
  readonly #function: RowFunction;
  /** Windows of outputs that are so many apart have taps in common, as many rows apart as `advance` says. */
  readonly #phases: number;
  readonly #advance: number;

  constructor(spec: Conv1dSpec) {
    const { stride = 1, dilation = 1, groups = 1 } = spec;
    const common = greatestCommonDivisor(stride, dilation);
    this.#spec = spec;
    this.#stride = stride;
    this.#dilation = dilation;
    this.#left = conv1dPads(spec).left;
    this.#function = rowFunction(spec.activation ?? 'linear');
    this.#phases = dilation / common;
    this.#advance = stride / common;
    this.#product = groups > 1 && groups === spec.inputSize ? depthwise(spec) : grouped(spec);
    this.bytes = this.#product.bytes;
  }

  workspace(): Workspace {
    return { ...nothing, scratch: [new Float32Array(0), new Float32Array(0)] };
  }

  reserve(workspace: Workspace, layout: Layout): Workspace {
    const { kernelSize, outputSize } = this.#spec;
    const { parts, width } = this.#product;
    const rows = Math.min(layout.rows, ROW_BLOCK);
    const room = Math.min(rows * kernelSize, ROW_BLOCK + kernelSize);
    const [gathered, sums] = workspace.scratch;
    return {
      ...workspace,
      scratch: [floats(room * width * parts, gathered), floats((rows * outputSize) / parts, sums)],
      block: { input: new Int32Array(rows), output: new Int32Array(rows) },
    };
  }

  run(io: Io, workspace: Workspace): void {
    const y = io.outputs[0];
    if (!y) return;
    this.#sums(io, workspace, y);
    applyRows(this.#function, y, this.#spec.outputSize);
  }

  #sums(io: Io, workspace: Workspace, y: Float32Array): void {
    const { kernelSize } = this.#spec;
    const { layout } = io;
    const x = io.inputs[0]!;
    const { input, output } = workspace.block!;
    const [gathered] = workspace.scratch as [Float32Array];
    const room = gathered.length / (this.#product.width * this.#product.parts);
    // Windows that have no row in common are gathered one by one, without what lies between them.
    const most = this.#advance < kernelSize ? ROW_BLOCK : 1;
    let entries = 0;
    let used = 0;
    for (let b = 0; b < layout.batch; b++) {
      const steps = layout.lengths[b]!;
      const start = layout.starts[b]!;
      for (let phase = 0; phase < Math.min(this.#phases, steps); phase++) {
        for (let t = phase; t < steps;) {
          if (used + kernelSize > room || entries === ROW_BLOCK) {
            this.#flush(workspace, room, entries, y);
            entries = used = 0;
          }
          const fits = Math.floor((room - used - kernelSize) / this.#advance) + 1;
          const left = Math.ceil((steps - t) / this.#phases);
          const count = Math.min(fits, ROW_BLOCK - entries, left, most);
          const rows = (count - 1) * this.#advance + kernelSize;
          this.#gather(x, layout, b, t * this.#stride - this.#left, gathered, room, used, rows);
          for (let i = 0; i < count; i++) {
            input[entries] = used + i * this.#advance;
            output[entries++] = start + (t + i * this.#phases) * layout.stride;
          }
          used += rows;
          t += count * this.#phases;
        }
      }
    }
    this.#flush(workspace, room, entries, y);
  }

  /** Copies the rows of sequence b from step `first` on, each `dilation`-th, to `count` rows of all parts from row `to` on. */
  #gather(
    x: Float32Array,
    layout: Layout,
    b: number,
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
      const inside = step >= 0 && step < layout.lengths[b]!;
      const from = (layout.starts[b]! + step * layout.stride) * inputSize;
      for (let part = 0; part < parts; part++) {
        const at = (part * room + to + i) * width;
        if (!inside) gathered.fill(0, at, at + width);
        else if (repeat === 1) for (let c = 0; c < channels; c++) gathered[at + c] = x[from + part * channels + c]!;
        else for (let c = 0; c < width; c++) gathered[at + c] = x[from + Math.floor(c / repeat)]!;
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
  const matrices = Array.from({ length: groups }, (_, group): PackedMatrix => {
    const kernel = weights.kernel.subarray(group * size * depth, (group + 1) * size * depth);
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
  const kernel = new Float32Array(weights.kernel.length);
  for (let o = 0; o < outputSize; o++) {
    for (let tap = 0; tap < kernelSize; tap++) kernel[tap * outputSize + o] = weights.kernel[o * kernelSize + tap]!;
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
