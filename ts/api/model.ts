import type { BackendState, CompiledModel } from '../backends/backend.ts';
import { padRows } from '../run/batch.ts';
import { GruError } from '../base/errors.ts';
import { originOf } from './origin.ts';
import { loadTracer, type TraceOptions } from './tracer.ts';
import { type FlowOptions, stepAll, type StepSource, transformSteps } from '../stream/flow.ts';
import { checkCount, fill, moved, partOf } from '../base/foreign.ts';
import type { ImportReport } from '../formats/report.ts';
import { saveModel, STORED_DTYPES, type StoredDtype } from '../formats/save.ts';
import type { Graph } from '../spec/graph.ts';
import { INSPECT } from '../base/host.ts';
import { describeModel, type ModelInfo } from '../spec/info.ts';
import { type ModelInput, readInputs, type RunInputs } from '../run/inputs.ts';
import { printModel } from './print.ts';
import { ownCopy } from '../base/own-copy.ts';
import { alive, freeNow, freeWhenForgotten } from '../base/lifetime.ts';
import { RUN_OPTIONS, type RunOptions } from '../run/options.ts';
import { ModelResources } from '../run/resources.ts';
import { newTarget, paddedBy, readOut, type RunResult, type Target } from '../run/result.ts';
import { type AnyState, fillStates, type LayerState, readStates, stateName } from '../run/states.ts';
import { runGroups, type StateGroup } from '../spec/state-groups.ts';
import type { ModelSpec } from '../spec/spec.ts';
import { fingerprint } from '../stream/snapshot.ts';
import type { StepInput } from '../stream/step.ts';
import { GruStream, type StreamOptions, type StreamState } from '../stream/stream.ts';
import { GruStreams } from '../stream/streams.ts';
import { checkKnown, checkOptions, describe, type Tensor } from '../base/tensor.ts';
import { sizeOf, type Values } from '../base/typed-array.ts';

const NO_OPTIONS: RunOptions = {};

/** Options of {@link GruModel.save}. */
export interface SaveOptions {
  /**
   * How weights are stored. `float16` halves the file and rounds them to nearest, ties to even. `i16` and `i8` store the weights that products
   * are made with as integers, a half and a quarter of the bytes; the file gives the same bits as `loadModel` of this model's with
   * that `precision`. Weights that are integers already stay so. Default `float32`.
   */
  dtype?: StoredDtype | undefined;
}

/**
 * A model ready to run. Made by `loadModel`, `createModel`, `createGru` and their like.
 *
 * @example
 * const { output, states } = model.run({ data, shape: [batch, steps, size] });
 */
export class GruModel implements ModelInfo {
  readonly inputs!: ModelInfo['inputs'];
  readonly outputs!: ModelInfo['outputs'];
  readonly layers!: ModelInfo['layers'];
  readonly states!: ModelInfo['states'];
  readonly streamable!: boolean;
  /** What computes: `wasm-relaxed`, `wasm-baseline` or `js`. */
  readonly backend: string;
  /** What its file said and where each tensor went; undefined for a model that was not read from a file. */
  readonly report: ImportReport | undefined;
  private readonly info: ModelInfo;
  private graph: Graph | undefined;
  private readonly resources: ModelResources;
  private readonly groups: StateGroup[];
  private readonly streams = new Set<StreamState>();
  /** The model's fingerprint. Streams hold this function: it must not hold the model. */
  private readonly print: () => Uint8Array;

  /** @internal */
  constructor(graph: Graph, compiled: CompiledModel, backend: string, report?: ImportReport) {
    this.report = report;
    this.graph = graph;
    this.print = lazyFingerprint(graph);
    this.backend = backend;
    this.groups = runGroups(graph);
    this.info = describeModel(graph);
    Object.assign(this, this.info);
    this.resources = new ModelResources(compiled);
    freeWhenForgotten(this, this.resources);
  }

  /**
   * What the model is made of, weights included: not a copy, so leave it as it is. To see inside a model, make another with
   * more outputs: `createModel({ ...model.spec, outputs: ['encoder', 'logits'] })`.
   *
   * @throws GruError `disposed`.
   */
  get spec(): ModelSpec {
    return this.alive().spec;
  }

