import type { AxisLengths, BackendState } from '../backend.ts';
import { GruError } from '../../base/errors.ts';
import { fill } from '../../base/foreign.ts';
import { alive } from '../../base/lifetime.ts';
import type { Graph, GraphInput, GraphOutput } from '../../spec/graph.ts';
import { checked, type Engine } from './engine.ts';
import type { Instance } from './instance.ts';
import type { Kernels } from './kernels.ts';
import { View, withBlocks } from './memory.ts';

/** Most rows, and most values of a buffer: their numbers fit into 31 bits, their bytes into a wasm memory's 4 GB. */
const MAX_ROWS = 2 ** 31 - 1;
const MAX_FLOATS = 2 ** 30;

/** A state of the core, and the views of its buffers. */
export class WasmState implements BackendState {
  readonly batch: number;
  private readonly instance: Instance;
  private readonly engine: Engine;
  private readonly kernels: Kernels;
  private readonly graph: Graph;
  private handle: number;
  private inputs: (View<Float32Array> | View<Int32Array>)[] = [];
  private outputs: (View<Float32Array> | View<Int32Array>)[] = [];
  private hiddens: Hidden[] = [];
  /** Numbers in the widest row of a step. */
  private readonly widest: number;
  /** Rows of a sequence value of each axis, and of a vector value, in the present layout. */
  private rows: readonly number[];
  private sequences: number;

  constructor(instance: Instance, kernels: Kernels, graph: Graph, handle: number, batch: number) {
    this.instance = instance;
    this.engine = instance.engine;
    this.kernels = kernels;
    this.graph = graph;
    this.handle = handle;
    this.batch = batch;
    const perStep = [...graph.inputs, ...graph.outputs].filter(({ kind }) => kind === 'sequence');
    this.widest = perStep.reduce((widest, { size }) => Math.max(widest, size), 1);
    this.rows = [...graph.axes, ...graph.derivedAxes].map(() => 0);
    this.sequences = batch;
    this.makeViews();
  }

  setLengths(axes: readonly AxisLengths[]): void {
    this.layOut(new Int32Array(0), axes, this.batch, false);
  }

  setSequences(sequences: ArrayLike<number>, axes: readonly AxisLengths[]): void {
    this.layOut(sequences, axes, sequences.length, true);
  }

  /** In the form that `state_set_lengths` of crate/bindings reads: sequences, then lengths axis after axis; a bit an axis. */
  private layOut(sequences: ArrayLike<number>, axes: readonly AxisLengths[], count: number, some: boolean): void {
    const handle = this.alive();
    const words = new Int32Array(sequences.length + axes.length * count);
    words.set(sequences);
    let timeMajor = 0;
    const rows = axes.map((axis, a) => {
      words.set(axis.lengths, sequences.length + a * count);
      if (axis.timeMajor) timeMajor |= 1 << a;
      let sum = 0;
      for (let i = 0; i < count; i++) sum += axis.lengths[i]!;
      return sum;
    });
    const most = Math.min(MAX_ROWS, Math.floor(MAX_FLOATS / this.widest));
    const steps = rows.reduce((a, b) => Math.max(a, b), 0);
    if (steps > most) throw new GruError('out_of_memory', `${steps} steps in one run are more than ${most}`);
    try {
      withBlocks(this.engine, (copy) => {
        const block = copy(words, 'lengths');
        const code = this.engine.state_set_lengths(handle, block, timeMajor, Number(some));
        checked(code, `buffers for ${steps} steps`);
      });
      this.rows = rows;
      this.sequences = count;
    } finally {
      // Buffers may have moved even where the layout stays.
      this.makeViews();
    }
  }

  inputFloats(index: number): Float32Array {
    this.alive();
    return (this.inputs[index] as View<Float32Array>).get();
  }

  inputIds(index: number): Int32Array {
    this.alive();
    return (this.inputs[index] as View<Int32Array>).get();
  }

  output(index: number): Float32Array {
    this.alive();
    return (this.outputs[index] as View<Float32Array>).get();
  }

  outputIds(index: number): Int32Array {
    this.alive();
    return (this.outputs[index] as View<Int32Array>).get();
  }

  readHidden(index: number, out: Float32Array, at = 0, sequence?: number): void {
    const { view, size, stride } = this.hidden(index);
    const all = view.get();
    if (sequence === undefined && size === stride) {
      fill(out, all, at);
      return;
    }
    const first = sequence ?? 0;
    const count = sequence === undefined ? this.batch : 1;
    for (let i = 0; i < count; i++) {
      const from = (first + i) * stride;
      fill(out, all.subarray(from, from + size), at + i * size);
    }
  }

  writeHidden(index: number, data: Float32Array, sequence?: number): void {
    const { view, size, stride } = this.hidden(index);
    const first = sequence ?? 0;
    const count = sequence === undefined ? this.batch : 1;
    const all = view.get();
    for (let i = 0; i < count; i++) all.set(data.subarray(i * size, (i + 1) * size), (first + i) * stride);
    checked(this.engine.state_hidden_written(this.handle, index, sequence ?? -1), 'hidden state');
  }

  run(): void {
    this.kernels.take?.();
    const code = this.instance.run(this.alive());
    if (code < 0) checked(code, 'run');
  }

  reset(): void {
    checked(this.engine.state_reset(this.alive()), 'reset');
  }

  free(): void {
    if (this.handle !== 0) this.engine.state_free(this.handle);
    this.handle = 0;
    this.inputs = [];
    this.outputs = [];
    this.hiddens = [];
  }

  private alive(): number {
    const handle = alive(this.handle || undefined, 'the state');
    if (this.instance.dead) throw this.instance.error();
    return handle;
  }

  private makeViews(): void {
    const address = (value: number) => this.engine.state_value(this.handle, value);
    const length = ({ kind, size, axis }: GraphInput | GraphOutput) =>
      (kind === 'sequence' ? this.rows[axis]! : this.sequences) * size;
    const view = (port: GraphInput | GraphOutput, value: number) =>
      port.dtype === 'int32'
        ? new View(this.engine, Int32Array, address(value), length(port))
        : new View(this.engine, Float32Array, address(value), length(port));
    this.inputs = this.graph.inputs.map(view);
    this.outputs = this.graph.outputs.map((port) => view(port, port.value));
  }

  /** Hidden values stay where they are as long as the state is there. */
  private hidden(index: number): Hidden {
    const handle = this.alive();
    const known = this.hiddens[index];
    if (known) return known;
    const stride = checked(this.engine.state_hidden_stride(handle, index), 'hidden state');
    const size = this.graph.states[index]?.size ?? 0;
    const address = this.engine.state_hidden(handle, index);
    const view = new View(this.engine, Float32Array, address, this.batch * stride);
    return (this.hiddens[index] = { view, size, stride });
  }
}

/** Hidden values of one layer and direction: (batch, stride), of which `size` count. */
interface Hidden {
  view: View<Float32Array>;
  size: number;
  stride: number;
}
