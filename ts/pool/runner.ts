import type { Backend } from '../backends/backend.ts';
import { jsBackend } from '../backends/js/index.ts';
import { backendFrom } from '../backends/wasm/core.ts';
import { GruError } from '../base/errors.ts';
import { type Graph, resolveGraph } from '../spec/graph.ts';
import { ModelResources } from '../run/resources.ts';
import { toGruError } from './failure.ts';
import type { Answer, Failure, Job, Start } from './messages.ts';
import { runSlots } from '../spec/state-groups.ts';
import { useAllKinds } from '../layers/full.ts';

useAllKinds();

/** In the worker: a model of its own. */
export class Runner {
  private readonly graph: Graph;
  private readonly backend: Backend;
  private resources: ModelResources | undefined;

  private constructor(graph: Graph, backend: Backend) {
    this.graph = graph;
    this.backend = backend;
    this.resources = new ModelResources(backend.compile(graph));
  }

  /** @throws GruError `backend_unavailable`, `out_of_memory`. */
  static start({ backend, shared, spec }: Start): Runner {
    const graph = resolveGraph(spec);
    if (!shared) return new Runner(graph, jsBackend);
    const name = backend === 'wasm-relaxed' ? 'relaxed' : 'baseline';
    return new Runner(graph, backendFrom(name, shared.module, shared.kernels));
  }

  /** @throws GruError `out_of_memory`, `id_out_of_range`, `internal`. The runner stays usable. */
  run({ id, batch, axes, timeMajor, inputs, initial, sizes, results }: Job): Answer {
    try {
      this.resources ??= new ModelResources(this.backend.compile(this.graph));
      const state = this.resources.stateFor({ batch, axes, timeMajor });
      state.reset();
      const slots = runSlots(this.graph);
      initial.forEach((data, i) => {
        if (data) state.writeHidden(slots[i]!, data);
      });
      this.graph.inputs.forEach(({ dtype }, i) => {
        (dtype === 'int32' ? state.inputIds(i) : state.inputFloats(i)).set(inputs[i]!);
      });
      state.run();
      const { outputs } = this.graph;
      const into = results ?? sizes.map((size) => new Float32Array(size));
      // Ids as numbers: below 2^24 they are exact.
      outputs.forEach(({ dtype }, i) => {
        into[i]!.set(dtype === 'int32' ? state.outputIds(i) : state.output(i));
      });
      slots.forEach((index, i) => {
        state.readHidden(index, into[outputs.length + i]!);
      });
      return { id, results: results ? undefined : into };
    } catch (error) {
      this.resources?.dropRunState();
      // The instance of the core has died: the next job gets a model on a new one.
      if (error instanceof GruError && error.code === 'internal') this.resources = undefined;
      throw error;
    }
  }
}

/** What can be posted of an error. */
export function toFailure(error: unknown, id?: number): Failure {
  const { code, message } = toGruError(error, 'in a worker');
  return { id, code, message };
}
