import type { BackendState, CompiledModel } from '../backend.ts';
import { GruError } from '../errors.ts';
import { type Graph, resolveGraph } from '../graph.ts';
import type { Answer, Failure, Job, Start } from './messages.ts';

/** In the worker: a model of its own, and the state of the last job. */
export class Runner {
  private readonly graph: Graph;
  private readonly compiled: CompiledModel;
  private state: BackendState | undefined;

  private constructor(graph: Graph, compiled: CompiledModel) {
    this.graph = graph;
    this.compiled = compiled;
  }

  /** @throws GruError `backend_unavailable`, `out_of_memory`. */
  static async start({ backend, shared, spec }: Start): Promise<Runner> {
    const graph = resolveGraph(spec);
    if (!shared) return new Runner(graph, (await import('../backends/js/index.ts')).jsBackend.compile(graph));
    const { backendFrom } = await import('../backends/wasm/core.ts');
    const name = backend === 'wasm-relaxed' ? 'relaxed' : 'baseline';
    return new Runner(graph, backendFrom(name, shared.module, shared.kernels).compile(graph));
  }

  /** @throws GruError `out_of_memory`, `id_out_of_range`. The runner stays usable. */
  run({ id, batch, steps, lengths, timeMajor, inputs, initial }: Job): Answer {
    try {
      if (this.state?.batch !== batch) this.drop();
      const state = (this.state ??= this.compiled.createState(batch));
      state.setLengths(lengths ?? new Int32Array(batch).fill(steps), timeMajor);
      state.reset();
      initial.forEach((data, i) => {
        if (data) state.writeHidden(i, data);
      });
      this.graph.inputs.forEach(({ dtype }, i) => {
        (dtype === 'int32' ? state.inputIds(i) : state.inputFloats(i)).set(inputs[i]!);
      });
      state.run();
      return {
        id,
        outputs: this.graph.outputs.map((_, i) => state.output(i).slice()),
        states: this.graph.states.map(({ hiddenSize }, i) => {
          const hidden = new Float32Array(batch * hiddenSize);
          state.readHidden(i, hidden);
          return hidden;
        }),
      };
    } catch (error) {
      this.drop();
      throw error;
    }
  }

  private drop(): void {
    this.state?.free();
    this.state = undefined;
  }
}

/** What can be posted of an error. */
export function toFailure(error: unknown, id?: number): Failure {
  if (error instanceof GruError) return { id, code: error.code, message: error.message };
  // "Array buffer allocation failed", "Invalid typed array length".
  const code = error instanceof RangeError ? 'out_of_memory' : 'internal';
  return { id, code, message: `in a worker: ${String(error)}` };
}