  /**
   * Runs whole sequences.
   *
   * @param input For a model with one input: `{ data, shape }` with shape (batch, steps, size) for features, (batch, steps)
   *   for ids, (batch, size) for an input with one row a sequence; or, for a single sequence, a shape without the batch or
   *   the array alone: results then have no batch dimension either. An array of arrays is a batch of sequences of any
   *   lengths; results are padded to the longest (so `[frame0, frame1]` is two sequences of one step, not one of two: join
   *   frames in one array, or feed a stream). For several inputs: a record of these by name.
   *   No steps, or no sequences, are fine: outputs are empty then and the final states those given.
   * @throws GruError `shape_mismatch`, `dtype_mismatch`, `id_out_of_range`, `invalid_argument` (each names the tensor, what
   *   came and what was expected), `out_of_memory`, `disposed`. The model stays usable. What a getter or a Proxy of the
   *   caller's throws passes through as it is.
   *
   * @example
   * const { output } = model.run(new Float32Array(20 * 64));        // one sequence of 20 steps: output.shape is [20, size]
   * const { states } = model.run({ data, shape: [8, 20, 64] });     // 8 sequences
   * model.run({ data, shape: [8, 20, 64] }, { initialStates: states });
   * model.run([first, second, third]);                              // of any lengths
   * model.run({ data, shape: [8, 20, 64] }, { lengths: [20, 3, 7, 20, 1, 0, 9, 12] });
   * let result;
   * for (const x of batches) use((result = model.run(x, { out: result })));              // new arrays for the first only
   */
  run<
    States extends Record<string, LayerState> = Record<string, AnyState>,
    Data extends Values = Float32Array,
    Outputs extends string = string,
  >(
    input: ModelInput | Record<string, ModelInput>,
    options: RunOptions = NO_OPTIONS,
  ): RunResult<States, Data, Outputs> {
    const graph = this.alive();
    if (options !== NO_OPTIONS) checkKnown('run', options, RUN_OPTIONS);
    const { initialStates, out } = options;
    const run = readInputs('run', graph, input, options);
    const initial = readStates('run: initialStates', this.groups, initialStates, run);
    const target = out === undefined ? newTarget(graph, this.groups, run) : readOut(out, graph, this.groups, run);
    // What ran of the caller's code meanwhile may have run the model, which is fine, or disposed it. From here on none runs.
    this.alive();
    if (run.batch === 0) return target.result as RunResult<never, never>;
    try {
      const state = this.resources.stateFor(run);
      state.reset();
      this.groups.forEach((group, g) => {
        const { first, count } = group;
        const size = run.batch * group.size;
        const given = initial[g];
        if (given && sizeOf(given) !== count * size) throw moved(stateName('run: initialStates', group));
        for (let i = 0; given && i < count; i++) state.writeHidden(first + i, partOf(given, i * size, (i + 1) * size));
      });
      graph.inputs.forEach(({ dtype }, i) => {
        run.copy(i, dtype === 'int32' ? state.inputIds(i) : state.inputFloats(i));
      });
      state.run();
      return this.collect(graph, run, state, target) as RunResult<never, never>;
    } catch (error) {
      this.resources.dropRunState();
      throw error;
    }
  }

  /**
   * The gates of a recurrent layer made visible: what they were at each step of a run over this input. It computes the layer anew, step by
   * step: for looking, not for speed.
   *
   * @param input As {@link run} takes it; not time-major.
   * @returns Tensors (batch, steps, hiddenSize), without the batch for one sequence: of a gru `z`, `r`, `candidate` and `h`, by the names of
   *   {@link GruSpec}'s equations (`candidate` is n); of an lstm `i`, `f`, `g`, `o`, `c` and `h`; of an rnn `h`. `h` and `c`, the states after the step, are the bits of
   *   the run; the gates are those of the exact backends, which the relaxed one is near. At steps that are masked the states are held and
   *   the gates 0, in padding all is 0.
   * @throws GruError `invalid_argument` for a layer or a direction that is not there, and as {@link run} does.
   *
   * @example
   * const { z, r, candidate, h } = await model.trace({ data, shape: [steps, 64] }, { layer: 'encoder' });
   */
  async trace(
    input: ModelInput | Record<string, ModelInput>,
    options: TraceOptions = {},
  ): Promise<Record<string, Tensor>> {
    const origin = originOf(this);
    if (!origin || !loadTracer)
      throw new GruError('unsupported', 'trace: models of worklets and workers have none; load it beside');
    // Others may be in the caller's arrays when the tracer is there.
    const given = ownCopy([input, options] as const);
    const { traceLayer } = await loadTracer();
    return traceLayer(this.alive(), origin.backend, ...given);
  }

