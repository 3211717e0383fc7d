import type { ReadBudget } from '../io/budget.ts';
import type { Graph } from '../spec/graph.ts';
import type { ModelSpec } from '../spec/spec.ts';
import type { GraphBinding } from './onnx/binding.ts';
import type { OnnxOptions } from './onnx/options.ts';
import type { KerasOptions } from './keras/options.ts';
import type { PytorchOptions } from './pytorch/options.ts';

/** What an importer found in a file and what it made of it; `inspect` shows it. */
export interface ImportReport {
  /** Name of the format. */
  format: string;
  /** What wrote the file, as the file says: `Keras 3.15.1`. */
  producer?: string;
  /** Conventions found in the file that decide over numbers, in words: `gru layer 'gru': reset gate after the matmul`. */
  conventions: string[];
  /** Where each tensor went. */
  tensors: ImportedTensor[];
  /** PyTorch, where `layers` are not given and needed: the modules of the state dict, and what their tensors look like (`GRU`, `Linear`). */
  modules?: { name: string; kind: string }[];
  /** ONNX: how the graph's own tensors, in its own axes, are given to the model and read from it. */
  graph?: GraphBinding;
}

/** A tensor of a file and its place in the spec. */
export interface ImportedTensor {
  /** Name in the file. */
  source: string;
  /** In the file. */
  shape: number[];
  /** Name of the element type as the format calls it. */
  dtype: string;
  /** Layer and key of its weights in the spec: `gru/forward.input`. */
  target: string;
}

/** What a reader of a format returns. */
export interface ImportedModel {
  /** The model, weights included. */
  spec: ModelSpec;
  /** Of a reader that had to resolve it anyway, for a spec that is all the reader's. */
  graph?: Graph | undefined;
  /** What the file said and where each tensor went. */
  report: ImportReport;
}

/** What a reader may ask for besides the file's bytes. */
export interface ImportContext {
  /** Name of the file, as the user gave it. */
  name?: string;
  /** The bytes of a file beside it (a shard, external data, a config); undefined when there is none. */
  sidecar?: (name: string) => Promise<Uint8Array | undefined>;
  /** What may still be unpacked. */
  budget?: Pick<ReadBudget, 'spend'>;
  /** Options of the user, by format. */
  options?: ImportOptions;
  /** The file is only described: a model that cannot be made of it for want of options may be one without layers. */
  describing?: boolean;
}

/** Options of the user for importers. */
export interface ImportOptions {
  /** Keras: what a file of weights alone does not say. */
  keras?: KerasOptions;
  /** PyTorch: what a state dict does not say, above all how its modules are connected. */
  pytorch?: PytorchOptions;
  /** ONNX: one node out of a graph, weights that the file does not hold. */
  onnx?: OnnxOptions;
}
