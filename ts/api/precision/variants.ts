import type { Backend } from '../../backends/backend.ts';
import { GruError } from '../../base/errors.ts';
import { ownCopy } from '../../base/own-copy.ts';
import { checkSignal } from '../../base/signal.ts';
import {
  checkCallback,
  checkOptions,
  describe,
  isRevoked,
  type Names,
  product,
  type Tensor,
} from '../../base/tensor.ts';
import type { Values } from '../../base/typed-array.ts';
import { dtyped, numbersOf, type WeightDtype, weightsOf, type WeightTensor } from '../../base/weights.ts';
import { quantizableOf, specWith } from '../../formats/precision.ts';
import type { Padding } from '../../run/batch.ts';
import { type ModelInput, readInputs } from '../../run/inputs.ts';
import type { LayerState } from '../../run/states.ts';
import { type Graph, type GraphNode, resolveGraph } from '../../spec/graph.ts';
import type { LayerSpec } from '../../spec/spec.ts';
import { GruModel } from '../model.ts';
import type { RunOptions } from '../../run/options.ts';
import { originOf } from '../origin.ts';
import { backendOfIntegers } from './backend.ts';
import { apart, type Difference } from './difference.ts';

/** What `model.run` takes: an array of arrays is sequences of any lengths. */
export type Sequences = ModelInput | Record<string, ModelInput>;

/** Options of `sensitivity`: those of a run, and of the many that are made. */
export interface SensitivityOptions extends Pick<RunOptions, 'initialStates' | 'lengths' | 'mask'> {
  /** Aborts between two runs of the model; the promise then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Called when something has been measured, with how much has been and the most that will be. What it throws ends the search. */
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

export const SENSITIVITY_OPTIONS = ['initialStates', 'lengths', 'mask', 'signal', 'onProgress'] as const;

/** A layer whose products can be made of integers. */
export interface QuantizableLayer {
  /** By which `precision` names it. */
  name: string;
  /** Its kind. */
  type: LayerSpec['type'];
  /** Weights that become integers. */
  parameters: number;
}

const BYTES: Record<WeightDtype, number> = { f32: 4, i16: 2, i8: 1 };

/** Those of a layer that can be integers. */
function tensorsOf(node: GraphNode): { shape: readonly number[]; tensor: WeightTensor }[] {
  const weights = weightsOf(node.layer);
  return quantizableOf(node).flatMap(({ key, shape }) => {
    const tensor = weights[key];
    return tensor ? [{ shape, tensor }] : [];
  });
}

type Outputs = Record<string, Tensor<Values>>;

/** f32 where a layer is not named; one may be called `constructor`. */
const ownOf = (given: Readonly<Record<string, WeightDtype>>, name: string): WeightDtype =>
  Object.hasOwn(given, name) ? given[name]! : 'f32';

/** A model with weights of other precisions, run over the same sequences. */
export class Variants {
  readonly layers: QuantizableLayer[];
  readonly graph: Graph;
  /** The function that is called. */
  private readonly where: string;
  private readonly backend: Backend;
  private readonly sequences: Sequences;
  private readonly options: SensitivityOptions;
  private exact: Outputs | undefined;
  private done = 0;
  /** What there will be to measure, at most. */
  total = 0;

  private constructor(
    where: string,
    graph: Graph,
    backend: Backend,
    sequences: Sequences,
    options: SensitivityOptions,
  ) {
    [this.where, this.graph, this.backend] = [where, graph, backend];
    [this.sequences, this.options] = [sequences, options];
    this.layers = graph.nodes.flatMap((node) => {
      const { name, type } = node.layer;
      const tensors = tensorsOf(node);
      if (tensors.length === 0) return [];
      return [{ name, type, parameters: tensors.reduce((sum, { shape }) => sum + product(shape), 0) }];
    });
  }

  /**
   * @param where The function that is called.
   * @param known The names of its options.
   */
  static async of<Options extends SensitivityOptions, const List extends readonly string[]>(
    where: string,
    model: GruModel,
    sequences: Sequences,
    given: Options,
    known: List & Names<Options, List>,
  ): Promise<{ variants: Variants; options: Options }> {
    const wrong = (message: string) => new GruError('invalid_argument', `${where}: ${message}`);
    if (isRevoked(model) || !(model instanceof GruModel)) throw wrong(`expected a model, got ${describe(model)}`);
    const options = checkOptions(where, given, known);
    const { signal, onProgress } = options;
    checkSignal(`${where}: signal`, signal);
    checkCallback('onProgress', onProgress);
    signal?.throwIfAborted();
    if ((sequences as unknown) === undefined) throw wrong('give sequences: what model.run takes');
    const { spec } = model;
    const origin = originOf(model);
    if (!origin) {
      throw new GruError('unsupported', `${where}: the model must come from loadModel, createModel or createGru`);
    }
    // Before the first wait: what is read again and again is ours.
    const { initialStates, lengths, mask } = options;
    const own = { ...options, ...ownCopy({ initialStates, lengths, mask }) };
    const copy = ownCopy(sequences);
    const backend = await backendOfIntegers(origin.find, model.backend);
    return { variants: new Variants(where, resolveGraph(spec), backend, copy, own), options };
  }