  /**
   * Makes a stream: sequences that come step by step, with hidden states that start from zero and stay in the backend.
   *
   * @throws GruError `not_streamable` where a layer needs later steps (the message names it), `invalid_argument`, `out_of_memory`, `disposed`.
   */
  createStream(options: StreamOptions = {}): GruStream {
    const graph = this.alive();
    const { batch = 1 } = checkOptions('createStream', options, ['batch']);
    checkCount('createStream: batch', batch);
    if (graph.notStreamable) throw new GruError('not_streamable', graph.notStreamable);
    this.alive();
    return new GruStream(graph, this.resources.compiled, batch, this.streams, this.print);
  }

  /**
   * Steps over a source: one result, the model's first output, for each input. The hidden states start from zero; they are
   * freed when the source ends or throws, the loop is left, or `signal` aborts (the loop then throws its reason).
   *
   * @param source Anything to loop over: an array, a generator, a `ReadableStream`, ...; what it gives is what
   *   {@link GruStream.step} takes.
   * @throws GruError as {@link createStream} and {@link GruStream.step} do.
   *
   * @example
   * for await (const y of model.stream(microphone, { signal })) show(y);
   */
  stream(source: StepSource, options: FlowOptions = {}): AsyncGenerator<Float32Array, void, undefined> {
    this.alive();
    return stepAll((rest) => this.createStream(rest), source, options);
  }

  /**
   * The same as a transform stream, from steps to results.
   *
   * @throws GruError as {@link createStream} does; what {@link GruStream.step} throws fails both sides.
   *
   * @example
   * await frames.pipeThrough(model.transform({ signal })).pipeTo(sink);
   */
  transform(options: FlowOptions = {}): TransformStream<StepInput, Float32Array> {
    return transformSteps((rest) => this.createStream(rest), options);
  }

  /**
   * Makes `count` streams that share buffers, for thousands of live sequences: each costs its hidden states, and those that
   * have data are stepped together.
   *
   * @throws GruError `not_streamable`, `invalid_argument`, `out_of_memory`, `disposed`.
   */
  createStreams(count: number): GruStreams {
    const graph = this.alive();
    checkCount('createStreams: count', count);
    if (graph.notStreamable) throw new GruError('not_streamable', graph.notStreamable);
    return new GruStreams(graph, this.resources.compiled, count, this.streams, this.print);
  }

  /**
   * The model as a `.safetensors` file that `loadModel` reads. The same model gives the same bytes.
   *
   * @throws GruError `unsupported` for `float16` and a weight above 65504, for `i16` or `i8` and one that is not finite, naming the tensor;
   * `disposed`.
   */
  save(options: SaveOptions = {}): Uint8Array {
    const graph = this.alive();
    const { dtype = 'float32' } = checkOptions('save', options, ['dtype']);
    if (!STORED_DTYPES.includes(dtype)) {
      throw new GruError('invalid_argument', `save: dtype must be ${STORED_DTYPES.join(', ')}, got ${describe(dtype)}`);
    }
    return saveModel(graph.spec, dtype);
  }

  /** Frees the model and its streams. Idempotent; any other call afterwards throws GruError `disposed`. */
  dispose(): void {
    for (const stream of this.streams) stream.free();
    freeNow(this.resources);
    this.graph = undefined;
  }

  /** What Node, Deno and Bun print of a model. @internal */
  [INSPECT](): string {
    return this.graph ? printModel(this) : 'GruModel (disposed)';
  }

  /** What `JSON.stringify` writes of a model: what it is. Its weights are in {@link save}'s file. @internal */
  toJSON(): ModelInfo & { backend: string } {
    return { ...this.info, backend: this.backend };
  }

  /** {@link dispose}, for `using model = await loadModel(...)`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  private alive(): Graph {
    return alive(this.graph, 'the model');
  }

  private collect(graph: Graph, run: RunInputs, state: BackendState, target: Target): Target['result'] {
    graph.outputs.forEach((output, i) => {
      const data = target.outputs[i]!;
      const rows = output.dtype === 'int32' ? state.outputIds(i) : state.output(i);
      const ragged = paddedBy(output, run);
      if (!ragged) {
        fill(data, rows);
        return;
      }
      const own = target.reused ? partOf(data, 0, sizeOf(data)).fill(0) : data;
      padRows(ragged, rows, output.size, run.axes[output.axis]!.steps, run.timeMajor, own);
    });
    fillStates(this.groups, target.states, (index, out) => {
      state.readHidden(index, out);
    });
    return target.result;
  }
}

/** Made when the first snapshot asks for it. */
function lazyFingerprint({ spec }: Graph): () => Uint8Array {
  let print: Uint8Array | undefined;
  return () => (print ??= fingerprint(saveModel(spec, 'float32')));
}
