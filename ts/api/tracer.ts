import type { Backend } from '../backends/backend.ts';
import type { Tensor } from '../base/tensor.ts';
import type { ModelInput } from '../run/inputs.ts';
import type { RunOptions } from '../run/options.ts';
import type { Graph } from '../spec/graph.ts';

/** Options of {@link GruModel.trace}: those of a run, and what is looked at. */
export interface TraceOptions extends Pick<RunOptions, 'initialStates' | 'lengths' | 'mask'> {
  /** Name of a gru, lstm or rnn layer. May be left out where the model has one. */
  layer?: string | undefined;
  /** Of a bidirectional layer: which direction. Default `forward`. */
  direction?: 'forward' | 'reverse' | undefined;
}

/** What {@link GruModel.trace} takes. */
export type TracedInput = ModelInput | Record<string, ModelInput>;

/** What `model.trace` is done by. */
interface Tracer {
  readonly traceLayer: (
    graph: Graph,
    backend: Backend,
    input: TracedInput,
    options: TraceOptions,
  ) => Record<string, Tensor>;
}

type LoadTracer = () => Tracer | Promise<Tracer>;

/** How `model.trace` gets what it runs by. Each entry says it: some are one file, without `import()`. */
export let loadTracer: LoadTracer | undefined;

/** Unless it is there: what an entry without `import()` brought runs for the models of all. */
export function useTracer(load: LoadTracer): void {
  loadTracer ??= load;
}

/** Of an entry without `import()`. */
export function bringTracer(tracer: Tracer): void {
  loadTracer = () => tracer;
}