  /** A record of all layers that can be integers: the precision of each, f32 of those that are not given. */
  precision(given: Readonly<Record<string, WeightDtype>> | WeightDtype = {}): Record<string, WeightDtype> {
    const of = (name: string) => (typeof given === 'string' ? given : ownOf(given, name));
    return Object.fromEntries(this.layers.map(({ name }) => [name, of(name)]));
  }

  /** Bytes of the weights that can be integers, and of their scales. */
  bytes(precision: Record<string, WeightDtype>): number {
    const ofTensor = (own: WeightDtype, asked: WeightDtype, [rows = 1, ...rest]: readonly number[]) => {
      // Integers are never made wider.
      const dtype = asked === 'i16' && own === 'i8' ? 'i8' : asked;
      return rows * (product(rest) * BYTES[dtype] + (dtype === 'f32' ? 0 : BYTES.f32));
    };
    return this.graph.nodes.reduce((bytes, node) => {
      const asked = ownOf(precision, node.layer.name);
      return tensorsOf(node).reduce(
        (sum, { tensor, shape }) => sum + ofTensor(dtyped(tensor).dtype, asked, shape),
        bytes,
      );
    }, 0);
  }

  /** The model in a precision: the caller disposes it. */
  compile(precision: Record<string, WeightDtype>, of = this.graph): GruModel {
    const graph = resolveGraph(specWith(of, precision));
    return new GruModel(graph, this.backend.compile(graph), this.backend.name);
  }

  run(model: GruModel): Outputs {
    const { initialStates, lengths, mask } = this.options;
    const of = { initialStates, lengths, mask, padding: this.padding };
    return model.run<Record<string, LayerState>, Values>(this.sequences, of).outputs;
  }

  /** Rows of padding differ in nothing, so that there are to be none. */
  private get padding(): Padding {
    const { lengths, mask } = this.options;
    const { axes } = readInputs(this.where, this.graph, this.sequences, { lengths, mask });
    return axes.some(({ ragged }) => ragged) ? 'none' : 'zero';
  }

  /** How far the outputs in a precision, of this model or of another of the same outputs, are from those of this one in f32. */
  async difference(precision: Record<string, WeightDtype>, of = this.graph): Promise<Difference> {
    const exact = (this.exact ??= this.measurable(await this.outputsOf(this.precision())));
    const got = await this.outputsOf(precision, of);
    return apart(...Object.keys(exact).map((name) => [got[name]!.data, exact[name]!.data] as [Values, Values]));
  }

  /** @throws GruError `invalid_argument` for sequences on which nothing can be measured. */
  private measurable(outputs: Outputs): Outputs {
    const wrong = (message: string) => new GruError('invalid_argument', `${this.where}: ${message}`);
    const tensors = Object.entries(outputs);
    if (tensors.every(([, { data }]) => data.length === 0))
      throw wrong('the sequences have no step that counts: nothing can be measured');
    for (const [name, { data }] of tensors) {
      if (data.every((value) => Number.isFinite(value))) continue;
      const text = `output '${name}' holds NaN or infinite numbers in float32`;
      const weights = this.notFinite();
      if (weights !== undefined) throw new GruError('unsupported', `${this.where}: ${text}, and ${weights}`);
      throw wrong(`${text}: give sequences on which it has none`);
    }
    return outputs;
  }

  /** Weights that may be at fault where outputs are not finite. */
  private notFinite(): string | undefined {
    for (const { layer, kind } of this.graph.nodes) {
      const weights = weightsOf(layer);
      for (const { key } of kind.tensors(layer)) {
        const value = weights[key] && numbersOf(weights[key]).find((value) => !Number.isFinite(value));
        if (value !== undefined) return `weights['${key}'] of ${layer.type} layer '${layer.name}' hold ${value}`;
      }
    }
    return undefined;
  }

  async outputsOf(precision: Record<string, WeightDtype>, of = this.graph): Promise<Outputs> {
    const model = this.compile(precision, of);
    let outputs: Outputs;
    try {
      outputs = this.run(model);
    } finally {
      model.dispose();
    }
    this.count();
    await this.turn();
    return outputs;
  }

  /** One thing more has been measured. */
  count(): void {
    this.done++;
    this.options.onProgress?.({ done: this.done, total: Math.max(this.total, this.done) });
  }

  /** Lets others have the thread, whoever aborts among them. */
  async turn(): Promise<void> {
    await new Promise((turned) => setTimeout(turned));
    this.options.signal?.throwIfAborted();
  }

  /** Once the kernels are chosen: what is timed while they are not is the choice. */
  async settled(): Promise<void> {
    await this.backend.settled?.();
  }
}
