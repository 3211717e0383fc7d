import type { BackendState } from '../../backend.ts';
import { GruError } from '../../errors.ts';
import type { Graph } from '../../graph.ts';
import { checked, type Engine } from './engine.ts';
import { View, withBlocks } from './memory.ts';

/** Largest number of rows: their offsets must fit into 32 bits. */
const MAX_ROWS = 2 ** 31;

/** A state of the core, and the views of its buffers. */
export class WasmState implements BackendState {
  readonly batch: number;
  private readonly engine: Engine;
  private readonly graph: Graph;
  private handle: number;
  private inputs: (View<Float32Array> | View<Int32Array>)[] = [];
  private outputs: View<Float32Array>[] = [];
  /** Rows of a sequence value in the present layout. */
  private rows: number;

  constructor(engine: Engine, graph: Graph, handle: number, batch: number) {
    this.engine = engine;
    this.graph = graph;
    this.handle = handle;
    this.batch = batch;
    this.rows = batch;
    this.makeViews();
  }

  setLengths(lengths: ArrayLike<number>, timeMajor = false): void {
    const handle = this.alive();
    let rows = 0;
    for (const length of Array.from(lengths)) rows += length;
    if (rows > MAX_ROWS) throw new GruError('out_of_memory', `${rows} steps in one run are more than ${MAX_ROWS}`);
    try {
      withBlocks(this.engine, (copy) => {
        const block = copy(Int32Array.from(lengths), 'lengths');
        checked(this.engine.state_set_lengths(handle, block.handle, Number(timeMajor)), `buffers for ${rows} steps`);
      });
      this.rows = rows;
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
    return this.outputs[index]!.get();
  }

  readHidden(index: number, out: Float32Array): void {
    const { view, size, stride } = this.hidden(index);
    for (let b = 0; b < this.batch; b++) out.set(view.subarray(b * stride, b * stride + size), b * size);
  }

  writeHidden(index: number, data: Float32Array): void {
    const { view, size, stride } = this.hidden(index);
    for (let b = 0; b < this.batch; b++) view.set(data.subarray(b * size, (b + 1) * size), b * stride);
    checked(this.engine.state_hidden_written(this.handle, index), 'hidden state');
  }

  run(): void {
    const code = this.engine.state_run(this.alive());
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
  }

  private alive(): number {
    if (this.handle === 0) throw new GruError('disposed', 'the state has been disposed');
    return this.handle;
  }

  private makeViews(): void {
    const address = (value: number) => this.engine.state_value(this.handle, value);
    const length = (kind: string, size: number) => (kind === 'sequence' ? this.rows : this.batch) * size;
    this.inputs = this.graph.inputs.map(({ dtype, kind, size }, value) =>
      dtype === 'int32'
        ? new View(this.engine, Int32Array, address(value), length(kind, size))
        : new View(this.engine, Float32Array, address(value), length(kind, size)),
    );
    this.outputs = this.graph.outputs.map(
      ({ value, kind, size }) => new View(this.engine, Float32Array, address(value), length(kind, size)),
    );
  }

  private hidden(index: number): { view: Float32Array; size: number; stride: number } {
    const handle = this.alive();
    const stride = checked(this.engine.state_hidden_stride(handle, index), 'hidden state');
    const size = this.graph.states[index]?.hiddenSize ?? 0;
    const view = new View(this.engine, Float32Array, this.engine.state_hidden(handle, index), this.batch * stride);
    return { view: view.get(), size, stride };
  }
}
